"""Frames of a scenario: one tree, and the places that the vehicle file gives."""

import json
from pathlib import Path

import numpy as np
import pytest
from ament_index_python.packages import get_package_share_directory
from sim_helpers import CONFIG
from visualization_msgs.msg import Marker

from qiki_sim import World
from qiki_sim.frames import base_link, bodies, fixed_frames
from qiki_sim.ros.markers import MarkerSet
from qiki_vehicle import quaternion


@pytest.fixture(scope="module")
def world() -> World:
    return World.from_file(CONFIG / "scenarios" / "station.yaml")


def test_each_fixed_frame_hangs_on_a_body_or_on_the_map(world):
    frames = list(fixed_frames(world.scenario))
    names = [frame.name for frame in frames]
    assert len(set(names)) == len(names)
    assert {frame.parent for frame in frames} <= {"map", *map(base_link, bodies(world.scenario))}
    assert ("map", "world") in {(frame.parent, frame.name) for frame in frames}


def test_thrusters_and_ports_are_where_the_vehicle_has_them(world):
    """SIM-N7."""
    frames = {frame.name: frame for frame in fixed_frames(world.scenario)}
    for bot, vehicle in zip(world.bots, world.scenario.vehicles, strict=True):
        for thruster in vehicle.thrusters:
            frame = frames[f"{bot}/thruster_{thruster.index}"]
            assert frame.parent == f"{bot}/base_link"
            np.testing.assert_allclose(frame.pose.position, thruster.position_m)
            np.testing.assert_allclose(frame.pose.vector([1.0, 0.0, 0.0]), thruster.direction, atol=1e-12)
            assert np.linalg.norm(frame.pose.orientation) == pytest.approx(1.0, abs=1e-12)
        for port in vehicle.ports:
            pose = frames[f"{bot}/port_{port.name}"].pose
            np.testing.assert_allclose(pose.position, port.position)
            np.testing.assert_allclose(pose.vector([0.0, 0.0, 1.0]), port.axis, atol=1e-12)
    assert frames["station/port_B"].parent == "station/base_link"


def test_markers_stand_in_frames_of_the_tree_and_begin_with_an_empty_scene(world):
    markers = MarkerSet(world)
    first = list(markers.update(world, 1000).markers)
    assert [first[0].action, first[0].header.frame_id] == [Marker.DELETEALL, "world"]
    message = markers.update(world, 2000)
    assert all(marker.action == Marker.ADD for marker in message.markers)
    assert {marker.header.stamp.nanosec for marker in message.markers} == {2000}
    solids = {marker.ns: marker for marker in message.markers if marker.id == 0}
    assert {name: solid.header.frame_id for name, solid in solids.items()} == {
        name: f"{name}/base_link" for name in bodies(world.scenario)
    }
    for solid in solids.values():
        assert solid.frame_locked
        pose = solid.pose
        assert (pose.position.x, pose.position.y, pose.position.z) == (0.0, 0.0, 0.0)
        assert (pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w) == quaternion.IDENTITY
    labels = {marker.ns: marker for marker in message.markers if marker.id == 1}
    assert labels["alpha"].header.frame_id == "world"
    assert labels["alpha"].pose.position.x == pytest.approx(30.0)


def test_a_scenario_without_bodies_has_markers_and_frames(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("name: empty\nbots: []\n")
    empty = World.from_file(path)
    assert [marker.action for marker in MarkerSet(empty).update(empty, 1).markers] == [Marker.DELETEALL]
    assert [frame.name for frame in fixed_frames(empty.scenario)] == ["world"]


def test_the_message_of_tf_is_that_of_every_ros_2():
    """The wheels lack tf2_msgs, so the workspace generates it: with another hash, no other program would match."""
    description = Path(get_package_share_directory("tf2_msgs"), "msg", "TFMessage.json").read_text()
    hashes = {one["type_name"]: one["hash_string"] for one in json.loads(description)["type_hashes"]}
    assert hashes["tf2_msgs/msg/TFMessage"] == (
        "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"
    )
