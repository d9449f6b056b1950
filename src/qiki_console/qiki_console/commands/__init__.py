"""The verbs of `qiki`, one module each."""
