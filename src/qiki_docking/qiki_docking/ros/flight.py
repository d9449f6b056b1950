"""Steering of the pilot to the allocator: wrench, inhibition, attitude and modulator."""

import math
from typing import Any, Final

import numpy as np
from geometry_msgs.msg import WrenchStamped

from qiki_docking.contact import Floats
from qiki_docking.pilot import Steering
from qiki_docking.ros.host import Host
from qiki_msgs.msg import Allocation, ThrusterInhibit
from qiki_msgs.srv import SetAttitudeMode, SetModulator
from qiki_node import stamps
from qiki_node.qos import COMMAND

_TURNED: Final = 0.003
"""rad, by which the target that the allocator holds differs from the wanted one before it is set again."""
_RATE: Final = 1e-4
"""rad/s, the same of its rate."""
_PATIENCE: Final = 1.0
"""s after which a request without an answer is sent again."""
_OWN: Final = 16
"""Own wrenches that are remembered, to know those of others on the same topic."""

_MODES = SetAttitudeMode.Request


class Flight:
    """Sends steering to the allocator of the same namespace, and gives attitude mode and modulator back afterwards.

    It is what stood before that is given back: its modulator, DAMP or OFF; after HOLD the attitude of that moment.

    Args:
        frame: of the wrench, own base_link.
        on_foreign: called with the name of a flight command that is none of docking.
    """

    def __init__(self, node: Host, frame: str, n: int, on_foreign: Any) -> None:
        self._node, self._n, self._on_foreign = node, n, on_foreign
        self._wrench = WrenchStamped()
        self._wrench.header.frame_id = frame
        self._inhibit = ThrusterInhibit()
        self._inhibit.header.frame_id = frame
        self._wrenches = node.create_lifecycle_publisher(WrenchStamped, "cmd_wrench", COMMAND)
        self._inhibits = node.create_lifecycle_publisher(ThrusterInhibit, "inhibit", COMMAND)
        node.create_subscription(WrenchStamped, "cmd_wrench", self._take_wrench, COMMAND)
        self._attitude = _Setting(node, SetAttitudeMode, "allocator/set_attitude_mode")
        self._modulator = _Setting(node, SetModulator, "allocator/set_modulator")
        self._own: list[int] = []
        self._allocation: Allocation | None = None
        self._pushing = self._inhibiting = False
        self.before: tuple[int, str] | None = None
        """Attitude mode and modulator of the operator, to be given back; None: nothing was taken over."""
        self._target: tuple[float, Floats, Floats] | None = None

    @property
    def allocation(self) -> Allocation | None:
        """The newest message of the allocator; None: there is none yet."""
        return self._allocation

    @property
    def trouble(self) -> str:
        """Refusals and silence of the allocator; empty: none."""
        return "; ".join(filter(None, (self._attitude.trouble, self._modulator.trouble)))

    def take_allocation(self, message: Allocation) -> None:
        """Follow the allocator; another activity than docking's own wrench is a flight command."""
        self._allocation = message
        foreign = {
            Allocation.ACTIVITY_PROFILE: "execute_thrust_profile",
            Allocation.ACTIVITY_BRAKE: "brake",
            Allocation.ACTIVITY_LEVELS: "cmd_levels",
        }
        if message.activity in foreign:
            self._on_foreign(foreign[message.activity])

    def steer(self, steering: Steering | None, now: float, *, touching: bool = False) -> None:
        """Send the steering of a cycle; None: the bot belongs to its operator. `now`: s.

        touching: the body touches another, also while it is its operator's.
        """
        stamp = round((now + self._node.time.ahead) * stamps.SECOND)
        self._push(None if steering is None else steering.force, stamp)
        self._bound(steering or Steering(), touching or (steering is not None and steering.touching), stamp)
        if steering is None:
            self._give_back()
            return
        if self.before is None:
            if self._allocation is None:
                return
            self.before = (self._allocation.attitude_mode, self._allocation.modulator)
        self._modulator.want(SetModulator.Request(modulator=steering.modulator or self.before[1]))
        self._hold(steering, now)

    def stop(self, now: float) -> None:
        """Command no thrust at once, and give back what was taken over. `now`: s."""
        self.steer(None, now)

    def _push(self, force: Floats | None, stamp: int) -> None:
        if force is None and not self._pushing:
            return
        self._pushing = force is not None
        x, y, z = (0.0, 0.0, 0.0) if force is None else force.tolist()
        self._wrench.wrench.force.x, self._wrench.wrench.force.y, self._wrench.wrench.force.z = x, y, z
        stamps.set_nanoseconds(self._wrench.header.stamp, stamp)
        self._own = [*self._own[1 - _OWN :], stamp]
        self._wrenches.publish(self._wrench)

    def _bound(self, steering: Steering, touching: bool, stamp: int) -> None:
        bounds, wanted = steering.bounds, steering.bounds is not None or touching
        if not (wanted or self._inhibiting):
            return
        self._inhibiting = wanted
        self._inhibit.bound = (np.ones(self._n) if bounds is None else bounds).tolist()
        self._inhibit.reason, self._inhibit.touching = steering.bounds_reason, touching
        stamps.set_nanoseconds(self._inhibit.header.stamp, stamp)
        self._inhibits.publish(self._inhibit)

    def _hold(self, steering: Steering, now: float) -> None:
        if steering.attitude is None:
            self._target = None
            self._attitude.want(_MODES(mode=_MODES.OFF))
            return
        wanted, rate = steering.attitude, steering.rate
        if self._target is not None and self._attitude.is_set and self._follows(wanted, rate, now):
            return
        self._target = (now, wanted, rate)
        request = _MODES(mode=_MODES.HOLD, current=False)
        request.target.x, request.target.y, request.target.z, request.target.w = wanted.tolist()
        request.rate.x, request.rate.y, request.rate.z = rate.tolist()
        self._attitude.want(request, again=True)

    def _follows(self, wanted: Floats, rate: Floats, now: float) -> bool:
        """The target that the allocator turns by itself is still the wanted one."""
        assert self._target is not None
        since, target, turn = self._target
        angle = 2.0 * np.arccos(min(abs(float(wanted @ target)), 1.0))
        turned = float(np.linalg.norm(turn)) * max(now - since, 0.0)
        return abs(angle - turned) < _TURNED and float(np.abs(rate - turn).max()) < _RATE

    def _give_back(self) -> None:
        self._target = None
        if self.before is None:
            self._attitude.repeat()
            self._modulator.repeat()
            return
        mode, modulator = self.before
        self.before = None
        self._modulator.want(SetModulator.Request(modulator=modulator))
        self._attitude.want(_MODES(mode=mode, current=True))

    def _take_wrench(self, message: WrenchStamped) -> None:
        """Answer a wrench of another node with the own one, before a valve has opened for it."""
        if stamps.nanoseconds(message.header.stamp) in self._own:
            return
        self._on_foreign("cmd_wrench")
        if self._pushing and self._node.is_active:
            self._wrenches.publish(self._wrench)


class _Setting:
    """A setting of the allocator by service, repeated until it is acknowledged."""

    def __init__(self, node: Host, kind: Any, name: str) -> None:
        self._node, self._name = node, name
        self._client = node.create_client(kind, name)
        self._wanted: Any = None
        self._asked = -math.inf
        self.is_set = False
        self.trouble = ""

    def want(self, request: Any, *, again: bool = False) -> None:
        """Set it, if it is another than that wanted last, or with `again`; else repeat it until it is set."""
        if again or request != self._wanted:
            self._wanted, self.is_set, self._asked = request, False, -math.inf
        self.repeat()

    def repeat(self) -> None:
        """Send the request again if it is not acknowledged in time."""
        now = self._node.time.now()
        if self._wanted is None or self.is_set or 0.0 <= now - self._asked < _PATIENCE:
            return
        if self._asked > -math.inf and not self.trouble:
            self.trouble = f"{self._name} does not answer"
        self._asked = now
        if not self._client.service_is_ready():
            self.trouble = f"{self._name} is not there"
            return
        request = self._wanted
        self._client.call_async(request).add_done_callback(lambda done: self._answered(request, done))

    def _answered(self, request: Any, done: Any) -> None:
        response = done.result()
        if request is not self._wanted or response is None:
            return
        self.is_set = response.success
        self.trouble = "" if response.success else f"{self._name}: {response.message}"
