"""Garbage and floods on the topics of a real node: counted by input and reason, and a friend stays one meanwhile."""

import math
import re
import struct
from types import SimpleNamespace
from urllib.request import urlopen

import numpy as np
import pytest
from air import friend, keys
from rclpy.serialization import serialize_message
from xpdr_bench import Bench
from xpdr_process import BOUNDS, PLACE, is_friend, made, start

from qiki_msgs.msg import RadarTrack, RfReception
from qiki_node.testing import Peer, private_port
from qiki_xpdr.frames import LARGEST

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.requirement("XPDR-60"),
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]
FULL = 2.0 * math.pi
WILD = {
    "range": [(math.nan, 1.0, 0.0, 0.0, 9.0), (math.inf, 1.0, 0.0, 0.0, 9.0), (-5.0, 1.0, 0.0, 0.0, 9.0)],
    "bearing": [(50.0, FULL, 0.0, 0.0, 9.0), (50.0, math.nan, 0.0, 0.0, 9.0), (50.0, -1e-9, 0.0, 0.0, 9.0)],
    "elevation": [(50.0, 1.0, 1.6, 0.0, 9.0), (50.0, 1.0, -math.inf, 0.0, 9.0)],
    "radial_velocity": [(50.0, 1.0, 0.0, math.nan, 9.0), (50.0, 1.0, 0.0, 1e300, 9.0)],
}
"""Detections that cannot be, by the field."""


@pytest.fixture(scope="module")
def alpha(tmp_path_factory):
    folder, port = made(tmp_path_factory.mktemp("alpha") / "keys"), private_port()
    with start(folder, metrics_port=port) as process, Peer() as peer:
        bench = Bench(peer)
        bench.bodies = [(PLACE, friend())]
        bench.run(lambda: is_friend(bench))
        yield SimpleNamespace(bench=bench, url=f"http://127.0.0.1:{port}/metrics")
        text = process.stop()
    assert "failed" not in text, "a callback raised"


def metrics(alpha):
    """Numbers by (input, reason), and those of the histogram of frames."""
    with urlopen(alpha.url, timeout=20.0) as answer:
        text = answer.read().decode()
    found = re.findall(r'^qiki_xpdr_refused_total\{input="(\S+)",reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    (total,) = re.findall(r"^qiki_xpdr_frame_seconds_sum (\S+)$", text, re.MULTILINE)
    (count,) = re.findall(r"^qiki_xpdr_frame_seconds_count (\S+)$", text, re.MULTILINE)
    return {(a, b): float(n) for a, b, n in found}, float(total), float(count)


def more(alpha, act):
    """Refusals, and the mean time of a frame, of an act."""
    before, total, count = metrics(alpha)
    act()
    after, total_after, count_after = metrics(alpha)
    counted = {key: number - before.get(key, 0.0) for key, number in after.items()}
    return {key: n for key, n in counted.items() if n}, (total_after - total) / max(count_after - count, 1.0)


def stays(bench):
    """The friend is a friend in all that was published since."""
    tracks = [one for message in bench.tracks for one in message.tracks]
    near = [one for one in tracks if one.transponder_id == keys("friend").identity and one.status == RadarTrack.TRACKED]
    bench.tracks.clear()
    assert near
    assert {one.iff for one in near} == {RadarTrack.FRIEND}
    assert len({one.id for one in near}) == 1


def test_detections_that_cannot_be_are_counted_by_their_field(alpha):
    bench, rows = alpha.bench, [row for some in WILD.values() for row in some]
    bench.tracks.clear()
    counted, _ = more(alpha, lambda: [bench.step(rows) for _ in range(3)])
    assert counted == {("detection", field): 3.0 * len(some) for field, some in WILD.items()}
    stays(bench)


def test_frames_out_of_time_or_of_another_bot_are_counted_by_the_reason(alpha):
    bench = alpha.bench
    bench.step()

    def act():
        for stamp in (0.0, bench.now - 0.8, bench.now + 9.0):
            bench.radar.publish(bench.stamp(bench.frame_message([]), stamp))
        bench.radar.publish(bench.frame_message([], frame_id="bravo/base_link"))
        bench.radar.publish(bench.frame_message([]))  # one of this time was taken
        for stamp in (0.0, bench.now + 9.0):
            bench.radio.publish(bench.stamp(RfReception(number=1, frame=b"x"), stamp))
        bench.settle()

    counted, _ = more(alpha, act)
    assert counted == {
        ("radar/frame", "stamp"): 3.0,
        ("radar/frame", "frame_id"): 1.0,
        ("radar/frame", "order"): 1.0,
        ("rf/rx", "stamp"): 2.0,
    }
    bench.tracks.clear()
    bench.step().step()
    stays(bench)


def test_the_same_reception_twice_is_a_replay_and_no_second_claim(alpha):
    bench, (place, xpdr) = alpha.bench, alpha.bench.bodies[0]
    bench.tracks.clear()

    def act():
        bench.tick()
        sent = xpdr.frames(bench.motion(place), bench.now)
        for _ in range(2):
            number = bench.number
            for content in sent:
                bench.receive(content, place)
            bench.number = number
        bench.settle()
        bench.step()

    counted, _ = more(alpha, act)
    assert counted.get(("reception", "replay"), 0.0) >= 1.0
    assert {input for input, _ in counted} == {"reception"}


def oversized(message, length):
    """Bytes of a reception with a longer frame than the message allows, as a foreign program may send them."""
    whole, content = bytes(serialize_message(message)), bytes(message.frame)
    field = struct.pack("<I", len(content)) + content
    assert whole.count(field) == 1
    return whole.replace(field, struct.pack("<I", length) + content[:1] * length)


def test_radio_frames_beyond_the_largest_are_refused_and_counted(alpha):
    """A publisher of the message refuses them; bytes of a foreign program come through, and are counted."""
    bench = alpha.bench
    bench.run(lambda: is_friend(bench))
    bench.tracks.clear()
    largest = RfReception(number=2**33, frame=b"Z" * LARGEST)

    def act():
        bench.radio.publish(bench.stamp(largest))
        with pytest.raises(Exception, match="cannot publish data"):
            bench.radio.publish(bench.stamp(RfReception(number=2**33 + 1, frame=b"Z" * (LARGEST + 1))))
        for length in (LARGEST + 8, 2 * LARGEST, 60 * LARGEST):
            bench.radio.publish(oversized(bench.stamp(largest), length))
        bench.settle()
        bench.step()

    counted, _ = more(alpha, act)
    # The largest is carried like the longer ones, and is no frame either.
    assert counted == {("reception", "malformed"): 4.0}
    stays(bench)


def test_floods_cost_no_more_than_what_is_allowed_and_hurt_no_friend(alpha):
    """Ten times what a frame may hold on both inputs, against frames that hold just that."""
    bench = alpha.bench

    def detections(count):
        return np.column_stack([bench.rng.uniform(low, high, count) for low, high in BOUNDS]).tolist()

    def receptions(count):
        for number in range(count):
            junk = RfReception(number=2**32 + int(bench.rng.integers(2**32)), frame=bench.rng.bytes(81))
            junk.bearing, junk.elevation = float(bench.rng.uniform(0.0, 6.28)), 0.1
            bench.radio.publish(bench.stamp(junk))
            if number % 100 == 99:
                bench.settle()

    def act(rows, junk):
        receptions(junk)
        bench.step(detections(rows))

    bench.run(lambda: is_friend(bench))
    for _ in range(3):
        act(900, 400)
    _, allowed = more(alpha, lambda: [act(900, 400) for _ in range(2)])
    bench.tracks.clear()

    def flood():
        receptions(10_000)
        taken = metrics(alpha)[0].get(("detection", "shed"), 0.0)
        # Frames are telemetry, and one of this size may be lost.
        bench.run(lambda: metrics(alpha)[0].get(("detection", "shed"), 0.0) > taken, more=lambda: detections(10_000))

    counted, flooded = more(alpha, flood)
    assert counted["detection", "shed"] >= 9_000.0
    assert counted["reception", "shed"] >= 9_000.0
    assert flooded < 4.0 * allowed, (flooded, allowed)
    bench.step()
    stays(bench)
