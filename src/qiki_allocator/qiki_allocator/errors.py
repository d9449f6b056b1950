"""The error of refused files, fields and arguments."""

from qiki_vehicle import ConfigurationError

__all__ = ["ConfigurationError"]
