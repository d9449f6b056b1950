"""Two docking cores and more: the exchange between ends, undocking from both, refusals, chains."""

import math
from dataclasses import replace

import pytest
from plant import VEHICLE
from rig import Rig

from qiki_docking import Phase, Profile, Reason
from qiki_docking.bridge import EdgeState, Role
from qiki_docking.bridge.network import solve
from qiki_docking.core import DockingCore
from qiki_docking.exchange import DockState

pytestmark = pytest.mark.requirement("DOCK-17")

PAIR = ({"station": Role.SOURCE, "alpha": Role.RELAY}, [("alpha", "B", "station", "A")])
CHAIN = (
    {"bravo": Role.SOURCE, "alpha": Role.RELAY, "charlie": Role.RELAY},
    [("alpha", "B", "bravo", "A"), ("charlie", "B", "alpha", "A")],
)


def pair(**options):
    rig = Rig(*PAIR, **options)
    for _ in range(8):
        rig.step()
    return rig


def docked(rig, active="alpha", passive="station", port="A", profile=Profile.FULL):
    answer = rig.cores[active].dock(passive, port, "B", profile, now=rig.now)
    assert answer.accepted, answer
    return rig.run(lambda rig: rig.cores[active].phase is not Phase.HARD_DOCK)


def bridged(**options):
    rig = docked(pair(**options))
    assert rig.cores["alpha"].phase is Phase.BRIDGE, rig.cores["alpha"].state
    return rig.run(lambda rig: rig.outputs["alpha"].bridge.edges[0].state is EdgeState.CLOSED)


def test_both_ends_agree_and_the_bridge_carries_what_the_network_serves():
    rig = bridged()
    for _ in range(10):
        rig.step()
    alpha, station = rig.outputs["alpha"], rig.outputs["station"]
    served = math.fsum(alpha.bridge.served)
    volts = (28.0 + math.sqrt(28.0**2 - 4.0 * 0.05 * served)) / 2.0
    (edge,), (mirror,) = alpha.bridge.edges, station.bridge.edges
    assert edge.current == pytest.approx(served / volts, rel=1e-3) == edge.expected
    assert mirror.current == pytest.approx(-edge.current)
    assert mirror.expected == pytest.approx(-edge.expected)
    assert (alpha.bridge.source, alpha.bridge.depth) == ("station", 1)
    assert alpha.bridge.data_peers == ("station",)
    assert alpha.command.draw == pytest.approx(served)
    assert station.command.source
    assert not station.state.active
    assert (station.state.phase, station.state.partner) == (Phase.BRIDGE, "alpha")
    assert alpha.state.echo == station.state.offer("A").nonce != ""
    (ended,) = rig.of("alpha", "docking.ended")
    assert (ended["outcome"], ended["tries"], len(ended["checks"])) == ("EXECUTED", 1, 7)


@pytest.mark.parametrize("by", ["alpha", "station"])
def test_either_end_undocks_without_current(by):
    rig = bridged()
    assert rig.cores[by].undock(rig.now).accepted
    rig.run(lambda rig: rig.cores["alpha"].phase is Phase.UNDOCKING)
    joint = rig.joints[0]
    while joint.main:
        before = abs(joint.current)
        rig.step()
    assert before < 0.1, "contacts opened under current"
    rig.run(lambda rig: rig.cores["alpha"].state.step == "push_off")
    assert rig.outputs["alpha"].bridge.edges == ()
    assert rig.draws["alpha"] == 0.0


@pytest.mark.parametrize("by", ["alpha", "station"])
def test_either_end_releases_in_two_steps(by):
    rig = bridged()
    core = rig.cores[by]
    assert core.release(1, rig.now).reason is Reason.NOT_ARMED
    code = core.arm_release(rig.now).code
    assert core.release(code + 1, rig.now).reason is Reason.WRONG_ARM_CODE
    code = core.arm_release(rig.now).code
    assert core.release(code, rig.now).accepted
    rig.step().step()
    assert not rig.joints[0].main
    rig.run(lambda rig: rig.cores["alpha"].state.step == "push_off")
    assert rig.cores["alpha"].phase is Phase.EMERGENCY_RELEASE


def test_the_body_that_is_docked_to_knows_of_the_touch_by_its_sensor_and_by_the_partner():
    core = DockingCore(VEHICLE, "alpha")
    rig = pair()

    def touching(now, *, contact=False, **guest):
        reading = rig.reading("alpha")
        ports = tuple(replace(one, contact=contact, capture=False) for one in reading.ports)
        core.reading(replace(reading, stamp=now, ports=ports), now)
        if guest:
            core.partner(DockState(now, "bravo", True, partner="alpha", partner_port="A", own_port="B", **guest), now)
        output = core.step(now)
        assert output.steering is None, "the bot still belongs to its operator"
        return output.touching

    assert not touching(100.0)
    assert touching(100.1, contact=True), "a collision at a port, without any docking"
    assert not touching(100.2, phase=Phase.APPROACH, range=5.0)
    assert not touching(100.3, phase=Phase.ALIGN, range=1.0)
    assert touching(100.4, phase=Phase.ALIGN, range=0.4)
    assert touching(100.5, phase=Phase.ALIGN, range=math.nan)
    assert not touching(103.0), "the guest has fallen silent"


def test_a_passive_body_and_an_unfit_port_refuse_an_order():
    rig = pair(station={"active": False})
    assert rig.cores["station"].dock("alpha", "B", "A", now=rig.now).reason is Reason.PASSIVE_ONLY
    rig.faults = {("station", "A"): {"temperature": 130.0}, ("alpha", "B"): {"capture": False}}
    rig.step().step()
    answer = rig.cores["alpha"].dock("station", "A", "B", now=rig.now)
    assert answer.reason is Reason.PORT_UNFIT
    assert "A: temperature 130 degC; allowed: 120 degC and below" in answer.text
    assert [event["reason"] for event in rig.of("station", "docking.refused")] == [Reason.PASSIVE_ONLY]


def test_an_order_that_waits_is_not_reported_as_refused():
    rig = Rig(*PAIR)
    rig.step().step()
    core = rig.cores["alpha"]
    assert core.dock("station", "A", "B", now=rig.now, patient=True).reason is Reason.NAVIGATION_INVALID
    assert core.dock("station", "A", "B", now=rig.step().now, patient=True).accepted
    rig.step()
    assert not rig.of("alpha", "docking.refused")
    assert core.dock("station", "A", "B", now=rig.now).reason is Reason.BUSY


@pytest.mark.parametrize("flight", ["refuse", "cancel"])
def test_flight_commands_of_others_are_refused_once_captured_and_reported_once(flight):
    rig = pair(alpha={"flight": flight})
    assert rig.cores["alpha"].flight_command(rig.now).accepted
    assert rig.cores["alpha"].dock("station", "A", "B", now=rig.now).accepted
    for _ in range(3):
        assert rig.cores["alpha"].flight_command(rig.step().now).reason is Reason.FLIGHT_WHILE_DOCKING
    assert rig.cores["alpha"].phase is Phase.HARD_DOCK
    assert rig.cores["station"].flight_command(rig.now).reason is Reason.FLIGHT_WHILE_DOCKING
    refused = [event for event in rig.step().of("alpha", "docking.refused") if event["order"] == "flight"]
    assert len(refused) == 1


def test_a_flight_command_that_goes_on_is_refused_once_for_each_time_that_it_comes():
    rig = bridged()
    core = rig.cores["alpha"]

    def stream(*commands):
        for count in range(40):
            core.flight_command(rig.now + 0.05 * count, commands[count % len(commands)])
        rig.now += 2.0
        for _ in range(15):
            rig.step()

    stream("brake")
    stream("brake", "cmd_wrench")
    texts = [event["text"] for event in rig.of("alpha", "docking.refused")]
    assert [text.rpartition(": ")[2] for text in texts] == [
        "brake in BRIDGE, without a flight lead",
        "brake in BRIDGE, without a flight lead",
        "cmd_wrench in BRIDGE, without a flight lead",
    ]


def test_a_silent_partner_is_left():
    rig = bridged()
    rig.silent.add("station")
    rig.run(lambda rig: rig.cores["alpha"].phase is not Phase.BRIDGE)
    assert rig.cores["alpha"].state.reason is Reason.PARTNER_SILENT
    rig.run(lambda rig: rig.cores["alpha"].state.step == "push_off")


def lying(rig, **change):
    """The station's states with fields changed on their way."""
    deliver = rig.cores["alpha"].partner
    rig.cores["alpha"].partner = lambda state, now: deliver(replace(state, **change), now)


def offering(rig, **change):
    deliver = rig.cores["alpha"].partner

    def changed(state, now):
        offers = tuple(replace(offer, **change) for offer in state.offers)
        deliver(replace(state, offers=offers), now)

    rig.cores["alpha"].partner = changed


@pytest.mark.requirement("DOCK-3")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rig: lying(rig, identity="mallory"), Reason.IDENTITY),
        (lambda rig: lying(rig, current_max=5.0), Reason.LIMITS),
        (lambda rig: lying(rig, volts_max=math.nan), Reason.LIMITS),
        (lambda rig: offering(rig, echo="0"), Reason.HANDSHAKE),
        (lambda rig: offering(rig, nonce=""), Reason.HANDSHAKE),
        (lambda rig: offering(rig, phase=Phase.APPROACH), Reason.STATES_DIFFER),
        (lambda rig: offering(rig, holder="zulu"), Reason.HANDSHAKE),
        (lambda rig: offering(rig, power_cleared=False), Reason.POWER_CLEARANCE),
        (lambda rig: rig.faults.update({("station", "A"): {"capture": False, "latch_1": False, "latch_2": False}}),
         Reason.STATES_DIFFER),
        (lambda rig: rig.faults.update({("alpha", "B"): {"isolation": 100.0}}), Reason.ISOLATION),
        (lambda rig: rig.faults.update({("alpha", "B"): {"outer_volts": -28.0}}), Reason.POLARITY),
        (lambda rig: rig.faults.update({("alpha", "B"): {"umbilical": False}}), Reason.UMBILICAL),
        (lambda rig: rig.faults.update({("alpha", "B"): {"temperature": 95.0}}), Reason.THERMAL_CLEARANCE),
        (lambda rig: rig.silent.add("station"), Reason.PARTNER_SILENT),
    ],
)  # fmt: skip
def test_each_refusal_over_the_exchange_keeps_the_contacts_open(spoil, reason):
    rig = pair()
    answer = rig.cores["alpha"].dock("station", "A", "B", now=rig.now)
    assert answer.accepted, answer
    rig.run(lambda rig: rig.cores["alpha"].state.step == "lock")
    spoil(rig)
    rig.run(lambda rig: rig.cores["alpha"].phase is not Phase.HARD_DOCK)
    assert (rig.cores["alpha"].phase, rig.cores["alpha"].state.reason) == (Phase.UNDOCKING, reason)
    assert not any(event["state"] != "GROUND" for event in rig.of("alpha", "bridge.edge_changed"))


@pytest.mark.parametrize(
    ("options", "reason", "text"),
    [
        ({"station": {"active": False, "profiles": (Profile.DATA,)}}, Reason.PROFILE, "profile FULL"),
        ({"alpha": {"profiles": (Profile.DATA,)}}, Reason.PROFILE, ""),
        ({"station": {"role": Role.RELAY}}, Reason.POWER_CLEARANCE, "neither end is fed"),
        ({"alpha": {"role": Role.SOURCE}}, Reason.POWER_CLEARANCE, "an island has one source"),
        ({"station": {"source_power": 40.0}}, Reason.POWER_CLEARANCE, "base of alpha would get 0 W of 60 W"),
    ],
)
def test_role_profile_and_budget_are_refused_with_their_reasons(options, reason, text):
    rig = docked(pair(**options))
    assert rig.cores["alpha"].state.reason is reason
    assert text in rig.outputs["station"].state.offer("A").reason or not text
    assert not rig.joints[0].main


def test_a_chain_is_fed_through_its_middle():
    rig = Rig(*CHAIN)
    for _ in range(8):
        rig.step()
    docked(rig, "alpha", "bravo")
    docked(rig, "charlie", "alpha")
    for _ in range(40):
        rig.step()
    served = [math.fsum(rig.outputs[name].bridge.served) for name in ("alpha", "charlie")]
    volts = solve(28.0, [-1, 0], [0.05, 0.05], served)
    charlie, alpha = rig.outputs["charlie"].bridge, rig.outputs["alpha"].bridge
    assert charlie.depth == 2
    assert charlie.source == "bravo"
    assert charlie.edges[0].current == pytest.approx(served[1] / volts[1], rel=1e-3)
    assert next(edge for edge in alpha.edges if edge.partner == "bravo").current == pytest.approx(
        served[0] / volts[0] + served[1] / volts[1], rel=1e-3
    )
    assert rig.outputs["bravo"].bridge.shed == charlie.shed
    assert charlie.data_peers == ("alpha", "bravo")
    # The chain is cut at its root: the loads behind it are off before it opens, and nothing is fed any more.
    assert rig.cores["alpha"].undock(rig.now).reason is Reason.WRONG_ORDER
    assert rig.cores["alpha"].undock(rig.now, "B").accepted
    rig.run(lambda rig: not rig.joints[0].main)
    rig.step().step()
    assert rig.draws["charlie"] == rig.draws["alpha"] == 0.0
