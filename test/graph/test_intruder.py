"""A friend passes and an intruder claims its identity: twin and two nodes of transponder and tracks as real processes.

The twin's radio repeats the friend's claims with the intruder's position, as the shipped scenario has it.
"""

from pathlib import Path

import pytest
import yaml
from std_srvs.srv import Trigger

from qiki_msgs.msg import GuardState, RadarTrack, RadarTracks
from qiki_node.qos import STATE, TELEMETRY
from qiki_node.stamps import seconds
from qiki_node.testing import NodeProcess, Peer
from qiki_xpdr.keys import KeyRing, create

pytestmark = [pytest.mark.realtime, pytest.mark.requirement("XPDR-63")]

CONFIG = Path(__file__).resolve().parents[2] / "launch" / "config"
BEGINS = 5.0  # s, of the intruder's claims
FRAMES = 20  # of the radar, in 2 s


@pytest.fixture
def scenario(tmp_path):
    """The shipped scenario, with an intruder that begins earlier."""
    content = yaml.safe_load((CONFIG / "scenarios" / "intruder.yaml").read_text())
    for bot in content["bots"]:
        bot["vehicle"] = str(CONFIG / "vehicles" / "dodecahedron.yaml")
    content["intruders"][0]["at"] = BEGINS
    path = tmp_path / "intruder.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def keys(tmp_path):
    """Folder and id of each bot, which trust each other."""
    made = {bot: create(tmp_path / bot) for bot in ("alpha", "bravo")}
    ring = KeyRing(members={one.identity: (one.public(0),) for one in made.values()})
    for bot in made:
        path = tmp_path / bot / "ring.yaml"
        path.write_text(yaml.safe_dump(ring.model_dump(mode="json")))
        path.chmod(0o644)
    return {bot: (tmp_path / bot, one.identity) for bot, one in made.items()}


def start_bot(bot, folder):
    values = {"use_sim_time": "true", "events_enabled": "false", "mode": "'ON'", "keys_folder": folder}
    words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    return NodeProcess.of_module("qiki_xpdr.node", "-r", f"__ns:=/{bot}", *words)


def start_twin(scenario):
    values = {"scenario": scenario, "paused": "true", "events_enabled": "false"}
    words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    return NodeProcess.of_module("qiki_sim.node", "-r", "__ns:=/qiki", *words)


def tracks_of(messages, identity):
    """Times and tracks under an id."""
    return [
        (seconds(one.header.stamp), track)
        for one in messages
        for track in one.tracks
        if track.transponder_id == identity
    ]


def test_the_friend_stays_one_and_its_clone_falls_within_two_seconds(scenario, keys):
    friend = keys["bravo"][1]
    with (
        start_twin(scenario) as twin,
        start_bot("alpha", keys["alpha"][0]) as alpha,
        start_bot("bravo", keys["bravo"][0]) as bravo,
        Peer() as peer,
    ):
        seen, back, guards = [], [], []
        peer.node.create_subscription(RadarTracks, "/alpha/tracks", seen.append, TELEMETRY)
        peer.node.create_subscription(RadarTracks, "/bravo/tracks", back.append, TELEMETRY)
        peer.node.create_subscription(GuardState, "/alpha/guard", guards.append, STATE)
        for node in ("/qiki/sim", "/alpha/xpdr", "/bravo/xpdr"):
            peer.wait_until_active(node)
            peer.meet(f"{node}/get_state")
        assert peer.call(Trigger, "/qiki/sim/resume", Trigger.Request()).success

        def known(messages, bot):
            return any(track.iff == RadarTrack.FRIEND for _, track in tracks_of(messages, keys[bot][1]))

        peer.spin_until(lambda: known(seen, "bravo") and known(back, "alpha"))
        assert not any(one.alerts for one in guards), "a friend that is far away"

        def fallen():
            return any(track.spoof_state == RadarTrack.SPOOF for _, track in tracks_of(seen, friend))

        peer.spin_until(fallen)
        peer.spin_until(lambda: bool(guards[-1].alerts))
        peer.spin_for(0.5)
        for process in (alpha, bravo, twin):
            assert "failed" not in process.stop(), "a callback raised"
    claimed = tracks_of(seen, friend)
    time, clone = next((time, track) for time, track in claimed if track.spoof_state == RadarTrack.SPOOF)
    assert clone.iff == RadarTrack.FOE
    assert clone.range == pytest.approx(400.0, abs=10.0)
    assert clone.evidence
    # Frames, not seconds: a busy machine loses some of them.
    assert sum(BEGINS <= seconds(one.header.stamp) <= time for one in seen) <= FRAMES
    verified = min(time for time, track in claimed if track.iff == RadarTrack.FRIEND)
    honest = [track for time, track in claimed if time > verified and track.id != clone.id]
    assert honest
    assert {track.iff for track in honest} == {RadarTrack.FRIEND}
    assert {track.spoof_state for track in honest} <= {RadarTrack.TRUSTED, RadarTrack.UNVERIFIED}
    alerts = {(alert.rule, alert.track) for one in guards for alert in one.alerts}
    assert alerts == {("SPOOFING_DETECTED", clone.id)}
