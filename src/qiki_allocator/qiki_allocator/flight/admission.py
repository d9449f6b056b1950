"""What may be asked for in which situation; a refusal names the field, its value and what is allowed."""

from typing import NamedTuple

from qiki_allocator.allocation.thrusters import Floats
from qiki_allocator.flight.motion_control import AttitudeMode
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.limits.energy_gate import EnergyLimits


class Situation(NamedTuple):
    """What goes on.

    Attributes:
        stopped: s for which the stream of commands must pause yet; 0: it was not stopped.
    """

    mode: Mode
    attitude_mode: AttitudeMode
    is_braking: bool
    is_profile_on: bool
    stopped: float
    energy: EnergyLimits


def check_running(situation: Situation) -> None:
    """Refuse while stopped.

    Raises:
        ValueError: see module.
    """
    if situation.stopped > 0.0:
        pause = f"{situation.stopped:g} s"
        raise ValueError(f"cmd_wrench: stopped; allowed: after a pause of {pause}, or when the mode is set")


def check_wrench(situation: Situation, wrench: Floats) -> None:
    """Whether a wrench, (6,), may be commanded; zero may be at any time.

    Raises:
        ValueError: see module.
    """
    check_running(situation)
    refusal = ""
    if situation.is_braking:
        refusal = "cmd_wrench: a brake is on; allowed: after it, or after stop"
    elif situation.is_profile_on:
        refusal = "cmd_wrench: a thrust profile is flown; allowed: after it, or after its cancellation"
    elif situation.mode is Mode.MANUAL_OVERRIDE:
        refusal = "cmd_wrench: mode MANUAL_OVERRIDE; allowed: cmd_levels, or another mode"
    elif situation.attitude_mode is not AttitudeMode.OFF and wrench[3:].any():
        mode = situation.attitude_mode.name
        refusal = f"torque: {wrench[3:].tolist()} N m; allowed: 0 N m while the attitude mode is {mode}"
    if refusal and wrench.any():
        raise ValueError(refusal)
    check_gate(situation, wrench)


def check_levels(situation: Situation, wrench: Floats) -> None:
    """Whether levels of single thrusters, which give a wrench, (6,), may be commanded.

    Raises:
        ValueError: see module.
    """
    check_running(situation)
    if situation.mode is not Mode.MANUAL_OVERRIDE:
        raise ValueError(f"cmd_levels: mode {situation.mode.value}; allowed: MANUAL_OVERRIDE, armed")
    if situation.is_braking:
        raise ValueError("cmd_levels: a brake is on; allowed: after it, or after stop")
    check_gate(situation, wrench)


def check_attitude(situation: Situation, mode: AttitudeMode) -> None:
    """Whether the attitude may be kept so.

    Raises:
        ValueError: see module.
    """
    if mode is AttitudeMode.OFF:
        return
    check_running(situation)
    if situation.is_braking:
        raise ValueError(f"mode: {mode.name}: a brake is on; allowed: OFF")
    if situation.mode is Mode.MANUAL_OVERRIDE:
        raise ValueError(f"mode: {mode.name}: mode MANUAL_OVERRIDE; allowed: OFF")


def check_profile(situation: Situation) -> None:
    """Whether a thrust profile may be started.

    Raises:
        ValueError: see module.
    """
    check_running(situation)
    if situation.is_profile_on:
        raise ValueError("profile: another is flown; allowed: after it, or after its cancellation")
    if situation.is_braking:
        raise ValueError("profile: a brake is on; allowed: after it, or after stop")
    if situation.mode is Mode.MANUAL_OVERRIDE:
        raise ValueError("profile: mode MANUAL_OVERRIDE; allowed: another mode")


def check_gate(situation: Situation, wrench: Floats) -> None:
    """Whether the energy gate admits a wrench, (6,).

    Raises:
        ValueError: see module.
    """
    if situation.energy.translation_allowed:
        return
    refusal = situation.energy.refusal(wrench.tolist())
    if refusal:
        raise ValueError(refusal)
