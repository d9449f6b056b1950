"""Lumped thermal network and cluster trips (SIM-T1 to SIM-T3)."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from sim_helpers import FORWARD, VEHICLE, burn, command, make_world, merged

from qiki_sim.thermal import ThermalNetwork
from qiki_vehicle.thermal import Thermal

DATA = yaml.safe_load(VEHICLE.read_text())["thermal"]


def test_single_node_follows_its_exponential():
    """SIM-T1: T = T_end + (T_0 - T_end) exp(-G t / C), T_end = T_space + q / G."""
    lonely = {"links": [], "nodes": {"RCS_B": {"to_space": 25.0}}}
    network = ThermalNetwork(Thermal(**merged(DATA, lonely)), 0.1)
    node = network.names.index("RCS_B")
    heat = np.zeros(len(network.names))
    heat[node] = 4000.0
    for _ in range(300):
        network.advance(heat)
    end = -60.0 + 4000.0 / 25.0
    assert network.temperature[node] == pytest.approx(end + (20.0 - end) * np.exp(-25.0 * 30.0 / 2000.0), rel=1e-10)
    others = np.delete(network.temperature, [node, network.names.index("HULL")])
    assert others == pytest.approx(20.0, rel=1e-12)


def test_network_agrees_with_an_independent_integration():
    """SIM-T1: the shipped network, heated here and there, against scipy."""
    config = Thermal(**DATA)
    network = ThermalNetwork(config, 0.1)
    heat = np.linspace(0.0, 3000.0, len(network.names))
    capacity = np.array([node.capacity for node in config.nodes.values()])
    to_space = np.array([node.to_space for node in config.nodes.values()])
    index = {name: i for i, name in enumerate(network.names)}

    def slope(_time, temperature):
        flow = heat + to_space * (-60.0 - temperature)
        for link in config.links:
            a, b = (index[name] for name in link.between)
            flow[a] += link.conductance * (temperature[b] - temperature[a])
            flow[b] += link.conductance * (temperature[a] - temperature[b])
        return flow / capacity

    for _ in range(2000):
        network.advance(heat)
    truth = solve_ivp(slope, (0.0, 200.0), np.full(len(heat), 20.0), method="LSODA", rtol=1e-10, atol=1e-10)
    assert network.temperature == pytest.approx(truth.y[:, -1], rel=1e-6)


@given(
    st.lists(st.floats(0.0, 5000.0), min_size=10, max_size=10),
    st.floats(0.01, 1e4),
    st.floats(-50.0, 80.0),
)
def test_network_is_stable_and_keeps_heat(heat, period, start):
    """SIM-T2: without a way to space the heat put in is in the nodes, for any length of the step."""
    config = Thermal(**merged(DATA, {"nodes": {"HULL": {"to_space": 0.0}}}))
    network = ThermalNetwork(config, period, start)
    capacity = np.array([node.capacity for node in config.nodes.values()])
    before = capacity @ network.temperature
    network.advance(np.array(heat))
    assert capacity @ network.temperature - before == pytest.approx(sum(heat) * period, rel=1e-6, abs=1e-2)
    assert (network.temperature >= start - 1e-6).all()


def test_cluster_heats_by_its_share_of_the_power(tmp_path):
    """SIM-T3: 35 % of the cluster's electrical power."""
    world = make_world(tmp_path)
    burn(world, FORWARD, 1.0)
    heat = world.bot("alpha").heat
    values = dict(zip(heat.names, heat.heat, strict=True))
    assert values["RCS_B"] == pytest.approx(0.35 * 1040.0 * 33.333, rel=1e-9)
    assert values["RCS_A"] == values["RCS_C"] == values["RCS_D"] == 0.0
    assert values["CORE"] == pytest.approx(133.0)
    temperature = dict(zip(heat.names, heat.temperature, strict=True))
    assert temperature["RCS_B"] == pytest.approx(20.0 + 0.35 * 1040.0 * 33.333 / 2000.0, rel=0.01)


def test_hot_cluster_closes_its_valves_until_it_has_cooled(tmp_path):
    """SIM-T3: trip at 120, back at 110 degC; the other clusters go on."""
    world = make_world(tmp_path, {"thermal": {"nodes": {"RCS_B": {"capacity": 200.0}}}})
    temperatures, opened = [], []
    for _ in range(80):
        world.command("alpha", command(world.time, [4, 6, 8]))
        world.step(0.1)
        heat = world.bot("alpha").heat
        temperatures.append(heat.temperature[heat.names.index("RCS_B")])
        opened.append(world.bot("alpha").valves.open)
    first_off = next(i for i, state in enumerate(opened) if not state[4])
    assert temperatures[first_off] >= 120.0
    assert max(temperatures[:first_off], default=0.0) < 120.0
    back_on = next(i for i in range(first_off, 80) if opened[i][4])
    assert temperatures[back_on] <= 110.0
    assert min(temperatures[first_off:back_on]) > 110.0
    assert all(state[8] for state in opened)
    assert all(state[4] == state[6] for state in opened)
