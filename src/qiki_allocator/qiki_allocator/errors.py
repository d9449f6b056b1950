"""What the allocator refuses, and why."""


class ConfigurationError(ValueError):
    """A file, field or argument is not allowed; the text names it, its value and the allowed range."""
