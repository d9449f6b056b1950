"""A snapshot as plain values for JSON: null for unknown values, and the age of each datum."""

from dataclasses import asdict
from math import degrees
from typing import Any

from qiki_console.model.bridge import report as bridge_report
from qiki_console.model.docking import DockingStatus
from qiki_console.model.snapshot import AllocationStatus, Bot, Datum, Freshness, HottestNode, Motion, Now, Snapshot
from qiki_vehicle.quaternion import roll_pitch_yaw, rotate


def report(snapshot: Snapshot) -> dict[str, Any]:
    """Keys carry their unit; `age_s` is simulated time, or wall time where /clock is silent."""
    simulator = snapshot.simulator
    return {
        "whole": snapshot.whole,
        "missing": snapshot.missing,
        "simulator": {
            "time_s": simulator.time,
            "real_time_factor": simulator.real_time_factor,
            "paused": simulator.paused,
            "scenario": simulator.scenario,
            "clock_silence_s": snapshot.now.silence,
            "clock_publishers": list(snapshot.clocks),
        },
        "nodes": [
            {
                "name": name,
                "state": node.state,
                "problems": list(node.problems),
                "diagnostics_age_s": node.age,
                "silent": node.silent,
            }
            for name, node in snapshot.nodes.items()
        ],
        "bots": {bot.name: _bot(bot, snapshot.now) for bot in snapshot.bots},
    }


def _bot(bot: Bot, now: Now) -> dict[str, Any]:
    return {
        "motion": _datum(bot.motion, now, _motion),
        "power": _datum(bot.power, now, asdict),
        "hottest": _datum(bot.hottest, now, _hottest),
        "thrusters": _datum(bot.thrusters, now, asdict),
        "mass": _datum(bot.mass, now, lambda mass: {"mass_kg": mass}),
        "allocation": _datum(bot.allocation, now, _allocation),
        "docking": _datum(bot.docking, now, _docking),
        "bridge": _datum(bot.bridge, now, bridge_report),
    }


def _datum(datum: Datum[Any] | None, now: Now, fields: Any) -> dict[str, Any] | None:
    if datum is None:
        return None
    stale = datum.freshness(now) is Freshness.STALE
    return {"age_s": round(datum.age(now), 4), "stale": stale, **fields(datum.value)}


def _motion(motion: Motion) -> dict[str, Any]:
    return {
        "position_m": motion.position,
        "orientation_xyzw": motion.orientation,
        "roll_pitch_yaw_deg": [degrees(angle) for angle in roll_pitch_yaw(motion.orientation)],
        "velocity_world_m_s": rotate(motion.orientation, motion.velocity).tolist(),
        "velocity_body_m_s": motion.velocity,
        "rate_body_rad_s": motion.rate,
    }


def _hottest(node: HottestNode) -> dict[str, Any]:
    return {"node": node.name, "temperature_degc": node.temperature, "trip_degc": node.trip, "status": node.status}


def _allocation(status: AllocationStatus) -> dict[str, Any]:
    return {
        "state": status.state,
        "mode": status.mode,
        "modulator": status.modulator or None,
        "refusal": status.refusal,
        "commanded": _wrench(status.commanded),
        "achieved": _wrench(status.achieved),
        "unhealthy": status.unhealthy,
    }


def _docking(status: DockingStatus) -> dict[str, Any]:
    return {
        "phase": status.phase,
        "step": status.step or None,
        "partner": status.partner or None,
        "partner_port": status.partner_port or None,
        "own_port": status.own_port or None,
        "profile": status.profile or None,
        "active": status.active,
        "tries": status.tries,
        "range_m": status.range,
        "closing_m_s": status.closing,
        "reason": status.reason,
        "text": status.text,
    }


def _wrench(wrench: tuple[Any, Any]) -> dict[str, Any]:
    return {"force_n": wrench[0], "torque_nm": wrench[1]}
