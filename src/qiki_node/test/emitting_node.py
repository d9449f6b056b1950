"""A node that emits numbered events: run as a process by the tests."""

import math
from dataclasses import dataclass

import numpy as np

from qiki_node.node import QikiNode
from qiki_node.parameters import NodeParameters, parameter
from qiki_node.run import run


@dataclass(frozen=True)
class EmitterParameters(NodeParameters):
    rate: float = parameter(50.0, "events per second", unit="Hz", minimum=1.0, maximum=5000.0)
    most: int = parameter(1_000_000, "events in all")
    delivery: str = parameter("audit", "class of the events", choices=("audit", "telemetry"))


class Emitter(QikiNode[EmitterParameters]):
    def __init__(self) -> None:
        super().__init__("emitter", EmitterParameters)
        self.count = 0

    def on_configure_node(self) -> None:
        self.add_timer(1.0 / self.params.rate, self.tick, steady=True)

    def on_deactivate_node(self) -> None:
        self.events.emit("test.ended", {"count": self.count})

    def tick(self) -> None:
        if self.count < self.params.most:
            values = {"nan": math.nan, "array": np.array([1.0, math.inf]), "one": np.int32(1)}
            self.events.emit("test.ticked", {"count": self.count, **values}, delivery=self.params.delivery)
            self.count += 1


if __name__ == "__main__":
    run(Emitter)
