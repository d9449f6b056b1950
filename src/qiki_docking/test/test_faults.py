"""The table of ends under faults, against the machine itself with hardware that fails in that way."""

import pytest
from plant import Plant

from qiki_docking import Phase, Reason
from qiki_docking.evidence import LINK, QUANTITIES
from qiki_docking.faults import FAULTS, PHASES, Fault, end

pytestmark = pytest.mark.requirement("DOCK-20")


def inject(plant, name):
    """Make the hardware of the plant fail."""
    closed = plant.contacts
    unpowered = {"bridge_volts": 0.0} if closed else {"bridge_volts": 0.0, "contacts_closed": 0.0}
    if name == "latch jam":
        plant.jammed = {"latch"}
    elif name == "sensors disagree":
        plant.faults = {"latch_1": lambda _: float(plant.latch < 1.0)}
    elif name == "partner silent":
        plant.silent = {name for name, quantity in QUANTITIES.items() if quantity.source == LINK}
    else:
        plant.faults = {
            "umbilical misaligned": {"umbilical": 0.0, "bridge_volts": 0.0, "data_carrier": 0.0},
            "polarity reversed": {"probe_volts": -28.0, "bridge_volts": 0.0},
            "contact resistance": unpowered,
            "contacts welded": {"contacts_closed": 1.0},
            "partner without power": {**unpowered, "data_carrier": 0.0},
        }[name]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", FAULTS)
def test_the_machine_ends_as_the_table_says(vehicle, name, phase):
    plant = Plant(vehicle, distance=1.5).dock()
    if phase is Phase.UNDOCKING:
        plant.run("BRIDGE")
        plant.machine.undock(plant.now)
    plant.run(phase)
    inject(plant, name)
    ends, started = (Phase.FREE, Phase.FAULT), plant.now
    plant.run(
        lambda plant: (
            plant.machine.phase in ends or (plant.machine.phase is Phase.BRIDGE and plant.now > started + 60.0)
        )
    )
    assert (plant.machine.phase, plant.machine.state.reason) == end(FAULTS[name], phase, vehicle)


def test_a_fault_of_nothing_ends_docked_and_one_of_the_path_gives_up_after_all_tries(vehicle):
    assert end(Fault(), Phase.APPROACH, vehicle) == (Phase.BRIDGE, Reason.DOCKED)
    assert end(Fault({"capture": 0.0}), Phase.ALIGN, vehicle) == (Phase.FREE, Reason.RETRIES_EXHAUSTED)
    with pytest.raises(ValueError, match="phase: FREE; allowed: APPROACH, "):
        end(Fault(), Phase.FREE, vehicle)
