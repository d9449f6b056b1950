"""Values that no sensor and no network can have, from telemetry and from other bodies."""

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from plant import VEHICLE
from sighting import Scene

from qiki_docking import Profile
from qiki_docking.bridge import Role
from qiki_docking.bridge.sharing import BridgeNetwork
from qiki_docking.bridge.supervisor import EdgeState
from qiki_docking.exchange import BridgeEdgeStatus, BridgeStatus
from qiki_docking.ros.exchange_messages import docking_state
from qiki_msgs.msg import DockingState, PortOffer
from qiki_vehicle import Port, Pose

OHM = VEHICLE.bridge.resistance
wild = st.floats() | st.sampled_from([0.0, -1.0, 1e-320, 1e308, 28.0, OHM, math.nan, math.inf])
names = st.sampled_from(["", "alpha", "station", "bravo", "charlie\x1b[2J"])


def closed(port, partner, partner_port):
    name = "alpha:B-station:A"
    return BridgeEdgeStatus(name, port, partner, partner_port, Profile.FULL, EdgeState.CLOSED, resistance=OHM)


STATION = BridgeStatus(
    1.0, "station", Role.SOURCE, 28.0, 180.0, ("base",), (20.0,), (0,), (False,), (20.0,), (closed("A", "alpha", "B"),)
)


@pytest.mark.requirement("DOCK-12")
@given(
    role=st.sampled_from(Role),
    numbers=st.fixed_dictionaries({}, optional={"source_volts": wild, "source_power": wild}),
    wanted=wild,
    edge=st.fixed_dictionaries({}, optional={"resistance": wild, "partner": names, "port": names, "name": names}),
)
def test_a_network_is_computed_or_the_body_that_reports_it_is_refused(role, numbers, wanted, edge):
    network = BridgeNetwork(VEHICLE, "alpha", Role.RELAY)
    network.edges = (closed("B", "station", "A"),)
    network.update(STATION)
    before = network.status(1.0)
    assert before.depth == 1
    edges = (replace(STATION.edges[0], **edge),)
    report = replace(STATION, stamp=2.0, role=role, wanted=(wanted,), edges=edges, **numbers)
    with suppress(ValueError):
        network.update(report)
    status = network.status(2.0)
    assert all(0.0 <= served <= watts for served, watts in zip(status.served, status.wanted, strict=True))
    network.update(replace(STATION, stamp=3.0))
    assert network.status(3.0).served == before.served


@pytest.mark.requirement("DOCK-21")
@pytest.mark.parametrize(
    ("position", "orientation", "twist"),
    [
        (1e308, 1.0, 0.0),
        (1e6, 1.0, 0.0),
        (0.0, 1e200, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 1e308),
        (0.0, 1.0, 1e5),
    ],
)
def test_one_odometry_that_cannot_be_leaves_the_navigation_as_it_is(position, orientation, twist):
    scene = Scene(4).run(5.0)
    pose, own = scene.own(scene.now)
    scene.pilot.odometry(scene.now + 0.001, Pose(pose.position + position, orientation * pose.orientation), own + twist)
    scene.run(0.1)
    assert scene.pilot.motion.range == pytest.approx(scene.truth().range, abs=0.06)
    assert scene.pilot.sample(scene.now).quality > 0.9


def test_a_body_that_is_somewhere_else_is_followed_there():
    scene = Scene(6).run(3.0)
    scene.start = scene.start + np.array([0.0, 0.0, 40.0])
    scene.run(6.0)
    assert scene.pilot.motion.range == pytest.approx(scene.truth().range, abs=0.1)


@pytest.mark.requirement("DOCK-17")
@given(position=st.tuples(wild, wild, wild), axis=st.tuples(wild, wild, wild))
def test_a_port_is_offered_as_one_or_its_body_is_refused(position, axis):
    message = DockingState(body="station", offers=[PortOffer(port="A")])
    for vector, values in ((message.offers[0].position, position), (message.offers[0].axis, axis)):
        vector.x, vector.y, vector.z = values
    try:
        offer = docking_state(message).offers[0]
    except ValueError as error:
        event(str(error).partition(":")[0])
        return
    Port(name=offer.port, position=offer.position, axis=offer.axis, radius=0.3, length=0.15)
