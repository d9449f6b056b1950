"""Settings of the fault detector."""

from dataclasses import dataclass

from qiki_allocator.checks import require


@dataclass(frozen=True)
class DetectorSettings:
    """Attributes:
    velocity_noise, angular_velocity_noise: m/s, rad/s, standard deviation of a sample per axis.
    rate: Hz of the samples.
    acceleration_noise, angular_acceleration_noise: m/s^2, rad/s^2, of what is not modelled (held for a sample).
    model_error: 1, standard deviation of a thruster's known wrench per kilogram, relative to it.
    timing_error: s, of valve edges against samples.
    smallest_loss: 1, of a thruster's level while open; less than half of it is never reported.
    smallest_leak: 1, the same while closed.
    smallest_scale: 1, the same of what all thrusters together give to an axis of the body, relative.
    false_alarm_interval: s, mean time between false alarms, at least.
    level_accuracy: 1, standard deviation that the level must be known to.
    separation: score by which a verdict must lead the next other one.
    patience: s, after which a verdict is given without that lead, naming all that it may be.
    longest_gap: s between two samples beyond which all evidence restarts.

    Raises:
        ConfigurationError: a value is out of range.
    """

    velocity_noise: float
    angular_velocity_noise: float
    rate: float
    acceleration_noise: float = 0.002
    angular_acceleration_noise: float = 0.002
    model_error: float = 0.02
    timing_error: float = 0.001
    smallest_loss: float = 0.25
    smallest_leak: float = 0.4
    smallest_scale: float = 0.1
    false_alarm_interval: float = 1e7
    level_accuracy: float = 0.05
    separation: float = 5.0
    patience: float = 2.0
    longest_gap: float = 0.5

    def __post_init__(self) -> None:
        for name, unit in (("velocity_noise", "m/s"), ("angular_velocity_noise", "rad/s"), ("rate", "Hz")):
            require(name, getattr(self, name), unit, 0.0, above=True)
        for name, unit in (("acceleration_noise", "m/s^2"), ("angular_acceleration_noise", "rad/s^2")):
            require(name, getattr(self, name), unit, 0.0, above=True)
        require("smallest_scale", self.smallest_scale, "", 0.01, 0.5)
        require("model_error", self.model_error, "", 0.0, 0.5)
        require("timing_error", self.timing_error, "s", 0.0, 0.1)
        require("smallest_loss", self.smallest_loss, "", 0.05, 0.9)
        require("smallest_leak", self.smallest_leak, "", 0.05, 0.9)
        require("false_alarm_interval", self.false_alarm_interval, "s", 1.0)
        require("level_accuracy", self.level_accuracy, "", 0.001, 1.0)
        require("separation", self.separation, "", 0.0)
        require("patience", self.patience, "s", 0.0)
        require("longest_gap", self.longest_gap, "s", 0.0, above=True)
