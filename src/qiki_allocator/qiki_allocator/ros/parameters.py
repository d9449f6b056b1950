"""Parameters of the allocator node."""

from dataclasses import dataclass

from qiki_allocator.allocation.allocator import POLICIES, UNATTAINABLE
from qiki_allocator.assembly import MODULATORS
from qiki_allocator.groups.selection import LOST_BELOW
from qiki_node.parameters import NodeParameters, parameter


@dataclass(frozen=True)
class AllocatorParameters(NodeParameters):
    """Parameters of the allocator node; numbers of the vehicle stand in the vehicle file."""

    vehicle_file: str = parameter(
        "dodecahedron", "path of a vehicle file, or name of one in qiki_bringup's config/vehicles", read_only=True
    )
    settings_folder: str = parameter(
        "",
        "folder where mode, modulator, attitude mode and health that operators set outlive the process; empty: none",
        read_only=True,
    )
    control_rate: float = parameter(
        100.0, "control cycles between commands", unit="Hz", minimum=50.0, maximum=500.0, read_only=True
    )
    telemetry_rate: float = parameter(
        20.0, "allocation messages", unit="Hz", minimum=1.0, maximum=100.0, read_only=True
    )
    lead: float = parameter(
        0.04, "how far ahead valve edges are planned", unit="s", minimum=0.0, maximum=0.2, read_only=True
    )
    policy: str = parameter(
        "priority",
        "unattainable wrench: torque before force, or the closest in the weighted norm",
        choices=POLICIES,
        read_only=True,
    )
    unattainable: str = parameter(
        "closest",
        "unattainable wrench: closest one, or the same direction shortened",
        choices=UNATTAINABLE,
        read_only=True,
    )
    weights: list[float] = parameter(
        [1.0] * 6,
        "weights of Fx Fy Fz Tx Ty Tz in the wrench error, each relative to its reach; policy weighted",
        minimum=1e-3,
        maximum=1e3,
        read_only=True,
    )
    modulator: str = parameter("pulse_width", "how forces become pulses", choices=MODULATORS, read_only=True)
    lost_authority: float = parameter(
        LOST_BELOW,
        "share of its healthy authority below which an axis is reported as uncontrollable",
        minimum=0.0,
        maximum=1.0,
        read_only=True,
    )
