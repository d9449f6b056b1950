"""Section of the vehicle file: hardware of the docking ports, by which the digital twin behaves."""

from typing import Self

from pydantic import model_validator

from qiki_vehicle.files import NonNegative, Positive, Section


class Magnets(Section):
    """Capture: the plates pull each other to the mated pose as a critically damped spring.

    They catch only what is slow and near enough when the faces touch.
    """

    frequency: Positive  # rad/s, of the critically damped motion to the mated pose
    hold_force: Positive  # N, beyond it the plates come apart
    gap_max: Positive  # m, between the nearest points of the faces
    lateral_max: Positive  # m
    tilt_max: Positive  # rad
    roll_max: Positive  # rad
    closing_max: Positive  # m/s, and of retreat
    lateral_rate_max: Positive  # m/s
    rate_max: Positive  # rad/s, of tilt and of roll


class Latches(Section):
    """Hard capture."""

    drive_time: Positive  # s, from open to locked and back
    seat_distance: Positive  # m from the mated pose, within which they can lock
    seat_angle: Positive  # rad
    force_max: Positive  # N, of the joint; beyond it the latches break
    stiffness: Positive  # N/m, of the locked joint, as the slip sensors measure it


class PortHardware(Section):
    """Mechanism and contacts of each docking port."""

    contact_travel: Positive  # m, gap under which the contact switch closes
    magnets: Magnets
    latches: Latches
    bleed_resistance: Positive  # ohm, that discharges the bridge's capacitance while the contacts are open
    isolation: Positive  # ohm, between open contacts and hull
    converter_restart: NonNegative  # s, after the bus converter was switched off by low volts
    camera_setback: Positive  # m, behind the mating face

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.latches.seat_distance < self.magnets.lateral_max:
            raise ValueError(
                f"latches.seat_distance {self.latches.seat_distance} m; "
                f"allowed: below magnets.lateral_max ({self.magnets.lateral_max} m)"
            )
        if not self.latches.seat_angle < self.magnets.tilt_max:
            raise ValueError(
                f"latches.seat_angle {self.latches.seat_angle} rad; "
                f"allowed: below magnets.tilt_max ({self.magnets.tilt_max} rad)"
            )
        return self
