"""The commands against a process with the interface of simulator and allocator."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result

from qiki_node.testing import PATIENCE, NodeProcess

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("graph")


@pytest.fixture
def console() -> Iterator[Any]:
    """Starts the command line as a process of its own."""
    started = []

    def start(*arguments: str) -> NodeProcess:
        started.append(NodeProcess([sys.executable, "-u", "-m", "qiki_console", *arguments]))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def flown(qiki: Run, *arguments: str) -> dict[str, Any]:
    result = qiki("thrust", "alpha", *arguments, "--json")
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_status_tells_what_is_there_and_what_is_missing(qiki: Run) -> None:
    result = qiki("status", "--json", "--patience", "1.5")
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    assert value["missing"] == ["/bravo/allocator"]
    assert {"name": "/alpha/allocator", "state": "active", "problems": []} in value["nodes"]
    assert value["simulator"]["scenario"] == "fake"
    assert value["simulator"]["paused"] is False
    alpha = value["bots"]["alpha"]
    assert alpha["mass"]["mass_kg"] == 1200.0
    assert alpha["power"]["supercap_soc"] == pytest.approx(0.8)
    assert alpha["power"]["battery_soc"] is None
    assert alpha["hottest"]["node"] == "CORE"
    assert alpha["thrusters"]["unhealthy"] == {"1": "WEAK"}
    assert set(value["bots"]["bravo"].values()) == {None}


def test_status_is_one_screen(qiki: Run) -> None:
    result = qiki("status", "--patience", "1.5")
    assert result.exit_code == 1
    assert "missing: /bravo/allocator" in result.stdout
    assert "CORE 31.5 °C" in result.stdout


def test_status_watches_until_it_is_told_to_stop(console: Any) -> None:
    watching = console("status", "--watch", "--json", "--period", "0.2", "--patience", "1.5")
    times = [json.loads(watching.process.stdout.readline())["simulator"]["time_s"] for _ in range(3)]
    assert times[0] < times[1] < times[2]
    watching.stop(signal.SIGINT)


def test_a_topic_that_falls_silent_is_stale(qiki: Run) -> None:
    assert qiki("sim", "fault", "alpha", "sensor_dropout", "odom").exit_code == 0
    try:
        moving = console_status(qiki)["bots"]["alpha"]["motion"]
        assert moving is None  # the console never heard one
    finally:
        assert qiki("sim", "clear", "alpha").exit_code == 0


def console_status(qiki: Run) -> Any:
    return json.loads(qiki("status", "--json", "--patience", "1.0").stdout)


def test_watching_a_topic_fall_silent_shows_its_age(qiki: Run, console: Any) -> None:
    watching = console("status", "--watch", "--json", "--period", "0.2", "--patience", "1.5")

    def motion() -> Any:
        return json.loads(watching.process.stdout.readline())["bots"]["alpha"]["motion"]

    assert motion()["stale"] is False
    assert qiki("sim", "fault", "alpha", "sensor_dropout", "odom").exit_code == 0
    try:
        while not (last := motion())["stale"]:
            pass
        assert last["age_s"] > 0.5
    finally:
        assert qiki("sim", "clear", "alpha").exit_code == 0
    while motion()["stale"]:
        pass
    watching.stop(signal.SIGTERM)


def test_topics_are_listed_with_their_types(qiki: Run) -> None:
    result = qiki("topics", "list", "--types")
    assert result.exit_code == 0
    assert "/alpha/odom  [nav_msgs/msg/Odometry]" in result.stdout.splitlines()
    assert "/alpha/allocator/transition_event" not in result.stdout
    assert "/alpha/allocator/transition_event" in qiki("topics", "list", "--all").stdout.splitlines()


def test_echo_shows_a_field_of_some_messages(qiki: Run) -> None:
    result = qiki("topics", "echo", "alpha/thermal", "-n", "2", "--field", "temperature", "--json", "--timeout", "20")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [[31.5, None]] * 2


def test_echo_hears_a_latched_topic_at_once(qiki: Run) -> None:
    assert qiki("sim", "pause").exit_code == 0
    try:
        result = qiki(
            "topics", "echo", "/alpha/body/mass_properties", "--once", "--field", "inertia.m", "--timeout", "9"
        )
        assert (result.exit_code, result.stdout) == (0, "1200.0\n---\n")
    finally:
        assert qiki("sim", "resume").exit_code == 0


def test_echo_names_a_wrong_field(qiki: Run) -> None:
    result = qiki("topics", "echo", "/clock", "--once", "--field", "clock.hours", "--timeout", "20")
    assert result.exit_code == 2
    assert "'hours' of 'clock.hours' is not there; allowed: sec, nanosec" in result.output


def test_echo_says_when_a_topic_is_silent_or_not_there(qiki: Run) -> None:
    silent = qiki("topics", "echo", "/bravo/thruster_state", "--once", "--timeout", "0.5")
    assert silent.exit_code == 1
    assert "nothing came in 0.5 s" in silent.output
    absent = qiki("topics", "echo", "/alpha/nothing", "--once")
    assert absent.exit_code == 1
    assert "topic: '/alpha/nothing' is not there" in absent.output


def test_hz_measures_a_best_effort_topic(qiki: Run) -> None:
    result = qiki("topics", "hz", "/clock", "--for", "2.5", "--window", "100")
    assert result.exit_code == 0
    rates = [float(found) for found in re.findall(r"average rate: ([\d.]+)", result.stdout)]
    # A loaded machine may deliver late, but not at another rate altogether.
    assert 50.0 < rates[-1] < 130.0
    assert "window: 100" in result.stdout


def test_hz_of_a_silent_topic_fails(qiki: Run) -> None:
    result = qiki("topics", "hz", "/bravo/thruster_state", "--for", "1")
    assert result.exit_code == 1
    assert "no new messages" in result.output


def test_info_names_endpoints_and_who_cannot_hear_whom(qiki: Run) -> None:
    result = qiki("topics", "info", "/alpha/odom")
    assert "type: nav_msgs/msg/Odometry" in result.stdout
    assert "  /qiki/sim  (best effort, volatile)" in result.stdout
    assert "incompatible: /qiki/sim -> /qiki/sim: Best effort publisher and reliable subscription" in result.stdout
    assert "incompatible" not in qiki("topics", "info", "/alpha/cmd_wrench").stdout


def test_a_force_gives_force_times_time_by_mass(qiki: Run) -> None:
    value = flown(qiki, "--force", "-200", "0", "100", "--for", "2")
    assert value["expected_delta_v_m_s"] == pytest.approx([-1 / 3, 0.0, 1 / 6])
    assert abs(value["difference_percent"]) < 1.0
    assert value["lasted_s"] == pytest.approx(2.0, abs=0.02)
    assert value["energy_j"] == pytest.approx(20_000.0, rel=0.02)
    assert value["late_edges"] == 0
    assert value["achieved"]["force_n"] == pytest.approx([-200.0, 0.0, 100.0], rel=0.1)


def test_force_and_torque_together_are_integrated_in_world(qiki: Run) -> None:
    """At the end the body has turned by some degrees: without turning the force the account would not close."""
    assert qiki("sim", "reset").exit_code == 0
    value = flown(qiki, "--force", "300", "0", "0", "--torque", "0", "0", "400", "--for", "1.5")
    assert abs(value["difference_percent"]) < 1.5
    assert value["expected_delta_v_m_s"][1] > 0.05
    assert value["across_m_s"] < 0.01
    assert value["gained_rate_rad_s"] == pytest.approx(value["expected_rate_rad_s"], abs=0.01)


def test_a_refused_command_ends_with_2_and_the_allocators_words(qiki: Run) -> None:
    result = qiki("thrust", "alpha", "--force", "9000", "0", "0", "--for", "1")
    assert result.exit_code == 2
    assert "force.x: 9000 is not allowed; allowed: -5000 to 5000 N" in result.output


def test_an_unknown_bot_is_told_who_there_is(qiki: Run) -> None:
    result = qiki("thrust", "charlie", "--force", "1", "0", "0", "--for", "1")
    assert result.exit_code == 2
    assert "bot: 'charlie' is not there; allowed: alpha, bravo" in result.output


def test_a_bot_without_an_allocator_cannot_be_commanded(qiki: Run) -> None:
    result = qiki("thrust", "bravo", "--force", "1", "0", "0", "--for", "1")
    assert result.exit_code == 3
    assert "no one takes /bravo/cmd_wrench: is /bravo/allocator there and active?" in result.output


def test_a_paused_simulation_is_no_place_to_fly(qiki: Run) -> None:
    assert qiki("sim", "pause").exit_code == 0
    try:
        result = qiki("thrust", "alpha", "--force", "1", "0", "0", "--for", "1")
        assert result.exit_code == 3
        assert "simulated time stands still" in result.output
    finally:
        assert qiki("sim", "resume").exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_flight_ends_with_a_zero_wrench(qiki: Run, console: Any, number: signal.Signals) -> None:
    flying = console("thrust", "alpha", "--force", "10", "0", "0", "--for", "600")
    listening = console(
        "topics", "echo", "/alpha/cmd_wrench", "--field", "wrench.force.x", "--json", "--timeout", str(PATIENCE)
    )
    assert listening.process.stdout.readline() == "10.0\n"
    flying.process.send_signal(number)
    code, _, err = flying.wait()
    assert code == 1
    assert "interrupted, a zero wrench was sent" in err
    while (line := listening.process.stdout.readline()) == "10.0\n":
        pass
    assert line == "0.0\n"
    assert qiki("topics", "echo", "/alpha/allocation", "--once", "--field", "state").stdout == "1\n---\n"


def test_the_simulator_is_driven(qiki: Run) -> None:
    assert qiki("sim", "step", "0.5").exit_code == 2
    paused = qiki("sim", "pause")
    assert (paused.exit_code, paused.stdout) == (0, "paused at some time\n")
    stepped = qiki("sim", "step", "0.5")
    assert stepped.exit_code == 0
    assert "simulated time" in stepped.stdout
    assert qiki("sim", "resume").stdout == "running\n"
    assert qiki("sim", "speed", "2").stdout == "speed factor 2\n"
    assert qiki("sim", "speed", "1").exit_code == 0


def test_a_refusal_of_the_simulator_is_shown(qiki: Run) -> None:
    result = qiki("sim", "step", "0.5")
    assert result.exit_code == 2
    assert "simulation is running; pause it first" in result.output
    result = qiki("sim", "fault", "alpha", "thruster_stuck_open", "16")
    assert result.exit_code == 2
    assert "target: '16' is not allowed; allowed: 0 to 15" in result.output
    assert "path: 'nowhere' is not there" in qiki("sim", "load", "nowhere").output


def test_a_scenario_file_is_given_as_an_absolute_path(qiki: Run, tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    result = qiki("sim", "load", "mine.yaml", "--seed", "7")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'mine.yaml'} 7\n"


def test_a_fault_names_bots_that_exist(qiki: Run) -> None:
    result = qiki("sim", "fault", "charlie", "thruster_weak", "3", "--value", "0.5")
    assert result.exit_code == 2
    assert "bot: 'charlie' is not there; allowed: alpha, bravo" in result.output
    done = qiki("sim", "fault", "alpha", "thruster_weak", "3", "--value", "0.5", "--for", "2")
    assert (done.exit_code, done.stdout) == (0, "alpha: thruster_weak of 3 for 2 s\n")


def test_the_entry_point_runs_as_a_module() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "qiki_console", "topics", "list"], capture_output=True, text=True, check=True
    ).stdout
    assert "/clock" in out.splitlines()
