"""A docked assembly flown by one lead: all thrusters, combined mass, limits of each member, silence of either side."""

import math
from dataclasses import replace

import numpy as np
import pytest
from docked_bots import Docked, Member

from qiki_allocator.checks import RefusalError
from qiki_allocator.docked.lead import FlightLead
from qiki_allocator.docked.members import Joint
from qiki_allocator.flight.telemetry import Activity, State
from qiki_allocator.health.readings import MotionReading
from qiki_allocator.health.table import Condition
from qiki_allocator.modulation.ledger import ValveCommand
from qiki_vehicle import ConfigurationError, MassProperties, Pose, combined, mated, quaternion

FORCE = [400.0, 0.0, 0.0, 0.0, 0.0, 0.0]
REACH = np.array([901.0, 1180.0, 762.0, 2343.0, 1829.0, 1561.0])
"""N and N m, of the thrusters of a chain of three along each axis."""
WEAKLY_SHARED = ([-515.0, -73.0, 617.0, -137.0, 99.0, -140.0], [-757.0, 250.0, 372.0, 215.0, -5.0, 79.0])
"""N and N m, size 1: with 0.06 s of them no thruster of the chain gets a shortest pulse."""


@pytest.fixture
def pair(vehicle):
    docked = Docked(vehicle)
    docked.run(0.1)
    return docked


@pytest.mark.requirement("ALLOC-23")
def test_a_chain_of_three_is_pushed_by_48_thrusters(vehicle):
    docked = Docked(vehicle, ("alpha", "bravo", "charlie"))
    docked.run(0.1)
    assert len(docked.lead.assembly) == 48
    docked.command(FORCE)
    docked.run(0.4)
    answer = docked.lead.controller.telemetry(docked.now).allocation
    assert answer.certificate.holds()
    assert answer.fallback == ""
    docked.command([0.0] * 6)
    docked.run(0.6)
    assert docked.velocity[0] * docked.mass == pytest.approx(400.0 * 0.4, rel=0.01)
    assert docked.tilt < 0.1
    assert {name for name, member in docked.members.items() if member.valves.on_time.any()} >= {"alpha", "charlie"}


@pytest.mark.requirement("ALLOC-23")
@pytest.mark.parametrize("direction", WEAKLY_SHARED)
def test_a_small_wrench_that_48_thrusters_share_is_given_in_the_mean(vehicle, direction):
    docked = Docked(vehicle, ("alpha", "bravo", "charlie"))
    docked.run(0.1)
    array = docked.lead.assembly.array
    wrench = 0.04 * np.array(direction)
    for _ in range(60):
        docked.command(wrench)
        docked.run(0.1)
    on = np.concatenate([member.valves.on_time for member in docked.members.values()])
    missing = wrench * 6.0 - array.effectiveness @ (array.f_max * on)
    assert np.linalg.norm(missing / REACH) < 0.13  # s of all thrusters; all of it would be 0.24
    assert on.any()


@pytest.mark.requirement("ALLOC-24")
def test_a_member_refuses_own_commands_while_it_follows_and_takes_over_when_the_lead_is_gone(pair):
    bravo = pair.members["bravo"].controller
    bravo.set_modulator(pair.now, "impulse_bit")
    with pytest.raises(RefusalError, match="FOLLOWS: alpha"):
        bravo.command(pair.now, FORCE)
    with pytest.raises(RefusalError, match="FOLLOWS: alpha"):
        bravo.brake(pair.now)
    assert bravo.status[0] is State.FOLLOWING
    pair.command(FORCE)
    pair.run(0.3)
    assert pair.members["bravo"].valves.is_open.any()
    silent, pair.is_leading = pair.now, False
    while pair.members["bravo"].valves.is_open.any() and pair.now < silent + 2.0:
        pair.run(0.01)
    assert pair.now - silent <= 0.5
    pair.run(0.5)
    assert (bravo.lead, bravo.status[0]) == ("", State.IDLE)
    ended = [one for one in bravo.journal.take() if one.type == "allocator.assembly_changed"][-1]
    assert ended.data["before"] == "alpha"
    assert "silent" in ended.data["reason"]
    assert bravo.drive.modulators.kind == "impulse_bit"
    assert bravo.command(pair.now, FORCE) is not None
    with pytest.raises(RefusalError, match="lead: 'alpha'; allowed: none"):
        bravo.forward(pair.now, "alpha", ValveCommand(pair.now, 0.1, np.full(16, np.nan), np.zeros(16)))


@pytest.mark.requirement("ALLOC-24")
def test_a_silent_partner_has_its_valves_closed_and_the_lead_says_so(pair):
    bravo = pair.members["bravo"]
    pair.command(FORCE)
    pair.run(0.3)
    bravo.reports, silent = False, pair.now
    while bravo.valves.is_open.any() and pair.now < silent + 2.0:
        pair.command(FORCE)
        pair.run(0.01)
    assert pair.now - silent <= 0.5
    while not pair.lead.ended(pair.now) and pair.now < silent + 2.0:
        pair.run(0.01)
    assert pair.now - silent <= 0.6
    assert pair.lead.ended(pair.now) == "silent:bravo (no report of bravo for 0.5 s)"
    limits = pair.lead.controller.drive.limits(pair.now).limits
    assert not np.asarray(limits.bounds)[pair.lead.assembly.of("bravo")].any()
    assert "silent:bravo" in limits.names


@pytest.mark.requirement("ALLOC-24")
@pytest.mark.parametrize("pause", [0.3, 0.45, 2.0, 60.0])
def test_a_pause_of_its_own_is_no_silence_of_the_others(pair, pause):
    bravo, lead = pair.members["bravo"].controller, pair.lead
    later = pair.now + pause
    bravo.tick(later)
    assert bravo.lead == "alpha"
    assert lead.ended(later) == ""
    bravo.hear_lead(later, "alpha")  # what came meanwhile is read
    for member in pair.members.values():
        lead.member(later, member.report(later))
    assert lead.ended(later + 0.05) == ""
    # A true silence ends it all the same, counted in cycles.
    cycles = np.arange(later, later + 0.6, 0.01)
    ended = [cycle for cycle in cycles if bravo.tick(cycle) is not None and not bravo.lead]
    assert ended[0] - later == pytest.approx(0.4, abs=0.03)


@pytest.mark.requirement("ALLOC-24")
def test_a_brake_for_which_no_thruster_may_fire_is_refused_with_the_end_of_the_assembly(pair):
    alpha = pair.members["alpha"].controller
    alpha.update_motion(pair.now, MotionReading(pair.now, quaternion.IDENTITY, np.array([0.1, 0, 0]), np.zeros(3)))

    def brake():
        alpha.inhibit(pair.now, pair.now, np.zeros(16), "docked")
        alpha.brake(pair.now)

    alpha.take_over(pair.now, "alpha: ordered")
    with pytest.raises(RefusalError, match=r"brake: all thrusters are inhibited \(docked\); allowed: once a thruster"):
        brake()
    alpha.follow(pair.now, "alpha")
    alpha.take_over(pair.now, "silent:bravo")
    with pytest.raises(RefusalError, match=r"\(docked\); alpha flies the assembly no more: silent:bravo \(0.0 s ago\)"):
        brake()
    assert alpha.activity is Activity.NONE
    alpha.inhibit(pair.now, pair.now, np.ones(16), "")
    assert alpha.brake(pair.now) is not None
    assert alpha.activity is Activity.BRAKE


@pytest.mark.requirement("ALLOC-24")
@pytest.mark.parametrize(("mass", "com"), [(1e308, 0.0), (1200.0, 1e308), (1200.0, 1e12)])
def test_a_member_whose_mass_no_assembly_can_have_is_refused_and_the_flight_goes_on(pair, mass, com):
    report = pair.members["bravo"].report(pair.now)
    before = pair.lead.controller.motion.body
    wild = MassProperties(mass, report.mass.inertia, np.array([com, 0.0, 0.1]))
    with pytest.raises(RefusalError, match="allowed"):
        pair.lead.member(pair.now, replace(report, mass=wild, power=0.0))
    assert pair.lead.controller.motion.body is before
    pair.command(FORCE)
    pair.run(0.2)
    assert pair.worst["bravo"] > 0.0


@pytest.mark.requirement("ALLOC-24")
def test_the_limits_of_a_member_hold_for_its_part_alone(pair):
    pair.members["bravo"].soc = 0.3  # HOLD
    pair.run(0.2)
    pair.worst.clear()
    pair.command([4000.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    pair.run(0.45)
    power = pair.lead.controller.telemetry(pair.now).limits.limits.power
    assert power == pytest.approx((45000.0, 22500.0), rel=0.05)
    assert 22500.0 < pair.worst["alpha"] <= 45000.0
    assert 0.0 < pair.worst["bravo"] <= 22500.0


@pytest.mark.requirement("ALLOC-24")
@pytest.mark.parametrize("limit", ["power", "heat", "dead", "burst"])
def test_a_member_opens_no_valve_against_its_own_limits_whatever_the_lead_sends(vehicle, limit):
    member = Member("bravo", vehicle)
    member.telemetry(100.0)
    member.controller.follow(100.0, "alpha")
    if limit == "power":
        member.soc = 0.3
    elif limit == "heat":
        member.heat = 200.0
    elif limit == "dead":
        for thruster in range(16):
            member.controller.set_health(100.0, thruster, Condition.DEAD)
    member.telemetry(100.1)
    rng, worst, drawn = np.random.default_rng(1), 0, 0.0
    for count in range(200):
        now = 100.1 + 0.01 * count
        opening = np.where(rng.random(16) < 0.5, rng.uniform(0.0, 0.1, 16), np.nan)
        closing = rng.uniform(0.0, 0.2, 16)
        if limit == "burst":
            opening, closing = np.zeros(16), np.full(16, np.nan)
        member.send(member.controller.forward(now, "alpha", ValveCommand(now, 0.2, opening, closing)))
        member.send(member.controller.tick(now))
        member.valves.advance(now)
        worst, drawn = max(worst, int(member.valves.is_open.sum())), max(drawn, member.power)
        if count % 5 == 0:
            member.telemetry(now)
    assert drawn <= (22500.0 if limit == "power" else 45000.0) * (1.0 + 1e-9)
    assert (worst == 0) == (limit in {"heat", "dead"})


@pytest.mark.requirement("ALLOC-23")
def test_an_assembly_maps_thrusters_mass_and_plumes(pair, vehicle):
    assembly, alone = pair.lead.assembly, MassProperties.of(vehicle.body)
    pose = mated(vehicle.port("A"), vehicle.port("B"))
    body = combined([(alone, Pose()), (alone, pose)])
    np.testing.assert_allclose(assembly.body.com, body.com)
    np.testing.assert_allclose(assembly.body.inertia, body.inertia)
    assert assembly.place(21) == ("bravo", 5)
    assert assembly.array.clusters[21] == "bravo.B"
    np.testing.assert_allclose(assembly.array.positions[21], pose.point(vehicle.thrusters[5].position_m))
    command = ValveCommand(1.0, 0.25, np.arange(32.0), np.arange(32.0))
    assert assembly.split(command)["bravo"].open_time.tolist() == np.arange(16.0, 32.0).tolist()
    # The plumes of this vehicle leave at 45 degrees to the port's axis: wide ones alone meet the partner.
    assert not any(assembly.hit_by_plumes(math.radians(15.0)))
    assert {"alpha", "bravo"} <= set(assembly.hit_by_plumes(math.radians(46.0)))


@pytest.mark.requirement("ALLOC-23")
def test_thrusters_whose_plume_meets_a_member_do_not_fire(vehicle):
    docked = Docked(vehicle, plume=math.radians(46.0))
    met = np.array([bool(body) for body in docked.lead.assembly.hit_by_plumes(math.radians(46.0))])
    assert 0 < met.sum() < 16
    bounds = np.asarray(docked.lead.controller.drive.limits(docked.now).limits.bounds)
    assert not bounds[met].any()
    assert bounds[~met].all()


@pytest.fixture(scope="module")
def reports(vehicle):
    """Of two bots that follow alpha, and one that does not."""
    own = Member("alpha", vehicle)
    own.controller.follow(100.0, "alpha")
    alpha = own.report(100.0)
    return {"alpha": alpha, "bravo": replace(alpha, body="bravo"), "charlie": replace(alpha, body="charlie", lead="")}


@pytest.mark.parametrize(
    ("joints", "text"),
    [
        ([], "joints: none"),
        ([Joint("alpha", "A", "bravo", "Q")], "port of bravo: 'Q'; allowed: A, B"),
        ([Joint("bravo", "A", "alpha", "B")], "joint: 'bravo'; allowed: alpha"),
        ([Joint("alpha", "A", "delta", "B")], "member: 'delta' has not reported"),
        ([Joint("alpha", "A", "bravo", "B"), Joint("alpha", "B", "bravo", "A")], "'bravo' joined before"),
        ([Joint("alpha", "A", "bravo", "B"), Joint("alpha", "A", "charlie", "A")], "port of alpha: 'A' joined before"),
        ([Joint("alpha", "A", "bravo", "B", math.nan)], "roll of bravo: nan rad"),
        ([Joint("alpha", "A", "charlie", "B")], "lead of charlie: none; allowed: alpha"),
    ],
)
def test_impossible_assemblies_are_refused(vehicle, reports, joints, text):
    with pytest.raises(ConfigurationError, match=text):
        FlightLead(vehicle, "alpha", joints, reports)
