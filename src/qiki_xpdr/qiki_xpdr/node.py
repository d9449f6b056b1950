"""Transponder, identification and tracks on the graph: radar frames and receptions in; frames, tracks, alerts out."""

import math
import time
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry

from qiki_msgs.msg import Energy, RadarFrame, RfReception
from qiki_node import stamps
from qiki_node.health import Health
from qiki_node.node import QikiNode
from qiki_node.qos import RADIO, TELEMETRY
from qiki_node.run import run
from qiki_node.shared_files import shared_file
from qiki_vehicle import ConfigurationError, Vehicle
from qiki_vehicle.intake import Intake
from qiki_vehicle.key_files import KeyFiles
from qiki_xpdr.geometry import Floats, Own
from qiki_xpdr.guard import GuardMode, GuardTable
from qiki_xpdr.iff import Iff
from qiki_xpdr.modes import Mode, Occurrence
from qiki_xpdr.own_motion import OwnMotion
from qiki_xpdr.report import Identifications
from qiki_xpdr.ros import diagnosis, messages
from qiki_xpdr.ros.interrogations import Interrogations
from qiki_xpdr.ros.memory import Memory
from qiki_xpdr.ros.metrics import Metrics
from qiki_xpdr.ros.neighbours import Neighbours
from qiki_xpdr.ros.outputs import Outputs
from qiki_xpdr.ros.parameters import XpdrParameters, false_of, folder_of, mode_of
from qiki_xpdr.ros.recall import Recall
from qiki_xpdr.ros.services import Services
from qiki_xpdr.ros.witness import WitnessLink
from qiki_xpdr.ros.world import WorldLink
from qiki_xpdr.rules import Rules
from qiki_xpdr.transponder import Motion, Transponder
from qiki_xpdr.watch import Reception, Watch

_LOAD = "transponder"  # of the avionics bus
_SET_BACK = 1.0  # s, by which the clock falls when a world begins again
_MOST_WAITING = 10_000  # receptions that wait for a radar frame
_PATIENCE = 0.5  # s without a radar frame, after which tracks age by the clock
_NOWHERE = (math.nan, math.nan, math.nan)
_UNKNOWN = Motion(_NOWHERE, _NOWHERE)
_WARNED = {"xpdr.mode_refused", "xpdr.spoof_armed", "guard.alert_raised"}


class XpdrNode(QikiNode[XpdrParameters]):
    """The node `xpdr`; launch puts it into the namespace of its bot."""

    def __init__(self) -> None:
        super().__init__("xpdr", XpdrParameters)
        self.bot = self.get_namespace().strip("/")
        self._metrics = Metrics(self.registry)
        self._motion, self._intake = OwnMotion(), Intake()
        self._waiting: deque[Reception] = deque(maxlen=_MOST_WAITING)
        self._newest = -math.inf
        self._framed, self._arrived = -math.inf, math.nan

    # Life -----------------------------------------------------------------------------------------------------------

    def on_configure_node(self) -> None:
        params = self.params
        if not self.bot:
            raise ConfigurationError("namespace: '/'; allowed: the name of the bot")
        self._vehicle = Vehicle.from_file(shared_file("vehicle_file", params.vehicle_file, "vehicles"))
        self.rules = Rules.from_file(Path(shared_file("guard_file", params.guard_file, "")))
        self._keys = keys = KeyFiles(folder_of(params))
        self._identity = params.identity or (self.bot.upper() if keys.own is None else keys.own.identity)
        self._mode, self._guard_mode = mode_of(params), GuardMode[params.guard_mode]
        self._powered = True
        stream, patience = f"{self.bot}/xpdr", params.store_patience
        memory = Memory(self, stream, patience, time.monotonic) if self.events.enabled else None
        self._recall = Recall(self, memory)
        self._begin()
        transponder = self._vehicle.transponder
        power = self._vehicle.avionics.loads[_LOAD]
        self._patience = max(_PATIENCE, 3.0 / self._vehicle.radar.rate)
        self._outputs = Outputs(self, self.bot, transponder.eirp, power)
        timeout = self._vehicle.iff.interrogation_timeout
        self._interrogations = Interrogations(self, lambda: self._iff, timeout, self._transmit)
        Services(self, transponder.arm_time)
        self._neighbours = Neighbours(self, self.bot, self._vehicle, self._motion, self._metrics)
        newest = lambda: (self._interrogations.frame, self._framed)  # noqa: E731
        WorldLink(self, self._vehicle, self._motion, self._neighbours, newest)
        self._witness = WitnessLink(self, self._vehicle, self._motion, lambda: self._watch, self._metrics)
        subscribe = self.create_subscription
        subscribe(RadarFrame, "radar/frame", self._take_frame, TELEMETRY)
        subscribe(RfReception, "rf/rx", self._take_reception, RADIO)
        subscribe(Odometry, "odom", self._take_odometry, TELEMETRY)
        subscribe(Energy, "energy", self._take_energy, TELEMETRY)
        self.add_diagnostic("transponder", self._transponder_health)
        self.add_diagnostic("radar", self._radar_health)
        self.add_timer(1.0 / transponder.claim_rate, self._cycle)
        self.add_timer(1.0 / self._vehicle.radar.rate, self._look_without_frames)
        self.add_timer(1.0, self._second)

    def on_activate_node(self) -> None:
        self._show()

    def on_deactivate_node(self) -> None:
        """Nothing is transmitted any more; the mode stays."""
        self._interrogations.drop()
        self._waiting.clear()

    def seconds(self) -> float:
        """s of the common clock, now: that of ROS, which other bots share."""
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _begin(self) -> None:
        """Make the cores. Modes are kept; SPOOF, whose arming is gone, becomes OFF."""
        mode = Mode.OFF if self._mode is Mode.SPOOF else self._mode
        keys, vehicle = self._keys, self._vehicle
        self.transponder = Transponder(
            vehicle.transponder,
            self._identity,
            keys=keys.own,
            group=keys.group,
            false=false_of(self.params),
            mode=mode,
        )
        self.transponder.power(self._powered)
        self._iff = Iff(vehicle.iff, self._identity, keys.ring, keys.group)
        self.guard = GuardTable(self.rules, self._guard_mode)
        self._watch = Watch(vehicle, self._iff, self.guard)
        self._identifications = Identifications()
        self._motion.clear()
        self._intake.reset()
        self._waiting.clear()
        self._newest = self._framed = -math.inf
        self._arrived = math.nan

    # Inputs ---------------------------------------------------------------------------------------------------------

    def _admits(self, topic: str, message: Any, problem: str = "") -> float | None:
        """Stamp of a message that is taken, s; None: it is not."""
        if not (self.clock_runs and self.is_active):
            return None
        now, stamp = self._look_at_clock(), stamps.seconds(message.header.stamp)
        if not problem and stamp <= 0.0:
            problem = f"stamp: {stamp} s; allowed: above 0 s"
        if self._intake.admits(topic, now, stamp, problem):
            return stamp
        text = self._intake.reason
        self._refuse(topic, text.removeprefix(f"{topic} refused: ").partition(":")[0], text)
        return None

    def _refuse(self, topic: str, field: str, text: str) -> None:
        self._metrics.refuse(topic, field)
        self.log.warning(f"{topic} refused", throttle=1.0, reason=text)

    def _take_odometry(self, message: Odometry) -> None:
        if (stamp := self._admits("odom", message)) is None:
            return
        try:
            messages.take_odometry(self._motion, message, stamp)
        except ValueError as error:
            self._refuse("odom", "value", str(error))

    def _take_energy(self, message: Energy) -> None:
        if self._admits("energy", message) is None:
            return
        on = dict(zip(message.loads, message.load_on, strict=False)).get(_LOAD)
        if on is not None and on is not self._powered:
            self._powered = on
            self.transponder.power(on)
            self.report()

    def _take_reception(self, message: RfReception) -> None:
        if self._admits("rf/rx", message) is None:
            return
        reception, now = messages.reception_of(message), self.seconds()
        answer, _ = self.transponder.answer(reception.frame, now)
        if answer is not None:
            self._outputs.transmit(answer, now, reception.number)
        self._interrogations.received(reception)
        if not self._recall.begun:
            return  # no frame is taken yet: by the first one they would be too old, which is evidence
        if len(self._waiting) == _MOST_WAITING:
            self._metrics.refuse("rf/rx", "waiting")
        self._waiting.append(reception)

    def _take_frame(self, message: RadarFrame) -> None:
        now = self.seconds()
        age = now - stamps.seconds(message.header.stamp)
        expected, problem = f"{self.bot}/base_link", ""
        if message.header.frame_id != expected:
            problem = f"frame_id: {message.header.frame_id!r}; allowed: {expected}"
        elif age > self.params.frame_age:
            problem = f"stamp: {age:.3f} s old; allowed: at most {self.params.frame_age:g} s"
        stamp = self._admits("radar/frame", message, problem)
        if stamp is None:
            return
        own = self._motion.at(stamp)
        if own is None:
            self._refuse("radar/frame", "motion", "own motion at its time is not known")
            return
        if not self._recall.number(self._watch.tracker):
            self._metrics.refuse("radar/frame", "memory")  # as at each start; the recall logs where it lasts
            return
        self._arrived = now
        if stamp <= self._watch.tracker.time:
            self._refuse("radar/frame", "order", "tracks are later: they have aged by the clock")
            return
        self._framed = stamp
        self._advance(stamp, messages.detections_of(message), own)

    def _look_without_frames(self) -> None:
        """Let tracks coast, age and end, and alerts with them, while the radar gives no frame."""
        if not self.clock_runs:
            return
        now = self._look_at_clock()
        if math.isnan(self._arrived):
            self._arrived = now
        own = self._motion.at(now, math.inf)
        waits = now - self._arrived >= self._patience and now > self._watch.tracker.time
        if own is not None and waits and self._recall.number(self._watch.tracker):
            self._advance(now, None, own)

    def _advance(self, stamp: float, detections: Floats | None, own: Own) -> None:
        """Take detections, None: no frame, with the receptions that wait; publish all that follows."""
        began = time.perf_counter()
        receptions = list(self._waiting)
        self._waiting.clear()
        shed = self._watch.tracker.refused["shed"]
        # What cannot be is refused by the cores; arithmetic on the way to it must not warn.
        with np.errstate(all="ignore"):
            frame = self._watch.frame(stamp, detections, own, receptions, self._neighbours.docked(own, stamp))
        self._interrogations.frame = frame
        self._witness.publish(frame, self._keys.group)
        self._interrogations.conclude(frame.outcomes)
        shed = self._watch.tracker.refused["shed"] - shed
        count = 0 if detections is None else len(detections)
        self._outputs.tracks(frame, stamp, self.seconds(), count, shed)
        self.report()
        for occurrence in self._identifications.update(frame):
            self._publish(occurrence, "")
        self._metrics.frame(frame, self._watch, self._iff, time.perf_counter() - began)

    # Cycles ---------------------------------------------------------------------------------------------------------

    def _look_at_clock(self) -> float:
        """s, now; the cores begin again where the clock was set back."""
        now = self.seconds()
        if now < self._newest - _SET_BACK:
            self._mode, self._guard_mode = self.transponder.mode, self.guard.mode
            self._interrogations.drop()
            self._neighbours.begin_again()
            self._recall.begin_again()
            self.log.warning("clock set back: tracks and identities begin again", seconds=round(self._newest - now, 3))
            self._begin()
        self._newest = max(self._newest, now)
        return now

    def _cycle(self) -> None:
        """Claims and manifests that are due."""
        if not self.clock_runs:
            return
        now = self._look_at_clock()
        self._recall.look()
        own = self._motion.at(now)
        motion = _UNKNOWN
        if own is not None:
            (x, y, z), (vx, vy, vz) = own.position.tolist(), own.velocity.tolist()
            motion = Motion((x, y, z), (vx, vy, vz))
        for frame in self.transponder.frames(motion, now):
            self._outputs.transmit(frame, now)
        self._interrogations.expire(now)

    def _second(self) -> None:
        """Key files that have changed, and the state."""
        keys = self._keys
        trouble = keys.trouble
        if keys.changed():
            self._iff.use(keys.ring, keys.group)
            self.transponder.use(keys.own, keys.group)
            self.emit("xpdr.keys_changed", keys.summary)
        if keys.trouble and keys.trouble != trouble:
            self.log.error("changed keys are refused; those of before stay in force", reason=keys.trouble)
        self._show()

    def ordered(self, kind: str) -> None:
        """Note an accepted order: the "mode" or the "guard" mode before a restart counts no more."""
        self._recall.ordered(kind)

    def _transmit(self, frame: bytes) -> None:
        self._outputs.transmit(frame, self.seconds())

    # Outputs --------------------------------------------------------------------------------------------------------

    def report(self, command_id: str = "") -> None:
        """Emit the occurrences since the last call, and publish changed states."""
        own = self.transponder.take_occurrences()
        for occurrence in (*own, *self._watch.take_occurrences()):
            self._publish(occurrence, command_id)
        if own or command_id:
            self._show()
        self._outputs.guard(self.guard.mode, self.guard.alerts, self.seconds())

    def emit(self, type: str, payload: dict[str, Any], command_id: str = "") -> None:
        """Emit an event of an order."""
        self._publish(Occurrence(type, payload), command_id)

    def _publish(self, occurrence: Occurrence, command_id: str) -> None:
        record = self.log.warning if occurrence.type in _WARNED else self.log.info
        record(occurrence.type.replace(".", " ").replace("_", " "), **occurrence.payload)
        try:
            self.events.emit(occurrence.type, occurrence.payload, correlation=command_id or None)
        except ValueError as error:  # one that no event can carry must not take the others with it
            self.callbacks.failed(f"event {occurrence.type}", error, drives=False)

    def _show(self) -> None:
        if self.is_active and self.clock_runs:
            self._outputs.transponder(self.transponder, self._iff, self._keys, self.guard.mode, self.seconds())

    # Health ---------------------------------------------------------------------------------------------------------

    def _transponder_health(self) -> Health:
        return diagnosis.of_transponder(self.transponder, self._keys, self.guard.mode)

    def _radar_health(self) -> Health:
        frame = self._interrogations.frame
        tracks = 0 if frame is None else len(frame.picture)
        return diagnosis.of_radar(self.seconds() - self._framed, tracks, len(self._waiting), self._iff)


def main() -> None:
    """Entry point."""
    run(XpdrNode)


if __name__ == "__main__":
    main()
