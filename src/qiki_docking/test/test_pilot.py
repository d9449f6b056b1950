"""Law of guidance, certain deceleration, plume rule."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plant import VEHICLE
from scipy.optimize import linprog
from sighting import OWN, STATION, Scene

from qiki_docking import Guidance, Request
from qiki_docking.guidance import drift, in_corridor, speed_limit
from qiki_docking.pilot import Pilot
from qiki_docking.pilot.authority import Authority
from qiki_docking.pilot.law import Law
from qiki_docking.pilot.navigation import Deviations, Fix
from qiki_docking.pilot.own import OwnState
from qiki_docking.pilot.partner import PartnerState
from qiki_docking.pilot.plume import Plumes
from qiki_vehicle import MassProperties, Port, mated, quaternion

pytestmark = pytest.mark.requirement("DOCK-22")

RULES = VEHICLE.docking
RADIUS = 6.8  # m, of the station's hull
KNOWN = Deviations(0.01, 0.001, 0.001, 0.0001)
BODY = MassProperties.of(VEHICLE.body)
BRAKING = (12, 13, 14, 15)
"""Thrusters of cluster D: their plumes go past port B."""


def fix_at(place, velocity=(0.0, 0.0, 0.0), turning=(0.0, 0.0, 0.0), own=OWN, partner=STATION):
    """Own face at `place`, m, from the partner's port, in the mated attitude; the partner is at rest but turns."""
    attitude = mated(partner, own).orientation
    arm = quaternion.rotate(attitude, BODY.com - own.position)
    com = np.array(partner.position) + place + arm
    velocity = np.array(velocity) + np.cross(turning, com)
    state = OwnState(0.0, com, velocity, attitude, np.array(turning))
    moving = np.cross(turning, partner.position)
    identity = np.array(quaternion.IDENTITY)
    track = PartnerState(0.0, np.array(partner.position), moving, identity, np.array(turning), *np.zeros((2, 2, 2)))
    return Fix(state, track, BODY.com, own, partner, KNOWN, 1.0)


def law(own=OWN, partner=STATION, radius=RADIUS):
    made = Law(VEHICLE, own, partner, radius)
    made.deceleration = 0.2
    return made


def push(guide, request, fix):
    """(3,) N in base_link; zero while the bot coasts."""
    force = guide.steer(request, fix).force
    return np.zeros(3) if force is None else force


places = st.tuples(st.floats(-60.0, 60.0), st.floats(-60.0, 60.0), st.floats(-70.0, 60.0))
turns = st.tuples(*(st.floats(-0.00175, 0.00175) for _ in range(3)))


@given(places, turns, st.sampled_from(RULES.hold_points))
def test_the_wanted_velocity_keeps_every_limit(place, turning, hold):
    guide, fix = law(), fix_at(place, turning=turning)
    where = fix.own.com
    wanted = guide.velocity(Request(Guidance.HOLD, range=hold), fix, where)
    inward = -float(wanted @ where) / max(float(np.linalg.norm(where)), 1e-9)
    assert np.linalg.norm(wanted) <= RULES.approach.far_speed * 1.001
    corridor = in_corridor(fix.motion.range, fix.motion.lateral_offset, RULES) and fix.motion.range > 0.0
    if corridor:
        closing = -float(wanted[2])
        assert closing <= speed_limit(fix.motion.range, 0.2, RULES) + 1e-9
    if inward > 0.0 and (not corridor or fix.motion.range > RULES.guidance.passive_range):
        moving = wanted + np.cross(turning, where)
        assert drift(where, moving, (KNOWN.position, KNOWN.velocity), guide.hulls, RULES).misses


@given(places, st.tuples(*(st.floats(-0.3, 0.3) for _ in range(3))), turns, st.sampled_from(RULES.hold_points))
def test_the_bot_coasts_only_where_its_drift_misses_the_hull(place, velocity, turning, hold):
    guide, fix = law(), fix_at(place, velocity, turning)
    inside = in_corridor(fix.motion.range, fix.motion.lateral_offset, RULES) and fix.motion.range > 0.0
    if guide.steer(Request(Guidance.HOLD, range=hold), fix).force is None:
        assert guide.cone(fix).misses or (inside and fix.motion.range <= RULES.guidance.passive_range)


STARTS = {
    "behind": (0.0, 0.0, -72.0),
    "beside": (60.0, 5.0, -6.0),
    "near the hull, beside": (2.0, 5.5, -8.0),
    "in front": (12.0, -8.0, 55.0),
    "behind, near": (1.0, 0.0, -16.0),
}


@pytest.mark.parametrize("start", STARTS)
def test_from_anywhere_the_way_leads_to_the_first_hold_point_and_clear_of_the_hull(start):
    turning = (0.0, 0.0012, 0.0012)
    guide = law()
    request = Request(Guidance.HOLD, range=RULES.hold_points[0])
    place, moving = fix_at(STARTS[start]).own.com, np.zeros(3)
    nearest = begun = float(np.linalg.norm(place))
    period = 0.5
    for _ in range(1200):
        fix = fix_at(place - fix_at((0.0, 0.0, 0.0)).own.com, moving, turning)
        assert guide.clear(fix)
        if abs(fix.motion.range - request.range) < 0.1 and fix.motion.lateral_offset < 0.1:
            break
        # Seen from the turning partner, without its small accelerations.
        moving = moving + period * quaternion.rotate(fix.own.orientation, push(guide, request, fix)) / guide.mass
        place = place + period * moving
        nearest = min(nearest, float(np.linalg.norm(place)))
    else:
        pytest.fail(f"not there after 600 s: {place}")
    assert nearest >= min(begun - 0.2, guide.hulls + RULES.guidance.keep_out)


def test_inside_the_keep_out_sphere_only_a_way_out_is_clear():
    guide = law()
    beside = (5.0, 0.0, -8.0)
    assert guide.clear(fix_at(beside, (0.1, 0.0, 0.0)))
    assert not guide.clear(fix_at(beside, (-0.1, 0.0, 0.0)))
    assert guide.clear(fix_at((0.0, 0.0, 3.0), (0.0, 0.0, -0.1)))


def test_each_motion_has_its_force():
    guide = law()
    at = {motion: push(guide, Request(motion, range=1.0, force=20.0), fix_at((0.0, 0.0, 0.9))) for motion in
          (Guidance.HOLD, Guidance.CLOSE, Guidance.SEAT, Guidance.PUSH_OFF, Guidance.RETREAT)}  # fmt: skip
    assert at[Guidance.SEAT] == pytest.approx([0.0, 0.0, -20.0])
    assert at[Guidance.CLOSE] == pytest.approx([0.0, 0.0, -1200.0 * 0.075 / 3.0], abs=1e-6)
    assert at[Guidance.PUSH_OFF] == pytest.approx([0.0, 0.0, 1200.0 * 0.10 / 3.0], abs=1e-6)
    for motion in (Guidance.HOLD, Guidance.RETREAT):
        assert at[motion] == pytest.approx([0.0, 0.0, 1200.0 * 0.85 * 0.01 / 1.0], abs=1e-6)
    # A retreat does not come back.
    assert push(guide, Request(Guidance.RETREAT, range=1.0), fix_at((0.0, 0.0, 3.0))) == pytest.approx(np.zeros(3))


def test_the_pilot_stays_still_and_leaves_a_free_bot_alone():
    pilot = Scene(1).run(3.0).pilot
    still = pilot.steer(Request(Guidance.STILL), 3.0)
    assert still.force is None
    assert still.attitude is None
    assert (not still.bounds.any(), still.bounds_reason) == (True, "docked")
    assert still.touching
    free = pilot.steer(Request(), 3.0)
    assert (free.force, free.attitude, free.bounds, free.modulator) == (None, None, None, "")
    blind = Pilot(VEHICLE, OWN, STATION).steer(Request(Guidance.HOLD, range=5.0), 3.0)
    assert (blind.force, blind.attitude) == (None, None)


def test_the_target_attitude_is_the_mated_one_and_turns_with_the_partner():
    scene = Scene(2, turn=(0.0012, -0.001, 0.0008)).run(20.0)
    steering = scene.pilot.steer(Request(Guidance.HOLD, range=5.0), scene.now + 0.02)
    assert steering.rate == pytest.approx(scene.turn, abs=4e-4)
    expected = scene.partner(scene.now)[0].then(mated(STATION, OWN)).orientation
    off = quaternion.rotation_vector(quaternion.product(steering.attitude, quaternion.conjugate(expected)))
    assert np.linalg.norm(off) < math.radians(0.3)
    assert steering.modulator == "impulse_bit"


@pytest.mark.parametrize(("rate", "fires"), [(0.0, False), (0.0015, False), (0.0034, True)])
def test_on_the_last_half_metre_no_thruster_fires_while_the_drift_ends_inside_the_box(rate, fires):
    calm = {"drift": (0.0, 0.0, 0.0), "turn": (0.0, 0.0, 0.0), "velocity": (0.0, 0.0, -0.075)}
    scene = Scene(3, start=(0.0, 0.0, STATION.position[2] + 1.3 + 1.9), spin=(0.0, 0.0, rate), **calm).run(18.0)
    pilot, close = scene.pilot, Request(Guidance.CLOSE)
    assert scene.truth().range > RULES.align.predict_from
    assert pilot.steer(close, scene.now).force is not None
    scene.run(2.0)
    assert RULES.align.predict_to < scene.truth().range < RULES.align.predict_from
    steering = pilot.steer(close, scene.now)
    assert (steering.force is None, steering.attitude is None, steering.touching) == (not fires, not fires, False)
    assert pilot.sample(scene.now).values["prediction_inside"] == float(not fires)
    scene.run(4.2)
    assert scene.truth().range < RULES.align.predict_to
    last = pilot.steer(close, scene.now)
    assert (last.force, last.touching) == (None, True)


def test_coasting_begins_between_two_sets_of_pulses_and_shuts_the_valves():
    scene = Scene(3, start=(0.0, 0.0, STATION.position[2] + 1.3 + 1.9), velocity=(0.0, 0.0, -0.075), drift=np.zeros(3),
                  turn=np.zeros(3)).run(20.0)  # fmt: skip
    pilot, close, pulse = scene.pilot, Request(Guidance.CLOSE), np.zeros(16)
    pulse[3] = 0.03
    assert RULES.align.predict_to < scene.truth().range < RULES.align.predict_from
    pilot.fired(pulse)
    assert pilot.steer(close, scene.now).force is not None
    pilot.fired(np.zeros(16))
    coasting = pilot.steer(close, scene.run(0.1).now)
    assert (coasting.force, coasting.attitude, coasting.bounds_reason) == (None, None, "coasting")
    assert not coasting.bounds.any()
    # The end of a set that had begun before does not end it.
    pilot.fired(pulse)
    assert pilot.steer(close, scene.run(0.1).now).bounds_reason == "coasting"
    # Near the port nothing is commanded in any case, but a set is not cut in two.
    scene.run(4.5)
    pilot.steer(Request(), scene.now)
    assert scene.truth().range < RULES.align.predict_to
    pilot.fired(pulse)
    last = pilot.steer(close, scene.now)
    assert last.force is None
    assert last.bounds_reason != "coasting"


# Deceleration -------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 1.0), min_size=16, max_size=16), st.tuples(*(st.floats(-1.0, 1.0) for _ in range(3))))
def test_the_force_is_that_of_a_reference_solver(levels, direction):
    size = float(np.linalg.norm(direction))
    along = np.array(direction) / size if size > 0.1 else np.array([0.0, 0.0, 1.0])
    levels = np.array(levels) * (np.array(levels) > 0.2)
    found = Authority(VEHICLE, along).force(levels, BODY.com)
    columns = [[*one.direction, *np.cross(np.array(one.position_m) - BODY.com, one.direction)]
               for one in VEHICLE.thrusters]  # fmt: skip
    most = VEHICLE.propulsion.continuous_power / VEHICLE.propulsion.watts_per_newton
    reference = linprog(
        [0.0] * 16 + [-1.0], A_ub=[[1.0] * 16 + [0.0]], b_ub=[most], b_eq=np.zeros(6),
        A_eq=np.column_stack([np.array(columns).T, -np.append(along, np.zeros(3))]),
        bounds=[(0.0, level * one.f_max_n) for level, one in zip(levels, VEHICLE.thrusters, strict=True)]
        + [(0.0, None)],
    )  # fmt: skip
    assert found == pytest.approx(-reference.fun, rel=1e-5, abs=1e-4)


def test_the_certain_deceleration_allows_for_one_more_failure():
    authority = Authority(VEHICLE, (0.0, 0.0, 1.0))
    whole = authority.deceleration(np.ones(16), BODY)
    one_dead = np.ones(16)
    one_dead[12] = 0.0
    two_dead = one_dead.copy()
    two_dead[13] = 0.0
    assert whole == pytest.approx(authority.force(one_dead, BODY.com) / BODY.mass)
    assert 0.0 < authority.deceleration(one_dead, BODY) < whole
    assert authority.deceleration(one_dead, BODY) <= authority.force(two_dead, BODY.com) / BODY.mass + 1e-9
    assert authority.deceleration(np.zeros(16), BODY) == 0.0


# Plumes -------------------------------------------------------------------------------------------------------------


def test_within_two_metres_no_plume_hits_the_partner_unless_the_bot_brakes_or_leaves():
    plumes = Plumes(VEHICLE, RADIUS)
    near = fix_at((0.0, 0.0, 1.5))
    bounds = plumes.bounds(Guidance.CLOSE, near, 0.0)
    assert np.flatnonzero(bounds == 0.0).tolist() == list(BRAKING)
    assert plumes.bounds(Guidance.CLOSE, near, 0.02) is None
    assert plumes.bounds(Guidance.RETREAT, near, 0.0) is None
    assert plumes.bounds(Guidance.PUSH_OFF, near, 0.0) is None
    assert plumes.bounds(Guidance.HOLD, fix_at((0.0, 0.0, 2.1)), 0.0) is None


def test_the_plumes_pass_beside_a_partner_as_small_as_the_bot():
    partner = Port(name="A", position=(0.0, 0.0, 1.2), axis=(0.0, 0.0, 1.0), radius=0.3, length=0.15)
    plumes = Plumes(VEHICLE, 1.35)
    for distance in (0.0, 0.5, 1.5):
        assert plumes.bounds(Guidance.CLOSE, fix_at((0.0, 0.0, distance), partner=partner), 0.0) is None


def test_the_impulse_of_plumes_counts_the_thrusters_that_hit():
    plumes = Plumes(VEHICLE, RADIUS)
    seconds = np.zeros(16)
    seconds[[0, 12]] = 0.03
    plumes.fired(seconds, fix_at((0.0, 0.0, 5.0)))
    assert plumes.impulse == 0.0
    plumes.fired(seconds, fix_at((0.0, 0.0, 1.0)))
    assert plumes.impulse == pytest.approx(220.0 * 0.03)
