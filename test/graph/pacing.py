"""Simulated time as slow as the machine needs it: for tests of what only processes that keep up can do."""

from collections.abc import Callable

from nav_msgs.msg import Odometry
from std_srvs.srv import Trigger

from qiki_msgs.msg import Allocation, ThrusterState
from qiki_msgs.srv import SetSpeed
from qiki_node.qos import TELEMETRY
from qiki_node.testing import Peer

PACES = (1.0, 0.5, 0.2, 0.1)  # simulated s per wall s, one after the other where the machine is too busy
SILENCE = 0.2  # s of simulated time without a message, after which one of the processes was late


class Watch:
    """True while simulator, allocator and this process keep up with simulated time, as far as it concerns a bot."""

    def __init__(self, peer: Peer, bot: str) -> None:
        self._node = peer.node
        self._bot = bot
        self._heard: dict[type, float] = {}
        self._silence = 0.0
        self._late: tuple[int, int] | None = None  # edges, first and last reported
        self._subscriptions = [
            self._node.create_subscription(Odometry, f"/{bot}/odom", self._hear, TELEMETRY),
            self._node.create_subscription(Allocation, f"/{bot}/allocation", self._hear, TELEMETRY),
            self._node.create_subscription(ThrusterState, f"/{bot}/thruster_state", self._hear_valves, TELEMETRY),
        ]

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    @property
    def late_edges(self) -> int:
        """Valve edges whose command came after their time."""
        return self._late[1] - self._late[0] if self._late else 0

    @property
    def was_in_time(self) -> bool:
        return self.late_edges == 0 and self._silence < SILENCE

    def __str__(self) -> str:
        return f"{self._bot}: {self.late_edges} late edges, longest silence {self._silence:.2f} s"

    def _hear(self, message: Odometry | Allocation) -> None:
        now = stamp_of(message)
        self._silence = max(self._silence, now - self._heard.get(type(message), now))
        self._heard[type(message)] = now

    def _hear_valves(self, message: ThrusterState) -> None:
        self._late = (self._late[0] if self._late else message.late_edges, message.late_edges)


def in_time(peer: Peer, attempt: Callable[[float], None], *bots: str) -> None:
    """Let `attempt` begin with the scenario's start, at a pace (simulated s per wall s) given to it; it asserts.

    A machine too busy to bring commands to the valves before their time shows nothing of the allocator: what fails on
    it is repeated in slower time. What fails although all was in time has failed.
    """
    for pace in PACES:
        assert peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=pace)).success
        assert peer.call(Trigger, "/qiki/sim/reset", Trigger.Request()).success
        watches = [Watch(peer, bot) for bot in bots]
        try:
            attempt(pace)
        except AssertionError as error:
            if pace == PACES[-1] or all(watch.was_in_time for watch in watches):
                raise
            print(f"not in time at a pace of {pace:g}: {error}")
        else:
            return
        finally:
            print(*watches, sep="\n")
            for watch in watches:
                watch.close()
            peer.call(SetSpeed, "/qiki/sim/set_speed", SetSpeed.Request(factor=1.0))


def stamp_of(message: Odometry | Allocation) -> float:
    """s."""
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
