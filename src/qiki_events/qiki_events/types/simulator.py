"""Events of the simulator: of the simulation in stream `qiki/sim`, of a bot's hardware in `<bot>/sim`."""

from typing import Final

from qiki_events.proto import simulator_pb2 as proto
from qiki_events.registry import Schema

SCHEMAS: Final = (
    Schema("energy.sampled", (proto.EnergySampled,)),
    Schema("simulator.cluster_restored", (proto.ClusterRestored,)),
    Schema("simulator.cluster_tripped", (proto.ClusterTripped,)),
    Schema("simulator.fault_cleared", (proto.FaultCleared,)),
    Schema("simulator.fault_injected", (proto.FaultInjected,)),
    Schema("simulator.load_restored", (proto.LoadRestored,)),
    Schema("simulator.load_shed", (proto.LoadShed,)),
    Schema("simulator.node_cooled", (proto.NodeCooled,)),
    Schema("simulator.node_overheated", (proto.NodeOverheated,)),
    Schema("simulator.paused", (proto.SimulationPaused,)),
    Schema("simulator.pdu_restored", (proto.PduRestored,)),
    Schema("simulator.pdu_tripped", (proto.PduTripped,)),
    Schema("simulator.reset", (proto.SimulationReset,)),
    Schema("simulator.resumed", (proto.SimulationResumed,)),
    Schema("simulator.scenario_loaded", (proto.ScenarioLoaded,)),
    Schema("simulator.speed_changed", (proto.SpeedChanged,)),
    Schema("simulator.working_mass_exhausted", (proto.WorkingMassExhausted,)),
)
