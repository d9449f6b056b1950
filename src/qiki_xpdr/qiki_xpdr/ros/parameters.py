"""Parameters of the node, and what is made of them."""

from dataclasses import dataclass
from pathlib import Path

from qiki_node.parameters import NodeParameters, parameter
from qiki_vehicle import ConfigurationError
from qiki_xpdr.guard import GuardMode
from qiki_xpdr.modes import Mode
from qiki_xpdr.transponder import FalseIdentity


@dataclass(frozen=True)
class XpdrParameters(NodeParameters):
    """Parameters of the node `xpdr`; numbers of radar, radio and identification stand in the vehicle file."""

    vehicle_file: str = parameter(
        "dodecahedron", "path of a vehicle file, or name of one in qiki_bringup's config/vehicles", read_only=True
    )
    guard_file: str = parameter(
        "guard", "path of a file of guard rules, or name of one in qiki_bringup's config", read_only=True
    )
    keys_folder: str = parameter(
        "",
        "folder of own.yaml, group.yaml and ring.yaml, each of which may be missing; empty: no keys, "
        "so that nothing is signed and nobody verified",
        read_only=True,
    )
    identity: str = parameter(
        "", "own id; empty: that of own.yaml, and without it the name of the bot in capitals", read_only=True
    )
    mode: str = parameter(
        "OFF",
        "mode of the transponder at the start; after a restart the ordered one",
        choices=("OFF", "ON", "SILENT"),
        read_only=True,
    )
    store_patience: float = parameter(
        10.0,
        "time that a start waits for the event store to give the mode before",
        unit="s",
        minimum=0.0,
        maximum=120.0,
        read_only=True,
    )
    guard_mode: str = parameter(
        "ACTIVE",
        "mode of the guard rules at the start",
        choices=tuple(GuardMode.__members__),
        read_only=True,
    )
    false_identity: str = parameter("", "id that SPOOF transmits; empty: SPOOF is refused", read_only=True)
    false_offset: list[float] = parameter(
        [0.0, 0.0, 0.0],
        "vector in world that SPOOF adds to the own position",
        unit="m",
        minimum=-1e6,
        maximum=1e6,
        read_only=True,
    )
    frame_age: float = parameter(
        0.5, "age beyond which a radar frame is refused", unit="s", minimum=0.05, maximum=5.0, read_only=True
    )


def false_of(params: XpdrParameters) -> FalseIdentity | None:
    """Identity of SPOOF; None: there is none.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """
    if not params.false_identity:
        return None
    offset = params.false_offset
    if len(offset) != 3:
        raise ConfigurationError(f"false_offset: {offset}; allowed: three numbers, m")
    try:
        return FalseIdentity(params.false_identity, (offset[0], offset[1], offset[2]))
    except ValueError as error:
        raise ConfigurationError(f"false_identity: {error}") from error


def mode_of(params: XpdrParameters) -> Mode:
    """Mode of the transponder at the start."""
    return Mode[params.mode]


def folder_of(params: XpdrParameters) -> Path | None:
    """Folder of the keys; None: there are none."""
    return Path(params.keys_folder) if params.keys_folder else None
