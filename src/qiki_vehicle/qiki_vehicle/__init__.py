"""The vehicle: the strict reader of its file, mass properties, frames and quaternions."""

from qiki_vehicle.body import Body, Port, Thruster, Valves
from qiki_vehicle.files import ConfigurationError
from qiki_vehicle.hull import Hull
from qiki_vehicle.mass import MassProperties, combined
from qiki_vehicle.pose import Pose, mated
from qiki_vehicle.vehicle import Vehicle

__all__ = [
    "Body",
    "ConfigurationError",
    "Hull",
    "MassProperties",
    "Port",
    "Pose",
    "Thruster",
    "Valves",
    "Vehicle",
    "combined",
    "mated",
]
