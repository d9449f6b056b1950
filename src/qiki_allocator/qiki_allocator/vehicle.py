"""The vehicle file, as far as the allocator needs it."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qiki_allocator.allocation.allocator import Allocator
from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.errors import ConfigurationError
from qiki_allocator.modulation.modulator import Modulator
from qiki_allocator.modulation.pulse_width import PulseWidth, PulseWidthSettings
from qiki_allocator.modulation.switched import BangBang, CycleSettings, Pwpf
from qiki_allocator.modulation.switching import BangBangSettings, PwpfSettings
from qiki_allocator.modulation.valves import ValveTiming

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


MODULATORS = ("pulse_width", "pwpf", "bang_bang")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hull(BaseModel):
    """m, for pictures."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    circumradius: Positive


class Body(_Section):
    """Mass properties; of these the allocator uses the centre of mass until another is published."""

    mass: Positive
    com: tuple[Finite, Finite, Finite]
    inertia: tuple[Positive, Positive, Positive]
    working_mass: NotNegative
    isp: Positive


class Valves(_Section):
    """Timing rules, s."""

    min_on: Positive
    min_off: Positive
    max_burn: Positive
    cooldown: Positive
    watchdog: Positive

    def timing(self) -> ValveTiming:
        """The rules that a modulator keeps."""
        return ValveTiming(self.min_on, self.min_off, self.max_burn, self.cooldown)


class Gates(_Section):
    """Supercapacitor SoC of the power gates."""

    boost: Share
    hold: Share
    hysteresis: Share


class Propulsion(_Section):
    """The propulsion bus, W and W/N; the stores are checked by what models them."""

    watts_per_newton: NotNegative
    continuous_power: Positive
    peak_power: Positive
    trip_time: NotNegative
    supercap: dict[str, Finite]
    battery: dict[str, Finite]
    gates: Gates


class HeatNode(_Section):
    """A thermal node; J/K, W/K, degC."""

    capacity: Positive
    to_space: NotNegative = 0.0
    warn: Finite | None = None
    trip: Finite


class HeatLink(_Section):
    """Conductance between two nodes, W/K."""

    between: tuple[str, str]
    conductance: NotNegative


class Thermal(BaseModel):
    """What the thrusters' heat needs of the thermal plane."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    hysteresis: NotNegative
    cluster_heat_fraction: Share
    nodes: dict[str, HeatNode]
    links: tuple[HeatLink, ...]


class Noise(BaseModel):
    """Standard deviations of odometry, m/s and rad/s."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    velocity: Positive
    angular_velocity: Positive


class Rates(BaseModel):
    """Hz."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    odom: Positive


class Sensors(BaseModel):
    """What fault detection needs of the sensors."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    noise: Noise
    rates: Rates


class AttitudeSection(_Section):
    """See `ControlConfig`."""

    natural_frequency: Positive
    damping_ratio: Positive
    braking_share: Positive
    rate_limit: Positive
    brake_time: Positive
    force_limit: tuple[Positive, Positive, Positive]
    torque_limit: tuple[Positive, Positive, Positive]


class RestSection(_Section):
    """See `RestConfig`."""

    speed: Positive
    rate: Positive
    timeout: Positive


class TelemetrySection(_Section):
    """Ages, s, from which telemetry is stale and lost."""

    stale: Positive
    lost: Positive


class ProfileSection(_Section):
    """See `ProfileConfig`."""

    max_segments: Annotated[int, Field(ge=1)]
    max_duration: Positive
    max_gap: Positive


class Control(_Section):
    """How the bot is held, and what is allowed."""

    attitude: AttitudeSection
    rest: RestSection
    telemetry: TelemetrySection
    energy_horizon: Positive
    heat_horizon: NotNegative
    profile: ProfileSection


class PulseWidthSection(_Section):
    """See `PulseWidthSettings`."""

    window: Positive
    carry: NotNegative
    repair: NotNegative
    tolerance: NotNegative
    gap: NotNegative


class PwpfSection(_Section):
    """Pulse-width pulse-frequency modulator."""

    km: Positive
    tm: Positive
    uon: Positive
    uoff: Positive


class BangBangSection(_Section):
    """Bang-bang modulator with dead band and hysteresis."""

    on_level: Share
    off_level: Share


class Modulation(_Section):
    """How a wrench becomes pulses."""

    control_rate: Annotated[float, Field(ge=50.0, le=500.0)]
    zero_torque_tolerance: Positive
    pulse_width: PulseWidthSection
    pwpf: PwpfSection
    bang_bang: BangBangSection


class Vehicle(BaseModel):
    """The sections of a vehicle file that the allocator reads; the others belong to other packages."""

    model_config = ConfigDict(extra="ignore", frozen=True, arbitrary_types_allowed=True)

    name: str
    body: Body
    valves: Valves
    propulsion: Propulsion
    thermal: Thermal
    sensors: Sensors
    modulation: Modulation
    control: Control
    hull: Hull
    thrusters: ThrusterArray

    def modulator(self, kind: str, allocator: Allocator, *, rate: float, lead: float, precise: bool) -> Modulator:
        """The modulator of a kind, one of `MODULATORS`, at a control rate, Hz, and a lead, s.

        Raises:
            ConfigurationError: its settings are impossible for the valves.
        """
        timing, tick, section = self.valves.timing(), 1.0 / rate, self.modulation
        if kind == "pwpf":
            cycle = CycleSettings(lead=lead, tick=tick)
            return Pwpf(allocator, timing, PwpfSettings(**section.pwpf.model_dump()), cycle)
        if kind == "bang_bang":
            cycle = CycleSettings(lead=lead, tick=tick, horizon=BangBang.HORIZON)
            return BangBang(
                allocator, timing, BangBangSettings(section.bang_bang.on_level, section.bang_bang.off_level), cycle
            )
        settings = PulseWidthSettings(lead=lead, tick=tick, precise=precise, **section.pulse_width.model_dump())
        return PulseWidth(allocator, timing, settings)

    @classmethod
    def from_file(cls, path: str | Path) -> "Vehicle":
        """Read a vehicle file (YAML) and its thruster file.

        Raises:
            ConfigurationError: naming file, field, value and allowed range.
        """
        path = Path(path)
        try:
            data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{path}: not YAML: {error}") from error
        if not isinstance(data, dict):
            raise ConfigurationError(f"{path}: {data!r}; allowed: a mapping")
        name = data.get("thrusters")
        if not isinstance(name, str):
            raise ConfigurationError(f"{path}: thrusters: {name!r}; allowed: path of a thruster file")
        array = ThrusterArray.from_file(path.parent / name)
        try:
            vehicle = cls.model_validate({**data, "thrusters": array})
        except ValidationError as error:
            raise ConfigurationError(f"{path}: {_in_words(error)}") from error
        return vehicle.model_copy(update={"thrusters": array.with_com(vehicle.body.com)})


def _in_words(error: ValidationError) -> str:
    texts = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        value = "" if item["type"] == "missing" else f" {item['input']!r};"
        texts.append(f"{field}:{value} {item['msg'][0].lower()}{item['msg'][1:]}")
    return "; ".join(texts)
