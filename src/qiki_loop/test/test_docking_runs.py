"""Runs of benchmarks/docking.py: dispersed, with faults; each is safe, and a rerun is bit-equal."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

from docking_runs import run

pytestmark = pytest.mark.requirement("DOCK-19")

SOME = [("A", seed) for seed in range(8)] + [("B", seed) for seed in range(4)] + [("C", seed) for seed in range(3)]
SOME += [("D", seed) for seed in (0, 9, 18, 27, 36, 45)]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_chain_carries_the_currents_of_the_closed_form_and_a_rerun_is_equal(seed):
    result = run("E", seed)
    assert (result.ended, result.unsafe) == ("BRIDGE", [])
    assert result.currents <= 0.02
    if seed == 0:
        assert str(run("E", seed)) == str(result)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "seed"), SOME)
def test_a_run_is_safe(name, seed):
    result = run(name, seed)
    print(result)
    assert not result.unsafe
