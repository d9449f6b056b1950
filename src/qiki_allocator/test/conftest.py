"""A private ROS domain for this test process, and the vehicle."""

import signal
import sys
from pathlib import Path

import pytest

from qiki_allocator import ThrusterArray
from qiki_allocator.assembly import thrusters
from qiki_msgs.msg import Allocation, ThrusterState
from qiki_msgs.srv import SetThrusterHealth
from qiki_node.testing import NodeProcess, Peer, use_private_domain
from qiki_vehicle import Vehicle

use_private_domain(shared_memory=False)
sys.path.append(str(Path(__file__).parent))  # for the helpers beside the tests

from bench import NODE, Bench  # noqa: E402
from valve_hardware import Hardware  # noqa: E402

VEHICLE_FILE = Path(__file__).resolve().parents[3] / "launch" / "config" / "vehicles" / "dodecahedron.yaml"


@pytest.fixture(scope="session")
def vehicle_file() -> Path:
    return VEHICLE_FILE


@pytest.fixture(scope="session")
def vehicle() -> Vehicle:
    return Vehicle.from_file(VEHICLE_FILE)


@pytest.fixture(scope="session")
def array(vehicle: Vehicle) -> ThrusterArray:
    return thrusters(vehicle)


@pytest.fixture(scope="module")
def process(vehicle_file):
    with NodeProcess.of_module(
        "qiki_allocator.node",
        *("-r", "__ns:=/alpha", "-p", "use_sim_time:=true", "-p", f"vehicle_file:={vehicle_file}"),
    ) as process:
        yield process
        if process.process.poll() is None:
            process.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def of_module(process):
    assert process.process.poll() is None
    with Peer() as peer:
        bench = Bench(peer)
        yield bench
        bench.profiles.destroy()


@pytest.fixture
def bench(of_module):
    """At rest, with nothing of an earlier test."""
    of_module.command(0, 0, 0, 0, 0, 0)
    of_module.tick(0.8)
    for thruster in range(16):
        request = SetThrusterHealth.Request(thruster=thruster, health=ThrusterState.HEALTH_OK)
        assert of_module.peer.call(SetThrusterHealth, f"{NODE}/set_thruster_health", request).success
    of_module.command(0, 0, 0, 0, 0, 0)
    of_module.wait_for_state(Allocation.STATE_IDLE)
    of_module.commands.clear()
    of_module.hardware = Hardware(16)
    return of_module
