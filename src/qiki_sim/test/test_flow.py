"""Burning while turning, against an integration of the textbook's equations (SIM-M9)."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation
from sim_helpers import make_world, merged

from qiki_sim import ValveCommand

G0 = 9.80665  # m/s^2
TIME = 1.5  # s
TOLERANCE = 3e-6


def integrated(body, thrusters, pulses, spin):
    """Position m, velocity m/s in world, orientation, spin rad/s and mass kg after TIME, by DOP853.

    Momentum of a control volume with a centre of mass that is fixed in it (Eke 1998; Meirovitch 1970), each nozzle on
    its own. pulses: thruster, opening and closing in s.
    """
    inertia, com = np.array(body["inertia"]), np.array(body["com"])

    def rates(_, y, flowing):
        turn, w, mass = Rotation.from_quat(y[6:10]), y[10:13], y[13]
        now = inertia * mass / body["mass"]
        force, torque, lost = np.zeros(3), -np.cross(w, now * w), 0.0
        for index in flowing:
            place, thrust = np.array(thrusters[index].position_m) - com, thrusters[index].f_max_n
            push, flow = thrust * np.array(thrusters[index].direction), thrust / body["isp"] / G0
            force += push - 2.0 * np.cross(w, flow * place)
            torque += np.cross(place, push) - flow * np.cross(place, np.cross(w, place))
            lost += flow
        torque += lost / mass * now * w  # -dI/dt w
        xyz, s = y[6:9], y[9]
        turning = np.append(0.5 * (s * w + np.cross(xyz, w)), -0.5 * xyz @ w)
        return np.concatenate([y[3:6], turn.apply(force / mass), turning, torque / now, [-lost]])

    start = np.concatenate([com, np.cross(spin, com), [0.0, 0.0, 0.0, 1.0], spin, [body["mass"]]])
    edges = sorted({0.0, TIME, *(t for _, opening, closing in pulses for t in (opening, closing))})
    for begin, end in pairwise(edges):
        flowing = {index for index, opening, closing in pulses if opening <= begin < closing}
        start = solve_ivp(rates, (begin, end), start, "DOP853", args=(flowing,), rtol=1e-11, atol=1e-13).y[:, -1]
    return start


rate = st.floats(-0.8, 0.8)
pulse = st.tuples(st.integers(0, 15), st.floats(0.0, 0.7), st.floats(0.05, 0.75))
coordinate = st.floats(-0.15, 0.15)


@given(
    spin=st.tuples(rate, rate, rate),
    pulses=st.lists(pulse, min_size=1, max_size=6, unique_by=lambda one: one[0]),
    com=st.tuples(coordinate, coordinate, coordinate),
    isp=st.floats(3.0, 220.0),
)
def test_burning_while_turning(tmp_path_factory, spin, pulses, com, isp):
    """SIM-M9: from no flow to speak of to a flow of a few per cent of the mass a second."""
    body = {"isp": isp, "com": list(com), "inertia": [760.0, 800.0, 820.0], "mass": 1200.0, "working_mass": 1000.0}
    power = {"propulsion": {"watts_per_newton": 1e-6}, "valves": {"watchdog": 10.0}}
    vehicle, start = merged(power, {"body": body}), {"alpha": {"angular_velocity": list(spin)}}
    world = make_world(tmp_path_factory.getbasetemp(), vehicle, start)
    pulses = [(index, round(opening, 6), round(opening + length, 6)) for index, opening, length in pulses]
    opens, closes = np.full(16, np.nan), np.full(16, np.nan)
    for index, opening, closing in pulses:
        opens[index], closes[index] = opening, closing
    world.command("alpha", ValveCommand(0.0, TIME, opens, closes))
    world.step(TIME)

    end = integrated(body, world.bot("alpha").vehicle.thrusters, pulses, np.array(spin))
    motion, turn = world.motion("alpha"), Rotation.from_quat(end[6:10])
    assert world.bot("alpha").mass == pytest.approx(end[13], rel=1e-9)
    assert motion.angular_velocity == pytest.approx(end[10:13], abs=TOLERANCE * max(1.0, np.abs(end[10:13]).max()))
    velocity = turn.inv().apply(end[3:6]) - np.cross(end[10:13], com)
    assert motion.velocity == pytest.approx(velocity, abs=TOLERANCE * max(1.0, np.abs(velocity).max()))
    assert motion.position == pytest.approx(end[:3] - turn.apply(com), abs=TOLERANCE)
