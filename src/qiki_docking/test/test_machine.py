"""The docking machine with hardware that works, or fails in one way: phases, reasons, orders."""

import math

import pytest
from plant import ORDER, STEP, Plant

from qiki_docking import (
    DockingMachine,
    Drive,
    Guidance,
    Order,
    Phase,
    PortReservations,
    Profile,
    Reason,
    Sample,
    State,
    rebuilt,
)
from qiki_docking.checks import CHECK_NAMES


@pytest.mark.requirement("DOCK-2")
@pytest.mark.parametrize("profile", Profile)
def test_a_bot_docks_passes_every_check_in_order_and_undocks(vehicle, profile):
    plant = Plant(vehicle).dock(Order("station", "A", "B", profile)).run("BRIDGE")
    assert plant.phases() == ["APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE"]
    assert tuple(one["check"] for one in plant.of("docking.check_passed")) == CHECK_NAMES
    assert plant.of("docking.contact_judged")[0]["inside"]
    assert plant.contacts == (profile is not Profile.DATA)
    assert (plant.request.data is Drive.ON) == (profile is not Profile.POWER)
    assert plant.request.guidance is Guidance.STILL
    assert plant.machine.state.reason is Reason.DOCKED

    assert plant.machine.undock(plant.now).accepted
    plant.run("FREE")
    assert plant.phases()[-2:] == ["UNDOCKING", "FREE"]
    steps = [one["step"] for one in plant.of("docking.phase_changed") if one["phase"] == "UNDOCKING"]
    assert steps == ["power_down", "open", "unlock", "push_off", "retreat"]
    assert plant.machine.state == State(reason=Reason.RELEASED, cause=Reason.ORDERED)
    assert not plant.contacts
    assert plant.range == pytest.approx(vehicle.docking.retreat_hold, abs=0.11)
    assert plant.request.guidance is Guidance.OFF


@pytest.mark.requirement("DOCK-3")
@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ({"latch_2": 0.0}, Reason.LOCK),
        ({"pull_force": 200.0}, Reason.PULL_TEST),
        ({"slip_1": 0.002, "slip_2": 0.002}, Reason.PULL_TEST),
        ({"slip_1": 0.0009}, Reason.SENSOR_DISAGREEMENT),
        ({"isolation": 2e4}, Reason.ISOLATION),
        ({"probe_volts": -28.0}, Reason.POLARITY),
        ({"probe_volts": 40.0}, Reason.POLARITY),
        ({"umbilical": 0.0}, Reason.UMBILICAL),
        ({"nonce_echoed": 0.0}, Reason.HANDSHAKE),
        ({"states_agree": 0.0}, Reason.STATES_DIFFER),
        ({"identity_valid": 0.0}, Reason.IDENTITY),
        ({"passport_signed": 0.0}, Reason.PASSPORT_UNSIGNED),
        ({"passport_key": 0.0}, Reason.PASSPORT_KEY),
        ({"passport_key_in_time": 0.0}, Reason.PASSPORT_KEY_OUT_OF_TIME),
        ({"passport_key_in_force": 0.0}, Reason.PASSPORT_KEY_REVOKED),
        ({"passport_fresh": 0.0}, Reason.PASSPORT_REPLAYED),
        ({"passport_terms": 0.0}, Reason.PASSPORT_TERMS),
        ({"passport_genuine": 0.0}, Reason.PASSPORT_SIGNATURE),
        ({"passport_accepted": 0.0}, Reason.PASSPORT_REFUSED),
        ({"profile_agreed": 0.0}, Reason.PROFILE),
        ({"limits_agreed": 0.0}, Reason.LIMITS),
        ({"power_cleared": 0.0}, Reason.POWER_CLEARANCE),
        ({"temperature": 95.0}, Reason.THERMAL_CLEARANCE),
        ({"temperature": math.nan}, Reason.THERMAL_CLEARANCE),
        ({"contacts_closed": 0.0}, Reason.CONTACTS_OPEN),
        ({"bridge_volts": 0.0}, Reason.NO_VOLTS),
    ],
)
def test_each_missing_check_refuses_the_bridge_with_its_own_reason(vehicle, faults, reason):
    plant = Plant(vehicle, distance=1.0)
    plant.faults = faults
    plant.dock().run("UNDOCKING")
    assert "BRIDGE" not in plant.phases()
    assert plant.machine.state.cause is reason
    if reason not in (Reason.CONTACTS_OPEN, Reason.NO_VOLTS):
        assert not plant.contacts
    plant.run(lambda p: p.machine.phase in ("FREE", "FAULT"))


@pytest.mark.requirement("DOCK-4")
def test_contact_without_capture_is_pushed_once_and_tried_again_then_ends_at_the_five_metre_hold(vehicle):
    plant = Plant(vehicle)
    plant.jammed.add("capture")
    plant.dock().run("FREE")
    tries = vehicle.docking.retries + 1
    assert plant.phases().count("ALIGN") == tries
    assert "SOFT_DOCK" not in plant.phases()
    aborts = [one for one in plant.of("docking.phase_changed") if one["phase"] == "ABORT"]
    assert {one["cause"] for one in aborts} == {Reason.CAPTURE_TIMEOUT}
    assert plant.machine.state.reason is Reason.RETRIES_EXHAUSTED
    assert plant.range == pytest.approx(vehicle.docking.retreat_hold, abs=0.11)
    align = vehicle.docking.align
    assert STEP * len(plant.seated) / tries == pytest.approx(align.seat_duration, abs=2 * STEP)
    assert set(plant.seated) == {align.seat_force}


@pytest.mark.requirement("DOCK-4")
@pytest.mark.parametrize(
    ("faults", "silent", "reason", "phase"),
    [
        ({}, {"range", "closing"}, Reason.NAVIGATION_LOST, "FAULT"),
        ({"tilt": 0.03}, set(), Reason.SETTLE_TIMEOUT, "FREE"),
        ({"port_reserved": 0.0}, set(), Reason.RESERVATION_LOST, "FREE"),
        ({"link_alive": 0.0}, set(), Reason.PARTNER_SILENT, "FREE"),
        ({}, {"link_alive"}, Reason.PARTNER_SILENT, "FREE"),
        ({"closing": lambda t: 0.2 if t > 103 else 0.0}, set(), Reason.CONTACT_BOX, None),
    ],
)
def test_before_hard_docking_a_failure_backs_off(vehicle, faults, silent, reason, phase):
    plant = Plant(vehicle, distance=1.0).dock().run("ALIGN")
    plant.faults, plant.silent = faults, silent
    plant.run("ABORT")
    assert plant.machine.state.cause is reason
    assert plant.request.guidance is Guidance.RETREAT
    if phase is not None:
        plant.run(lambda p: p.machine.phase in ("FREE", "FAULT"), limit=4000.0)
        assert plant.machine.phase == phase


@pytest.mark.requirement("DOCK-1")
def test_a_contact_outside_of_the_box_is_refused_with_its_limits(vehicle):
    plant = Plant(vehicle, distance=1.0)
    # Too far off only in the last centimetres, where the prediction does not look any more.
    plant.faults = {"lateral_offset": lambda _: 0.15 if plant.range < 0.09 else 0.01}
    plant.dock().run("ABORT")
    (judged,) = plant.of("docking.contact_judged")
    assert judged["exceeded"] == ["lateral_offset"]
    assert judged["text"] == "lateral_offset 0.15 m, 0.05 m above the limit of 0.1 m"
    assert judged["margins"]["lateral_offset"] == pytest.approx(-0.05)
    assert plant.machine.state.cause is Reason.CONTACT_BOX


@pytest.mark.requirement("DOCK-5")
@pytest.mark.parametrize(
    ("faults", "phase", "reason"),
    [
        ({"bridge_volts": 20.0}, "FAULT", Reason.VOLTS),
        ({"bridge_volts": 33.0}, "FAULT", Reason.VOLTS),
        ({"temperature": 121.0}, "FAULT", Reason.OVERTEMPERATURE),
        ({"bridge_volts": math.nan}, "FAULT", Reason.POWER_BLIND),
        ({"latch_1": 0.0}, "UNDOCKING", Reason.LOCK_LOST),
        ({"link_alive": 0.0}, "UNDOCKING", Reason.PARTNER_SILENT),
    ],
)
def test_a_bridge_outside_of_its_limits_is_opened_without_current(vehicle, faults, phase, reason):
    plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
    plant.faults = faults
    plant.run(phase)
    assert plant.machine.state.cause is reason
    plant.run(lambda p: not p.contacts)  # the plant fails the test if current flowed


@pytest.mark.requirement("DOCK-5")
def test_a_current_above_the_limit_powers_down(vehicle):
    plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
    plant.faults = {"bridge_current": lambda _: 12.0 if plant.power else 0.0}
    plant.run("FAULT")
    assert plant.machine.state.cause is Reason.OVERCURRENT
    plant.run(lambda p: p.machine.state.step == "hold")
    assert not plant.contacts
    assert plant.latch == 1.0


@pytest.mark.requirement("DOCK-6")
@pytest.mark.parametrize(
    ("jammed", "faults", "reason"),
    [
        ("power", {}, Reason.CURRENT_REMAINS),
        ("contacts", {}, Reason.CONTACTS_WELDED),
        ("", {"bridge_current": math.nan}, Reason.CURRENT_REMAINS),
        ("", {"bridge_volts": 28.0}, Reason.CONTACTS_WELDED),
        ("latch", {}, Reason.UNLOCK_JAMMED),
    ],
)
def test_undocking_never_unlocks_under_current(vehicle, jammed, faults, reason):
    plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
    plant.jammed, plant.faults = {jammed}, faults
    plant.machine.undock(plant.now)
    plant.run("FAULT")
    assert plant.machine.state.cause is reason
    assert plant.latch == 1.0
    if reason is not Reason.UNLOCK_JAMMED:
        assert plant.request.latch is Drive.KEEP


@pytest.mark.requirement("DOCK-6")
def test_an_emergency_release_takes_two_steps(vehicle):
    plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
    plant.jammed = {"power"}
    machine = plant.machine
    assert machine.emergency_release(1, plant.now).reason is Reason.NOT_ARMED
    code = machine.arm_release(plant.now).code
    assert machine.emergency_release(code + 1, plant.now).reason is Reason.WRONG_ARM_CODE
    assert machine.emergency_release(code, plant.now).reason is Reason.NOT_ARMED  # a wrong code disarms
    code = machine.arm_release(plant.now).code
    late = plant.now + vehicle.docking.undock.arm_time + 1.0
    assert machine.emergency_release(code, late).reason is Reason.ARM_EXPIRED
    plant.now = late
    assert machine.phase is Phase.BRIDGE
    code = machine.arm_release(plant.now).code
    assert machine.emergency_release(code, plant.now).accepted
    plant.run("FREE")
    assert plant.latch == 0.0
    assert not plant.contacts
    assert plant.range > 4.8


@pytest.mark.requirement("DOCK-7")
def test_orders_that_do_not_fit_the_phase_are_refused(vehicle):
    plant = Plant(vehicle)
    machine = plant.machine
    assert machine.dock(ORDER, plant.now).reason is Reason.NAVIGATION_INVALID
    assert machine.undock(plant.now).reason is Reason.NOT_DOCKED
    assert machine.cancel(plant.now).reason is Reason.NOTHING_TO_CANCEL
    assert machine.arm_release(plant.now).reason is Reason.NOTHING_TO_RELEASE
    assert machine.reset(plant.now).reason is Reason.NOT_IN_FAULT
    assert machine.set_profile(Profile.DATA, plant.now).reason is Reason.NOT_DOCKED
    assert machine.flight_command(plant.now).accepted
    machine.reservations.reserve("B", "charlie", plant.now)
    answer = machine.dock(ORDER, plant.now)
    assert (answer.accepted, answer.reason) == (False, Reason.PORT_RESERVED)
    assert answer.text.endswith("B for charlie")
    machine.reservations.release("B", "charlie", plant.now)
    wrong = machine.dock(Order("station", "A", "C"), plant.now)
    assert (wrong.reason, wrong.text) == (
        Reason.WRONG_ORDER,
        "a field of the order is not allowed: own_port = 'C': allowed: A, B",
    )
    plant.dock()
    assert not machine.reservations.reserve("B", "charlie", plant.now)
    assert machine.dock(Order("bravo", "A", "A"), plant.now).reason is Reason.BUSY
    for _ in range(5):
        assert machine.flight_command(plant.now).reason is Reason.FLIGHT_WHILE_DOCKING
    plant.step()
    assert len([one for one in plant.of("docking.refused") if one["order"] == "flight"]) == 1
    plant.run("BRIDGE")
    now, before = plant.now, machine.state
    answer = machine.dock(ORDER, now)
    assert (answer.accepted, answer.reason) == (True, Reason.ALREADY_DOCKED)
    assert machine.state == before
    assert machine.flight_command(now).reason is Reason.FLIGHT_WHILE_DOCKING
    with pytest.raises(ValueError, match="now: nan s; allowed: a finite number"):
        machine.tick(math.nan)
    with pytest.raises(ValueError, match="partner_port: '1'; allowed: a letter"):
        Order("station", "1", "B")
    with pytest.raises(ValueError, match="profile: 'ALL'; allowed: POWER, DATA, FULL"):
        Order("station", "A", "B", "ALL")


@pytest.mark.requirement("DOCK-7")
def test_a_flight_command_cancels_docking_if_so_set(vehicle):
    plant = Plant(vehicle, flight="cancel").dock().run("ALIGN")
    assert plant.machine.flight_command(plant.now).reason is Reason.CANCELLING
    plant.run(lambda p: p.machine.flight_command(p.now).accepted)
    assert plant.phases()[-2:] == ["ABORT", "FREE"]
    assert plant.machine.state.reason is Reason.CANCELLED
    plant = Plant(vehicle, flight="cancel", distance=1.0).dock().run("HARD_DOCK")
    assert plant.machine.flight_command(plant.now).reason is Reason.FLIGHT_WHILE_DOCKING
    assert plant.machine.cancel(plant.now).accepted
    assert plant.run("FREE").machine.state.reason is Reason.CANCELLED


@pytest.mark.requirement("DOCK-7")
def test_a_port_is_reserved_for_one_until_its_lease_is_over(vehicle):
    lease = vehicle.docking.reservation
    ports = PortReservations(["A", "B"], lease)
    assert ports.reserve("A", "alpha", 0.0)
    assert not ports.reserve("A", "bravo", lease)
    assert not ports.release("A", "bravo", lease)
    assert ports.reserve("A", "alpha", lease)  # renewed
    assert ports.reserve("B", "bravo", lease)
    assert ports.holder("A", 2.0 * lease) == "alpha"
    assert ports.reserve("A", "bravo", 2.0 * lease + 0.1)
    assert ports.release("A", "bravo", 2.0 * lease + 0.2)
    assert ports.holder("A", 2.0 * lease + 0.2) == ""
    assert ports.reserve("A", "alpha", 100.0)
    assert ports.holder("A", 0.0) == "alpha"  # the clock was set back
    assert ports.holder("A", lease + 0.1) == ""
    with pytest.raises(KeyError, match="port = 'C': allowed: A, B"):
        ports.holder("C", 0.0)


def test_docked_by_hand_needs_the_checks_but_no_motion(vehicle):
    plant = Plant(vehicle, distance=0.0)
    plant.magnets = True
    plant.dock().run("BRIDGE")
    assert plant.phases() == ["HARD_DOCK", "BRIDGE"]


@pytest.mark.requirement("DOCK-5")
def test_the_profile_is_changed_while_docked(vehicle):
    plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
    assert plant.machine.set_profile(Profile.DATA, plant.now).accepted
    plant.run(lambda p: not p.contacts)
    assert plant.machine.phase is Phase.BRIDGE
    plant.faults = {"identity_valid": 0.0}
    assert plant.machine.set_profile(Profile.POWER, plant.now).accepted
    plant.run(lambda p: p.machine.state.step == "clear").run(lambda p: p.machine.state.step == "bridged")
    refused = plant.machine.state
    assert (refused.phase, refused.reason, refused.order.profile) == ("BRIDGE", Reason.IDENTITY, "DATA")
    assert not plant.contacts
    plant = Plant(vehicle, distance=1.0).dock(Order("station", "A", "B", "DATA")).run("BRIDGE")
    assert not plant.contacts
    assert plant.machine.set_profile(Profile.FULL, plant.now).accepted
    plant.run(lambda p: p.contacts).run(lambda p: p.machine.state.step == "bridged")
    assert plant.machine.state.order.profile == "FULL"


@pytest.mark.requirement("DOCK-8")
@pytest.mark.parametrize(
    ("phase", "resumed"),
    [
        ("FREE", "FREE"),
        ("APPROACH", "APPROACH"),
        ("ALIGN", "ABORT"),
        ("SOFT_DOCK", "SOFT_DOCK"),
        ("HARD_DOCK", "HARD_DOCK"),
        ("BRIDGE", "BRIDGE"),
        ("UNDOCKING", "UNDOCKING"),
        ("ABORT", "ABORT"),
    ],
)
def test_a_restart_resumes_after_the_sensors_confirm(vehicle, phase, resumed):
    plant = Plant(vehicle, distance=1.0)
    if phase != "FREE":
        plant.dock()
        if phase == "ABORT":
            plant.run("ALIGN").machine.cancel(plant.now)
        if phase == "UNDOCKING":
            plant.run("BRIDGE").machine.undock(plant.now)
        plant.run(phase)
    state = rebuilt((one.type, one.payload) for one in plant.occurrences + plant.machine.take_occurrences())
    assert state == plant.machine.state
    before = (plant.contacts, plant.power)
    plant.machine = DockingMachine(vehicle, state=state)
    request = plant.machine.tick(plant.now)
    assert request.guidance is Guidance.STILL
    drives = (request.power, request.contacts, request.latch, request.capture, request.data)
    assert set(drives) == {Drive.KEEP}
    assert plant.machine.undock(plant.now).reason is Reason.UNCONFIRMED
    assert plant.machine.flight_command(plant.now).reason is Reason.UNCONFIRMED
    plant.request = request
    plant.run(lambda p: p.machine.confirmed)
    assert (plant.contacts, plant.power) == before
    assert plant.machine.phase == resumed
    plant.run(lambda p: p.machine.phase in ("FREE", "BRIDGE"))


@pytest.mark.requirement("DOCK-8")
def test_a_restart_that_the_sensors_contradict_or_do_not_answer_moves_nothing(vehicle):
    for silent in (set(), {"latch_1"}):
        plant = Plant(vehicle, distance=1.0).dock().run("BRIDGE")
        plant.machine = DockingMachine(vehicle, state=State() if not silent else plant.machine.state)
        plant.silent = silent
        plant.run("FAULT")
        assert plant.machine.state.reason is Reason.RESTART_MISMATCH
        assert plant.contacts
        assert plant.power
        assert plant.latch == 1.0
        assert plant.machine.reset(plant.now).reason is Reason.NOT_SEPARATE
    plant.silent = set()
    assert plant.machine.undock(plant.now).accepted
    plant.run("FREE")


def test_a_state_that_is_none_is_refused():
    payload = State().as_payload()
    assert State.from_payload(payload) == State()
    for key, value in (("phase", "LOST"), ("step", "close"), ("hold", -1), ("tries", 1.5), ("passed", ["pull"])):
        with pytest.raises(ValueError, match=key if key != "phase" else "LOST"):
            State.from_payload({**payload, key: value})
    with pytest.raises(ValueError, match="'cause' missing"):
        State.from_payload({key: value for key, value in payload.items() if key != "cause"})
    with pytest.raises(ValueError, match="BRIDGE without partner"):
        State.from_payload({**payload, "phase": "BRIDGE", "step": "bridged"})


@pytest.mark.requirement("DOCK-9")
def test_a_transition_needs_three_consecutive_valid_new_samples(vehicle):
    def ready(samples, now=10.0):
        machine = DockingMachine(vehicle)
        for sample in samples:
            machine.observe(sample, now)
        return machine.dock(ORDER, now).accepted

    def at(*stamps, **more):
        return [Sample(stamp, {"range": 10.0}, **more) for stamp in stamps]

    assert ready(at(9.7, 9.8, 9.9))
    assert not ready(at(9.8, 9.9))
    assert not ready(at(9.7, 9.7, 9.9))  # the same measurement twice
    assert not ready(at(7.0, 9.8, 9.9))  # too old
    assert not ready(at(9.7, 9.8, 10.2))  # from the future
    assert not ready([*at(9.7, 9.8), *at(9.85, quality=0.4), *at(9.9)])
    assert not ready([*at(9.7, 9.8), Sample(9.85, {"range": math.nan}), *at(9.9)])
    assert not ready([*at(9.7, 9.8), Sample(math.nan, {"range": 10.0}), *at(9.9)])
    assert ready([*at(9.2, 9.3), *at(9.35, quality=0.4), *at(9.5, 9.6, 9.7)])
    machine = DockingMachine(vehicle)
    for sample in at(9.7, 9.8, 9.9):
        machine.observe(sample, 10.0)
    assert not machine.dock(ORDER, 13.0).accepted  # valid once, and stale now
    machine.tick(5.0)
    assert [one.type for one in machine.take_occurrences()][-1] == "docking.clock_set_back"
