"""The switchgear of one edge: order of closing, limits, opening, welded contacts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_docking.bridge import Body, EdgeCommand, EdgeFault, EdgeReading, EdgeState, EdgeSupervisor

pytestmark = pytest.mark.requirement("DOCK-15")

STEP = 0.02  # s


class Bench:
    """A source, contacts, a capacitor behind them and a load of constant current behind the limiter."""

    def __init__(self, vehicle, **faults):
        self.supervisor = EdgeSupervisor(vehicle)
        self.capacitance = vehicle.bridge.capacitance * faults.pop("capacitor", 1.0)
        self.resistance = vehicle.bridge.precharge_resistance
        self.known = faults.pop("known", None)  # F behind the edge, as the network says
        self.faults, self.welded = faults, False
        self.volts, self.now, self.load = 0.0, 0.0, 3.0
        self.command, self.states, self.limits = EdgeCommand(), [], []

    def step(self, close=True):
        self.now += STEP
        current = 0.0
        main = self.command.main or self.welded
        if main:
            self.volts = 28.0
            current = min(self.load, self.command.current_limit)
        elif self.command.precharge:
            # Exact over the step.
            self.volts = 28.0 + (self.volts - 28.0) * math.exp(-STEP / (self.resistance * self.capacitance))
        else:
            self.volts *= math.exp(-STEP / 0.05)
        values = {
            "source_volts": 28.0,
            "bus_volts": self.volts,
            "current": current,
            "temperature": 30.0,
            "ground": self.command.ground,
        }
        before = self.command
        self.command = self.supervisor.step(
            close, EdgeReading(**{**values, **self.faults}), self.now, capacitance=self.known
        )
        broken = before.main and not self.command.main
        assert not broken or abs(self.faults.get("current", current)) <= 0.1, "contacts opened under current"
        if not self.states or self.states[-1] is not self.supervisor.state:
            self.states.append(self.supervisor.state)
        self.limits.append(self.command.current_limit)

    def run(self, seconds, close=True):
        for _ in range(round(seconds / STEP)):
            self.step(close)
        return self


def test_ground_pre_charge_close_soft_start_and_back(vehicle):
    bench = Bench(vehicle).run(4.0)
    assert bench.states == ["GROUND", "PRECHARGE", "SOFT_START", "CLOSED"]
    assert bench.supervisor.precharge_time == pytest.approx(0.3)
    ramp = [limit for limit in bench.limits if 0.0 < limit < 10.0]
    assert ramp == sorted(ramp)
    assert len(ramp) * STEP == pytest.approx(vehicle.bridge.soft_start, abs=3 * STEP)
    bench.run(1.0, close=False)
    assert bench.states[4:] == ["POWER_DOWN", "OPENING", "OPEN"]
    assert bench.command == EdgeCommand()


@given(count=st.integers(1, 5), wrong=st.floats(1.2, 4.0))
def test_a_chain_is_charged_within_its_own_three_time_constants_and_a_short_is_still_a_fault(vehicle, count, wrong):
    capacitance = vehicle.bridge.capacitance * count
    bench = Bench(vehicle, capacitor=count, known=capacitance).run(4.0 + 0.3 * count)
    assert bench.states == ["GROUND", "PRECHARGE", "SOFT_START", "CLOSED"]
    assert bench.supervisor.precharge_time == pytest.approx(0.3 * count)
    for faults in ({"bus_volts": 0.0}, {"capacitor": count * wrong}):
        bench = Bench(vehicle, **{"capacitor": count, "known": capacitance, **faults}).run(4.0 + 0.3 * count)
        assert (bench.states[-1], bench.supervisor.fault) == ("FAULT", EdgeFault.PRECHARGE), faults
        assert "SOFT_START" not in bench.states


@pytest.mark.parametrize("capacitance", [0.0, -1.0, math.inf, math.nan])
def test_a_capacitance_that_cannot_be_is_refused(vehicle, capacitance):
    with pytest.raises(ValueError, match=r"capacitance: .* F; allowed: finite, above 0 F"):
        Bench(vehicle, known=capacitance).step()
    if not math.isnan(capacitance):
        with pytest.raises(ValueError, match=r"capacitance: .* F of alpha; allowed: above 0 up to 1 F, or NaN"):
            Body("alpha", capacitance=capacitance)


@pytest.mark.parametrize(
    ("faults", "fault"),
    [
        ({"ground": False}, EdgeFault.GROUND),
        ({"capacitor": 2.0}, EdgeFault.PRECHARGE),
        ({"bus_volts": 0.0}, EdgeFault.PRECHARGE),
    ],
)
def test_an_edge_that_does_not_charge_in_time_is_not_closed(vehicle, faults, fault):
    bench = Bench(vehicle, **faults).run(12.0)
    assert EdgeState.SOFT_START not in bench.states
    assert (bench.supervisor.state, bench.supervisor.fault) == (EdgeState.FAULT, fault)
    assert not bench.command.main
    assert bench.supervisor.reset()
    assert bench.supervisor.state is EdgeState.OPEN


@pytest.mark.parametrize(
    ("reading", "fault"),
    [
        ({"current": 10.5}, EdgeFault.OVERCURRENT),
        ({"current": -0.6}, EdgeFault.BACKFEED),
        ({"bus_volts": 33.0}, EdgeFault.OVERVOLTAGE),
        ({"bus_volts": 21.0}, EdgeFault.UNDERVOLTAGE),
        ({"bus_volts": 26.9}, EdgeFault.RESISTANCE),
        ({"temperature": 121.0}, EdgeFault.OVERTEMPERATURE),
        ({"temperature": math.nan}, EdgeFault.SENSOR),
        ({"ground": False}, EdgeFault.GROUND),
    ],
)
def test_a_limit_opens_by_itself_and_never_under_current(vehicle, reading, fault):
    bench = Bench(vehicle).run(4.0)
    bench.faults = reading
    bench.step()
    assert bench.supervisor.state is EdgeState.POWER_DOWN
    assert bench.command.current_limit == 0.0
    assert bench.command.main
    bench.faults = {}
    bench.run(1.0)
    assert (bench.supervisor.state, bench.supervisor.fault) == (EdgeState.FAULT, fault)
    assert not bench.command.main


def test_welded_contacts_and_a_current_that_stays_are_found(vehicle):
    bench = Bench(vehicle).run(4.0)
    bench.welded = True
    bench.run(6.0, close=False)
    assert (bench.supervisor.state, bench.supervisor.fault) == (EdgeState.FAULT, EdgeFault.WELDED)
    assert not bench.supervisor.reset()
    for current in (1.0, math.nan):
        bench = Bench(vehicle).run(4.0)
        bench.faults = {"current": current}
        bench.run(6.0, close=False)
        assert bench.supervisor.fault is EdgeFault.CURRENT_REMAINS
        assert bench.command.main  # opening it would break the current


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.builds(
                EdgeReading,
                *(st.one_of(st.sampled_from([0.0, 1.0, 28.0]), st.floats(allow_nan=True)) for _ in range(4)),
                st.booleans(),
            ),
            st.sampled_from([-1.0, 0.02, 0.5, 10.0]),
        ),
        max_size=40,
    )
)
def test_any_readings_are_survived_in_order(vehicle, steps):
    supervisor, now, before = EdgeSupervisor(vehicle), 0.0, EdgeCommand()
    for close, reading, seconds in steps:
        now += seconds
        state = supervisor.state
        command = supervisor.step(close, reading, now)
        if command.main and not before.main:
            assert state is EdgeState.PRECHARGE
            assert reading.bus_volts >= 0.95 * reading.source_volts
        if before.main and not command.main:
            assert abs(reading.current) <= 0.1
        assert 0.0 <= command.current_limit <= 10.0
        assert command.ground or not (command.main or command.precharge)
        before = command
    with pytest.raises(ValueError, match="now: inf s; allowed: a finite number"):
        supervisor.step(True, EdgeReading(0.0, 0.0, 0.0, 0.0, True), math.inf)
