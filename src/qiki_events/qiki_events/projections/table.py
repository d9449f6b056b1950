"""A mapping that is not changed but replaced, at a cost that stays small with thousands of entries."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar
from zlib import crc32

V = TypeVar("V")

_SHARDS = 128


class Table(Mapping[str, V], Generic[V]):
    """Entries by text, spread over shards, of which `put` copies one."""

    __slots__ = ("_shards",)

    def __init__(self, shards: tuple[Mapping[str, V], ...] = ({},) * _SHARDS) -> None:
        self._shards = shards

    def put(self, key: str, value: V) -> "Table[V]":
        """This table with one entry added or replaced."""
        index = _shard(key)
        shard = {**self._shards[index], key: value}
        return Table((*self._shards[:index], shard, *self._shards[index + 1 :]))

    def __getitem__(self, key: str) -> V:
        return self._shards[_shard(key)][key]

    def __iter__(self) -> Iterator[str]:
        for shard in self._shards:
            yield from shard

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def __repr__(self) -> str:
        return f"Table({dict(self)!r})"


def _shard(key: str) -> int:
    return crc32(key.encode()) % _SHARDS
