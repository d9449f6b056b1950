"""Objects that collections leave out, and memory that only `renew` frees."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from qiki_node import long_lived


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def without_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("without_collections")
def test_what_was_left_in_cycles_is_freed_though_it_was_frozen() -> None:
    early = Node()
    long_lived.freeze()
    late = Node()
    gone = weakref.ref(early), weakref.ref(late)
    del early, late
    gc.collect()
    assert gone[0]() is not None, "what is frozen is left out of collections"
    long_lived.renew()
    assert [one() for one in gone] == [None, None]
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("without_collections")
def test_where_nothing_is_frozen_nothing_is_done() -> None:
    left = Node()
    gone = weakref.ref(left)
    del left
    long_lived.renew()
    assert gone() is not None
    assert gc.get_freeze_count() == 0
