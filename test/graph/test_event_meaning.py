"""Events of allocator and simulator fit the schemas and mean the same to the store."""

import contextlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qiki_allocator.assembly import MODULATORS, assemble
from qiki_allocator.flight.controller import Controller
from qiki_allocator.flight.segments import Segment
from qiki_allocator.flight.telemetry import Mode
from qiki_allocator.health.table import Condition
from qiki_allocator.limits.energy_gate import EnergyReading
from qiki_events import REGISTRY
from qiki_events.projections import BOT_STATE, COMMAND_LEDGER, ENERGY_LEDGER
from qiki_eventstore import RecordedEvent
from qiki_sim.occurrences import Watch
from qiki_sim.valves import ValveCommand
from qiki_sim.world import World
from qiki_vehicle import Vehicle

CONFIG = Path(__file__).parents[2] / "launch" / "config"
FORCE = np.array([200.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def recorded(position: int, type: str, data: Mapping[str, Any], time: float, stream: str) -> RecordedEvent:
    """As a store would hold it; the type must be registered, the data must fit."""
    assert isinstance(REGISTRY.typed(type, data), Message), f"{type} is not registered"
    content_type, content = REGISTRY.encode(type, data, REGISTRY.newest(type))
    return RecordedEvent(
        position=position,
        stream=stream,
        version=position - 1,
        id=uuid.UUID(int=position),
        type=type,
        source="",
        time=round(time * 1e9),
        recorded=position,
        correlation=None,
        causation=None,
        schema_version=REGISTRY.newest(type),
        content_type=content_type,
        payload=content,
    )


@pytest.fixture(scope="module")
def vehicle() -> Vehicle:
    return Vehicle.from_file(CONFIG / "vehicles" / "dodecahedron.yaml")


def inform(controller: Controller, now: float, soc: float) -> None:
    controller.update_energy(now, EnergyReading(now, soc, 22500.0))
    controller.update_thermal(now, now, {**{f"RCS_{cluster}": 20.0 for cluster in "ABCD"}, "HULL": 20.0})


def act(controller: Controller, now: float, action: str, number: int) -> None:
    match action:
        case "mode":
            controller.set_mode(now, list(Mode)[number % 3], arm=number % 2 == 0)
        case "health":
            controller.set_health(now, number % 16, list(Condition)[number % 4], 0.25 * (number % 5))
        case "profile":
            controller.start_profile(now, [Segment(FORCE, 1.0, 0.0, 0.1 * (1 + number % 5))], f"p{number}-{now:.2f}")
        case "cancel":
            controller.cancel_profile(now)
        case "stop":
            controller.stop(now)
            controller.resume()
        case "modulator":
            controller.set_modulator(now, MODULATORS[number % 4])
        case "command":
            controller.command(now, FORCE * (number % 2))
        case "wrong":
            controller.command(now, FORCE * np.nan)
        case "energy":
            inform(controller, now, 0.1 * (number % 10))


ACTIONS = ("mode", "modulator", "health", "profile", "cancel", "stop", "command", "wrong", "energy")


FLIGHT = [
    ("mode", 2, 5),  # armed
    ("mode", 0, 5),  # disarmed
    ("health", 5, 3),
    ("profile", 3, 20),
    ("cancel", 0, 3),
    ("mode", 1, 1),
    ("profile", 0, 30),
    ("wrong", 0, 1),
    ("energy", 1, 60),
]


@pytest.mark.requirement("EVENT-11b")
@settings(max_examples=15)
@example(steps=FLIGHT)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 60), st.integers(1, 100)), max_size=10))
def test_the_bots_state_is_what_the_allocator_was(vehicle: Vehicle, steps: list[tuple[str, int, int]]) -> None:
    controller, now, soc = assemble(vehicle, stopwatch=lambda: 0.0), 10.0, 0.8
    inform(controller, now, soc)
    state, commands, position = BOT_STATE.initial(), COMMAND_LEDGER.initial(), 0
    for action, number, cycles in [("command", 0, 1), *steps]:
        with contextlib.suppress(ValueError):  # refused
            act(controller, now, action, number)
        for _ in range(cycles):
            now += 0.01
            controller.tick(now)
        telemetry = controller.telemetry(now)
        for one in controller.journal.take():
            position += 1
            event = recorded(position, one.type, one.data, one.time, "alpha/allocator")
            state = BOT_STATE.apply(state, event, event.data)
            commands = COMMAND_LEDGER.apply(commands, event, event.data)
        assert (state.mode, state.armed) == (telemetry.mode.value, telemetry.mode is Mode.MANUAL_OVERRIDE)
        assert state.modulator == telemetry.modulator
        assert (state.gate, state.attitude_mode) == (telemetry.limits.energy.gate.value, telemetry.attitude_mode.name)
        assert [(state.thrusters[i].health, state.thrusters[i].share) for i in range(16)] == [
            (condition.name, share)
            for condition, share in zip(telemetry.conditions, telemetry.levels.tolist(), strict=True)
        ]
        flown = controller.profile.name if controller.profile.is_on else None
        assert (state.profile.command_id if state.profile else None) == flown
        assert [command.command_id for command in commands.open] == ([] if flown is None else [flown])


@pytest.mark.requirement("EVENT-11b")
def test_the_energy_ledger_is_what_the_simulated_bus_gave() -> None:
    world = World.from_file(CONFIG / "scenarios" / "station.yaml", seed=1)
    watch, bot = Watch(world), world.bots[0]
    thrusters = len(world.valves(bot).open)
    closed = np.full(thrusters, np.nan)
    books, position = ENERGY_LEDGER.initial(), 0
    world.inject_fault(bot, "thruster_weak", "3", 0.5, 0.5)
    for tick in range(301):
        if tick % 20 == 0 and tick < 200:
            opened = np.where(np.arange(thrusters) < (12 if tick == 180 else 2), 0.0, np.nan)
            world.command(bot, ValveCommand(stamp=world.time, window=0.2, open_time=opened, close_time=closed))
        world.step(0.01)
        for one in watch.look(world):
            position += 1
            event = recorded(position, one.type, one.payload, world.time, f"{one.bot}/sim")
            if one.bot == bot:
                books = ENERGY_LEDGER.apply(books, event, event.data)
    assert books.samples >= 3
    assert books.used.energy_j == pytest.approx(world.bot(bot).energy.thrust_energy) != 0.0
    assert position > books.samples, "nothing but samples was emitted"
