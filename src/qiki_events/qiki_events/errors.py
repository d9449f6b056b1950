"""Errors of events."""


class PayloadError(ValueError):
    """The payload of an event does not fit its type; the text names type, field, value and the allowed values."""
