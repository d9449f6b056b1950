"""The operator's verbs for a bot's allocator, through the real processes."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("peer")]


def groups(graph, bot: str) -> dict[str, dict]:
    run = graph.qiki("groups", bot, "--json")
    assert run.returncode == 0, run.stderr
    return {group["name"]: group for group in json.loads(run.stdout)}


def test_groups_follow_the_health_of_the_thrusters(graph) -> None:
    healthy = groups(graph, "alpha")
    assert len(healthy) == 24
    assert healthy["FTG +x"]["force_n"][0] == pytest.approx(735.4, abs=0.1)
    assert graph.qiki("allocator", "health", "alpha", "4", "stuck_closed").returncode == 0
    without = groups(graph, "alpha")
    assert all(4 not in group["thrusters"] for group in without.values())
    assert 4 in groups(graph, "bravo")["FTG +x"]["thrusters"]
    assert graph.qiki("allocator", "health", "alpha", "4", "ok").returncode == 0
    assert groups(graph, "alpha").keys() == healthy.keys()
    refused = graph.qiki("allocator", "health", "alpha", "16", "ok")
    assert refused.returncode == 2
    assert "0 to 15" in refused.stderr


def test_a_picture_of_a_group_is_drawn(graph, tmp_path: Path) -> None:
    picture = tmp_path / "group.svg"
    assert graph.qiki("groups", "alpha", "--group", "FTG +x", "--picture", str(picture)).returncode == 0
    root = ElementTree.parse(picture).getroot()
    assert root.tag.endswith("svg")
    assert (root.findtext("{*}desc") or "").startswith("735.4 N along +x, 8 thrusters")
    refused = graph.qiki("groups", "alpha", "--group", "sideways", "--picture", str(tmp_path / "none.svg"))
    assert refused.returncode == 2
    assert "group: 'sideways' is not there; allowed: " in refused.stderr
    assert not (tmp_path / "none.svg").exists()


def test_modes_are_set_and_an_unarmed_override_is_refused(graph) -> None:
    refused = graph.qiki("allocator", "mode", "bravo", "manual_override")
    assert refused.returncode == 2
    assert "arm" in refused.stderr
    for mode in ("auto", "adaptive"):
        assert graph.qiki("allocator", "mode", "bravo", mode).returncode == 0


def test_attitude_is_held_and_let_go_and_a_stopped_bot_can_be_braked(graph) -> None:
    assert graph.qiki("allocator", "hold", "bravo").returncode == 0
    refused = graph.qiki("thrust", "bravo", "--torque", "0", "0", "10", "--for", "0.5")
    assert refused.returncode == 2
    assert "torque" in refused.stdout + refused.stderr
    assert graph.qiki("allocator", "hold", "bravo", "--off").returncode == 0
    assert graph.qiki("allocator", "stop", "bravo").returncode == 0
    assert graph.qiki("allocator", "brake", "bravo").returncode == 0
