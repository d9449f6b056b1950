"""Tracks as other programs see them: through messages without loss; occurrences through protobuf and JSON."""

import json
import math

import numpy as np
import pytest
from air import VEHICLE, friend, keys
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sky import seen
from test_watch import Scene

from qiki_events import REGISTRY
from qiki_msgs.msg import RadarTrack
from qiki_node import stamps
from qiki_xpdr import Allegiance, Band, Evidence, Mode, Reason, SpoofState, Status, Tracker, Transponder
from qiki_xpdr.contacts import object_types
from qiki_xpdr.geometry import AT_ORIGIN
from qiki_xpdr.modes import ObjectType
from qiki_xpdr.report import Identifications, TrackReport, reports, track_number
from qiki_xpdr.ros.messages import detections_of, track_message, track_report

pytestmark = pytest.mark.requirement("XPDR-62")
FRIEND = keys("friend").identity
single = st.floats(width=32)
double = st.floats()
text = st.text(max_size=20).filter(lambda one: "\0" not in one and one.isprintable())
count = st.integers(0, 2**32 - 1)
triple = st.tuples(double, double, double)


@st.composite
def track_reports(draw):
    identity = draw(st.sampled_from(["", "ALLY-1A2B3C", "SHIP-9"]))
    time = draw(st.integers(0, 10**9)) / 8.0
    evidence = st.builds(Evidence, text, single, single, count, text)
    return TrackReport(
        id=draw(text),
        object_type=draw(st.sampled_from(ObjectType)),
        iff=draw(st.sampled_from(Allegiance)),
        iff_reason=draw(st.sampled_from(Reason)),
        transponder_mode=draw(st.sampled_from(Mode)) if identity else None,
        transponder_id=identity,
        spoof=draw(st.sampled_from(SpoofState)),
        evidence=tuple(draw(st.lists(evidence, max_size=3))),
        range=draw(double),
        bearing=draw(double),
        elevation=draw(double),
        radial_velocity=draw(double),
        snr=draw(single),
        rcs=draw(single),
        position=draw(triple),
        velocity=draw(triple),
        covariance=tuple(draw(st.lists(double, min_size=36, max_size=36))),
        quality=draw(single),
        status=draw(st.sampled_from(Status)),
        age=draw(double),
        silent=draw(st.floats(0.0, 30.0)),
        misses=draw(count),
        band=draw(st.sampled_from(Band)),
        cpa=draw(double),
        cpa_time=draw(double),
        time=time,
    )


@given(track_reports())
def test_a_track_comes_out_of_its_message_as_it_went_in(report):
    message = deserialize_message(serialize_message(track_message(report, report.time)), RadarTrack)
    # As text: NaN, which stands for unknown, is no equal of itself.
    assert repr(track_report(message, report.time)) == repr(report)
    assert stamps.seconds(message.event_time) == pytest.approx(report.event_time, abs=1e-6)


def scene():
    """A friend, its clone, and a ghost's silence: what the cores report, and the newest frame."""
    made = Scene(1)
    body, other = ((0.0, 60.0, 5.0), (0.0, -1.0, 0.0)), ((0.0, -400.0, 20.0), (0.0, 0.0, 0.0))
    xpdr, clone = friend(), Transponder(made.watch._vehicle.transponder, FRIEND, mode=Mode.ON)
    identifications, found = Identifications(), []
    for _ in range(25):
        made.run(0.1, [(*body, xpdr), (*other, None)])
        found += identifications.update(made.last)
    for _ in range(20):
        made.run(0.1, [(*body, xpdr), (*other, clone)])
        found += identifications.update(made.last)
    xpdr.power(False)
    xpdr.arm("operator", "test", made.now)
    return made, [*found, *made.watch.take_occurrences(), *xpdr.take_occurrences()]


def test_what_the_cores_report_passes_protobuf_and_json_without_loss():
    _, occurrences = scene()
    kinds = {one.type for one in occurrences}
    assert {
        "iff.changed",
        "track.confirmed",
        "spoof.state_changed",
        "guard.alert_raised",
        "xpdr.mode_changed",
        "xpdr.mode_refused",
    } <= kinds
    for one in occurrences:
        encoded = REGISTRY.encode(one.type, one.payload)
        decoded = REGISTRY.decode(one.type, 1, *encoded)
        assert decoded == one.payload, one.type
        assert json.loads(json.dumps(decoded)) == one.payload
    changes = [one.payload for one in occurrences if one.type == "iff.changed"]
    assert [(one["from"], one["to"]) for one in changes if one["identity"] == FRIEND][:1] == [("UNKNOWN", "FRIEND")]
    assert any(one["to"] == "FOE" for one in changes)


def test_reports_have_identity_approach_and_covariance_of_their_track():
    made, _ = scene()
    (one,) = [one for one in reports(made.last, "alpha") if one.iff is Allegiance.FRIEND]
    assert (one.transponder_id, one.status, one.spoof) == (FRIEND, Status.TRACKED, SpoofState.TRUSTED)
    row = made.last.picture.row(track_number("alpha", one.id))
    assert np.array(one.covariance).reshape(6, 6) == pytest.approx(made.last.picture.covariance[row])
    assert one.cpa < 20.0
    assert 0.0 < one.cpa_time < 120.0
    assert one.event_time <= one.time


@pytest.mark.requirement("XPDR-29")
def test_a_proven_id_is_a_drone_a_small_silent_body_debris_and_the_rest_unspecified():
    made = Scene(5)
    plain = Transponder(VEHICLE.transponder, "SHIP-9", mode=Mode.ON)
    places = {"DRONE": (0.0, 300.0, 0.0), "UNSPECIFIED": (400.0, 0.0, 0.0), "DEBRIS": (0.0, -500.0, 50.0)}
    radios = dict(zip(places, (friend(), plain, None), strict=True))
    made.run(2.5, [(place, (0.0, 0.0, 0.0), radios[kind]) for kind, place in places.items()])
    found = {one.id: one.object_type.name for one in reports(made.last, "alpha")}
    for kind, place in places.items():
        assert found[f"alpha-{made.at(place)[0]}"] == kind
    tracker = Tracker(VEHICLE.radar, VEHICLE.tracking)
    for step in range(4):
        picture = tracker.update(step / 10.0, seen((0.0, 900.0, 0.0), (0.0, 0.0, 0.0), snr=52.0), AT_ORIGIN)
    assert picture.rcs[0] == pytest.approx(10.0**3.9 * (900.0 / 5000.0) ** 4)
    assert object_types(picture, {}, VEHICLE.radar.debris) == {}


@pytest.mark.parametrize("id", ["alpha", "alpha-", "bravo-1", "alpha--1", "alpha-1x", "alpha-²", f"alpha-{10**20}"])
def test_a_name_that_is_no_track_is_refused(id):
    with pytest.raises(ValueError, match="allowed: alpha-<number>"):
        track_number("alpha", id)
    assert track_number("alpha", "alpha-12") == 12


def test_detections_keep_what_no_detection_can_be():
    from qiki_msgs.msg import RadarDetection, RadarFrame

    message = RadarFrame(detections=[RadarDetection(range=math.nan, bearing=-1.0), RadarDetection(range=5.0, snr=3.0)])
    rows = detections_of(message)
    assert rows.shape == (2, 5)
    assert math.isnan(rows[0, 0])
    assert rows[1].tolist() == [5.0, 0.0, 0.0, 0.0, 3.0]
    assert detections_of(RadarFrame()).shape == (0, 5)
