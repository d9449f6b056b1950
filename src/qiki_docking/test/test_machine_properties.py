"""The docking machine under any order and any sensor garbage: what it must never do, and where it must end."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from plant import ORDER, STEP, VEHICLE, Plant

from qiki_docking import DockingMachine, Drive, Guidance, Order, Phase, Profile, rebuilt
from qiki_docking.evidence import QUANTITIES

pytestmark = pytest.mark.requirement("DOCK-9")

CLOSED_WITH = {
    "latch_1": (1, 1), "latch_2": (1, 1), "isolation": (1e5, math.inf), "probe_volts": (-0.5, 32.0),
    "umbilical": (1, 1), "link_alive": (1, 1), "nonce_echoed": (1, 1), "states_agree": (1, 1), "identity_valid": (1, 1),
    "passport_signed": (1, 1), "passport_key": (1, 1), "passport_key_in_time": (1, 1), "passport_key_in_force": (1, 1),
    "passport_fresh": (1, 1), "passport_terms": (1, 1), "passport_genuine": (1, 1), "passport_accepted": (1, 1),
    "profile_agreed": (1, 1), "limits_agreed": (1, 1), "power_cleared": (1, 1), "temperature": (-math.inf, 90.0),
}  # fmt: skip
"""Needed when the contacts are first commanded closed, written down apart from the tables of the machine."""
BROKEN = {"temperature": 100.0, "probe_volts": -28.0}
GARBAGE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, 1.0, -1.0, math.nan, 0.5, None, "1", True, 1e308]),
)
names = st.sampled_from(sorted(QUANTITIES))


def shown(samples, name, low, high, now):
    """The last three samples of a quantity that are new lie within, as the rules of validity demand them."""
    series, newest = [], -math.inf
    for arrived, sample in samples[-60:]:
        if name not in sample.values:
            continue
        value, stamp = sample.values[name], sample.stamp
        number = isinstance(value, int | float) and math.isfinite(value)
        if not (number and -0.1 <= arrived - stamp <= 2.0 and 0.5 <= sample.quality <= 1.0):
            series = []
            newest = max(newest, min(stamp, arrived)) if math.isfinite(stamp) else newest
        elif stamp > newest:
            newest = stamp
            series = [*(series if series and stamp - series[-1][0] <= 2.0 else []), (stamp, low <= value <= high)]
    return len(series) >= 3 and all(inside for _, inside in series[-3:]) and now - series[-1][0] <= 2.0


class Docking(RuleBasedStateMachine):
    """Orders, lying or silent sensors, jammed actuators and restarts, in any order."""

    @initialize(
        phase=st.sampled_from(["FREE", "APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE", "UNDOCKING"]),
        profile=st.sampled_from(Profile),
        flight=st.sampled_from(["refuse", "cancel"]),
        broken=st.one_of(
            st.just({}), st.sampled_from(sorted(CLOSED_WITH)).map(lambda name: {name: BROKEN.get(name, 0)})
        ),
    )
    def start(self, phase, profile, flight, broken):
        self.plant = Plant(VEHICLE, 0.5, flight=flight)
        self.plant.watched = False
        self.flight = flight
        self.closing = self.pulled = self.resumed = False
        for _ in range(4):
            self.step()
        if phase != "FREE":
            self.dock(profile)
            while self.machine.phase != ("BRIDGE" if phase == "UNDOCKING" else phase):
                self.step()
        if phase == "UNDOCKING":
            self.machine.undock(self.plant.now)
            self.step()
        self.broken = self.plant.faults = broken

    @property
    def machine(self):
        return self.plant.machine

    def step(self):
        before, confirmed = self.machine.phase, self.machine.confirmed
        plant = self.plant
        tested = plant.request.test
        plant.step()
        request, samples, now = plant.request, plant.samples, plant.now
        if self.machine.phase is not Phase.HARD_DOCK and before is Phase.HARD_DOCK:
            self.pulled = False
        if tested == "pull":
            self.pulled |= shown(samples, "pull_force", 450.0, 550.0, now) and shown(
                samples, "slip_1", -1e-3, 1e-3, now
            )
        if request.contacts is Drive.ON and self.machine.phase is Phase.HARD_DOCK:
            self.may_close(samples, now, first=not self.closing)
        self.closing = request.contacts is Drive.ON
        if self.machine.phase is Phase.BRIDGE and before is not Phase.BRIDGE and confirmed:
            self.is_docked(samples, now)
        self.breaks_nothing(request, samples, now)

    def may_close(self, samples, now, first):
        assert shown(samples, "latch_1", 1, 1, now)
        assert shown(samples, "latch_2", 1, 1, now)
        if first:
            self.pulled = True if self.resumed else self.pulled
            assert self.pulled
            for name, (low, high) in CLOSED_WITH.items():
                assert shown(samples, name, low, high, now), name

    def is_docked(self, samples, now):
        profile = self.machine.state.order.profile
        if profile is not Profile.DATA:
            assert shown(samples, "bridge_volts", 22.0, 32.0, now)
            assert shown(samples, "contacts_closed", 1, 1, now)
        if profile is not Profile.POWER:
            assert shown(samples, "data_carrier", 1, 1, now)

    def breaks_nothing(self, request, samples, now):
        if self.machine.phase is Phase.EMERGENCY_RELEASE:
            return
        if request.latch is Drive.OFF or request.contacts is Drive.OFF:
            assert shown(samples, "bridge_current", -0.1, 0.1, now)
        if request.latch is Drive.OFF:
            assert shown(samples, "contacts_closed", 0, 0, now)

    @rule(count=st.integers(1, 5))
    def pass_cycles(self, count):
        for _ in range(count):
            self.step()

    @rule()
    def work_until_the_phase_changes(self):
        phase = self.machine.phase
        for _ in range(80):
            self.step()
            if self.machine.phase is not phase:
                break

    @rule(faults=st.dictionaries(names, GARBAGE, max_size=6), count=st.integers(1, 30))
    def corrupt(self, faults, count):
        self.plant.faults = {**self.broken, **faults}
        self.pass_cycles(count)
        self.plant.faults = self.broken

    @rule(silent=st.sets(names, max_size=40), count=st.integers(1, 30))
    def lose(self, silent, count):
        self.plant.silent = silent
        self.pass_cycles(count)
        self.plant.silent = set()

    @rule(quality=st.sampled_from([0.0, 0.49, math.nan, -1.0, 2.0]), delay=st.sampled_from([0.02, -5.0, 3.0, math.nan]))
    def degrade(self, quality, delay):
        self.plant.quality, self.plant.delay = quality, delay
        self.pass_cycles(3)
        self.plant.quality, self.plant.delay = 1.0, 0.02

    @rule(jammed=st.sets(st.sampled_from(["capture", "latch", "contacts", "power"]), max_size=2))
    def jam(self, jammed):
        self.plant.jammed = jammed

    @rule(profile=st.sampled_from(Profile))
    def dock(self, profile):
        self.machine.dock(Order(ORDER.partner, ORDER.partner_port, ORDER.own_port, profile), self.plant.now)

    @rule(order=st.sampled_from(["undock", "cancel", "flight_command", "reset"]))
    def order(self, order):
        getattr(self.machine, order)(self.plant.now)

    @rule(profile=st.sampled_from(Profile))
    def change_profile(self, profile):
        if self.machine.set_profile(profile, self.plant.now).accepted:
            self.pulled = True  # passed before, and not repeated

    @rule(right=st.booleans(), seconds=st.sampled_from([0.0, 9.0, 11.0]))
    def release(self, right, seconds):
        before = self.machine.phase
        code = self.machine.arm_release(self.plant.now).code
        self.plant.now += seconds
        answer = self.machine.emergency_release(code if right else code + 1, self.plant.now)
        assert not answer.accepted or (right and seconds <= 10.0)
        assert answer.accepted or self.machine.phase is before

    @rule(seconds=st.sampled_from([0.5, 30.0, 700.0, -5.0]))
    def jump(self, seconds):
        self.plant.now += seconds
        if seconds < 0.0:
            self.plant.samples.clear()  # a clock set back voids them

    @precondition(lambda self: len(self.plant.occurrences) < 200)
    @rule()
    def restart(self):
        events = self.plant.occurrences + self.machine.take_occurrences()
        self.plant.occurrences = events
        state = rebuilt((one.type, one.payload) for one in events)
        assert state == self.machine.state
        self.plant.machine = DockingMachine(VEHICLE, flight=self.flight, state=state)
        self.plant.request = self.machine.tick(self.plant.now)
        assert self.plant.request.guidance is Guidance.STILL
        assert self.plant.request.power is Drive.KEEP
        self.resumed = self.closing = True

    @invariant()
    def the_request_is_complete(self):
        if not hasattr(self, "plant"):
            return
        request = self.plant.request
        assert (request.guidance in (Guidance.HOLD, Guidance.RETREAT)) == math.isfinite(request.range)
        assert not math.isfinite(request.force) or request.force <= 20.0
        assert self.machine.phase == self.machine.state.phase

    def teardown(self):
        """Without a single measurement each phase ends in a safe one."""
        if not hasattr(self, "plant"):
            return
        self.plant.silent = set(QUANTITIES)
        for _ in range(60):
            self.plant.now += 20.0
            self.step()
        assert self.machine.phase in (Phase.FREE, Phase.FAULT)


TestDocking = Docking.TestCase
TestDocking.settings = settings(stateful_step_count=15)


@pytest.mark.parametrize("phase", ["APPROACH", "ALIGN", "SOFT_DOCK", "HARD_DOCK", "BRIDGE", "UNDOCKING", "ABORT"])
def test_sensors_that_fall_silent_in_any_phase_end_in_a_fault_that_moves_nothing(vehicle, phase):
    plant = Plant(vehicle, distance=1.0).dock()
    if phase == "ABORT":
        plant.run("ALIGN").machine.cancel(plant.now)
    if phase == "UNDOCKING":
        plant.run("BRIDGE").machine.undock(plant.now)
    plant.run(phase)
    latch = plant.latch
    plant.silent = set(QUANTITIES)
    plant.run("FAULT")
    assert plant.request.guidance is Guidance.STILL
    assert plant.latch >= latch
    plant.silent = set()
    for _ in range(int(3 / STEP)):
        plant.step()
    assert plant.machine.undock(plant.now).accepted
    plant.run("FREE")
