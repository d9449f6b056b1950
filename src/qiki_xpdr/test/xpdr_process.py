"""The node `xpdr` of alpha as a real process, its keys, and a friend at a place."""

import yaml
from air import GROUP, keys, ring, write_private
from xpdr_bench import NODE

from qiki_msgs.msg import RadarTrack
from qiki_msgs.srv import SetTransponderMode
from qiki_node.testing import NodeProcess

ALPHA, FRIEND = keys("alpha"), keys("friend")
PLACE = (0.0, 60.0, 5.0)
BOUNDS = ((100.0, 20000.0), (0.0, 6.28), (-1.5, 1.5), (-90.0, 90.0), (0.0, 20.0))
"""Of detections that can be."""


def write_ring(folder, **options):
    fresh = folder / "ring.new"
    fresh.write_text(yaml.safe_dump(ring(FRIEND, **options).model_dump(mode="json")))
    fresh.chmod(0o644)
    fresh.replace(folder / "ring.yaml")


def made(folder):
    write_private(folder / "own.yaml", ALPHA)
    write_private(folder / "group.yaml", GROUP)
    write_ring(folder)
    return folder


def start(folder, **more):
    parameters = {
        "use_sim_time": "true",
        "keys_folder": folder,
        "mode": "ON",
        "false_identity": "SHIP-9",
        "events_enabled": "false",
        **more,
    }
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    return NodeProcess.of_module("qiki_xpdr.node", "-r", "__ns:=/alpha", *words)


def is_friend(bench):
    track = bench.track(PLACE)
    return track is not None and track.iff == RadarTrack.FRIEND


def set_mode(peer, mode, **fields):
    request = SetTransponderMode.Request(mode=mode, **{"user": "operator", "reason": "test"} | fields)
    return peer.call(SetTransponderMode, f"{NODE}/set_mode", request)
