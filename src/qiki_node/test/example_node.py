"""A small node that uses everything of the shell: run as a process by the tests."""

import threading
import warnings
from dataclasses import dataclass

from rclpy.action import ActionServer, CancelResponse
from std_msgs.msg import UInt64
from std_srvs.srv import Trigger

from qiki_msgs.action import ExecuteThrustProfile
from qiki_node.health import Health, Level
from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.run import run


@dataclass(frozen=True)
class ExampleParameters(NodeParameters):
    rate: float = parameter(50.0, "ticks per second", unit="Hz", minimum=1.0, maximum=500.0)
    colour: str = parameter("red", "colour of the lamp", choices=("red", "green"))
    gains: list[float] = parameter([1.0, 2.0], "gains", minimum=0.0)
    broken: bool = parameter(False, "refuse to be configured")


class Example(QikiNode[ExampleParameters]):
    def __init__(self) -> None:
        super().__init__("example", ExampleParameters)
        self.ticks = 0
        self.broken = False

    def on_configure_node(self) -> None:
        if self.params.broken:
            raise ValueError("parameter broken: True is not allowed; allowed: false")
        self.publisher = self.create_lifecycle_publisher(UInt64, "ticks", 10)
        self.create_service(Trigger, "~/poke", self.poke)
        self.create_service(Trigger, "~/break", self.break_down)
        self.server = ActionServer(
            self, ExecuteThrustProfile, "~/fly", self.fly, cancel_callback=lambda _: CancelResponse.ACCEPT
        )
        self.add_timer(1.0 / self.params.rate, self.tick)
        self.add_diagnostic("lamp", lambda: Health(Level.OK, self.params.colour, {"ticks": self.ticks}))

    def on_deactivate_node(self) -> None:
        self.log.info("lamp off", ticks=self.ticks)

    def tick(self) -> None:
        if self.broken:
            raise LookupError("lamp is broken")
        self.ticks += 1
        self.publisher.publish(UInt64(data=self.ticks))

    def poke(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = True
        response.message = 'poked "hard"'
        self.log.info(response.message, count=1)
        return response

    def break_down(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        warnings.warn("lamp is hot", RuntimeWarning, stacklevel=1)
        threading.Thread(target=lambda: 1 / 0).start()
        self.broken = True
        return response

    async def fly(self, goal):
        """Runs until it is cancelled, waiting for ticks."""
        start = self.ticks
        while not goal.is_cancel_requested:
            goal.publish_feedback(ExecuteThrustProfile.Feedback(progress=float(self.ticks - start)))
            await self.next_tick()
        goal.canceled()
        return ExecuteThrustProfile.Result(outcome=ExecuteThrustProfile.Result.CANCELED)

    async def next_tick(self) -> None:
        from rclpy.task import Future

        future: Future = Future(executor=self.executor)
        timer = self.create_timer(0.02, lambda: future.set_result(None) if not future.done() else None)
        await future
        self.destroy_timer(timer)


if __name__ == "__main__":
    run(Example)
