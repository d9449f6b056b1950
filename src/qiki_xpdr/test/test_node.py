"""The node as a real process: a friend, its clone, interrogations, modes, power, keys, and garbage on its topics."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from air import VEHICLE, Ear, friend, observer
from diagnostic_msgs.msg import DiagnosticArray
from xpdr_bench import NODE, Bench
from xpdr_process import ALPHA, BOUNDS, FRIEND, PLACE, is_friend, made, set_mode, start, write_ring

from qiki_msgs.msg import Energy, RadarTrack, RfReception, XpdrState
from qiki_msgs.srv import Interrogate, ListGuardRules, SetGuardMode
from qiki_node import stamps
from qiki_node.testing import Peer
from qiki_vehicle.keys import key_id
from qiki_xpdr import Mode, Reason, Rules, Transponder
from qiki_xpdr.frames import SIGNATURE

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.requirement("XPDR-60"),
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]

LONELY = (0.0, -400.0, 20.0)


@pytest.fixture(scope="module")
def alpha(tmp_path_factory):
    """Node and bench of the whole module; each test brings about the state that it needs."""
    folder = made(tmp_path_factory.mktemp("alpha") / "keys")
    with start(folder) as process, Peer() as peer:
        yield SimpleNamespace(peer=peer, bench=Bench(peer), folder=folder, xpdr=friend())
        text = process.stop()
    assert "failed" not in text, "a callback raised"
    for kind in ("track confirmed", "iff changed", "spoof state changed", "guard alert raised", "guard mode changed"):
        assert kind in text, kind
    for kind in ("iff answered", "xpdr keys changed", "xpdr mode changed", "xpdr spoof armed", "clock set back"):
        assert kind in text, kind


@pytest.fixture
def bench(alpha):
    """The bench with a verified friend, and the node in mode ON."""
    bench = alpha.bench
    bench.bodies = [(PLACE, alpha.xpdr)]
    bench.run(lambda: is_friend(bench))
    if bench.states[-1].mode != XpdrState.ON:
        assert set_mode(alpha.peer, "ON").success
    return bench


def interrogate(alpha, **fields):
    """Answer to an interrogation, for which the bodies go on."""
    client = alpha.peer.client(Interrogate, f"{NODE}/interrogate")
    alpha.peer.meet(f"{NODE}/interrogate")
    asked = client.call_async(Interrogate.Request(**fields))
    alpha.bench.settle()
    alpha.bench.run(asked.done)
    return asked.result()


def test_a_friend_is_trusted_and_the_node_is_verified_by_others(bench):
    bench.run(lambda: bench.track(PLACE).spoof_state == RadarTrack.TRUSTED)
    seen = bench.track(PLACE)
    assert (seen.transponder_id, seen.id_present, seen.transponder_on) == (FRIEND.identity, True, True)
    assert (seen.iff_reason, seen.band) == (Reason.MANIFEST, RadarTrack.SR)
    assert seen.id.startswith("alpha-")
    assert seen.rcs == pytest.approx(10.0 ** ((seen.snr - 13.0) / 10.0) * (seen.range / 5000.0) ** 4, rel=0.1)
    listener = Ear(observer(ALPHA))

    def verified():
        listener.take([bytes(one.frame) for one in bench.sent], bench.now)
        bench.sent.clear()
        listener.check(bench.now)
        return Reason.MANIFEST in listener.reasons()

    bench.run(verified)
    state = bench.states[-1]
    assert (state.signing, state.group, state.id, state.effective) == (True, True, ALPHA.identity, XpdrState.ON)
    assert state.key == key_id(ALPHA.public(0).raw).hex()


@pytest.mark.parametrize(("method", "proof"), [("HMAC", Reason.GROUP_ANSWER), ("SIGNATURE", Reason.SIGNED_ANSWER)])
def test_a_track_proves_its_identity(alpha, bench, method, proof):
    result = interrogate(alpha, track=bench.track(PLACE).id, method=method, command_id="ask-1")
    assert (result.success, result.reason_code, result.method) == (True, proof, method), result
    assert result.round_trip == pytest.approx(2.0 * math.hypot(*PLACE) / 299_792_458.0)


def test_an_interrogation_without_an_answer_ends_by_its_time(alpha, bench):
    assert bench.bodies
    result = interrogate(alpha, transponder_id="SHIP-1", timeout=0.3)
    assert (result.success, result.reason_code, result.method) == (False, Reason.NO_ANSWER, "")


@pytest.mark.parametrize(
    "fields",
    [
        {"track": "bravo-1"},
        {"track": "alpha-999999"},
        {},
        {"transponder_id": "x"},
        {"transponder_id": "SHIP-1", "timeout": math.nan},
        {"transponder_id": "SHIP-1", "method": "hmac"},
    ],
)
def test_an_interrogation_that_cannot_be_is_refused(alpha, bench, fields):
    assert bench.bodies
    refused = alpha.peer.call(Interrogate, f"{NODE}/interrogate", Interrogate.Request(**fields))
    assert (refused.success, refused.reason_code) == (False, Reason.WRONG_ORDER)
    assert "allowed" in refused.message


def test_the_node_answers_an_interrogation(alpha, bench):
    question = observer(ALPHA).interrogate(ALPHA.identity, bench.now, SIGNATURE)
    sent = bench.receive(question, PLACE)
    alpha.peer.spin_until(lambda: any(one.answers == sent for one in bench.sent))


def test_a_clone_falls_within_two_seconds_and_the_guard_reports_it(alpha, bench):
    number = bench.track(PLACE).id
    bench.bodies.append((LONELY, None))
    bench.run(lambda: bench.track(LONELY) is not None)
    bench.bodies[1] = (LONELY, Transponder(VEHICLE.transponder, FRIEND.identity, mode=Mode.ON))
    bench.run(lambda: bench.track(LONELY).spoof_state == RadarTrack.SPOOF, limit=2.05)
    clone = bench.track(LONELY)
    assert clone.iff == RadarTrack.FOE
    assert clone.evidence
    assert bench.track(PLACE).id == number
    assert is_friend(bench)
    bench.run(lambda: bool(bench.guards) and bool(bench.guards[-1].alerts))
    (alert,) = bench.guards[-1].alerts
    assert (alert.rule, alert.track, alert.effect) == ("SPOOFING_DETECTED", clone.id, True)
    for mode, effect in (("PASSIVE", False), ("ACTIVE", True)):
        request = SetGuardMode.Request(mode=mode, user="operator", reason="test")
        assert alpha.peer.call(SetGuardMode, f"{NODE}/set_guard_mode", request).success
        bench.run(lambda effect=effect: [one.effect for one in bench.guards[-1].alerts] == [effect])


def test_the_rules_are_listed_and_a_wrong_mode_is_refused(alpha, bench):
    assert bench.bodies
    listed = alpha.peer.call(ListGuardRules, f"{NODE}/list_guard_rules", ListGuardRules.Request())
    rules = Rules.model_validate(yaml.safe_load(listed.yaml)).rules
    assert {rule.id for rule in rules} >= {"UNKNOWN_CONTACT_CLOSE", "SPOOFING_DETECTED"}
    assert listed.mode == XpdrState.GUARD_ACTIVE
    for fields in ({"mode": "ON", "user": "a", "reason": "b"}, {"mode": "OFF"}):
        refused = alpha.peer.call(SetGuardMode, f"{NODE}/set_guard_mode", SetGuardMode.Request(**fields))
        assert not refused.success
        assert "allowed" in refused.message


def test_keys_change_without_a_restart_and_a_file_that_others_may_write_changes_nothing(alpha, bench):
    ring_file, revoked = alpha.folder / "ring.yaml", key_id(FRIEND.public(0).raw).hex()
    ring_file.chmod(0o666)
    until = bench.now + 2.5
    bench.run(lambda: bench.now > until)
    assert is_friend(bench)
    write_ring(alpha.folder, revoked=[revoked])
    bench.run(lambda: bench.track(PLACE).iff == RadarTrack.UNKNOWN)
    write_ring(alpha.folder)
    bench.run(lambda: is_friend(bench))


def test_spoof_needs_two_steps_and_silent_transmits_nothing(alpha, bench):
    peer = alpha.peer
    refused = set_mode(peer, "SPOOF")
    assert (refused.success, refused.reason_code) == (False, Reason.NOT_ARMED)
    armed = set_mode(peer, "SPOOF", arm=True)
    assert armed.success
    assert armed.code > 0
    assert armed.seconds == VEHICLE.transponder.arm_time
    bench.run(lambda: bench.states[-1].armed)
    assert set_mode(peer, "SPOOF", code=armed.code).success
    bench.run(lambda: any(b"SHIP-9" in bytes(one.frame) for one in bench.sent))
    for wrong in ({"mode": "on"}, {"mode": "ON", "user": " "}, {"mode": "ON", "arm": True}):
        refused = set_mode(peer, **wrong)
        assert (refused.success, refused.reason_code) == (False, Reason.WRONG_ORDER)
        assert "allowed" in refused.message
    assert set_mode(peer, "SILENT").success
    bench.step()
    bench.sent.clear()
    for _ in range(5):
        bench.receive(observer(ALPHA).interrogate(ALPHA.identity, bench.now, SIGNATURE), PLACE)
        bench.step()
    refused = interrogate(alpha, track=bench.track(PLACE).id)
    assert (refused.success, refused.reason_code) == (False, Reason.NOT_TRANSMITTING)
    assert bench.sent == []
    assert bench.states[-1].power == 0.0


def test_power_is_shed_and_restored_and_the_order_stays(bench):
    for on, effective in ((False, XpdrState.OFF), (True, XpdrState.ON)):
        bench.energy.publish(bench.stamp(Energy(loads=["radar", "transponder"], load_on=[True, on])))
        bench.run(lambda effective=effective: bench.states[-1].effective == effective)
        state = bench.states[-1]
        assert (state.mode, state.shed, state.power) == (XpdrState.ON, not on, 6.0 if on else 0.0)


def test_garbage_on_each_topic_is_refused_and_the_friend_stays(alpha, bench):
    number = bench.track(PLACE).id
    wild = [(math.nan,) * 5, (-5.0, 1.0, 0.0, 0.0, 9.0), (50.0, 2.0 * math.pi, 0.0, 0.0, 9.0)]

    def flooded():
        bench.tick()
        many = np.column_stack([bench.rng.uniform(low, high, 10_000) for low, high in BOUNDS])
        bench.radar.publish(bench.frame_message(wild + many.tolist()))
        bench.settle()
        return any(one.detections == 10_003 and one.shed == 9_000 for one in bench.tracks)

    alpha.peer.spin_until(flooded)
    seen = bench.tracks[-1].header.stamp
    for message in (
        bench.frame_message([], frame_id="bravo/base_link"),
        bench.stamp(bench.frame_message([]), bench.now - 0.8),
        bench.stamp(bench.frame_message([]), bench.now + 9.0),
    ):
        bench.radar.publish(message)
    for length in range(0, 1281, 2):
        junk = RfReception(number=2**64 - 1 - length, frame=bytes(length), bearing=math.nan, elevation=math.inf)
        junk.strength, junk.round_trip = -math.inf, math.nan
        bench.radio.publish(bench.stamp(junk))
    bench.energy.publish(bench.stamp(Energy(loads=["transponder"], load_on=[])))
    bench.settle()
    assert bench.tracks[-1].header.stamp == seen, "a frame was taken that cannot be"
    bench.run(lambda: is_friend(bench) and bench.track(PLACE).id == number)
    bench.run(lambda: "MALFORMED" in bench.states[-1].refusals)


def test_a_world_that_begins_again_has_other_tracks(bench):
    bench.now = 10.0
    bench.tracks.clear()

    def of_new_world():
        """A message of the old world may still be on its way."""
        return bool(bench.tracks) and stamps.seconds(bench.tracks[-1].header.stamp) <= bench.now

    bench.run(lambda: of_new_world() and is_friend(bench))
    assert all(one.age < 9.0 for one in bench.tracks[-1].tracks)


def test_a_key_that_others_may_read_is_refused(tmp_path):
    folder, messages = made(tmp_path / "keys"), []
    (folder / "own.yaml").chmod(0o644)
    text = "own.yaml: mode 0644; allowed: 0600 or less"
    with start(folder) as process, Peer() as peer:
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", messages.append, 10)
        peer.spin_until(lambda: any(text in status.message for one in messages for status in one.status))
        process.stop()
