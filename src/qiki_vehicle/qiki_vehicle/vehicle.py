"""The vehicle file: every number of a bot, validated."""

import hashlib
from pathlib import Path
from typing import Self

from pydantic import model_validator

from qiki_vehicle.body import Body, Port, Thruster, ThrusterFile, Valves
from qiki_vehicle.control import Control, Modulation
from qiki_vehicle.docking import Bridge, Docking
from qiki_vehicle.files import ConfigurationError, Name, Section, load, read, validate
from qiki_vehicle.hull import Hull
from qiki_vehicle.mechanism import PortHardware
from qiki_vehicle.power import Avionics, Propulsion
from qiki_vehicle.radar import Radar, Tracking
from qiki_vehicle.radio import Iff, Radio, Spoofing, Transponder
from qiki_vehicle.sensors import Sensors
from qiki_vehicle.thermal import Thermal


class Vehicle(Section):
    """A vehicle file together with the thruster file that it names.

    vehicle = Vehicle.from_file("launch/config/vehicles/dodecahedron.yaml")
    vehicle.body.mass, vehicle.port("A").axis, vehicle.hull.vertices
    """

    name: Name
    hull: Hull
    body: Body
    thrusters: tuple[Thruster, ...]
    valves: Valves
    propulsion: Propulsion
    avionics: Avionics
    thermal: Thermal
    sensors: Sensors
    ports: tuple[Port, ...]
    port_hardware: PortHardware
    docking: Docking
    bridge: Bridge
    modulation: Modulation
    control: Control
    radar: Radar
    tracking: Tracking
    transponder: Transponder
    iff: Iff
    radio: Radio
    spoofing: Spoofing

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for cluster in self.clusters:
            node = self.thermal.nodes.get(f"RCS_{cluster}")
            if node is None:
                raise ValueError(f"thermal.nodes: no node RCS_{cluster} for cluster {cluster} of the thrusters")
            if node.warn is None:
                raise ValueError(f"thermal.nodes.RCS_{cluster}.warn: missing; allowed: below trip ({node.trip} degC)")
        least, most = 2.0 * (self.valves.min_on + self.valves.min_off), self.valves.max_burn / 2.0
        window = self.modulation.pulse_width.window
        if not least <= window <= most:
            raise ValueError(f"modulation.pulse_width.window {window} s; allowed: {least:g} to {min(most, 0.4):g} s")
        trip = self.thermal.nodes.get("DOCK_BRIDGE")
        if trip is None:
            raise ValueError(f"thermal.nodes {list(self.thermal.nodes)}; missing: DOCK_BRIDGE, the node of the ports")
        if not self.docking.checks.temperature_max < trip.trip:
            raise ValueError(
                f"docking.checks.temperature_max {self.docking.checks.temperature_max} degC; "
                f"allowed: below thermal.nodes.DOCK_BRIDGE.trip ({trip.trip} degC)"
            )
        if not self.avionics.voltage_nominal < self.bridge.volts_max:
            raise ValueError(
                f"bridge.volts_max {self.bridge.volts_max} V; allowed: above avionics.voltage_nominal "
                f"({self.avionics.voltage_nominal} V)"
            )
        pulse, least, most = self.modulation.impulse_bit.longest_pulse, self.valves.min_on, window - self.valves.min_off
        if not least < pulse < most:
            raise ValueError(f"modulation.impulse_bit.longest_pulse {pulse} s; allowed: above {least:g} to {most:g} s")
        magnets, box = self.port_hardware.magnets, self.docking.contact_box
        for name, most, limit in (
            ("lateral_max", magnets.lateral_max, box.lateral_offset),
            ("tilt_max", magnets.tilt_max, box.tilt),
            ("roll_max", magnets.roll_max, box.roll),
            ("closing_max", magnets.closing_max, box.closing_max),
            ("lateral_rate_max", magnets.lateral_rate_max, box.lateral_rate),
            ("rate_max", magnets.rate_max, max(box.tilt_rate, box.roll_rate)),
        ):
            if most < limit:
                raise ValueError(
                    f"port_hardware.magnets.{name} {most}; allowed: at least that of docking.contact_box ({limit})"
                )
        missing = [name for name in ("radar", "transponder") if name not in self.avionics.loads]
        if missing:
            raise ValueError(f"avionics.loads {list(self.avionics.loads)}; missing: {', '.join(missing)}")
        ports = [port.name for port in self.ports]
        if len(set(ports)) != len(ports):
            raise ValueError(f"ports {ports}; allowed: each name once")
        return self

    @property
    def clusters(self) -> tuple[str, ...]:
        """Names of the thruster clusters, sorted."""
        return tuple(sorted({thruster.cluster for thruster in self.thrusters}))

    @property
    def identity(self) -> str:
        """Name and a digest of body, thrusters, valves and propulsion: equal where an allocation fits both vehicles."""
        flown = self.model_dump_json(include={"body", "thrusters", "valves", "propulsion"})
        return f"{self.name} {hashlib.sha256(flown.encode()).hexdigest()[:8]}"

    def port(self, name: str) -> Port:
        """A docking port.

        Raises:
            KeyError: there is no such port.
        """
        for port in self.ports:
            if port.name == name:
                return port
        raise KeyError(f"port = {name!r}: allowed: {', '.join(port.name for port in self.ports)}")

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a vehicle file (YAML) and its thruster file (JSON, relative to it).

        Raises:
            ConfigurationError: a file is missing or a field is refused; naming file, field, value and allowed range.
        """
        path = Path(path)
        data = read(path)
        if isinstance(data, dict) and "thrusters" in data:
            name = data["thrusters"]
            if not isinstance(name, str):
                raise ConfigurationError(f"{path}: thrusters = {name!r}: allowed: path of a thruster file")
            data = {**data, "thrusters": load_thrusters(path.parent / name)}
        return validate(path, data, cls)


def load_thrusters(path: str | Path) -> tuple[Thruster, ...]:
    """The thrusters of a thruster file.

    Raises:
        ConfigurationError: the file is missing or a field is refused.
    """
    return load(Path(path), ThrusterFile).thrusters
