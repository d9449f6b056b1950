"""Commands, in streams `operator/<name>`, and their verdicts, in the stream of the deciding node."""

from typing import Final

from qiki_events.proto import operator_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema(
        "command.accepted", (proto.CommandVerdict,), stream="that of the deciding node", when="a command was accepted"
    ),
    Schema(
        "command.executed",
        (proto.CommandVerdict,),
        stream="that of the deciding node",
        when="a command was carried out",
    ),
    Schema("command.failed", (proto.CommandVerdict,), stream="that of the deciding node", when="a command failed"),
    Schema(
        "command.rejected", (proto.CommandVerdict,), stream="that of the deciding node", when="a command was refused"
    ),
    Schema(
        "command.timeout",
        (proto.CommandVerdict,),
        stream="that of the deciding node",
        when="a command ended without a result in time",
    ),
    Schema(
        "operator.command_issued", (proto.CommandIssued,), stream="operator/<name>", when="an operator gave a command"
    ),
    Schema(
        "procedure.ended", (proto.ProcedureEnded,), stream="operator/<name>", when="a procedure ended, for any reason"
    ),
    Schema(
        "procedure.started", (proto.ProcedureStarted,), stream="operator/<name>", when="`qiki run` began a procedure"
    ),
    Schema(
        "procedure.step_ended",
        (proto.ProcedureStepEnded,),
        stream="operator/<name>",
        when="a step of it ended, those of a failure too",
    ),
)
