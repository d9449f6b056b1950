"""The commands against a process with the interface of simulator and allocator."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from qiki_node import session
from qiki_node.testing import PATIENCE, NodeProcess

Run = Callable[..., Result]

pytestmark = [pytest.mark.realtime, pytest.mark.usefixtures("graph", "patient")]

PATIENT = f"""
from qiki_node import session
from qiki_console.cli.main import main
session.DISCOVERY = {PATIENCE}
main()
"""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the graph time to be discovered on a busy machine."""
    monkeypatch.setattr(session, "DISCOVERY", PATIENCE)


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Wait a second only for parts of the graph that are missing."""
    monkeypatch.setattr(session, "DISCOVERY", 1.0)


@pytest.fixture
def console() -> Iterator[Any]:
    """Starts the command line as a process of its own."""
    started = []

    def start(*arguments: str) -> NodeProcess:
        started.append(NodeProcess([sys.executable, "-u", "-c", PATIENT, *arguments]))
        return started[-1]

    yield start
    for process in started:
        process.end()


def until(shows: Callable[[Result], bool], run: Callable[[], Result]) -> Result:
    """The first result that shows something. A command looks at the graph for a short time, in which a busy machine may
    not have discovered all of it: it is run again."""
    end = time.monotonic() + PATIENCE
    while not shows(result := run()):
        assert time.monotonic() < end, result.output
    return result


def flown(qiki: Run, *arguments: str, seconds: float) -> tuple[dict[str, Any], float]:
    """The account of a push of so many seconds from rest, and s by which it lasted longer.

    A busy machine begins a push late (less than 0 s) or ends it late. The account shows the true time and the motion
    gained in it. Motion gained after half a second more is not in the account: such a push is repeated.
    """

    def push() -> Result:
        assert qiki("sim", "reset").exit_code == 0
        result = qiki("thrust", "alpha", *arguments, "--for", str(seconds), "--json")
        assert result.exit_code in (0, 1), result.output
        assert json.loads(result.stdout)["closes"] == (result.exit_code == 0)
        return result

    def excess(result: Result) -> float:
        return float(json.loads(result.stdout)["lasted_s"]) - seconds

    result = until(lambda result: abs(excess(result)) < 0.5, push)
    return json.loads(result.stdout), excess(result)


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that should have an allocator of bravo too."""
    nodes = (("sim", "/qiki"), ("allocator", "/alpha"), ("allocator", "/bravo"))
    state = {
        "format": 1,
        "phase": "running",
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "supervisor": {"pid": 1, "start_ticks": -1},
        "processes": [{"command": [f"__node:={name}", f"__ns:={space}"]} for name, space in nodes],
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    monkeypatch.setenv("QIKI_RUN_DIR", str(tmp_path))


@pytest.mark.usefixtures("run_folder")
def test_status_shows_the_graph_and_its_missing_nodes(qiki: Run) -> None:
    def complete(result: Result) -> bool:
        value = json.loads(result.stdout)
        states = {node["name"]: node["state"] for node in value["nodes"]}
        if not {"alpha", "bravo"} <= value["bots"].keys() or "/qiki/sim" not in states:
            return False
        # The fake bot has no docking node.
        data = {key: part for key, part in value["bots"]["alpha"].items() if key not in {"docking", "bridge"}}
        return None not in [value["simulator"]["scenario"], *data.values()] and states.get("/alpha/allocator") not in (
            None,
            "no answer",
        )

    # Bravo is silent: all of the patience is used up each time.
    result = until(complete, lambda: qiki("status", "--json", "--patience", "1.5"))
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    assert value["missing"] == ["/bravo/allocator"]
    nodes = {node["name"]: node for node in value["nodes"]}
    assert nodes["/alpha/allocator"]["state"] == "active"
    assert nodes["/qiki/sim"]["diagnostics_age_s"] < 2.5
    assert not any("/_" in name for name in nodes), "hidden nodes, such as this command's own"
    assert value["simulator"]["clock_publishers"] == ["/qiki/sim"]
    assert value["simulator"]["scenario"] == "fake"
    assert value["simulator"]["paused"] is False
    alpha = value["bots"]["alpha"]
    assert alpha["mass"]["mass_kg"] == 1200.0
    assert alpha["power"]["supercap_soc"] == pytest.approx(0.8)
    assert alpha["power"]["battery_soc"] is None
    assert alpha["hottest"]["node"] == "CORE"
    assert alpha["thrusters"]["unhealthy"] == {"1": "WEAK"}
    assert set(value["bots"]["bravo"].values()) == {None}


@pytest.mark.usefixtures("run_folder")
def test_status_is_one_screen(qiki: Run) -> None:
    parts = ("CORE 31.5 °C", "missing: /bravo/allocator\n")
    result = until(
        lambda found: all(part in found.stdout for part in parts), lambda: qiki("status", "--patience", "1.5")
    )
    assert result.exit_code == 1


def test_status_watches_until_it_is_told_to_stop(console: Any) -> None:
    watching = console("status", "--watch", "--json", "--period", "0.2", "--patience", "1.5")
    times: list[float] = []
    while len(set(times)) < 3:
        time_s = json.loads(watching.process.stdout.readline())["simulator"]["time_s"]
        times += [] if time_s is None else [time_s]
    assert times == sorted(times)
    watching.stop(signal.SIGINT)


def test_watching_into_a_pipe_prints_each_look(console: Any) -> None:
    watching = console("status", "--watch", "--period", "0.2", "--patience", "0.3")
    lines = iter(watching.process.stdout.readline, "")
    for _ in range(3):
        assert next(line for line in lines if line.startswith("simulator ")).rstrip("\n").isprintable()
    watching.stop(signal.SIGINT)


def test_a_topic_that_falls_silent_is_stale(qiki: Run) -> None:
    assert qiki("sim", "fault", "alpha", "sensor_dropout", "odom").exit_code == 0
    try:
        result = until(
            lambda result: bool(json.loads(result.stdout)["bots"].get("alpha", {}).get("mass")),
            lambda: qiki("status", "--json", "--patience", "1.0"),
        )
        moving = json.loads(result.stdout)["bots"]["alpha"]["motion"]
        assert moving is None  # the console never received one
    finally:
        assert qiki("sim", "clear", "alpha").exit_code == 0


def test_watching_a_topic_fall_silent_shows_its_age(qiki: Run, console: Any) -> None:
    watching = console("status", "--watch", "--json", "--period", "0.2", "--patience", "1.5")

    def next_with(stale: bool) -> Any:
        while True:
            motion = json.loads(watching.process.stdout.readline())["bots"].get("alpha", {}).get("motion")
            if motion and motion["stale"] is stale:
                return motion

    next_with(stale=False)
    assert qiki("sim", "fault", "alpha", "sensor_dropout", "odom").exit_code == 0
    try:
        assert next_with(stale=True)["age_s"] > 0.5
    finally:
        assert qiki("sim", "clear", "alpha").exit_code == 0
    next_with(stale=False)
    watching.stop(signal.SIGTERM)


def test_topics_are_listed_with_their_types(qiki: Run) -> None:
    line, hidden = "/alpha/odom  [nav_msgs/msg/Odometry]", "/alpha/allocator/transition_event"
    result = until(lambda found: line in found.stdout.splitlines(), lambda: qiki("topics", "list", "--types"))
    assert result.exit_code == 0
    assert hidden not in result.stdout
    until(lambda found: hidden in found.stdout.splitlines(), lambda: qiki("topics", "list", "--all"))


def test_echo_shows_a_field_of_some_messages(qiki: Run) -> None:
    result = qiki("topics", "echo", "alpha/thermal", "-n", "2", "--field", "temperature", "--json", "--timeout", "30")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [[31.5, None]] * 2


def test_echo_hears_a_latched_topic_at_once(qiki: Run) -> None:
    assert qiki("sim", "pause").exit_code == 0
    try:
        result = qiki(
            "topics", "echo", "/alpha/body/mass_properties", "--once", "--field", "inertia.m", "--timeout", "30"
        )
        assert (result.exit_code, result.stdout) == (0, "1200.0\n---\n")
    finally:
        assert qiki("sim", "resume").exit_code == 0


def test_echo_names_a_wrong_field(qiki: Run) -> None:
    result = qiki("topics", "echo", "/clock", "--once", "--field", "clock.hours", "--timeout", "30")
    assert result.exit_code == 2
    assert "'hours' of 'clock.hours' is not there; allowed: sec, nanosec" in result.output


def test_echo_says_when_a_topic_is_silent_or_not_there(qiki: Run) -> None:
    silent = qiki("topics", "echo", "/bravo/thruster_state", "--once", "--timeout", "0.5")
    assert silent.exit_code == 1
    assert "nothing came in 0.5 s" in silent.output


@pytest.mark.usefixtures("impatient")
def test_echo_says_when_a_topic_is_not_there(qiki: Run) -> None:
    complaint = "topic: '/alpha/odm' is not there; allowed: /alpha/odom, "
    absent = until(lambda result: complaint in result.output, lambda: qiki("topics", "echo", "/alpha/odm", "--once"))
    assert absent.exit_code == 2


def test_hz_measures_a_best_effort_topic(console: Any) -> None:
    measuring = console("topics", "hz", "/clock", "--window", "100")
    rate, lines = 0.0, iter(measuring.process.stdout.readline, "")
    for line in lines:
        if found := re.match(r"average rate: ([\d.]+)", line):
            rate = float(found[1])
        elif "window: 100" in line:
            shortest, longest = map(float, re.findall(r"(?:min|max): ([\d.]+)s", line))
            break
    # A loaded machine sends and receives less, or later and then several at once, but never many more over a second.
    assert 0.0 < rate < 150.0
    assert shortest - 0.001 <= 1.0 / rate <= longest + 0.001
    measuring.stop(signal.SIGINT)


def test_hz_of_a_silent_topic_fails(qiki: Run) -> None:
    result = qiki("topics", "hz", "/bravo/thruster_state", "--for", "1")
    assert result.exit_code == 1
    assert "no new messages" in result.output


def test_info_names_endpoints_and_who_cannot_hear_whom(qiki: Run) -> None:
    conflict = "incompatible: /qiki/sim -> /qiki/sim: Best effort publisher and reliable subscription"
    result = until(lambda found: conflict in found.stdout, lambda: qiki("topics", "info", "/alpha/odom"))
    assert "type: nav_msgs/msg/Odometry" in result.stdout
    assert "  /qiki/sim  (best effort, volatile)" in result.stdout
    assert "incompatible" not in qiki("topics", "info", "/alpha/cmd_wrench").stdout


def test_a_force_gives_force_times_time_by_mass(qiki: Run) -> None:
    value, more = flown(qiki, "--force", "-200", "0", "100", seconds=2.0)
    assert value["expected_delta_v_m_s"] == pytest.approx([-1 / 3, 0.0, 1 / 6])
    assert value["difference_percent"] == pytest.approx(100.0 * more / 2.0, abs=1.0)
    assert value["energy_j"] == pytest.approx(10_000.0 * (2.0 + more), rel=0.02)
    assert value["late_edges"] == 0
    # A message from the time before the first command took effect shows no force.
    for key in ("allocated", "achieved"):
        assert -201.0 < value[key]["force_n"][0] < -100.0
        assert value[key]["force_n"][2] == pytest.approx(-0.5 * value[key]["force_n"][0])


def test_force_and_torque_together_are_integrated_in_world(qiki: Run) -> None:
    """At the end the body has turned by some degrees: without turning the force the account would not close."""
    value, more = flown(qiki, "--force", "300", "0", "0", "--torque", "0", "0", "400", seconds=1.5)
    assert value["difference_percent"] == pytest.approx(100.0 * more / 1.5, abs=1.5 + 10.0 * abs(more))
    assert value["expected_delta_v_m_s"][1] > 0.05
    assert value["across_m_s"] < 0.01 + 0.25 * abs(more)  # 0.25 m/s^2
    assert value["gained_rate_rad_s"] == pytest.approx(value["expected_rate_rad_s"], abs=0.01 + 0.5 * abs(more))


def test_a_refused_command_ends_with_2_and_the_allocators_words(qiki: Run) -> None:
    result = qiki("thrust", "alpha", "--force", "9000", "0", "0", "--for", "1")
    assert result.exit_code == 2
    assert "force.x: 9000 is not allowed; allowed: -5000 to 5000 N" in result.output


@pytest.mark.usefixtures("impatient")
def test_an_unknown_bot_is_told_who_there_is(qiki: Run) -> None:
    complaint = "bot: 'charlie' is not there; allowed: alpha, bravo"
    result = until(
        lambda found: complaint in found.output,
        lambda: qiki("thrust", "charlie", "--force", "1", "0", "0", "--for", "1"),
    )
    assert result.exit_code == 2


@pytest.mark.usefixtures("impatient")
def test_a_bot_without_an_allocator_cannot_be_commanded(qiki: Run) -> None:
    complaint = "/bravo/cmd_wrench has no subscriber: is /bravo/allocator there and active?"
    result = until(
        lambda found: complaint in found.output,
        lambda: qiki("thrust", "bravo", "--force", "1", "0", "0", "--for", "1"),
    )
    assert result.exit_code == 3


@pytest.mark.usefixtures("impatient")
def test_a_paused_simulation_is_no_place_to_fly(qiki: Run) -> None:
    until(lambda found: found.exit_code == 0, lambda: qiki("sim", "pause"))
    try:
        result = until(
            lambda found: "simulated time stands still" in found.output,
            lambda: qiki("thrust", "alpha", "--force", "1", "0", "0", "--for", "1"),
        )
        assert result.exit_code == 3
    finally:
        until(lambda found: found.exit_code == 0, lambda: qiki("sim", "resume"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_flight_ends_with_a_zero_wrench(qiki: Run, console: Any, number: signal.Signals) -> None:
    flying = console("thrust", "alpha", "--force", "10", "0", "0", "--for", "600")
    # Its publisher first: a listener does not wait long for one.
    assert qiki("topics", "echo", "/alpha/cmd_wrench", "--once", "--timeout", str(PATIENCE)).exit_code == 0
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
    until(
        lambda result: result.stdout == "1\n---\n",
        lambda: qiki("topics", "echo", "/alpha/allocation", "--once", "--field", "state"),
    )


def test_others_are_noticed_on_the_way_and_a_reset_ends_a_flight(qiki: Run, console: Any) -> None:
    flying = console("thrust", "alpha", "--force", "10", "0", "0", "--for", "600")
    assert qiki("topics", "echo", "/alpha/cmd_wrench", "--once", "--timeout", str(PATIENCE)).exit_code == 0
    second = qiki("thrust", "alpha", "--force", "-10", "0", "0", "--for", "1", "--json")
    # Half of the commands are those of the other: about nothing is gained.
    assert second.exit_code == 1
    assert json.loads(second.stdout)["other_publishers"] == ["another command line"]
    assert "more than 5 % off: others command the bot too: another command line" in second.stderr
    assert qiki("sim", "reset").exit_code == 0
    code, _, err = flying.wait()
    assert code == 1
    assert "note: others command the bot too" in err
    assert "simulated time jumped back (reset?): the burn ended with a zero wrench" in err


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
    for name in ("nowhere", "n" * 300):
        result = qiki("sim", "load", name)
        assert result.exit_code == 2
        assert f"path: '{name}' is not there" in result.output


def test_a_scenario_file_is_given_as_an_absolute_path(qiki: Run, tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    result = qiki("sim", "load", "mine.yaml", "--seed", "7")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'mine.yaml'} 7\n"


@pytest.mark.usefixtures("impatient")
def test_a_fault_names_bots_that_exist(qiki: Run) -> None:
    complaint = "bot: 'charlie' is not there; allowed: alpha, bravo"
    result = until(
        lambda found: complaint in found.output,
        lambda: qiki("sim", "fault", "charlie", "thruster_weak", "3", "--value", "0.5"),
    )
    assert result.exit_code == 2


def test_a_fault_is_injected(qiki: Run) -> None:
    done = qiki("sim", "fault", "alpha", "thruster_weak", "3", "--value", "0.5", "--for", "2")
    assert (done.exit_code, done.stdout) == (0, "alpha: thruster_weak of 3 for 2 s\n")


def test_the_entry_point_runs_as_a_module() -> None:
    # By default a part of the graph is waited for some seconds only: the module is run again where that was too short.
    command = [sys.executable, "-m", "qiki_console", "topics", "list"]
    end = time.monotonic() + PATIENCE
    while "/clock" not in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        assert time.monotonic() < end
