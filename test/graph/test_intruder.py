"""A friend passes and an intruder claims its identity: the procedure `intruder` with the real processes.

The twin's radio repeats the friend's claims with the intruder's position, as the shipped scenario has it.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from qiki_events import REGISTRY
from qiki_msgs.msg import GuardState, RadarTrack, RadarTracks
from qiki_msgs.srv import QueryEvents
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.stamps import seconds
from qiki_node.testing import NodeProcess, Peer
from qiki_xpdr.custody import Custody

pytestmark = [pytest.mark.realtime, pytest.mark.requirement("XPDR-63")]

CONFIG = Path(__file__).resolve().parents[2] / "launch" / "config"
BEGINS = 6.0  # s, of the intruder's claims
SPEED = 6.0  # m/s, of the friend: nearest after 10 s
FRAMES = 20  # of the radar, in 2 s
LONGEST = 120.0  # s of wall time, of the procedure


@pytest.fixture
def scenarios(tmp_path):
    """One with a friend that stays away; the shipped one, with a faster friend and an intruder that begins earlier."""
    content = yaml.safe_load((CONFIG / "scenarios" / "intruder.yaml").read_text())
    for bot in content["bots"]:
        bot["vehicle"] = str(CONFIG / "vehicles" / "dodecahedron.yaml")
    quiet = {**content, "intruders": [], "bots": [*content["bots"][:1], {**content["bots"][1], "velocity": [0.0] * 3}]}
    content["bots"][1]["velocity"] = [0.0, SPEED, 0.0]
    content["intruders"][0]["at"] = BEGINS
    files = tmp_path / "quiet.yaml", tmp_path / "intruder.yaml"
    for file, one in zip(files, (quiet, content), strict=True):
        file.write_text(yaml.safe_dump(one))
    return files


@pytest.fixture
def keys(tmp_path):
    """Folder and id of each bot, which trust each other."""
    return {one.bot: (tmp_path / one.bot, one.own.identity) for one in Custody(tmp_path).create(["alpha", "bravo"])}


def start(module, name, **values):
    words = [word for key, value in values.items() for word in ("-p", f"{key}:={value}")]
    return NodeProcess.of_module(module, "-r", f"__ns:={name}", *words)


def tracks_of(messages, identity):
    """Times and tracks under an id."""
    return [
        (seconds(one.header.stamp), track)
        for one in messages
        for track in one.tracks
        if track.transponder_id == identity
    ]


def of_last_world(messages):
    """Messages since simulated time was set back last."""
    stamps = [seconds(one.header.stamp) for one in messages]
    begins = [index for index in range(1, len(stamps)) if stamps[index] < stamps[index - 1]]
    return messages[begins[-1] :]


def test_the_friend_passes_and_its_clone_falls_within_two_seconds(scenarios, keys, tmp_path):
    quiet, scenario = scenarios
    friend = keys["bravo"][1]
    store = f"sqlite:///{tmp_path / 'events.db'}"
    spool = {"events_spool": tmp_path / "outbox"}
    with ExitStack() as stack:
        peer = stack.enter_context(Peer())
        processes = {
            "/qiki/eventstore": start("qiki_eventstore.node", "/qiki", url=store),
            "/qiki/sim": start("qiki_sim.node", "/qiki", scenario=quiet, events_enabled="false"),
        }
        for bot, (folder, _) in keys.items():
            own = {"use_sim_time": "true", "keys_folder": folder, **spool}
            processes[f"/{bot}/xpdr"] = start("qiki_xpdr.node", f"/{bot}", **own)
        for process in processes.values():
            stack.enter_context(process)
        seen, guards = [], []
        peer.node.create_subscription(RadarTracks, "/alpha/tracks", seen.append, TELEMETRY)
        peer.node.create_subscription(GuardState, "/alpha/guard", guards.append, STATE)
        for node in processes:
            peer.wait_until_active(node)
            peer.meet(f"{node}/get_state")

        procedure = [sys.executable, "-m", "qiki_console", "run", "intruder", "--set", f"scenario={scenario}"]
        with subprocess.Popen(procedure, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            peer.spin_until(lambda: run.poll() is not None, LONGEST)
            output = run.stdout.read()
        assert run.returncode == 0, output
        assert "intruder: EXECUTED, 9 of 9 steps" in output

        clone = shown_with_evidence(friend)
        request = QueryEvents.Request(types=["guard.alert_raised"], streams=["alpha/xpdr"])
        request.start = request.recorded_start = -(2**63)  # no bounds
        raised = peer.call(QueryEvents, "/qiki/eventstore/query", request).events
        for process in reversed(processes.values()):
            assert "failed" not in process.stop(), "a callback raised"
    [event] = raised
    alert = REGISTRY.decode(event.type, event.schema_version, event.content_type, bytes(event.payload))
    assert (alert["rule"], alert["identity"], alert["spoof"]) == ("SPOOFING_DETECTED", friend, "SPOOF")
    check(of_last_world(seen), friend, clone)
    alerts = {(alert.rule, alert.track) for one in guards for alert in one.alerts}
    assert alerts == {("SPOOFING_DETECTED", clone)}


def shown_with_evidence(friend):
    """Id of the clone, whose evidence `qiki tracks` shows."""
    command = [sys.executable, "-m", "qiki_console", "tracks", "alpha", "--json"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=True)
    [clone] = [track for track in json.loads(shown.stdout)["alpha"]["tracks"] if track["spoof"] == "SPOOF"]
    assert clone["transponder_id"] == friend
    assert any(one["statistic"] >= one["threshold"] and one["text"] for one in clone["evidence"])
    return clone["id"]


def check(messages, friend, clone):
    """The clone falls in time, the friend stays one once it is verified."""
    claimed = tracks_of(messages, friend)
    time, fallen = next((time, track) for time, track in claimed if track.spoof_state == RadarTrack.SPOOF)
    assert (fallen.id, fallen.iff) == (clone, RadarTrack.FOE)
    assert fallen.range == pytest.approx(400.0, abs=10.0)
    # Frames, not seconds: a busy machine loses some of them.
    assert sum(BEGINS <= seconds(one.header.stamp) <= time for one in messages) <= FRAMES
    verified = min(time for time, track in claimed if track.iff == RadarTrack.FRIEND)
    honest = [track for time, track in claimed if time > verified and track.id != clone]
    assert min(track.range for track in honest) == pytest.approx(60.0, abs=2.0)
    assert {track.iff for track in honest} == {RadarTrack.FRIEND}
    assert {track.spoof_state for track in honest} <= {RadarTrack.TRUSTED, RadarTrack.UNVERIFIED}
