"""Stands in for the nodes of transponder and tracks of alpha; bravo is a bot without such a node.

alpha sees a friend (alpha-1), a clone of its identity whose texts would steer a terminal (alpha-2), and a body that
claims nothing and of which little is known (alpha-3); alpha-4 is new.
"""

import time
from math import nan
from typing import Any

import rclpy
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from qiki_msgs.msg import Evidence, GuardAlert, GuardState, RadarTrack, RadarTracks, ThrusterState, XpdrState
from qiki_msgs.srv import Interrogate, ListGuardRules, SetGuardMode, SetTransponderMode
from qiki_node.executor import make_executor, spin_while
from qiki_node.qos import CLOCK, STATE, TELEMETRY
from qiki_node.run import StopSignal
from qiki_node.stamps import from_seconds

CODE = 4242
RULES = "rules:\n- id: SPOOFING_DETECTED\n  when:\n    spoof:\n    - SPOOF\n"
HOSTILE = "\x1b[2JALLY\u202e"


def track(id: str, **values: Any) -> RadarTrack:
    """A track; what is not given is unknown."""
    known = {"range": nan, "bearing": nan, "elevation": nan, "radial_velocity": nan, "snr": nan, "rcs": nan}
    known |= {"cpa": nan, "cpa_time": nan, "age": 12.0, "quality": 0.9, "band": RadarTrack.SR}
    return RadarTrack(id=id, **{**known, "status": RadarTrack.TRACKED, **values})


def tracks() -> list[RadarTrack]:
    friend = {"transponder_id": "ALLY-0A1B2C", "iff": RadarTrack.FRIEND, "iff_reason": 1, "id_present": True}
    friend |= {"transponder_mode": XpdrState.ON, "transponder_on": True, "spoof_state": RadarTrack.TRUSTED}
    clone = {**friend, "iff": RadarTrack.FOE, "spoof_state": RadarTrack.SPOOF, "transponder_id": HOSTILE}
    clone["evidence"] = [
        Evidence(channel="uniqueness", statistic=21.5, threshold=18.25, text="proven elsewhere\x1b[31m"),
        Evidence(channel="position", statistic=3.5, threshold=19.6, looks=20, text="at 400 m"),
    ]
    return [
        track("alpha-2", range=400.0, bearing=4.7, elevation=0.05, radial_velocity=0.25, **clone),
        track(
            "alpha-1", range=61.25, bearing=1.5, elevation=0.0, radial_velocity=-2.0, cpa=60.0, cpa_time=6.5, **friend
        ),
        track("alpha-4", status=RadarTrack.NEW, range=9000.0, bearing=0.5),
        track("alpha-3", status=RadarTrack.COASTING, iff=RadarTrack.UNKNOWN, misses=7, silent=0.7),
    ]


class Surveillance:
    """The node `/alpha/xpdr`."""

    def __init__(self) -> None:
        self.node = node = Node("xpdr", namespace="/alpha")
        self.mode, self.guard = XpdrState.ON, XpdrState.GUARD_ACTIVE
        self.clock = node.create_publisher(Clock, "/clock", CLOCK)
        self.bots = [
            node.create_publisher(ThrusterState, f"/{bot}/thruster_state", TELEMETRY) for bot in ("alpha", "bravo")
        ]
        self.tracks = node.create_publisher(RadarTracks, "/alpha/tracks", TELEMETRY)
        self.state = node.create_publisher(XpdrState, "/alpha/xpdr", STATE)
        self.alerts = node.create_publisher(GuardState, "/alpha/guard", STATE)
        node.create_service(SetTransponderMode, "~/set_mode", self.on_mode)
        node.create_service(Interrogate, "~/interrogate", self.on_interrogate)
        node.create_service(SetGuardMode, "~/set_guard_mode", self.on_guard)
        node.create_service(ListGuardRules, "~/list_guard_rules", self.on_rules)
        node.create_timer(0.02, lambda: self.clock.publish(Clock(clock=from_seconds(time.monotonic()))))
        node.create_timer(0.1, self.publish)
        alert = GuardAlert(rule="SPOOFING_DETECTED", severity=GuardAlert.WARNING, effect=False, track="alpha-2",
                           transponder_id=HOSTILE, iff=RadarTrack.FOE, spoof_state=RadarTrack.SPOOF,
                           range=400.0, closing=nan, raised=from_seconds(time.monotonic()))  # fmt: skip
        self.alerts.publish(GuardState(mode=XpdrState.GUARD_PASSIVE, alerts=[alert]))

    def publish(self) -> None:
        message = RadarTracks(tracks=tracks(), detections=7, shed=2)
        state = XpdrState(
            id="ALLY-1D2E3F", mode=self.mode, effective=XpdrState.OFF, shed=True, power=6.0, signing=True, key="ab12",
            refusals=["REPLAY", "UNSIGNED"], refusal_counts=[3, 41], checks_queued=5, guard_mode=self.guard,
        )  # fmt: skip
        for publisher, one in ((self.tracks, message), (self.state, state)):
            one.header.stamp = from_seconds(time.monotonic())
            publisher.publish(one)

    def on_mode(self, request: Any, response: Any) -> Any:
        assert request.user
        assert request.reason
        assert request.command_id
        right = request.mode != "SPOOF" or request.arm or request.code == CODE
        response.success, response.reason_code = right, 0 if right else 202
        response.message = "" if right else "the code is not the one that arming returned\x1b[2J"
        if request.arm:
            response.code, response.seconds = CODE, 10.0
        elif right:
            self.mode = getattr(XpdrState, request.mode)
        return response

    def on_interrogate(self, request: Any, response: Any) -> Any:
        known = request.track in ("alpha-1", "alpha-2")
        response.success = request.track == "alpha-1"
        response.method = request.method if response.success else ""
        response.round_trip = 4.0e-7 if response.success else nan
        response.reason_code = 3 if response.success else 210 if known else 205
        response.message = "a good signature" if response.success else "no answer" if known else "track: unknown"
        return response

    def on_guard(self, request: Any, response: Any) -> Any:
        self.guard = getattr(XpdrState, f"GUARD_{request.mode}")
        response.success, response.message = True, f"ACTIVE to {request.mode}"
        return response

    def on_rules(self, _request: Any, response: Any) -> Any:
        response.yaml, response.mode = RULES, self.guard
        return response


def main() -> None:
    stop = StopSignal()
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    fake = Surveillance()
    executor = make_executor()
    executor.add_node(fake.node)
    print("ready", flush=True)
    spin_while(executor, lambda: not stop.is_set)
    executor.shutdown()
    fake.node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
