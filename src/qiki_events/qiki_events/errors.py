"""Errors of events."""


class PayloadError(ValueError):
    """An event's fields or payload cannot be stored; the text names the field, its value and the allowed ones."""
