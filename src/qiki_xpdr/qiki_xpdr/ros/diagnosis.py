"""Health of transponder and radar, for the diagnostics."""

import math
from typing import Final

from qiki_node.health import Health, Level
from qiki_vehicle.key_files import KeyFiles
from qiki_xpdr.guard import GuardMode
from qiki_xpdr.iff import Iff
from qiki_xpdr.transponder import Transponder

_STALE: Final = 1.0
"""s without a radar frame after which diagnostics warn."""


def of_transponder(xpdr: Transponder, keys: KeyFiles, guard: GuardMode) -> Health:
    """Mode, keys and power."""
    values = {
        "id": xpdr.identity,
        "mode": xpdr.mode.name,
        "effective": xpdr.effective.name,
        "signed": keys.own is not None,
        "members": len(keys.ring.members),
        "guard": guard.name,
    }
    if keys.trouble:
        return Health(Level.ERROR, f"changed keys are refused: {keys.trouble}", values)
    if xpdr.shed:
        return Health(Level.WARN, f"{xpdr.mode.name} ordered, OFF: power is shed", values)
    return Health(Level.OK, xpdr.effective.name, values)


def of_radar(age: float, tracks: int, waiting: int, iff: Iff) -> Health:
    """Radar frames and their tracks. age: s of the newest frame. waiting: receptions."""
    values = {"tracks": tracks, "waiting": waiting, "checks_queued": iff.queued, "checks_dropped": iff.dropped}
    if not age <= _STALE:
        text = "no radar frame yet" if math.isinf(age) else f"no radar frame for {age:.1f} s"
        return Health(Level.WARN, text, values)
    return Health(Level.OK, f"{tracks} tracks", values)
