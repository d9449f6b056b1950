"""Power over docked ports: pre-charge, chains, limits, overload, energy books, heat, faults (SIM-K7 to SIM-K9)."""

import math

import numpy as np
import pytest
from dock_helpers import OPEN_LIMIT, chain, occurred, order, reading

from qiki_sim.docking.network import solve

OHM = 0.05  # of one hop


def power_up(world, count, draw=50.0):
    for index in range(count):
        order(world, f"bot_{index}", ground=True, main=True, current_limit=OPEN_LIMIT, data=True, draw=draw)
    world.step(0.05)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_currents_of_a_chain_follow_the_closed_form(tmp_path, count):
    """Each hop from its far end: I = P / v + what the next one takes; the source's 28 V close the sum."""
    world = chain(tmp_path, count)
    power_up(world, count)
    volts = [reading(world, f"bot_{index}").inner_volts for index in range(count)]
    currents = [reading(world, f"bot_{index}").current for index in range(count)]
    for index in range(count):
        above = volts[index - 1] if index else 28.0
        assert currents[index] == pytest.approx((above - volts[index]) / OHM, rel=1e-9)
        beyond = currents[index + 1] if index + 1 < count else 0.0
        assert currents[index] - beyond == pytest.approx(50.0 / volts[index], rel=1e-9)
        assert reading(world, f"bot_{index}").outer_volts == pytest.approx(above)
        assert world.energy(f"bot_{index}").dock_power == pytest.approx(50.0)
    if count == 1:
        assert volts[0] == pytest.approx(0.5 * (28.0 + math.sqrt(28.0**2 - 4 * OHM * 50.0)), rel=1e-9)
    assert reading(world, "station", "A").current == pytest.approx(-currents[0])


def test_a_solved_network_obeys_kirchhoff_and_stops_at_the_most_that_a_line_carries():
    lines = ((0, 1, 0.05), (1, 2, 0.05), (2, 0, 0.1), (2, 3, 0.2))
    draws = (0.0, 60.0, 80.0, 40.0)
    volts = solve((28.0, None, None, None), lines, draws)
    for node in (1, 2, 3):
        inflow = sum((volts[a + b - node] - volts[node]) / ohms for a, b, ohms in lines if node in (a, b))
        assert inflow == pytest.approx(draws[node] / volts[node], rel=1e-9)
    most = 28.0**2 / (4 * OHM)
    assert solve((28.0, None), ((0, 1, OHM),), (0.0, 0.999 * most)) is not None
    assert solve((28.0, None), ((0, 1, OHM),), (0.0, 1.001 * most)) is None


def test_pre_charge_is_exactly_exponential_and_the_bridge_bleeds_when_it_is_open(tmp_path):
    world = chain(tmp_path, 1)
    order(world, "bot_0", ground=True, precharge=True)
    for passed in (0.1, 0.2, 0.3):
        world.step(0.1)
        volts = 28.0 * (1.0 - math.exp(-passed / 0.1))
        assert reading(world, "bot_0").inner_volts == pytest.approx(volts, rel=1e-9)
        assert reading(world, "bot_0").current == pytest.approx((28.0 - volts) / 10.0, rel=1e-6)
    order(world, "bot_0", precharge=False)
    world.step(1.0)
    assert reading(world, "bot_0").inner_volts == pytest.approx(volts * math.exp(-1.0), rel=1e-9)
    assert reading(world, "bot_0").isolation >= 1e5


def test_the_limiter_bounds_the_current_and_nothing_flows_without_ground(tmp_path):
    world = chain(tmp_path, 2)
    power_up(world, 2)
    for limit in (0.0, 0.5, 1.0, 2.0):
        order(world, "bot_0", current_limit=limit, draw=50.0)
        world.step(0.05)
        assert reading(world, "bot_0").current == pytest.approx(limit, rel=1e-6, abs=1e-9)
    order(world, "bot_0", ground=False, draw=50.0)
    world.step(0.05)
    assert reading(world, "bot_0").current == 0.0


def books(bus):
    """J that stay the same: stored, used and lost, less those taken in."""
    stored = bus.battery_energy + bus.supercap_energy
    return stored + bus.avionics_energy + bus.battery_heat + bus.supercap_heat - bus.dock_energy - bus.solar_energy


def test_the_books_of_energy_close_and_a_bot_feeds_the_others_from_its_own_battery(tmp_path):
    world = chain(tmp_path, 2, vehicle={"avionics": {"solar_power": 0.0}}, station=False)
    order(world, "bot_0", "A", source=True)
    order(world, "bot_1", ground=True, main=True, current_limit=OPEN_LIMIT, draw=80.0)
    world.step(0.1)
    giver, taker = world.bot("bot_0"), world.bot("bot_1")
    assert world.energy("bot_1").dock_power == pytest.approx(80.0)
    lost = reading(world, "bot_1").current ** 2 * OHM
    assert -world.energy("bot_0").dock_power == pytest.approx(80.0 + lost, rel=1e-9)
    begin, taken = [books(bot.bus) for bot in (giver, taker)], [bot.bus.dock_energy for bot in (giver, taker)]
    world.step(5.0)
    assert [books(bot.bus) for bot in (giver, taker)] == pytest.approx(begin, rel=1e-12)
    assert taker.bus.dock_energy - taken[1] == pytest.approx(80.0 * 5.0)
    assert giver.bus.dock_energy - taken[0] == pytest.approx(-(80.0 + lost) * 5.0)


def test_a_converter_starts_softly(tmp_path):
    world = chain(tmp_path, 1, soft_start=2.0)
    order(world, "bot_0", ground=True, main=True, current_limit=OPEN_LIMIT, draw=250.0)
    for passed in (0.5, 1.0, 1.5, 2.0):
        world.step(0.5)
        assert world.energy("bot_0").dock_power == pytest.approx(250.0 * passed / 2.0, rel=0.03)


def test_beyond_its_power_the_source_sags_until_the_converters_switch_off(tmp_path):
    world = chain(tmp_path, 4, source_power=150.0)
    power_up(world, 4, draw=60.0)
    seen = []
    for _ in range(150):
        world.step(0.02)
        seen.append((reading(world, "bot_0").outer_volts, world.energy("bot_3").dock_power))
    volts, taken = np.array(seen).T
    assert volts.min() < 22.0
    assert volts.max() == pytest.approx(28.0)
    assert taken.min() == 0.0
    assert taken.max() > 30.0


def test_a_bad_contact_heats_its_port_and_beyond_what_the_line_carries_nothing_arrives(tmp_path):
    world = chain(tmp_path, 1)
    power_up(world, 1, draw=100.0)
    world.inject_fault("bot_0", "contact_resistance", "B", 0.5)
    world.step(0.1)
    found, start = reading(world, "bot_0"), world.docking.of("bot_0").temperature
    assert found.outer_volts - found.inner_volts == pytest.approx(found.current * 0.55)
    world.step(10.0)
    heat = found.current**2 * (0.5 + 0.5 * OHM)
    assert world.docking.of("bot_0").temperature - start == pytest.approx(heat * 10.0 / 3000.0, rel=0.1)
    assert world.docking.of("station").temperature - 20.0 == pytest.approx(0.0, abs=0.01)
    world.inject_fault("bot_0", "contact_resistance", "B", 2.5)  # V^2 / 4 R = 77 W
    world.step(0.1)
    assert world.energy("bot_0").dock_power == 0.0


def test_each_fault_shows_in_the_readings(tmp_path):
    def docked():
        world = chain(tmp_path, 1)
        power_up(world, 1)
        return world

    world = docked()
    world.inject_fault("bot_0", "umbilical_misaligned", "B")
    world.step(0.02)
    found = reading(world, "bot_0")
    assert not found.umbilical
    assert not found.data_carrier
    assert found.outer_volts == found.current == 0.0
    world.inject_fault("bot_0", "clear", "B")

    order(world, "bot_0", main=False)
    world.inject_fault("station", "polarity_reversed", "A")
    world.step(0.02)
    assert reading(world, "bot_0").outer_volts == pytest.approx(-28.0)
    order(world, "bot_0", main=True)
    world.step(0.02)
    assert reading(world, "bot_0").current > 100.0 or reading(world, "bot_0").inner_volts == 0.0

    world = docked()
    world.inject_fault("bot_0", "contacts_welded", "B")
    order(world, "bot_0", main=False)
    world.step(0.02)
    assert reading(world, "bot_0").contacts_closed
    assert math.isnan(reading(world, "bot_0").isolation)

    world.inject_fault("bot_0", "port_sensor_wrong", "B", 2.0)
    order(world, "bot_0", pull=500.0)
    found = reading(world, "bot_0")
    assert found.latch_1
    assert not found.latch_2
    assert found.slip_2 - found.slip_1 == pytest.approx(0.002, abs=3e-4)

    world = docked()
    world.inject_fault("station", "converter_dead", "dock")
    world.step(0.5)
    found = reading(world, "bot_0")
    assert found.current == 0.0
    assert found.inner_volts < 22.0
    assert not found.data_carrier

    world = docked()
    world.inject_fault("bot_0", "latch_jam", "B")
    order(world, "bot_0", latch=False)
    world.step(10.1)
    assert reading(world, "bot_0").latch_1
    world.inject_fault("bot_0", "sensor_dropout", "dock", duration=0.5)
    assert world.dock("bot_0") is None
    assert world.dock("station") is not None
    world.step(0.51)
    assert world.dock("bot_0") is not None


def test_contacts_that_part_under_current_are_reported(tmp_path):
    world = chain(tmp_path, 1)
    power_up(world, 1)
    world.step(0.1)
    order(world, "bot_0", main=False)
    world.step(0.02)
    assert occurred(world) == ["hot_break"]
    order(world, "bot_0", main=True)
    world.step(0.1)
    order(world, "station", "A", release=True)
    assert occurred(world) == ["released", "hot_break"]
    world.step(0.02)
    assert reading(world, "bot_0").outer_volts == 0.0
