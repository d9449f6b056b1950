"""Makes the root of the checkout importable: the package `workspace` is not installed anywhere."""

import sys
from pathlib import Path

import pytest

from_here = Path(__file__).resolve().parents[2]
if str(from_here) not in sys.path:
    sys.path.insert(0, str(from_here))


@pytest.fixture
def root() -> Path:
    """The checkout under test."""
    return from_here
