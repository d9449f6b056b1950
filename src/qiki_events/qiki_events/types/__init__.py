"""The types of events: one module per emitting domain, each with its `SCHEMAS`.

A new module in this folder is found by itself; its messages stand in `../proto`.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from qiki_events.registry import Registry, Schema


def _schemas() -> Iterator[Schema]:
    for module in pkgutil.iter_modules(__path__):
        yield from import_module(f"{__name__}.{module.name}").SCHEMAS


REGISTRY: Final = Registry(_schemas())
"""All types of events of QIKI."""
