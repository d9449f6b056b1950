"""The quality of service that the publishers of a topic offered, as rosbag2 writes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import yaml

_SECOND: Final = 10**9
INFINITE: Final = 2**63 - 1
"""ns, a duration without end."""

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "history": ("system_default", "keep_last", "keep_all", "unknown"),
    "reliability": ("system_default", "reliable", "best_effort", "unknown", "best_available"),
    "durability": ("system_default", "transient_local", "volatile", "unknown", "best_available"),
    "liveliness": ("system_default", "automatic", "manual_by_node", "manual_by_topic", "unknown", "best_available"),
}
"""Names of each policy by rmw's numbers, which rosbag2 wrote before version 9 of its metadata."""

_DURATIONS: Final = ("deadline", "lifespan", "liveliness_lease_duration")


@dataclass(frozen=True, slots=True)
class QosProfile:
    """One profile, with rmw's names of the policies.

    Attributes:
        history: `unknown` for a publisher that was found by discovery, which does not carry it.
        depth: 0 where the history is unknown.
        deadline, lifespan, liveliness_lease_duration: ns; `INFINITE` for no bound.
    """

    history: str = "unknown"
    depth: int = 0
    reliability: str = "reliable"
    durability: str = "volatile"
    deadline: int = INFINITE
    lifespan: int = INFINITE
    liveliness: str = "automatic"
    liveliness_lease_duration: int = INFINITE


@dataclass(frozen=True, slots=True)
class Offer:
    """Facts about a topic that its messages do not carry.

    Attributes:
        profiles: the distinct profiles of its publishers, in the order in which they were found.
        type_hash: of the type's description, `RIHS01_…`; empty if unknown.
    """

    profiles: tuple[QosProfile, ...] = ()
    type_hash: str = ""

    def joined(self, other: "Offer") -> "Offer":
        """Both offers, each profile once."""
        return Offer(tuple(dict.fromkeys((*self.profiles, *other.profiles))), self.type_hash or other.type_hash)


def as_values(profiles: Iterable[QosProfile]) -> list[dict[str, Any]]:
    """Profiles as rosbag2's YAML has them."""

    def value(name: str, item: Any) -> Any:
        if name not in _DURATIONS:
            return item
        seconds, rest = divmod(item, _SECOND)
        return {"sec": seconds, "nsec": rest}

    return [
        {**{name: value(name, item) for name, item in asdict(one).items()}, "avoid_ros_namespace_conventions": False}
        for one in profiles
    ]


def of_values(values: Any) -> tuple[QosProfile, ...]:
    """Profiles of rosbag2's YAML, of any version.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    if isinstance(values, str):  # before version 9: YAML as a text in YAML
        values = yaml.safe_load(values)
    return tuple(_profile(one) for one in values or ())


def to_text(profiles: Iterable[QosProfile]) -> str:
    """YAML text of the profiles, as a channel's `offered_qos_profiles` holds it."""
    return str(yaml.safe_dump(as_values(profiles), sort_keys=False)) if profiles else ""


def of_text(text: str) -> tuple[QosProfile, ...]:
    """Profiles of a channel; none if the text is none."""
    try:
        return of_values(text)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def widest(profiles: Sequence[QosProfile]) -> QosProfile:
    """Profile of a publisher that every subscription accepts which one of the profiles' publishers served.

    Without profiles: the one that every subscription accepts.
    """
    reliable = not profiles or any(one.reliability == "reliable" for one in profiles)
    latched = not profiles or any(one.durability == "transient_local" for one in profiles)
    return QosProfile(
        reliability="reliable" if reliable else "best_effort", durability="transient_local" if latched else "volatile"
    )


def _profile(values: Mapping[str, Any]) -> QosProfile:
    def name(policy: str) -> str:
        value = values[policy]
        return _NAMES[policy][value] if isinstance(value, int) else str(value)

    durations = {
        field: min(int(values[field]["sec"]) * _SECOND + int(values[field]["nsec"]), INFINITE) for field in _DURATIONS
    }
    fields: dict[str, Any] = {**{policy: name(policy) for policy in _NAMES}, **durations}
    return QosProfile(depth=int(values["depth"]), **fields)
