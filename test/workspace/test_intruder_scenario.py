"""The shipped scenario `intruder`, seen by the cores of alpha and with bravo's transponder (SIM-R5).

Twin and transponder do not know each other: this shows that they fit.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qiki_sim import Transmission, World
from qiki_vehicle import quaternion
from qiki_vehicle.keys import own_identity
from qiki_xpdr import (
    Allegiance,
    GuardTable,
    Iff,
    KeyRing,
    Mode,
    Motion,
    OwnKeys,
    Reception,
    Rules,
    SpoofState,
    Transponder,
    Watch,
)
from qiki_xpdr.frames import Claim, decode
from qiki_xpdr.geometry import Own

CONFIG = Path(__file__).parents[2] / "launch" / "config"
BEGIN = 20.0  # s, of the intruder's transmissions


@pytest.fixture(scope="module")
def world():
    return World.from_file(CONFIG / "scenarios" / "intruder.yaml")


def bravos_keys():
    secret = hashlib.sha256(b"bravo").digest()
    identity = own_identity(Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())
    return OwnKeys.model_validate({"identity": identity, "keys": [{"secret": secret.hex()}]})


def motion(world, bot):
    """By the odometry: position and velocity in world, axes."""
    odom = world.odom(bot)
    axes = quaternion.matrix(odom.orientation)
    return odom.position, axes @ odom.velocity, axes


def test_clone_claims_the_friends_identity_at_its_own_place(world):
    world.reset()
    world.step(BEGIN)
    frame = Claim("ALLY-0A1B2C", world.time_us * 1000, 7, 1, (60.0, -20.0, 0.0), (0.0, 2.0, 0.0)).encode()
    world.transmit("bravo", Transmission(frame, 30.0))
    world.step(0.01)
    true, clone = (decode(one.frame) for one in world.take_receptions("alpha"))
    assert true.position == (60.0, -20.0, 0.0)
    assert (clone.identity, clone.sequence) == (true.identity, true.sequence)
    assert clone.position == pytest.approx(world.motion("shadow").position.tolist(), abs=0.01)
    assert np.linalg.norm(clone.position) == pytest.approx(400.0, abs=2.0)


def test_friend_passes_without_an_alarm_and_the_clone_is_found_within_two_seconds(world):
    world.reset()
    keys, vehicle = bravos_keys(), world.bot("alpha").vehicle
    ring = KeyRing.model_validate(
        {"members": {keys.identity: [keys.public(0).model_dump()]}, "revoked": [], "foes": []}
    )
    xpdr = Transponder(vehicle.transponder, keys.identity, keys=keys, mode=Mode.ON)
    watch = Watch(vehicle, Iff(vehicle.iff, "ALLY-000000", ring), GuardTable(Rules.from_file(CONFIG / "guard.yaml")))
    alerts, found, nearest = [], math.inf, math.inf
    while world.time < 32.0:
        world.step(0.09)
        place, velocity, _ = motion(world, "bravo")
        for frame in xpdr.frames(Motion(tuple(place), tuple(velocity)), world.time):
            world.transmit("bravo", Transmission(frame, vehicle.transponder.eirp))
        world.step(0.01)
        receptions = [
            Reception(one.number, one.frame, one.bearing, one.elevation, one.round_trip, one.strength)
            for one in world.take_receptions("alpha")
        ]
        frame = watch.frame(world.time, world.radar("alpha").detections, Own(*motion(world, "alpha")), receptions)
        alerts += [(alert.rule, alert.track, world.time) for alert in frame.alerts]
        gap = world.motion("bravo").position - world.motion("alpha").position
        nearest = min(nearest, float(np.linalg.norm(gap)))
        verdicts = {track: one.spoof for track, one in frame.identified.items()}
        if SpoofState.SPOOF in verdicts.values():
            found = min(found, world.time)
    assert nearest == pytest.approx(60.0, abs=0.1)
    assert BEGIN < found < BEGIN + 2.0
    assert {rule for rule, _, _ in alerts} == {"SPOOFING_DETECTED"}
    picture = frame.picture

    def track_of(body):
        apart = np.linalg.norm(picture.state[:, :3] - world.motion(body).position, axis=1)
        return int(picture.number[apart.argmin()])

    assert frame.identified[track_of("bravo")].spoof is SpoofState.TRUSTED
    assert frame.identified[track_of("bravo")].standing.result is Allegiance.FRIEND
    assert verdicts[track_of("shadow")] is SpoofState.SPOOF
    assert {track for _, track, _ in alerts} == {track_of("shadow")}
