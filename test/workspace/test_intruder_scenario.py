"""The shipped scenario `intruder`: the clone claims the friend's identity at its own place (SIM-R5)."""

from pathlib import Path

import numpy as np
import pytest

from qiki_sim import Transmission, World
from qiki_xpdr.frames import Claim, decode

PATH = Path(__file__).parents[2] / "launch" / "config" / "scenarios" / "intruder.yaml"


def claims(world, identity="ALLY-0A1B2C"):
    """Claims that arrive at alpha when bravo makes one."""
    truth = world.motion("bravo")
    place = tuple(truth.position.tolist())
    frame = Claim(identity, world.time_us * 1000, 7, 1, place, (0.0, 2.0, 0.0)).encode()
    world.transmit("bravo", Transmission(frame, world.bot("bravo").vehicle.transponder.eirp))
    world.step(0.01)
    return [(one, decode(one.frame)) for one in world.take_receptions("alpha")]


def test_friend_passes_and_the_clone_claims_its_identity_from_its_own_place():
    world = World.from_file(PATH)
    ((_, alone),) = claims(world)
    world.step(20.0)
    (_, true), (arrival, clone) = claims(world)
    assert alone.identity == true.identity == clone.identity
    assert true.position[0] == pytest.approx(60.0)
    place = world.motion("shadow").position
    assert clone.position == pytest.approx(place.tolist(), abs=0.01)
    assert np.linalg.norm(place) == pytest.approx(400.0, abs=2.0)
    assert np.degrees(arrival.bearing) == pytest.approx(270.0, abs=12.0)
    world.step(29.97)
    gap = np.linalg.norm(world.motion("bravo").position - world.motion("alpha").position)
    assert gap == pytest.approx(60.0, abs=0.1)
    frame = world.radar("alpha")
    assert frame.number == 499
