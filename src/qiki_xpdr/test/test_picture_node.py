"""The node's world model, markers, tracks without radar frames, and second witness, on the graph."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from air import GROUP, VEHICLE, friend, keys
from geometry_msgs.msg import Point, Vector3
from visualization_msgs.msg import Marker, MarkerArray
from xpdr_bench import Bench
from xpdr_process import FRIEND, PLACE, made, set_mode, start

from qiki_msgs.msg import DockingState, PortOffer, RadarTrack, Sighting, World
from qiki_node.qos import RADIO, STATE, TELEMETRY
from qiki_node.testing import Peer
from qiki_xpdr import Mode, Transponder
from qiki_xpdr.ros.witness import TOPIC, sighting_message, sighting_of
from qiki_xpdr.witness import Returned

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.filterwarnings("ignore:module 'sre_.*' is deprecated:DeprecationWarning"),
]
STRANGER = (0.0, -300.0, 20.0)


@pytest.fixture(scope="module")
def alpha(tmp_path_factory):
    with start(made(tmp_path_factory.mktemp("alpha") / "keys")) as process, Peer() as peer:
        bench, node = Bench(peer), peer.node
        seen = SimpleNamespace(peer=peer, bench=bench, worlds=[], arrays=[], sightings=[])
        node.create_subscription(World, "/alpha/world", seen.worlds.append, TELEMETRY)
        node.create_subscription(MarkerArray, "/alpha/xpdr/markers", seen.arrays.append, TELEMETRY)
        node.create_subscription(Sighting, TOPIC, seen.sightings.append, RADIO)
        seen.witness = node.create_publisher(Sighting, TOPIC, RADIO)
        seen.docking = {
            name: node.create_publisher(DockingState, f"/{name}/docking", STATE) for name in ("alpha", "station")
        }
        peer.spin_until(lambda: seen.witness.get_subscription_count() >= 2)
        peer.spin_until(lambda: all(node.count_publishers(f"/alpha/{one}") for one in ("world", "xpdr/markers")))
        yield seen
        text = process.stop()
    assert "failed" not in text, "a callback raised"


@pytest.mark.requirement("XPDR-70")
def test_the_node_publishes_sightings_and_an_id_without_proof_falls_by_those_of_another(alpha):
    bench = alpha.bench
    bench.bodies = [(PLACE, friend()), (STRANGER, Transponder(VEHICLE.transponder, "SHIP-7", mode=Mode.ON))]
    alpha.sightings.clear()

    def denied():
        for message in alpha.sightings:
            one = sighting_of(message)
            if one.identity == keys("alpha").identity and one.claimed == "SHIP-7":
                lie = replace(one, identity=FRIEND.identity, returned=Returned.EMPTY)
                alpha.witness.publish(sighting_message(lie.proven(GROUP.keys[0])))
        alpha.sightings.clear()
        track = bench.track(STRANGER)
        return track is not None and track.spoof_state == RadarTrack.SPOOF

    bench.run(denied)
    assert [one.channel for one in bench.track(STRANGER).evidence] == ["witness"]
    bench.run(lambda: bench.track(PLACE).iff == RadarTrack.FRIEND)


@pytest.mark.requirement("XPDR-3")
@pytest.mark.parametrize("mode", ["SILENT", "OFF"])
def test_sightings_end_with_the_mode_on(alpha, mode):
    bench, begun = alpha.bench, alpha.bench.now
    bench.bodies = [(PLACE, friend())]
    bench.run(lambda: bench.now > begun + 0.5 and Returned.SEEN in {one.returned for one in alpha.sightings})
    assert set_mode(alpha.peer, mode).success
    bench.step()
    alpha.sightings.clear()
    until = bench.now + 1.0
    bench.run(lambda: bench.now > until)
    assert alpha.sightings == []
    assert set_mode(alpha.peer, "ON").success
    bench.run(lambda: alpha.sightings != [])


@pytest.mark.requirement("XPDR-80")
def test_a_docked_body_is_known_and_no_contact(alpha):
    bench = alpha.bench
    docked = (0.0, 0.0, 12.0)
    bench.bodies = [(PLACE, friend()), (docked, None)]

    def publish():
        alpha.docking["alpha"].publish(bench.stamp(docking("alpha", "A", "station", "B", (0.0, 0.0, 2.0))))
        alpha.docking["station"].publish(bench.stamp(docking("station", "B", "alpha", "A", (0.0, 0.0, -10.0))))
        world = alpha.worlds[-1] if alpha.worlds else World()
        return "station" in world.partners and list(world.docked) == [True]

    bench.run(publish, limit=20.0)
    world = alpha.worlds[-1]
    assert (world.body, list(world.bodies), list(world.kinds)) == ("alpha", ["station"], [RadarTrack.STATION])
    place = world.positions[0]
    assert (place.x, place.y, place.z) == pytest.approx(docked)
    assert world.pose.orientation.w == pytest.approx(1.0)
    assert 0.0 <= world.radar_age <= 0.5
    assert len(world.tracks) == len(world.cpa_sigma) == len(world.cpa_time_sigma) == len(world.partners)
    (track,) = (one for one, partner in zip(world.tracks, world.partners, strict=True) if partner)
    until = bench.now + 3.0
    bench.run(lambda: publish() and bench.now > until, limit=20.0)
    assert track.id not in [alert.track for alert in bench.guards[-1].alerts]


@pytest.mark.requirement("XPDR-81")
@pytest.mark.requirement("XPDR-82")
def test_without_radar_frames_tracks_age_and_end_and_their_markers_are_deleted(alpha):
    bench = alpha.bench
    bench.bodies = [(PLACE, None), ((0.0, 45.0, 5.0), None)]
    bench.run(
        lambda: bench.track(PLACE) is not None and bool(bench.guards[-1].alerts) and bool(alpha.arrays), limit=12.0
    )
    number = int(bench.track(PLACE).id.removeprefix("alpha-"))
    bench.run(lambda: ("tracks", number, Marker.ADD) in markers(alpha))

    def blind(until, limit):
        end = bench.now + limit
        while not until():
            assert bench.now < end, (alpha.worlds[-1:], bench.guards[-1:])
            bench.tick()

    blind(lambda: RadarTrack.COASTING in statuses_of(alpha), 2.0)
    blind(lambda: statuses_of(alpha) == {RadarTrack.LOST}, 8.0)
    blind(lambda: not bench.guards[-1].alerts, 1.0)
    world = alpha.worlds[-1]
    (track,) = (one for one in world.tracks if one.id == f"alpha-{number}")
    assert world.radar_age == pytest.approx(track.silent, abs=0.5)
    assert track.silent > VEHICLE.tracking.stale
    blind(lambda: not alpha.worlds[-1].tracks and not bench.tracks[-1].tracks, 30.0)
    assert ("tracks", number, Marker.DELETE) in markers(alpha)
    bench.run(lambda: bench.track(PLACE) is not None)
    assert bench.track(PLACE).id != f"alpha-{number}"


def markers(alpha):
    return {(one.ns, one.id, one.action) for array in alpha.arrays for one in array.markers}


def statuses_of(alpha):
    return {one.status for one in alpha.worlds[-1].tracks}


def docking(body, port, partner, partner_port, position):
    axis = Vector3(z=math.copysign(1.0, position[2]))
    x, y, z = position
    offer = PortOffer(port=port, position=Point(x=x, y=y, z=z), axis=axis, holder=partner, phase=DockingState.BRIDGE)
    return DockingState(
        body=body, phase=DockingState.BRIDGE, partner=partner, own_port=port, partner_port=partner_port, offers=[offer]
    )
