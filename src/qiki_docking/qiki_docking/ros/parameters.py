"""Parameters of the docking node."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qiki_docking.bridge.values import Role
from qiki_docking.values import Order, Profile
from qiki_node.parameters import NodeParameters, parameter
from qiki_vehicle import ConfigurationError, Port
from qiki_vehicle.files import validate


@dataclass(frozen=True)
class DockingParameters(NodeParameters):
    """Parameters of the docking node; numbers of the hardware stand in the vehicle file."""

    vehicle_file: str = parameter(
        "dodecahedron", "path of a vehicle file, or name of one in qiki_bringup's config/vehicles", read_only=True
    )
    ports: str = parameter(
        "",
        "the body's ports, a JSON list of them as in the vehicle file; empty: those of the vehicle file",
        read_only=True,
    )
    docked: str = parameter(
        "",
        "docking in which the body may be found at the start, as 'own port:partner:partner port'; empty: none",
        read_only=True,
    )
    active: bool = parameter(
        True, "this body docks by itself; false: others dock to it, as to a station", read_only=True
    )
    role: str = parameter(
        "RELAY", "part in the power network at the start", choices=tuple(role.value for role in Role), read_only=True
    )
    source_power: float = parameter(
        0.0,
        "the most that it gives as SOURCE; 0: that of a dock in the vehicle file",
        unit="W",
        minimum=0.0,
        maximum=1e5,
        read_only=True,
    )
    flight: str = parameter(
        "refuse",
        "flight commands while docking: refused, or cancel docking",
        choices=("refuse", "cancel"),
        read_only=True,
    )
    profiles: list[str] = parameter(
        [profile.value for profile in Profile],
        "profiles of bridges that are allowed",
        choices=tuple(profile.value for profile in Profile),
        read_only=True,
    )
    commanders: list[str] = parameter(
        ["*"], "bodies whose commands over a bridge are accepted; *: every bridged one", read_only=True
    )
    navigation_patience: float = parameter(
        5.0,
        "time that an order to dock waits for valid navigation before it is refused",
        unit="s",
        minimum=0.0,
        maximum=60.0,
        read_only=True,
    )
    control_rate: float = parameter(10.0, "control cycles", unit="Hz", minimum=5.0, maximum=50.0, read_only=True)
    keys_folder: str = parameter(
        "",
        "folder of own.yaml and ring.yaml, with which passports are signed and proven; empty, or without these files: "
        "identities are names, shown as unverified",
        read_only=True,
    )
    settings_folder: str = parameter(
        "",
        "folder where the state of docking outlives the process where no event store answers; empty: none",
        read_only=True,
    )
    store_patience: float = parameter(
        10.0,
        "time that a start waits for the event store to give the state before",
        unit="s",
        minimum=0.0,
        maximum=120.0,
        read_only=True,
    )


def docked_of(text: str) -> Order | None:
    """Order of the parameter `docked`; None: it is empty.

    Raises:
        ConfigurationError: naming field, value and allowed values.
    """
    if not text:
        return None
    try:
        own_port, partner, partner_port = text.split(":")
        return Order(partner, partner_port, own_port)
    except ValueError as error:
        raise ConfigurationError(f"docked: {text!r}: {error}; allowed: own port:partner:partner port") from error


def ports_of(text: str) -> tuple[Port, ...] | None:
    """Ports of the parameter `ports`; None: it is empty.

    Raises:
        ConfigurationError: naming field, value and allowed range.
    """
    if not text:
        return None
    try:
        entries: Any = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"ports: {text!r}: {error}; allowed: a JSON list of ports") from error
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError(f"ports: {text!r}; allowed: a JSON list of at least one port")
    found = tuple(validate(Path(f"ports[{index}]"), entry, Port) for index, entry in enumerate(entries))
    names = [port.name for port in found]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"ports: {', '.join(names)}; allowed: each name once")
    return found
