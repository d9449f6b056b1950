"""The launch files as they stand: what they start, with stand-ins for the nodes' executables."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

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
        "qiki_docking": ["docking"],
        "qiki_xpdr": ["xpdr"],
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


def allocator(metrics_port: int, use_sim_time: bool = True) -> dict[str, Any]:
    return {
        "use_sim_time": use_sim_time,
        "vehicle_file": str(FOLDER / "config/vehicles/dodecahedron.yaml"),
        "settings_folder": "/run/qiki/allocator",
        "events_spool": "/run/qiki/outbox",
        "state_folder": "/run/qiki/lifecycle",
        "metrics_port": metrics_port,
    }


def docking(body: str, use_sim_time: bool = True, **station: Any) -> dict[str, Any]:
    return {
        "use_sim_time": use_sim_time,
        "vehicle_file": str(FOLDER / "config/vehicles/dodecahedron.yaml"),
        "settings_folder": "/run/qiki/docking",
        "keys_folder": f"/run/qiki/xpdr/{body}",
        **({} if station else {"docked": ""}),
        "events_spool": "/run/qiki/outbox",
        "state_folder": "/run/qiki/lifecycle",
        **station,
    }


def transponder(bot: str, use_sim_time: bool = True) -> dict[str, Any]:
    return {
        "use_sim_time": use_sim_time,
        "vehicle_file": str(FOLDER / "config/vehicles/dodecahedron.yaml"),
        "keys_folder": f"/run/qiki/xpdr/{bot}",
        "events_spool": "/run/qiki/outbox",
        "state_folder": "/run/qiki/lifecycle",
    }


def station(use_sim_time: bool = True) -> dict[str, Any]:
    scenario = yaml.safe_load((FOLDER / "config/scenarios/station.yaml").read_text())
    (body,) = [one for one in scenario["bodies"] if one["name"] == "station"]
    ports = json.dumps(body["ports"], separators=(",", ":"))
    return docking("station", use_sim_time, ports=ports, active=False, role="SOURCE", source_power=250.0)


def test_the_fleet_is_an_event_store_a_simulator_two_bots_and_the_station(environment: dict[str, str]) -> None:
    fleet = plan("fleet.launch.yaml", environment)
    assert parameters(fleet) == {
        "qiki/eventstore": {
            "url": "/run/qiki/events/events.db",
            "inbox": "/run/qiki/inbox",
            "state_folder": "/run/qiki/lifecycle",
            "metrics_port": 0,
        },
        "qiki/sim": {
            "scenario": "station",
            "events_spool": "/run/qiki/outbox",
            "state_folder": "/run/qiki/lifecycle",
            "metrics_port": 0,
        },
        "alpha/allocator": allocator(0),
        "alpha/docking": docking("alpha"),
        "alpha/xpdr": transponder("alpha"),
        "bravo/allocator": allocator(0),
        "bravo/docking": docking("bravo"),
        "bravo/xpdr": transponder("bravo"),
        "station/docking": station(),
    }
    assert all(node.respawn.wanted and node.respawn.delay == 0.5 for node in fleet.nodes)
    assert all(dict(node.environment) == {"QIKI_LOG_FORMAT": "text"} for node in fleet.nodes)


def test_arguments_reach_every_node(environment: dict[str, str]) -> None:
    fleet = plan(
        "fleet.launch.yaml",
        environment,
        scenario=str(FOLDER / "config/scenarios/station.yaml"),
        metrics_port="9100",
        use_sim_time="false",
        log_format="json",
        respawn="false",
        events="postgresql://store/qiki",
    )
    assert parameters(fleet) == {
        "qiki/eventstore": {
            "url": "postgresql://store/qiki",
            "inbox": "/run/qiki/inbox",
            "state_folder": "/run/qiki/lifecycle",
            "metrics_port": 9101,
        },
        "qiki/sim": {
            "scenario": str(FOLDER / "config/scenarios/station.yaml"),
            "events_spool": "/run/qiki/outbox",
            "state_folder": "/run/qiki/lifecycle",
            "metrics_port": 9100,
        },
        "alpha/allocator": allocator(9102, use_sim_time=False),
        "alpha/docking": docking("alpha", use_sim_time=False),
        "alpha/xpdr": transponder("alpha", use_sim_time=False),
        "bravo/allocator": allocator(9103, use_sim_time=False),
        "bravo/docking": docking("bravo", use_sim_time=False),
        "bravo/xpdr": transponder("bravo", use_sim_time=False),
        "station/docking": station(use_sim_time=False),
    }
    assert not any(node.respawn.wanted for node in fleet.nodes)
    assert all(dict(node.environment) == {"QIKI_LOG_FORMAT": "json"} for node in fleet.nodes)


def test_the_event_store_can_be_left_out(environment: dict[str, str]) -> None:
    one = plan("fleet.launch.yaml", environment, scenario="single", events="none")
    assert [node.label for node in one.nodes] == ["qiki/sim", "alpha/allocator", "alpha/docking", "alpha/xpdr"]


def test_the_node_of_transponder_and_tracks_can_be_left_out(environment: dict[str, str]) -> None:
    one = plan("fleet.launch.yaml", environment, scenario="single", events="none", xpdr="false")
    assert [node.label for node in one.nodes] == ["qiki/sim", "alpha/allocator", "alpha/docking"]


@pytest.mark.parametrize("count", [0, 1, 3, 16])
def test_the_scenario_is_the_only_list_of_the_bots(count: int, environment: dict[str, str], tmp_path: Path) -> None:
    names = [f"bot_{number}" for number in range(count)]
    scenario = tmp_path / "own.yaml"
    scenario.write_text(yaml.safe_dump({"name": "own", "bots": [{"name": name} for name in names]}))
    fleet = plan("fleet.launch.yaml", environment, scenario=str(scenario), metrics_port="9100", events="none")
    found = parameters(fleet)
    nodes = ("allocator", "docking", "xpdr")
    assert list(found) == ["qiki/sim", *(f"{name}/{node}" for name in names for node in nodes)]
    assert [one["metrics_port"] for one in found.values() if "metrics_port" in one] == [
        9100,
        *range(9102, 9102 + count),
    ]


def test_each_bot_flies_the_vehicle_of_the_scenario(environment: dict[str, str], tmp_path: Path) -> None:
    scenario = tmp_path / "own.yaml"
    bots = [{"name": "a", "vehicle": "v/small.yaml"}, {"name": "b", "vehicle": "/v/large.yaml"}, {"name": "c"}]
    scenario.write_text(yaml.safe_dump({"name": "own", "bots": bots}))
    found = parameters(plan("fleet.launch.yaml", environment, scenario=str(scenario), events="none"))
    flown = [str(tmp_path / "v/small.yaml"), "/v/large.yaml", "dodecahedron"]
    for node in ("allocator", "docking", "xpdr"):
        assert [found[f"{name}/{node}"]["vehicle_file"] for name in "abc"] == flown


def test_a_body_with_a_vehicle_has_a_docking_node(environment: dict[str, str], tmp_path: Path) -> None:
    scenario = tmp_path / "own.yaml"
    ports = [{"name": "A", "position": [0.0, 0.0, 1.0], "axis": [0.0, 0.0, 1.0], "radius": 0.3, "length": 0.1}]
    bodies = [{"name": "rock"}, {"name": "hub", "vehicle": "v/small.yaml", "ports": ports}]
    scenario.write_text(yaml.safe_dump({"name": "own", "bots": [], "bodies": bodies}))
    found = parameters(plan("fleet.launch.yaml", environment, scenario=str(scenario), events="none"))
    assert list(found) == ["qiki/sim", "hub/docking"]
    hub = found["hub/docking"]
    assert (hub["active"], hub["role"], hub["source_power"]) == (False, "RELAY", 0.0)
    assert hub["vehicle_file"] == str(tmp_path / "v/small.yaml")
    assert json.loads(hub["ports"]) == ports
    scenario.write_text(yaml.safe_dump({"bots": [], "bodies": [{**bodies[1], "source_power": "much"}]}))
    with pytest.raises(LaunchError, match="'source_power' is 'much'; allowed: a number of W"):
        plan("fleet.launch.yaml", environment, scenario=str(scenario))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "a scenario needs 'bots'"),
        ("bots: 3\n", "own.yaml:1: bots: must be a list, not 3"),
        ("bots: [{name: a}, {name: a}]\n", "bot 'a' stands here more than once"),
        ("bots:\n  - {name: a b}\n", "own.yaml:2: bots[0]: bot name 'a b' is not valid"),
        ("bots: [alpha]\n", "'bots' must be a mapping, not 'alpha'"),
        ("bots: " + "[" * 1000 + "\n", "nested deeper than 100 levels"),
        ("root:x:0:0\n", "a scenario needs 'bots'"),
    ],
)
def test_a_scenario_without_a_list_of_bots_is_refused_in_one_line(
    text: str, message: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(LaunchError) as refused:
        plan("fleet.launch.yaml", environment, scenario=str(tmp_path / "own.yaml"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bot_that_begins_docked_is_started_with_its_docking(environment: dict[str, str], tmp_path: Path) -> None:
    entry = {"body": "alpha", "port": "B", "to": "bravo", "to_port": "A", "latched": True}
    bots = [{"name": "alpha"}, {"name": "bravo"}]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"bots": bots, "docked": [entry]}))
    fleet = parameters(plan("fleet.launch.yaml", environment, scenario=str(tmp_path / "own.yaml")))
    assert [fleet[f"{bot}/docking"]["docked"] for bot in ("alpha", "bravo")] == ["B:bravo:A", ""]


def test_a_flight_can_be_recorded(environment: dict[str, str]) -> None:
    fleet = plan("fleet.launch.yaml", environment, record="mcap:////run/recordings/")
    assert parameters(fleet)["qiki/recorder"] == {
        "state_folder": "/run/qiki/lifecycle",
        "destination": "mcap:////run/recordings/",
        "events_spool": "/run/qiki/outbox",
        "use_sim_time": True,
    }


def test_one_bot_alone(environment: dict[str, str]) -> None:
    charlie = plan("bot.launch.yaml", environment, bot="charlie", metrics_port="9000")
    assert parameters(charlie) == {
        "charlie/allocator": {**allocator(9000), "vehicle_file": "dodecahedron"},
        "charlie/docking": {**docking("charlie"), "vehicle_file": "dodecahedron"},
        "charlie/xpdr": {**transponder("charlie"), "vehicle_file": "dodecahedron"},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_format": "xml"}, "argument 'log_format' is 'xml'; allowed: text, json"),
        ({"use_sim_time": "maybe"}, "argument 'use_sim_time' is 'maybe'; allowed: true, false"),
        ({"rviz": "no"}, "'if' gives 'no'; allowed: true, 1, false, 0"),
        ({"scenaro": "x"}, "no argument 'scenaro'; arguments: body, bot, docked, events, log_format"),
        ({"scenario": "x"}, "config/scenarios/x.yaml); allowed: cascade, intruder, single, station, the path"),
        ({"scenario": "/x.yaml"}, "launch[12].include_bots.scenario: no scenario '/x.yaml'"),
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
