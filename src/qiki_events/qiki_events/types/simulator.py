"""Events of the simulator: of the simulation in stream `qiki/sim`, of a bot's hardware in `<bot>/sim`."""

from typing import Final

from qiki_events.proto import simulator_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema(
        "energy.sampled",
        (proto.EnergySampled,),
        stream="<bot>/sim",
        delivery="telemetry",
        when="1 Hz of simulated time; counters begin at zero with the emitter; none while the energy "
        "sensor gives nothing",
    ),
    Schema(
        "simulator.capture_lost",
        (proto.PortCaptureLost,),
        stream="<bot>/sim",
        when="the magnets of a port were torn off",
    ),
    Schema(
        "simulator.captured", (proto.PortCaptured,), stream="<bot>/sim", when="the magnets of a port hold the partner"
    ),
    Schema("simulator.cluster_restored", (proto.ClusterRestored,), stream="<bot>/sim", when="cool enough again"),
    Schema(
        "simulator.cluster_tripped", (proto.ClusterTripped,), stream="<bot>/sim", when="too hot: its valves stay closed"
    ),
    Schema(
        "simulator.collision",
        (proto.BodyCollision,),
        stream="<bot>/sim",
        when="bodies touch elsewhere than at the collars of facing ports",
    ),
    Schema("simulator.fault_cleared", (proto.FaultCleared,), stream="<bot>/sim", when="a fault ended"),
    Schema("simulator.fault_injected", (proto.FaultInjected,), stream="<bot>/sim", when="a fault began"),
    Schema(
        "simulator.hot_break",
        (proto.PortHotBreak,),
        stream="<bot>/sim",
        when="power contacts opened, or ports parted, under current",
    ),
    Schema(
        "simulator.latch_broken",
        (proto.PortLatchBroken,),
        stream="<bot>/sim",
        when="the load of a joint was above the strength of the latches",
    ),
    Schema("simulator.latched", (proto.PortLatched,), stream="<bot>/sim", when="the latches of a port locked"),
    Schema(
        "simulator.load_restored",
        (proto.LoadRestored,),
        stream="<bot>/sim",
        when="a load of the avionics bus was switched",
    ),
    Schema(
        "simulator.load_shed", (proto.LoadShed,), stream="<bot>/sim", when="a load of the avionics bus was switched"
    ),
    Schema("simulator.node_cooled", (proto.NodeCooled,), stream="<bot>/sim", when="cool enough again"),
    Schema(
        "simulator.node_overheated",
        (proto.NodeOverheated,),
        stream="<bot>/sim",
        when="a thermal node that is no cluster is too hot",
    ),
    Schema("simulator.paused", (proto.SimulationPaused,), stream="qiki/sim", when="by service"),
    Schema("simulator.pdu_restored", (proto.PduRestored,), stream="<bot>/sim", when="the trip is over"),
    Schema(
        "simulator.pdu_tripped",
        (proto.PduTripped,),
        stream="<bot>/sim",
        when="too much power was drawn: all valves closed for the trip time",
    ),
    Schema("simulator.port_contact", (proto.PortContact,), stream="<bot>/sim", when="the faces of two ports touch"),
    Schema(
        "simulator.port_contact_ended",
        (proto.PortContactEnded,),
        stream="<bot>/sim",
        when="ports that touched are apart, uncaptured",
    ),
    Schema(
        "simulator.released",
        (proto.PortReleased,),
        stream="<bot>/sim",
        when="neither magnets nor latches hold the partner any more",
    ),
    Schema("simulator.reset", (proto.SimulationReset,), stream="qiki/sim", when="by `reset`"),
    Schema("simulator.resumed", (proto.SimulationResumed,), stream="qiki/sim", when="by service"),
    Schema(
        "simulator.scenario_loaded",
        (proto.ScenarioLoaded,),
        stream="qiki/sim",
        when="at the start, and by `load_scenario`",
    ),
    Schema("simulator.speed_changed", (proto.SpeedChanged,), stream="qiki/sim", when="by `set_speed`"),
    Schema("simulator.unlatched", (proto.PortUnlatched,), stream="<bot>/sim", when="the latches of a port opened"),
    Schema(
        "simulator.working_mass_exhausted", (proto.WorkingMassExhausted,), stream="<bot>/sim", when="the tank is empty"
    ),
)
