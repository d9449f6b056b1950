"""Energy books, PDU, avionics bus (SIM-P1 to SIM-P7)."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sim_helpers import FORWARD, VEHICLE, burn, command, make_world, merged

from qiki_sim.avionics import AvionicsBus
from qiki_vehicle.power import Avionics

DATA = yaml.safe_load(VEHICLE.read_text())
FIVE = (4, 5, 6, 7, 0)  # 1300 N: 43.3 kW
SIX = (4, 5, 6, 7, 0, 1)  # 1560 N: 52 kW


def test_supercap_gives_what_is_above_the_continuous_power(tmp_path):
    """SIM-P1: and the battery the rest, together with the avionics less the sun."""
    world = make_world(tmp_path)
    before = world.bot("alpha").energy
    burn(world, FORWARD, 2.0)
    after = world.bot("alpha").energy
    draw = 1040.0 * 33.333
    assert after.thrust_energy == pytest.approx(2.0 * draw, rel=1e-9)
    assert before.supercap_energy - after.supercap_energy == pytest.approx(2.0 * (draw - 22500.0) * 1.02, rel=1e-9)
    assert before.battery_energy - after.battery_energy == pytest.approx(2.0 * (22500.0 + 133.0 - 600.0) * 1.02)


def test_recharge_takes_what_is_left_over(tmp_path):
    """SIM-P2: 2.81 kW at rest; less while the valves leave less; none when full."""
    world = make_world(tmp_path)
    start = world.bot("alpha").bus.supercap_energy
    world.step(1.0)
    assert world.bot("alpha").bus.supercap_energy - start == pytest.approx(2810.0 * 0.98, rel=1e-9)
    world.command("alpha", command(world.time, [4, 5, 8]))  # 740 N: 24.67 kW, above the continuous power
    world.step(0.01)
    assert world.bot("alpha").energy.recharge_power == 0.0
    world.command("alpha", command(world.time, (), [5]))  # 480 N: 16 kW
    world.step(0.01)
    assert world.bot("alpha").energy.recharge_power == pytest.approx(2810.0)
    world.command("alpha", command(world.time, [9], (), until=0.0))  # 700 N: 23.3 kW
    world.step(0.3)
    world.step(20.0)
    energy = world.bot("alpha").energy
    assert energy.supercap_soc == pytest.approx(1.0, abs=1e-12)
    assert energy.recharge_power == 0.0
    assert energy.supercap_power == 0.0


def test_recharge_is_limited_by_the_continuous_power(tmp_path):
    """SIM-P2: at 640 N (21.3 kW) only 1.17 kW are left."""
    world = make_world(tmp_path, {"propulsion": {"continuous_power": 17000.0}})
    world.command("alpha", command(0.0, [4, 8]))
    world.step(0.01)
    assert world.bot("alpha").energy.recharge_power == pytest.approx(17000.0 - 480.0 * 33.333)


def test_pdu_trips_above_peak_power(tmp_path):
    """SIM-P3: all valves closed for 1 s, counted; then they open again as commanded."""
    world = make_world(tmp_path)
    world.command("alpha", command(0.0, FIVE))
    world.step(0.1)
    assert world.bot("alpha").energy.trips == 0
    world.command("alpha", command(0.1, SIX, (), at=0.005))
    world.step(0.1)
    energy = world.bot("alpha").energy
    assert energy.trips == 1
    assert energy.tripped
    assert energy.thrust_power == 0.0
    assert not any(world.valves("alpha").open)
    assert world.valves("alpha").on_time[4] == pytest.approx(0.105, abs=1e-12)
    for _ in range(10):
        world.command("alpha", command(world.time, FORWARD, [0, 1]))
        world.step(0.1)
    assert world.valves("alpha").open == tuple(index in FORWARD for index in range(16))
    assert not world.bot("alpha").energy.tripped
    assert world.valves("alpha").on_time[4] == pytest.approx(0.105 + 1.2 - 1.105, abs=1e-9)


def test_pdu_trips_again_while_the_overload_is_commanded(tmp_path):
    world = make_world(tmp_path)
    burn(world, SIX, 2.5)
    assert world.bot("alpha").energy.trips == 3
    assert world.valves("alpha").on_time.max() == 0.0
    assert sum(world.valves("alpha").firings) == 0


def test_valves_swapped_at_one_instant_do_not_trip(tmp_path):
    """SIM-P3: float32 offsets of two commands meet; neither sum is above the peak."""
    world = make_world(tmp_path)
    other = (8, 9, 12, 13, 1)
    world.command("alpha", command(0.0, FIVE, FIVE, at=0.01, until=0.03))
    world.command("alpha", command(0.02, other, FIVE, at=0.01, until=0.01))
    world.step(0.1)
    assert world.bot("alpha").energy.trips == 0
    assert world.valves("alpha").on_time[list(FIVE)] == pytest.approx(0.02, abs=1e-12)
    assert world.valves("alpha").open == tuple(index in other for index in range(16))


def test_empty_supercap_trips_the_pdu(tmp_path):
    """SIM-P4: at its own instant, when the usable charge is used up."""
    world = make_world(tmp_path, bots={"alpha": {"supercap_soc": 0.16}})
    burn(world, FORWARD, 0.5)
    usable, boost = 0.01 * 150e3, 1040.0 * 33.333 - 22500.0
    assert world.bot("alpha").energy.trips == 1
    assert world.valves("alpha").on_time[4] == pytest.approx(usable / boost / 1.02, abs=2e-6)
    assert world.bot("alpha").bus.supercap_soc >= 0.15 - 1e-9


def test_battery_at_its_floor_gives_nothing_to_the_propulsion_bus(tmp_path):
    """SIM-P4: the supercapacitor carries the valves alone."""
    world = make_world(tmp_path, bots={"alpha": {"battery_soc": 0.25}}, environment={"sunlight": 0.0})
    before = world.bot("alpha").energy
    assert before.continuous_power == 0.0
    burn(world, [4], 0.5)
    after = world.bot("alpha").energy
    assert before.supercap_energy - after.supercap_energy == pytest.approx(0.5 * 260.0 * 33.333 * 1.02, rel=1e-9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("books")


burns = st.lists(st.tuples(st.sets(st.integers(0, 15), max_size=7), st.integers(0, 60)), min_size=1, max_size=12)


@given(
    stores=st.tuples(st.floats(1e3, 2e5), st.floats(20.0, 1e5), st.floats(0.15, 1.0), st.floats(0.0, 1.0)),
    floor_and_sun=st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 1.0)),
    thermal=st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.5), st.floats(30.0, 120.0)),
    burns=burns,
)
def test_energy_is_conserved(folder, stores, floor_and_sun, thermal, burns):
    """SIM-P5: what the sun gives is stored, used or heat, through trips, charge limits, empty stores and blackout."""
    (*capacities, supercap_soc, battery_soc), (floor, sunlight), (*losses, trip) = stores, floor_and_sun, thermal
    propulsion = {"supercap": {"capacity": capacities[0]}, "battery": {"capacity": capacities[1], "soc_min": floor}}
    nodes = {f"RCS_{cluster}": {"warn": 25.0, "trip": trip} for cluster in "ABCD"}
    heat = {"supercap_heat_fraction": losses[0], "battery_heat_fraction": losses[1], "nodes": nodes}
    entry = {"supercap_soc": supercap_soc, "battery_soc": battery_soc}
    vehicle = {"propulsion": propulsion, "thermal": heat}
    world = make_world(folder, vehicle, {"alpha": entry}, environment={"sunlight": sunlight})
    bot = world.bot("alpha")
    bus = bot.bus
    stored, heated = bus.supercap_energy + bus.battery_energy, 0.0
    for thrusters, ticks in burns:
        world.command("alpha", command(world.time, thrusters, set(range(16)) - thrusters, at=0.0037, until=0.0011))
        for _ in range(ticks + 1):
            world.step(0.01)
            if world.time_us % 100_000 == 0:
                heated += 0.1 * bot.heat.heat.sum()
        assert bus.battery_energy >= 0.0
        assert bus.battery_soc <= max(0.95, battery_soc) + 1e-12
        assert bus.supercap_energy >= min(0.15, supercap_soc) * capacities[0] - 0.1
        assert bus.supercap_soc <= 1.0 + 1e-12
        if bus.battery_energy == 0.0 and bot.avionics.blackout:
            assert not any(bot.energy.load_on)
            assert not any(bot.valves.open)
    world.step(0.1 - world.time_us % 100_000 * 1e-6)
    heated += 0.1 * bot.heat.heat.sum()
    heats = bus.supercap_heat + bus.battery_heat
    spent = bus.supercap_energy + bus.battery_energy + bus.thrust_energy + bus.avionics_energy + heats
    assert spent == pytest.approx(stored + bus.solar_energy, rel=1e-9, abs=1e-9)
    assert heated == pytest.approx((0.35 + 0.02) * bus.thrust_energy + heats + bus.avionics_energy, rel=1e-6, abs=1e-6)


def test_an_empty_battery_gives_nothing_and_switches_off_at_once(tmp_path):
    """SIM-P4: at its own microsecond, between two steps of the avionics bus, with valves and loads."""
    vehicle = {"propulsion": {"battery": {"capacity": 100.0}}}
    world = make_world(tmp_path, vehicle, {"alpha": {"battery_soc": 0.05}}, environment={"sunlight": 0.0})
    bus, power = world.bot("alpha").bus, world.bot("alpha").avionics.power
    world.command("alpha", command(0.0, [4], window=1.0))
    world.step(0.1)
    assert bus.avionics_energy == pytest.approx(5.0 / 1.02, rel=1e-6)
    assert bus.battery_energy == 0.0
    assert not any(world.valves("alpha").open)
    assert not any(world.energy("alpha").load_on)
    assert world.valves("alpha").on_time[4] == pytest.approx(5.0 / 1.02 / power, abs=2e-6)


def test_a_store_that_is_too_hot_is_told_from_a_good_one(tmp_path):
    """SIM-T3: by the temperature at which its node reports a trip."""
    nodes = {"BATTERY": {"trip": 30.0}}
    world = make_world(tmp_path, {"thermal": {"nodes": nodes}}, {"alpha": {"temperature": 35.0}})
    assert world.battery("alpha").overheated
    assert not world.supercap("alpha").overheated


def test_bus_voltage_follows_its_rc_response():
    """SIM-P6: from one settled voltage to the next with the time constant of source resistance and bus capacitance."""
    config = Avionics(**merged(DATA["avionics"], {"bus_capacitance": 2.0, "shed_interval": 0.0}))

    def settled(power):
        return (28.0 + math.sqrt(28.0**2 - 4 * 0.1 * power)) / 2

    bus = AvionicsBus(config, 1.0, 0.8)
    assert bus.voltage == pytest.approx(settled(139.0), rel=1e-12)
    bus.advance(1.0, 0.19)  # sheds the long-range link: 119 W from now on
    start = bus.voltage
    for count in range(1, 6):
        bus.advance(0.05, 0.8 if count == 1 else 0.25)
        if count == 1:
            # Charged again: the link comes back at once, and the voltage turns.
            assert bus.voltage == pytest.approx(settled(119.0) + (start - settled(119.0)) * math.exp(-0.25), rel=1e-12)
            turn = bus.voltage
        else:
            expected = settled(139.0) + (turn - settled(139.0)) * math.exp(-0.25 * (count - 1))
            assert bus.voltage == pytest.approx(expected, rel=1e-12)


def test_loads_are_shed_in_order_and_restored_in_reverse():
    """SIM-P7: one at a time, the rest only after the battery has come back to the restore level."""
    bus = AvionicsBus(Avionics(**DATA["avionics"]), 1.0, 0.8)
    seen = []

    def run(soc, seconds):
        for _ in range(round(seconds / 0.1)):
            before = dict(bus.load_on)
            bus.advance(0.1, soc)
            seen.extend((name, on) for name, on in bus.load_on.items() if on != before[name])

    run(0.21, 2.0)
    assert seen == []
    run(0.20, 3.0)
    assert seen == [("nbl", False), ("radar", False), ("transponder", False)]
    assert bus.power == pytest.approx(95.0)
    run(0.29, 3.0)
    assert len(seen) == 3
    run(0.30, 3.0)
    assert seen[3:] == [("transponder", True), ("radar", True), ("nbl", True)]


def test_sagging_bus_sheds_until_it_carries():
    """SIM-P7: under 22 V or over 10 A loads go, even with a full battery."""
    config = Avionics(**merged(DATA["avionics"], {"source_resistance": 1.25, "current_max": 6.0}))
    bus = AvionicsBus(config, 1.0, 0.9)
    for _ in range(40):
        bus.advance(0.1, 0.9)
    assert bus.voltage >= 22.0
    assert bus.current <= 6.0
    assert not bus.load_on["nbl"]
    assert bus.load_on["computer"]


def test_shedding_in_the_dark(tmp_path):
    """SIM-P7: the whole bot, battery falling through 0.20."""
    vehicle = {"propulsion": {"battery": {"capacity": 36e3}}}
    bots = {"alpha": {"battery_soc": 0.21, "supercap_soc": 1.0}}
    world = make_world(tmp_path, vehicle, bots, environment={"sunlight": 0.0})
    assert all(world.bot("alpha").energy.load_on)
    world.step(2.0)
    assert all(world.bot("alpha").energy.load_on)
    world.step(3.0)
    energy = world.bot("alpha").energy
    assert dict(zip(energy.loads, energy.load_on, strict=True)) == {
        "nbl": False,
        "radar": False,
        "transponder": False,
        "computer": True,
    }
    world.step(100.0)
    energy = world.bot("alpha").energy
    assert energy.battery_energy == 0.0
    assert energy.bus_voltage == pytest.approx(0.0, abs=1e-9)
    assert not any(energy.load_on)
    world.command("alpha", command(world.time, [4]))
    world.step(0.1)
    assert not any(world.valves("alpha").open)
