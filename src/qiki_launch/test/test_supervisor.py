"""Launches as real processes: restart, order of stop, output, state, the verbs, and what is left after a kill."""

import json
import os
import re
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import IO, Any

import pytest

from qiki_events import REGISTRY

SLEEPER = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("begin", *sys.argv[1:2], flush=True)
while True:
    time.sleep(60)
"""
STUBBORN = """
import os, signal, time
def hear(number, _):
    try:
        os.write(1, b"heard %d\\n" % number)
    except BrokenPipeError:
        pass
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, hear)
print("begin", flush=True)
while True:
    time.sleep(60)
"""
PATIENCE = 30.0


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(") ")[2].startswith("Z")


def node(name: str, executable: str = "sleeper", **attributes: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in attributes.items())
    return f"  - node: {{pkg: fake, exec: {executable}, name: {name}, namespace: t, output: screen{more}}}\n"


# Life


def test_every_event_fits_its_type(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.prefix.executable("broken", "").write_text("#!/nowhere/python\n")
    run.start("launch:\n" + node("a", respawn="'true'", respawn_delay="0.1") + node("b", "broken"))
    run.says("[t/a] begin")
    run.says("t/b: cannot be started")
    os.kill(run.pid("t/a"), signal.SIGKILL)
    wait_for(lambda: run.output.read_text().count("[t/a] begin") == 2)
    assert run.stop() == 0
    events = [json.loads(file.read_text()) for file in sorted((run.folder / "inbox").glob("*.json"))]
    kinds = {event["type"] for event in events}
    assert kinds == {name for name in REGISTRY.types if name.startswith("launch.")}
    for event in events:
        REGISTRY.encode(event["type"], event["payload"])


@pytest.mark.requirement("L-4")
def test_a_killed_node_is_restarted_and_the_state_says_so(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.start("launch:\n" + node("a", respawn="'true'", respawn_delay="0.1") + node("b"))
    first, other = run.pid("t/a"), run.pid("t/b")
    run.says("[t/a] begin")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: run.record("t/a")["restarts"] == 1 and run.record("t/a")["state"] == "running")
    record = run.record("t/a")
    assert record["identity"]["pid"] != first
    assert record["last_exit"] == "killed by SIGKILL"
    assert run.pid("t/b") == other
    assert run.stop() == 0
    state = run.state()
    assert state["phase"] == "stopped"
    assert [one["state"] for one in state["processes"]] == ["stopped", "stopped"]
    assert gone(record["identity"]["pid"])
    assert gone(other)


@pytest.mark.requirement("L-4")
def test_a_node_that_dies_at_once_waits_longer_each_time(run: Any) -> None:
    run.prefix.executable("broken", "import sys; sys.exit(70)")  # as the nodes' watchdog does
    run.start("launch:\n" + node("a", "broken", respawn="'true'", respawn_delay="0.1"))
    run.says("restart 4 in ")
    waits = [float(line.split()[-2]) for line in run.output.read_text().splitlines() if "restart" in line]
    assert waits[:4] == [0.1, 1.0, 2.0, 4.0]
    assert "ended 3 times in a row within 10 s of its start (exit code 70)" in run.output.read_text()
    assert run.record("t/a")["last_exit"] == "exit code 70"
    assert run.stop() == 0


@pytest.mark.requirement("L-1")
@pytest.mark.parametrize("code", [0, 3])
def test_on_exit_shutdown_ends_the_launch_in_place_of_a_restart(code: int, run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    source = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)\nsys.exit({})"
    run.prefix.executable("waiter", source.format(code))
    sign = run.prefix.path / "sign"
    last = node("b", "waiter", on_exit="shutdown", args=str(sign), respawn="'true'", respawn_delay="0.1")
    process = run.start("launch:\n" + node("a") + last)
    run.says("[t/a] begin")
    sign.touch()
    assert process.wait(PATIENCE) == (1 if code else 0)
    run.says("t/b has ended (on_exit: shutdown): stopping")
    states = {record["name"]: (record["state"], record["restarts"]) for record in run.state()["processes"]}
    assert states == {"t/a": ("stopped", 0), "t/b": ("failed" if code else "exited", 0)}


def test_without_respawn_the_launch_ends_with_its_nodes(run: Any) -> None:
    run.prefix.executable("fine")
    run.prefix.executable("broken", "import sys; sys.exit(3)")
    assert run.start("launch:\n" + node("a", "fine")).wait(PATIENCE) == 0
    assert run.start("launch:\n" + node("a", "fine") + node("b", "broken")).wait(PATIENCE) == 1
    assert [record["state"] for record in run.state()["processes"]] == ["exited", "failed"]


def test_a_limited_number_of_retries(run: Any) -> None:
    run.prefix.executable("broken", "import sys; sys.exit(3)")
    text = "launch:\n" + node("a", "broken", respawn="'true'", respawn_delay="0.0", respawn_max_retries="1")
    assert run.start(text).wait(PATIENCE) == 1
    assert run.record("t/a")["restarts"] == 1


def test_an_executable_that_cannot_start_is_reported_and_retried(run: Any) -> None:
    path = run.prefix.executable("broken")
    path.write_text("#!/no/such/interpreter\n")
    run.start("launch:\n" + node("a", "broken", respawn="'true'", respawn_delay="0.1"))
    run.says("t/a: cannot be started")
    run.prefix.executable("broken", SLEEPER)
    assert run.pid("t/a")
    assert run.stop() == 0


# Stop


@pytest.mark.requirement("L-5")
def test_nodes_stop_in_reverse_order(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.start("launch:\n" + node("a") + node("b") + node("c"))
    for name in "abc":
        run.says(f"[t/{name}] begin")
    assert run.stop() == 0
    ends = [line.split()[1] for line in run.output.read_text().splitlines() if "exit code 0" in line]
    assert ends == ["t/c:", "t/b:", "t/a:"]


@pytest.mark.requirement("L-5")
def test_a_stubborn_node_gets_sigint_sigterm_sigkill(run: Any) -> None:
    run.prefix.executable("stubborn", STUBBORN)
    run.prefix.executable("sleeper", SLEEPER)
    # Time enough for both to get a signal on a busy machine before the next one is sent.
    run.start("launch:\n" + node("a") + node("b", "stubborn", sigterm_timeout="5.0", sigkill_timeout="5.0"))
    run.says("[t/b] begin")
    run.says("[t/a] begin")
    assert run.stop() == 0
    text = run.output.read_text()
    order = [
        text.index(part)
        for part in ("heard 2", "sending SIGTERM", "heard 15", "sending SIGKILL", "t/b: killed by SIGKILL")
    ]
    assert order == sorted(order)
    # The next in order was not kept waiting for the end of the stubborn one.
    assert text.index("t/a: exit code 0") < text.index("sending SIGKILL")


@pytest.mark.requirement("L-5")
def test_what_a_node_started_does_not_outlive_it(run: Any) -> None:
    run.prefix.executable(
        "parent",
        "import subprocess, time\nprint('child', subprocess.Popen(['sleep', '600']).pid, flush=True)\ntime.sleep(600)",
    )
    run.start("launch:\n" + node("a", "parent"))
    run.says("[t/a] child ")
    child = int(run.output.read_text().partition("[t/a] child ")[2].split()[0])
    os.kill(run.pid("t/a"), signal.SIGKILL)
    assert run.process.wait(PATIENCE) == 1
    wait_for(lambda: gone(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_too(number: signal.Signals, run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.start("launch:\n" + node("a"))
    run.says("[t/a] begin")
    run.process.send_signal(number)
    assert run.process.wait(PATIENCE) == 0


def test_a_hangup_that_the_starter_has_ignored_stops_nothing(run: Any) -> None:
    run.heed_signals = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    run.prefix.executable("sleeper", SLEEPER)
    run.start("launch:\n" + node("a"))
    run.says("[t/a] begin")
    status = Path(f"/proc/{run.process.pid}/status").read_text()
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    assert ignored & 1 << signal.SIGHUP - 1
    run.process.send_signal(signal.SIGHUP)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(PATIENCE) == 0
    assert "SIGTERM: stopping" in run.output.read_text()


# Output


@pytest.mark.requirement("L-6")
def test_output_goes_to_screen_and_log_as_asked(run: Any) -> None:
    source = "import sys\nprint('to out')\nprint('to err', file=sys.stderr)\nsys.stdout.write('no end')"
    run.prefix.executable("talker", source)
    run.start("launch:\n" + node("a", "talker") + node("b", "talker").replace("screen", "log")).wait(PATIENCE)
    text = run.output.read_text()
    for line in ("[t/a] to out", "[t/a] to err", "[t/a] no end", "[t/b] to err"):
        assert line in text
    assert "[t/b] to out" not in text
    for name in "ab":
        lines = (run.folder / f"log/t.{name}.log").read_text().splitlines()
        assert sorted(lines) == ["no end", "to err", "to out"]


@pytest.mark.requirement("L-6")
def test_a_paused_terminal_stops_neither_the_supervision_nor_the_end(run: Any) -> None:
    run.prefix.executable("talker", f"for _ in range(15000): print('x' * 99)\n{SLEEPER}")
    master, slave = os.openpty()
    termios.tcflow(slave, termios.TCOOFF)  # Ctrl-S
    run.start("launch:\n" + node("a", "talker", respawn="'true'", respawn_delay="0.1"), terminal=slave)
    begun = run.folder / "log/t.a.log"
    first = run.pid("t/a")
    wait_for(lambda: "begin" in begun.read_text())
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: run.record("t/a")["restarts"] == 1 and run.record("t/a")["state"] == "running")
    wait_for(lambda: "begin" in begun.read_text().rpartition("x" * 99)[2])
    termios.tcflow(slave, termios.TCOON)
    shown = b""
    while b"lines are not shown" not in shown:
        shown = shown[-100:] + os.read(master, 65536)
    termios.tcflow(slave, termios.TCOOFF)
    assert run.stop() == 0
    os.close(master)
    os.close(slave)


def test_a_full_pipe_stops_nothing_and_gets_all_lines_later(run: Any) -> None:
    run.prefix.executable("talker", f"for number in range(9000): print(f'{{number:080}}')\n{SLEEPER}")
    ours, theirs = os.pipe()
    run.start("launch:\n" + node("a", "talker"), terminal=theirs)
    os.close(theirs)
    assert run.pid("t/a")
    wait_for(lambda: "begin" in (run.folder / "log/t.a.log").read_text())
    with os.fdopen(ours) as pipe:
        numbers = []
        for line in pipe:
            if line.startswith("[t/a] begin"):
                break
            numbers += [int(line.split()[1])] if line.startswith("[t/a] ") else []
        assert numbers == list(range(9000))
        assert run.stop() == 0


def test_parameters_and_environment_reach_the_node(run: Any) -> None:
    run.prefix.executable(
        "teller", "import os, sys\nprint(os.environ['T_X'], open(sys.argv[sys.argv.index('--params-file') + 1]).read())"
    )
    text = node("a", "teller", env="[{name: T_X, value: seen}]", param="[{name: p, value: $(var v)}]")
    run.start("launch:\n  - arg: {name: v}\n" + text, "v:=4").wait(PATIENCE)
    assert "[t/a] seen /t/a:\n[t/a]   ros__parameters:\n[t/a]     p: 4\n" in run.output.read_text()


# Verbs


@pytest.mark.requirement("L-7")
def test_ps_logs_and_down(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    assert "nothing was started" in run.call("ps").stderr
    assert "nothing is running" in run.call("down").stdout
    run.start("launch:\n" + node("a") + node("b"))
    pid = run.pid("t/a")
    run.says("[t/b] begin")
    run.says("[t/a] begin")
    shown = run.call("ps")
    assert shown.returncode == 0
    assert "t/a" in shown.stdout
    assert str(pid) in shown.stdout
    rows = json.loads(run.call("ps", "--json").stdout)["processes"]
    assert [(row["name"], row["state"]) for row in rows] == [("t/a", "running"), ("t/b", "running")]
    assert rows[0]["memory"] > 1e6
    assert rows[0]["uptime"] > 0.0
    assert run.call("logs", "/t/a").stdout == "[t/a] begin --ros-args\n"
    assert run.call("logs", "b").stdout == "[t/b] begin --ros-args\n"
    assert "[t/a] begin --ros-args\n[t/b] begin --ros-args\n" in run.call("logs").stdout
    assert run.call("logs", "-n", "0").stdout == ""
    assert "node: 'x' is not there; allowed: t/a, t/b" in run.call("logs", "x").stderr
    stopped = run.call("down")
    assert stopped.returncode == 0
    assert stopped.stdout == "stopped: t/a, t/b\n"
    assert run.process.wait(PATIENCE) == 0
    assert "the run has ended" in run.call("ps").stdout
    assert "nothing is running" in run.call("down").stdout


def test_logs_follow_a_restart(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.start("launch:\n" + node("a", respawn="'true'", respawn_delay="0.1"))
    run.says("[t/a] begin")
    follower = subprocess.Popen(
        run.command("logs", "-f"),
        env=run.environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=run.heed_signals,  # noqa: PLW1509  (no thread of a test runs here)
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == "[t/a] begin --ros-args\n"
    os.kill(run.pid("t/a"), signal.SIGKILL)
    assert follower.stdout.readline() == "[t/a] begin --ros-args\n"
    follower.send_signal(signal.SIGINT)
    assert follower.wait(PATIENCE) == 0
    follower.stdout.close()


@pytest.mark.requirement("L-9")
def test_a_second_launch_in_the_same_folder_is_refused(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    process = run.start("launch:\n" + node("a"))
    pid = run.pid("t/a")
    refused = run.call("launch", str(run.prefix.share / "run.launch.yaml"))
    assert refused.returncode == 1
    assert f"a launch (pid {process.pid}, " in refused.stderr
    assert "is running in" in refused.stderr
    assert not gone(pid)
    assert run.call("down").returncode == 0


def test_print_and_show_args_start_nothing(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    run.prefix.launch_file(
        "x.launch.yaml", "launch:\n  - arg: {name: v, default: one, description: what}\n" + node("a")
    )
    printed = run.call("launch", "fake", "x.launch.yaml", "--print", "v:=2")
    assert printed.returncode == 0
    assert "label: t/a" in printed.stdout
    assert "__node:=a" in printed.stdout
    shown = run.call("launch", "fake", "x.launch.yaml", "--show-args").stdout
    assert "v\n      what\n      (default: 'one')" in shown
    assert not run.folder.exists()
    assert "package 'absent' is not installed" in run.call("launch", "absent", "x.launch.yaml").stderr
    assert "is a file name of that package missing?" in run.call("launch", "absent").stderr


# What is left after a kill


@pytest.mark.requirement("L-7")
def test_nodes_do_not_outlive_a_killed_supervisor(run: Any) -> None:
    run.prefix.executable("sleeper", SLEEPER)
    process = run.start("launch:\n" + node("a"))
    pid = run.pid("t/a")
    process.kill()
    process.wait()
    wait_for(lambda: gone(pid))
    shown = run.call("ps")
    assert shown.returncode == 1
    assert "the supervisor is gone" in shown.stdout
    assert "lost" in shown.stdout
    assert "nothing is running" in run.call("down").stdout
    assert run.call("ps").returncode == 0


@pytest.mark.requirement("L-7")
@pytest.mark.parametrize("again", [False, True])
def test_orphans_that_ignore_the_kernels_sigterm_are_found(run: Any, again: bool) -> None:
    run.prefix.executable("stubborn", STUBBORN)
    text = "launch:\n" + node("a", "stubborn", sigterm_timeout="0.2", sigkill_timeout="0.2")
    process = run.start(text)
    run.says("[t/a] begin")
    pid = run.pid("t/a")
    process.kill()
    process.wait()
    time.sleep(0.2)
    assert not gone(pid)
    if again:
        run.start(text)
        run.says("stopped t/a, left by a supervisor that died")
        assert gone(pid)  # it is waited for
        assert run.pid("t/a") != pid
        assert run.call("down").returncode == 0
        return
    stopped = run.call("down")
    assert stopped.returncode == 0
    assert "is gone; stopping what it left" in stopped.stdout
    assert "stopped: t/a" in stopped.stdout
    assert gone(pid)


def is_in_order(port: IO[bytes]) -> bool:
    """The mark of a port of Fast DDS, which a writer reads: the lowest bit of the word 24 bytes behind its number, by
    the layout of `SharedMemGlobal::PortNode`. A reader is dead for it after 1000 ms, a wait takes 333."""
    port.seek(0)
    number = int(re.sub(r".*port", "", port.name))
    (found,) = re.finditer(struct.pack("<I", number) + b".{4}" + struct.pack("<II", 1000, 333), port.read(), re.DOTALL)
    port.seek(found.start() + 24)
    return bool(port.read(1)[0] & 1)


@pytest.mark.realtime
@pytest.mark.requirement("L-8")
def test_shared_memory_of_a_killed_node_is_removed_before_its_restart(run: Any) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed here")
    source = (
        "import rclpy, time\n"
        "rclpy.init()\n"
        "node = rclpy.create_node('probe')\n"
        "print('up', flush=True)\n"
        "while True:\n"
        "    time.sleep(60)\n"
    )
    run.prefix.executable("probe", source, options="")
    run.environment["ROS_DOMAIN_ID"] = str(100 + os.getpid() % 100)
    run.environment["RMW_IMPLEMENTATION"] = "rmw_fastrtps_cpp"
    # A profile without shared memory, where tests of other packages have set it in this process.
    run.environment.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
    run.start("launch:\n" + node("a", "probe", respawn="'true'", respawn_delay="1.5"))
    run.says("[t/a] up")
    pid = run.pid("t/a")
    maps = Path(f"/proc/{pid}/maps").read_text().split()
    mapped = {Path(word) for word in maps if word.startswith(("/dev/shm/fastrtps_", "/dev/shm/fastdds_"))}
    segments = {path for path in mapped if "_port" not in path.name}
    assert segments
    ports = [path.open("rb") for path in mapped if path.with_name(f"{path.name}_el").exists() and "_port" in path.name]
    assert ports
    assert all(is_in_order(port) for port in ports)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: run.record("t/a")["restarts"] == 1 and run.record("t/a")["state"] == "running")
    assert not [path for path in segments if path.exists()]
    assert not any(is_in_order(port) for port in ports), "writers would go on to fill the removed ports"
    for port in ports:
        port.close()
    assert run.stop() == 0
