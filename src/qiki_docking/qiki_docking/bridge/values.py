"""Bodies, loads and edges of a bridge network, and its flows, as plain values."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from qiki_docking.values import Profile


class Role(StrEnum):
    """Part that a body takes in the power network."""

    SOURCE = "SOURCE"
    """Feeds its island; the only one in it."""
    RELAY = "RELAY"
    """Draws power and passes it on."""
    SINK = "SINK"
    """Draws power, and passes none on."""


@dataclass(frozen=True)
class Load:
    """A load of constant power.

    Attributes:
        watts: W, 0 to 1e9.
        priority: 0 is shed last.
        divisible: may be served in part, such as charging; loads of one priority get equal shares.
    """

    name: str
    watts: float
    priority: int = 0
    divisible: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.watts <= 1e9:
            raise ValueError(f"watts: {self.watts} W of {self.name}; allowed: 0 to 1e9 W")


@dataclass(frozen=True)
class Body:
    """A bot or station.

    Attributes:
        volts, power_max, current_max: V, W, A of a source, 1e-3 to 1e6 V; not used for others.
        capacitance: F behind the contacts, up to 1 F; NaN: not known.
    """

    name: str
    role: Role = Role.RELAY
    loads: tuple[Load, ...] = ()
    volts: float = math.nan
    power_max: float = math.inf
    current_max: float = math.inf
    capacitance: float = math.nan

    def __post_init__(self) -> None:
        if self.role is Role.SOURCE and not 1e-3 <= self.volts <= 1e6:
            raise ValueError(f"volts: {self.volts} V of source {self.name}; allowed: 1e-3 to 1e6 V")
        if self.role is Role.SOURCE and not self.power_max >= 0.0:
            raise ValueError(f"power_max: {self.power_max} W of source {self.name}; allowed: 0 W and above")
        if not (math.isnan(self.capacitance) or 0.0 < self.capacitance <= 1.0):
            raise ValueError(f"capacitance: {self.capacitance} F of {self.name}; allowed: above 0 up to 1 F, or NaN")
        names = [load.name for load in self.loads]
        if len(set(names)) != len(names):
            raise ValueError(f"loads: {names} of {self.name}; allowed: each name once")


@dataclass(frozen=True)
class Edge:
    """A bridge between two bodies, each end at a port.

    Attributes:
        a, b: names of the bodies. a_port, b_port: of their ports.
        resistance: ohm, there and back, 1e-4 to 1e4.
    """

    a: str
    a_port: str
    b: str
    b_port: str
    profile: Profile
    resistance: float

    def __post_init__(self) -> None:
        if not 1e-4 <= self.resistance <= 1e4:
            raise ValueError(f"resistance: {self.resistance} ohm; allowed: 1e-4 to 1e4 ohm")
        if self.a == self.b:
            raise ValueError(f"b: {self.b!r}; allowed: another body than a")

    @property
    def name(self) -> str:
        """Such as "alpha:A-bravo:B"; ends in the order of their names."""
        ends = sorted((f"{self.a}:{self.a_port}", f"{self.b}:{self.b_port}"))
        return "-".join(ends)

    @property
    def has_power(self) -> bool:
        """It carries power."""
        return "power" in self.profile.parts

    @property
    def has_data(self) -> bool:
        """It carries data."""
        return "data" in self.profile.parts

    def other(self, body: str) -> str:
        """The other end."""
        return self.b if body == self.a else self.a


class Refusal(StrEnum):
    """Reason for which a change of the network is refused."""

    UNKNOWN_BODY = "UNKNOWN_BODY"
    UNKNOWN_EDGE = "UNKNOWN_EDGE"
    PORT_TAKEN = "PORT_TAKEN"
    POWER_LOOP = "POWER_LOOP"
    SECOND_SOURCE = "SECOND_SOURCE"
    NOT_A_RELAY = "NOT_A_RELAY"
    TOO_DEEP = "TOO_DEEP"


@dataclass(frozen=True)
class Verdict:
    """Answer to a change: `refusal` is None if it was made."""

    refusal: Refusal | None
    text: str

    @property
    def accepted(self) -> bool:
        """The change was made."""
        return self.refusal is None


@dataclass(frozen=True)
class Flow:
    """Flow in all islands.

    Attributes:
        volts: V of each body; NaN: it is not fed over a bridge.
        currents: A of each power edge by name, from the source outward, >= 0; 0 in an island without source.
        toward: body on the far side of the source, of each edge that is fed.
        depth: hops from the source, of each fed body.
        served: W of each load, by (body, load).
        shed: loads that get less than they want, in the order in which they were cut.
        supplied: W that each source gives.
        losses: W in the lines of each source.
    """

    volts: dict[str, float] = field(default_factory=dict)
    currents: dict[str, float] = field(default_factory=dict)
    toward: dict[str, str] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)
    served: dict[tuple[str, str], float] = field(default_factory=dict)
    shed: tuple[tuple[str, str], ...] = ()
    supplied: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outlook:
    """The network around one edge, as its switchgear needs it.

    Attributes:
        inward: the partner feeds the own body; None: not known.
        turning: another edge is being taken out, and the direction may change.
        fed: a source feeds one of the ends; without one, low volts are no fault of the edge.
        capacitance: F behind the edge; None: that of one body.
        handover: another edge will feed the part behind this one, and does not yet.
        taken: other edges feed both ends.
    """

    inward: bool | None = None
    turning: bool = False
    fed: bool = True
    capacitance: float | None = None
    handover: bool = False
    taken: bool = False


@dataclass(frozen=True)
class Removal:
    """Plan by which an edge is taken out: shed, then open, then close, then restore.

    Attributes:
        edge: that opens.
        shed: loads to be switched off first, in this order: with them off the edge carries no current.
        closes: edge that feeds the part again; None: none can.
        after: the flow in the end.
    """

    edge: Edge
    shed: tuple[tuple[str, str], ...]
    closes: Edge | None
    after: Flow
