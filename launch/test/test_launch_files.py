"""The launch files as they stand: what they start, with stand-ins for the nodes' executables."""

import os
from pathlib import Path
from typing import Any

import pytest

from qiki_launch.errors import LaunchError
from qiki_launch.plan.launch_plan import InlineParameters, LaunchPlan
from qiki_launch.plan.planner import plan_launch

pytestmark = pytest.mark.requirement("L-3")

FOLDER = Path(__file__).resolve().parents[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A prefix with this package and executables that are never run."""
    index = tmp_path / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    packages = {
        "qiki_bringup": [],
        "qiki_eventstore": ["eventstore", "recorder"],
        "qiki_sim": ["sim"],
        "qiki_allocator": ["allocator"],
    }
    for package, executables in packages.items():
        (index / package).touch()
        for executable in executables:
            path = tmp_path / "lib" / package / executable
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)
    (tmp_path / "share/qiki_bringup").symlink_to(FOLDER)
    return {"AMENT_PREFIX_PATH": str(tmp_path), "PATH": os.environ["PATH"], "QIKI_RUN_DIR": "/run/qiki"}


def plan(name: str, environment: dict[str, str], **arguments: str) -> LaunchPlan:
    return plan_launch(FOLDER / name, arguments, environment=environment)


def parameters(plan: LaunchPlan) -> dict[str, dict[str, Any]]:
    """Label of each node → its parameters."""
    found: dict[str, dict[str, Any]] = {}
    for node in plan.nodes:
        found[node.label] = {}
        for entry in node.parameters:
            assert isinstance(entry, InlineParameters)
            assert entry.rule == f"/{node.label}"
            found[node.label].update(entry.values)
    return found


def allocator(metrics_port: int, vehicle: str = "dodecahedron", use_sim_time: bool = True) -> dict[str, Any]:
    return {
        "use_sim_time": use_sim_time,
        "vehicle_file": vehicle,
        "events_spool": "/run/qiki/outbox",
        "metrics_port": metrics_port,
    }


def test_the_fleet_is_an_event_store_a_simulator_and_two_bots(environment: dict[str, str]) -> None:
    fleet = plan("fleet.launch.yaml", environment)
    assert parameters(fleet) == {
        "qiki/eventstore": {
            "url": "/run/qiki/events/events.db",
            "inbox": "/run/qiki/inbox",
            "metrics_port": 0,
        },
        "qiki/sim": {"scenario": "station", "events_spool": "/run/qiki/outbox", "metrics_port": 0},
        "alpha/allocator": allocator(0),
        "bravo/allocator": allocator(0),
    }
    assert all(node.respawn.wanted and node.respawn.delay == 0.5 for node in fleet.nodes)
    assert all(dict(node.environment) == {"QIKI_LOG_FORMAT": "text"} for node in fleet.nodes)


def test_arguments_reach_every_node(environment: dict[str, str]) -> None:
    fleet = plan(
        "fleet.launch.yaml",
        environment,
        scenario="/s.yaml",
        vehicle="/v.yaml",
        metrics_port="9100",
        use_sim_time="false",
        log_format="json",
        respawn="false",
        events="postgresql://store/qiki",
    )
    assert parameters(fleet) == {
        "qiki/eventstore": {"url": "postgresql://store/qiki", "inbox": "/run/qiki/inbox", "metrics_port": 9103},
        "qiki/sim": {"scenario": "/s.yaml", "events_spool": "/run/qiki/outbox", "metrics_port": 9100},
        "alpha/allocator": allocator(9101, "/v.yaml", use_sim_time=False),
        "bravo/allocator": allocator(9102, "/v.yaml", use_sim_time=False),
    }
    assert not any(node.respawn.wanted for node in fleet.nodes)
    assert all(dict(node.environment) == {"QIKI_LOG_FORMAT": "json"} for node in fleet.nodes)


def test_bots_and_the_event_store_can_be_left_out(environment: dict[str, str]) -> None:
    one = plan("fleet.launch.yaml", environment, scenario="single", bravo="false", events="none")
    assert [node.label for node in one.nodes] == ["qiki/sim", "alpha/allocator"]


def test_a_flight_can_be_recorded(environment: dict[str, str]) -> None:
    fleet = plan("fleet.launch.yaml", environment, record="mcap:////run/recordings/")
    assert parameters(fleet)["qiki/recorder"] == {"destination": "mcap:////run/recordings/"}


def test_one_bot_alone(environment: dict[str, str]) -> None:
    charlie = plan("bot.launch.yaml", environment, bot="charlie", metrics_port="9000")
    assert parameters(charlie) == {"charlie/allocator": allocator(9000)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_format": "xml"}, "argument 'log_format' is 'xml'; allowed: text, json"),
        ({"use_sim_time": "maybe"}, "argument 'use_sim_time' is 'maybe'; allowed: true, false"),
        ({"bravo": "no"}, "'if' gives 'no'; allowed: true, 1, false, 0"),
        ({"scenaro": "x"}, "no argument 'scenaro'; arguments: alpha, bot, bravo, events, log_format"),
        ({"rviz": "true"}, "package 'rviz2' is not installed"),
    ],
)
def test_bad_arguments_are_refused_by_name(
    arguments: dict[str, str], message: str, environment: dict[str, str]
) -> None:
    with pytest.raises(LaunchError) as refused:
        plan("fleet.launch.yaml", environment, **arguments)
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["a b", "a#b", "%41", "a?mode=ro", "Übung", "it's", 'say "x"', "a\\b", "$x"])
def test_a_run_directory_of_any_name_holds_store_inbox_and_spool(environment: dict[str, str], name: str) -> None:
    fleet = plan("fleet.launch.yaml", {**environment, "QIKI_RUN_DIR": f"/run/{name}"})
    store = parameters(fleet)["qiki/eventstore"]
    assert (store["url"], store["inbox"]) == (f"/run/{name}/events/events.db", f"/run/{name}/inbox")
    assert parameters(fleet)["alpha/allocator"]["events_spool"] == f"/run/{name}/outbox"
