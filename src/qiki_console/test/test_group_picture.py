"""Pictures of groups: well-formed SVG that shows every thruster, each force, and the reason where there is none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from geometry_msgs.msg import Point, Vector3
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.graph import messages
from qiki_console.model.group_picture import Geometry, Group, group_picture
from qiki_msgs.msg import ThrustGroup
from qiki_msgs.srv import ListGroups
from qiki_vehicle.vehicle import load_thrusters

THRUSTERS = Path(__file__).parents[3] / "launch/config/vehicles/thrusters.json"
SVG = "{http://www.w3.org/2000/svg}"
AXES = ("x", "y", "z", "roll", "pitch", "yaw")
NAMES = [
    f"{kind} {sign}{axis}"
    for kinds, axes in ((("ZTT", "FTG"), AXES[:3]), (("TORQUE", "FULL_TORQUE"), AXES[3:]))
    for kind in kinds
    for axis in axes
    for sign in "+-"
]
FORWARD = {4: 1.0, 5: 1.0, 6: 0.6, 7: 0.6}
"""Levels of ZTT +x."""


def geometry_of(path: Path) -> Geometry:
    thrusters = load_thrusters(path)
    return Geometry(
        positions=np.array([thruster.position_m for thruster in thrusters]),
        directions=np.array([thruster.direction for thruster in thrusters]),
        max_forces=np.array([thruster.f_max_n for thruster in thrusters]),
        clusters=tuple(thruster.cluster for thruster in thrusters),
        com=np.array([0.0, 0.0, 0.1]),
    )


VEHICLE = geometry_of(THRUSTERS)


def a_group(geometry: Geometry, name: str, levels: Mapping[int, float], note: str = "") -> Group:
    """A group of the wrench and the power that its levels give."""
    shares = np.zeros(len(geometry.positions))
    shares[list(levels)] = list(levels.values())
    forces = (shares * geometry.max_forces)[:, None] * geometry.directions
    torques = np.cross(geometry.positions - geometry.com, forces)
    wrench = np.concatenate([forces.sum(axis=0), torques.sum(axis=0)])
    return Group(name, shares, wrench, 33.333 * float(shares @ geometry.max_forces), note)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def views(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall(f"{SVG}g")


@given(name=st.sampled_from(NAMES), levels=st.dictionaries(st.integers(0, 15), st.floats(0.0, 1.0)))
def test_every_group_makes_a_picture_within_its_frame(name: str, levels: dict[int, float]) -> None:
    group = a_group(VEHICLE, name, levels)
    root = ElementTree.fromstring(group_picture(replace(VEHICLE, hull_radius=1.267), group))
    assert root.findtext(f"{SVG}title") == group.name
    assert len(views(root)) == 3
    for view in views(root):
        assert len(view.findall(f"{SVG}circle")) == 16
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for polygon in root.iter(f"{SVG}polygon"):
        points = np.array([pair.split(",") for pair in polygon.get("points", "").split()], dtype=float)
        assert (points >= 0.0).all()
        assert (points <= [width, height]).all()


def test_arrows_show_the_forces_of_the_group() -> None:
    """Seen from above, +x is pushed by B: two visible pairs of thrusters, each a pair of arrows to the right."""
    group = a_group(VEHICLE, "ZTT +x", FORWARD)
    from_above = views(ElementTree.fromstring(group_picture(VEHICLE, group)))[0]
    arrows = [line for line in from_above.findall(f"{SVG}line") if line.get("stroke-width") == "2.5"]
    assert len(arrows) == 4
    for line in arrows:
        assert float(line.get("x2", 0)) > float(line.get("x1", 0))
    (net,) = [line for line in from_above.findall(f"{SVG}line") if line.get("stroke-width") == "4"]
    assert float(net.get("x2", 0)) > float(net.get("x1", 0))
    assert net.get("y1") == net.get("y2")


def test_words_give_levels_wrench_and_note() -> None:
    group = a_group(VEHICLE, "ZTT +x", FORWARD, "levels differ: equal ones would leave 73.5 N m, allowed 25 N m")
    words = texts(ElementTree.fromstring(group_picture(VEHICLE, group)))
    assert "ZTT +x: 588.3 N along +x, 4 thrusters, 27.7 kW" in words
    assert "levels: 1.00 of 4, 1.00 of 5, 0.60 of 6, 0.60 of 7" in words
    assert "wrench: 588.3, 0.0, 0.0, 0.0, 0.0, 0.0 N, N m about the centre of mass at (0, 0, 0.1) m" in words
    assert group.note in words
    assert {"A", "B", "C", "D"} <= set(words)


def test_a_missing_group_says_why() -> None:
    group = a_group(VEHICLE, "ZTT -z", {}, "no pure -z without <thrusters> 8, 9 & 10\x1b[2J")
    words = texts(ElementTree.fromstring(group_picture(VEHICLE, group)))
    assert r"ZTT -z: none: no pure -z without <thrusters> 8, 9 & 10\u001b[2J" in words
    assert "no thruster fires" in words


def test_names_are_escaped() -> None:
    forward = np.tile([1.0, 0.0, 0.0], (2, 1))
    geometry = Geometry(-forward, forward, np.array([10.0, 10.0]), ("<a&b>", "c"), np.zeros(3))
    group = a_group(geometry, "ZTT +x", {0: 1.0})
    assert "<a&b>" in texts(ElementTree.fromstring(group_picture(geometry, group)))


def test_refusals() -> None:
    group = a_group(VEHICLE, "ZTT +x", FORWARD)
    with pytest.raises(ValueError, match=r"hull_radius: 0\.0 m; allowed: finite, above 0 m"):
        group_picture(replace(VEHICLE, hull_radius=0.0), group)
    forward = np.array([[1.0, 0.0, 0.0]])
    other = Geometry(forward, forward, np.ones(1), ("",), np.zeros(3))
    with pytest.raises(ValueError, match="group: 16 thrusters; allowed: 1, as the geometry has"):
        group_picture(other, group)


def test_messages_become_groups_and_geometry() -> None:
    answer = ListGroups.Response(max_forces=[260.0], clusters=["B"], hull_radius=1.267)
    answer.positions = [Point(x=-0.85, y=0.5, z=0.4)]
    answer.directions = [Vector3(x=0.6, y=0.8, z=0.0)]
    answer.com.z = 0.1
    geometry = messages.geometry(answer)
    assert geometry.positions.tolist() == [[-0.85, 0.5, 0.4]]
    assert geometry.directions.tolist() == [[0.6, 0.8, 0.0]]
    assert geometry.max_forces.tolist() == [260.0]
    assert geometry.clusters == ("B",)
    assert geometry.com.tolist() == [0.0, 0.0, 0.1]
    assert geometry.hull_radius == 1.267
    message = ThrustGroup(name="TORQUE -yaw", thrusters=[0], levels=[0.5], power=100.0, note="weak")
    message.wrench.force.x, message.wrench.torque.z = 1.0, -2.0
    group = messages.group(message)
    assert (group.name, group.axis, group.pushes, group.thrusters) == ("TORQUE -yaw", "-yaw", False, (0,))
    assert group.wrench.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, -2.0]
    assert (group.size, group.power, group.note) == (2.0, 100.0, "weak")
