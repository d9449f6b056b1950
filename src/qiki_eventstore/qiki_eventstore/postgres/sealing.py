"""The hash chain, drawn behind the writers so that they need not wait for each other."""

from dataclasses import dataclass

from qiki_eventstore import chain
from qiki_eventstore.postgres.arrays import bytea_array, int8_array
from qiki_eventstore.postgres.readers import Reader
from qiki_eventstore.postgres.rows import SELECT_UNSEALED, to_events
from qiki_eventstore.postgres.tail import DECIDED

_PAGE = 2_000

_LAST_SEAL = (
    "SELECT s.position, s.hash, coalesce(e.recorded, 0) FROM (SELECT * FROM seals ORDER BY position DESC LIMIT 1) AS s"
    " LEFT JOIN events AS e ON e.position = s.position"
)
_UNSEALED = (
    f"{SELECT_UNSEALED} WHERE e.position > %(after)b AND e.position <= ({DECIDED}) ORDER BY e.position LIMIT {_PAGE}"
)


@dataclass(frozen=True, slots=True)
class Seal:
    """The end of the chain: position, hash and recording time of the last event that is sealed."""

    position: int = 0
    hash: bytes = chain.GENESIS
    recorded: int = 0


def seal(reader: Reader) -> tuple[Seal, bool]:
    """Seal the next page of decided events, unless another process is sealing.

    Returns:
        The end of the chain, and whether there may be more to seal.
    """
    connection = reader.connection
    with connection.transaction():
        row = connection.execute("SELECT pg_try_advisory_xact_lock('seals'::regclass::oid::bigint << 32)").fetchone()
        end = last_seal(reader)
        if row != (True,):
            return end, False
        rows = connection.execute(_UNSEALED.encode(), {"after": end.position}, binary=True, prepare=True).fetchall()
        if not rows:
            return end, False
        # The transaction gets its id, which holds followers back, only with the insert: so compute first.
        events = to_events(reader, rows)
        hashes = []
        hash = end.hash
        for event in events:
            hash = chain.link_event(hash, event)
            hashes.append(hash)
        connection.execute(
            "INSERT INTO seals (position, hash) SELECT * FROM unnest(%b, %b)",
            [int8_array([event.position for event in events]), bytea_array(hashes)],
        )
    return Seal(events[-1].position, hash, events[-1].recorded), len(events) == _PAGE


def last_seal(reader: Reader) -> Seal:
    """The end of the chain; `Seal()` in an empty store."""
    row = reader.connection.execute(_LAST_SEAL.encode(), binary=True).fetchone()
    return Seal() if row is None else Seal(*row)
