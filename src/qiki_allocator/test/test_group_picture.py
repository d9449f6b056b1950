"""Pictures of groups: well-formed SVG that shows every thruster, each force, and the reason where there is none."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from qiki_allocator.allocation.thrusters import ThrusterArray
from qiki_allocator.groups.picture import group_picture
from qiki_allocator.groups.thrust_groups import thrust_groups

THRUSTERS = Path(__file__).parents[3] / "launch/config/vehicles/thrusters.json"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def vehicle() -> ThrusterArray:
    return ThrusterArray.from_file(THRUSTERS, com=(0.0, 0.0, 0.1))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def views(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall(f"{SVG}g")


def test_every_group_makes_a_picture_within_its_frame(vehicle: ThrusterArray) -> None:
    for group in thrust_groups(vehicle):
        root = ElementTree.fromstring(group_picture(vehicle, group, 1.267))
        assert root.findtext(f"{SVG}title") == group.name
        assert len(views(root)) == 3
        for view in views(root):
            assert len(view.findall(f"{SVG}circle")) == 16
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        for polygon in root.iter(f"{SVG}polygon"):
            points = np.array([pair.split(",") for pair in polygon.get("points", "").split()], dtype=float)
            assert (points >= 0.0).all()
            assert (points <= [width, height]).all()


def test_arrows_show_the_forces_of_the_group(vehicle: ThrusterArray) -> None:
    """Seen from above, +x is pushed by B: two visible pairs of thrusters, each a pair of arrows to the right."""
    group = thrust_groups(vehicle).ztt["+x"]
    from_above = views(ElementTree.fromstring(group_picture(vehicle, group)))[0]
    arrows = [line for line in from_above.findall(f"{SVG}line") if line.get("stroke-width") == "2.5"]
    assert len(arrows) == 4
    for line in arrows:
        assert float(line.get("x2", 0)) > float(line.get("x1", 0))
    (net,) = [line for line in from_above.findall(f"{SVG}line") if line.get("stroke-width") == "4"]
    assert float(net.get("x2", 0)) > float(net.get("x1", 0))
    assert net.get("y1") == net.get("y2")


def test_words_tell_levels_wrench_and_note(vehicle: ThrusterArray) -> None:
    group = thrust_groups(vehicle).ztt["+x"]
    words = texts(ElementTree.fromstring(group_picture(vehicle, group)))
    assert "ZTT +x: 588.3 N along +x, 4 thrusters, 27.7 kW" in words
    assert "levels: 1.00 of 4, 1.00 of 5, 0.60 of 6, 0.60 of 7" in words
    assert "wrench: 588.3, 0.0, 0.0, 0.0, 0.0, 0.0 N, N m about the centre of mass at (0, 0, 0.1) m" in words
    assert group.note in words
    assert {"A", "B", "C", "D"} <= set(words)


def test_a_missing_group_says_why(vehicle: ThrusterArray) -> None:
    health = np.ones(16)
    health[8:12] = 0.0
    group = thrust_groups(vehicle, health).ztt["-z"]
    words = texts(ElementTree.fromstring(group_picture(vehicle, group)))
    assert "ZTT -z: none: no pure -z without thrusters 8, 9, 10, 11" in words
    assert "no thruster fires" in words


def test_names_are_escaped() -> None:
    array = ThrusterArray([[-1.0, 0.0, 0.0]] * 2, [[1.0, 0.0, 0.0]] * 2, 10.0, clusters=("<a&b>", "c"))
    group = thrust_groups(array).ztt["+x"]
    assert "<a&b>" in texts(ElementTree.fromstring(group_picture(array, group)))


def test_refusals(vehicle: ThrusterArray) -> None:
    group = thrust_groups(vehicle).ztt["+x"]
    with pytest.raises(ValueError, match=r"hull_radius: 0\.0 m; allowed: finite, above 0 m"):
        group_picture(vehicle, group, 0.0)
    other = ThrusterArray([[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]], 1.0)
    with pytest.raises(ValueError, match="group: 16 thrusters; allowed: 1, as the array has"):
        group_picture(other, group)
