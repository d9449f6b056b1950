"""Runs of benchmarks/docking.py: dispersed, with faults; each is safe, and a rerun is bit-equal."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from docking_runs import approach, run

pytestmark = [pytest.mark.requirement("DOCK-19"), pytest.mark.timeout(600)]

NEAR = [("A", 0), ("A", 1), ("A", 3), ("B", 1), ("B", 4), ("B", 10), ("B", 15), ("C", 0), ("C", 1), ("C", 2)]
"""Sets and seeds, here from 1.5 m: nominal, a dead thruster, a weak one, one stuck open for 0.3 s, late valves."""
FAULTS = (6, 14, 20, 25, 33, 34, 35, 39, 40, 45, 170)
"""Seeds of set D: each fault and each phase at least once; in 170 coasting began within a set of pulses."""
CHAINS = (0, 1, 2)
"""Seeds of set E: 2, 3 and 4 hops."""

AFAR = [(name, seed) for name, count in (("A", 8), ("B", 4), ("C", 3)) for seed in range(count)]
"""Sets and seeds, from 5 m and from 60 m."""


def ended_well(result):
    print(result)
    return (result.unsafe, result.as_expected) == ([], True)


@pytest.mark.parametrize(("name", "seed"), NEAR)
def test_a_bot_docks_from_nearby(name, seed):
    result = approach(name, seed, near=1.5)
    assert ended_well(result)
    if (name, seed) == NEAR[0]:
        assert str(approach(name, seed, near=1.5)) == str(result), "a rerun differs"


@pytest.mark.requirement("DOCK-20")
@pytest.mark.parametrize("seed", FAULTS)
def test_a_docking_with_a_fault_ends_as_in_the_table(seed):
    assert ended_well(run("D", seed))


@pytest.mark.parametrize("seed", CHAINS)
def test_a_chain_carries_the_currents_of_the_closed_form(seed):
    result = run("E", seed)
    assert ended_well(result)
    if seed == CHAINS[0]:
        assert str(run("E", seed)) == str(result), "a rerun differs"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "seed"), AFAR)
def test_a_bot_docks_from_afar(name, seed):
    assert ended_well(run(name, seed))
