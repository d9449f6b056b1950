"""Commands, in streams `operator/<name>`, and their verdicts, in the stream of the deciding node."""

from typing import Final

from qiki_events.proto import operator_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema("command.accepted", (proto.CommandVerdict,)),
    Schema("command.executed", (proto.CommandVerdict,)),
    Schema("command.failed", (proto.CommandVerdict,)),
    Schema("command.rejected", (proto.CommandVerdict,)),
    Schema("command.timeout", (proto.CommandVerdict,)),
    Schema("operator.command_issued", (proto.CommandIssued,)),
)
