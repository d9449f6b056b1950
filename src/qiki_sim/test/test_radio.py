"""Radio channel against closed forms, and intruders by script (SIM-R1 to SIM-R5)."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, kstest, norm
from sim_helpers import VEHICLE, make_world

from qiki_sim import CommandError, ConfigurationError, Transmission, World
from qiki_sim.air.geometry import LIGHT, across, angles, unit
from qiki_sim.air.radio import free_space_loss
from qiki_vehicle import Vehicle

RADIO = Vehicle.from_file(VEHICLE).radio
TRANSPONDER_WATTS = Vehicle.from_file(VEHICLE).avionics.loads["transponder"]
APART = np.array([300.0, 400.0, -120.0])
PAIR = {"alpha": {}, "bravo": {"position": APART.tolist(), "orientation": [0.0, 0.6, 0.0, 0.8]}}
SHADOW = {
    "name": "shadow",
    "type": "SHIP",
    "shape": {"kind": "sphere", "radius": 1.0},
    "course": [{"time": 0.0, "position": [0.0, 400.0, 0.0]}, {"time": 100.0, "position": [0.0, 400.0, 200.0]}],
}
CHECK = 1e-6
"""Chance that a statistical test fails by itself; seeds are fixed."""


def sent(world, bot="bravo", count=1, to="alpha", *, eirp=30.0, frame=b"frame"):
    """Receptions of frames that are transmitted at once."""
    for _ in range(count):
        world.transmit(bot, Transmission(frame, eirp))
    world.step(0.01)
    return world.take_receptions(to)


def test_loss_of_free_space():
    """SIM-R1: 20 dB for ten times the distance; 107.2 dB at 5 km and 1.09 GHz; never a gain."""
    assert free_space_loss(5000.0, 1.09e9) == pytest.approx(107.18, abs=0.01)
    assert free_space_loss(500.0, 1.09e9) == pytest.approx(free_space_loss(5000.0, 1.09e9) - 20.0)
    assert free_space_loss(0.0, 1.09e9) == 0.0


def test_reception_of_many_frames_against_closed_forms(tmp_path):
    """SIM-R1, SIM-R2: strength, flight time, direction across the line of sight in the receiver's frame, numbers."""
    world = make_world(tmp_path, bots=PAIR)
    got = sent(world, "alpha", 800, "bravo")
    assert [one.number for one in got] == list(range(1, 801))
    assert {one.frame for one in got} == {b"frame"}
    distance = float(np.linalg.norm(APART))
    assert {one.time for one in got} == {round(distance / LIGHT * 1e9)}
    assert all(math.isnan(one.round_trip) for one in got)
    strength = np.array([one.strength for one in got]) - 30.0 + free_space_loss(distance, RADIO.frequency)
    turn = np.array([[0.28, 0.0, 0.96], [0.0, 1.0, 0.0], [-0.96, 0.0, 0.28]])
    sight = -APART @ turn / distance
    east, up = across(sight)
    arrivals = unit(np.array([one.bearing for one in got]), np.array([one.elevation for one in got]))
    ahead = arrivals @ sight
    for errors in (
        strength / RADIO.strength,
        arrivals @ east / ahead / RADIO.direction,
        arrivals @ up / ahead / RADIO.direction,
    ):
        low, high = chi2.ppf((CHECK, 1.0 - CHECK), len(errors)) / len(errors)
        assert low < (errors**2).mean() < high
        assert kstest(errors, "norm").pvalue > CHECK


def test_receiver_threshold_and_loss(tmp_path):
    """SIM-R1: the share received is that of the fading above the sensitivity, times what is not lost."""
    distance = float(np.linalg.norm(APART))
    clear, lossy = (make_world(tmp_path, bots=PAIR, environment={"radio_loss": loss}) for loss in (0.0, 0.3))
    for world, margin, loss in ((clear, 2.0, 0.0), (clear, -1.0, 0.0), (lossy, 20.0, 0.3)):
        eirp = RADIO.sensitivity + free_space_loss(distance, RADIO.frequency) + margin
        got = sent(world, count=600, eirp=eirp)
        assert binomtest(len(got), 600, norm.cdf(margin / RADIO.strength) * (1.0 - loss)).pvalue > CHECK
        assert all(one.strength >= RADIO.sensitivity for one in got)


def test_round_trip_of_answers_to_own_questions_alone(tmp_path):
    """SIM-R2: both flights with 20 ns of jitter, whenever the answer comes; a third bot sees none."""
    world = make_world(tmp_path, bots={**PAIR, "charlie": {"position": [0.0, 90.0, 0.0]}})
    (question,) = sent(world, "alpha", 1, "bravo")
    world.step(1.0)
    for _ in range(500):
        world.transmit("bravo", Transmission(b"answer", 30.0, question.number))
    world.step(0.01)
    jitter = np.array([one.round_trip for one in world.take_receptions("alpha")])
    jitter = (jitter - 2.0 * np.linalg.norm(APART) / LIGHT) / RADIO.round_trip
    assert len(jitter) == 500
    assert kstest(jitter, "norm").pvalue > CHECK
    assert all(math.isnan(one.round_trip) for one in world.take_receptions("charlie"))


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """Two bots 5 m apart."""
    return make_world(tmp_path_factory.mktemp("near"), bots={"alpha": {}, "bravo": {"position": [5.0, 0.0, 0.0]}})


@given(st.lists(st.tuples(st.binary(max_size=1300), st.floats(width=32), st.integers(0, 3)), max_size=8))
def test_any_bytes_arrive_as_they_were_sent_or_are_refused(near, transmissions):
    """SIM-R1, SIM-R2: whatever is given to the radio."""
    world = near
    accepted = []
    for frame, eirp, answers in transmissions:
        possible = 1 <= len(frame) <= 1280 and -100.0 <= eirp <= 100.0 and answers == 0
        if possible:
            world.transmit("alpha", Transmission(frame, eirp, answers))
            accepted.append((frame, eirp))
            continue
        with pytest.raises(CommandError, match="; allowed: "):
            world.transmit("alpha", Transmission(frame, eirp, answers))
    world.step(0.01)
    got = world.take_receptions("bravo")
    # 5 m take 47 dB: from 0 dBm on, no fading of 2 dB reaches down to the sensitivity, and at -70 dBm none up to it.
    certain = [frame for frame, eirp in accepted if eirp >= 0.0]
    possible = [frame for frame, eirp in accepted if eirp > -70.0]
    assert len(certain) <= len(got) <= len(possible)
    received = iter(one.frame for one in got)
    assert all(frame in received for frame in certain)
    assert [one.number for one in got] == [got[0].number + k for k in range(len(got))]
    assert np.isfinite([(one.strength, one.bearing, one.elevation) for one in got]).all()


def test_answers_to_nothing_and_impossible_frames_are_refused(tmp_path):
    """SIM-R2: named with field, value and allowed range; nothing is transmitted."""
    world = make_world(tmp_path, bots=PAIR)
    (question,) = sent(world, "alpha", 1, "bravo")
    for transmission, text in (
        (Transmission(b"", 30.0), "frame of 0 bytes; allowed: 1 to 1280"),
        (Transmission(bytes(1281), 30.0), "frame of 1281 bytes"),
        (Transmission(b"x", math.nan), "eirp = nan; allowed: -100 to 100 dBm"),
        (Transmission(b"x", 101.0), "eirp = 101.0"),
        (Transmission(b"x", 30.0, 2), "answers = 2; allowed: 0, or the number of a reception of the last 5 s"),
    ):
        with pytest.raises(CommandError, match=text):
            world.transmit("bravo", transmission)
    world.step(5.1)
    with pytest.raises(CommandError, match="answers = 1"):
        world.transmit("bravo", Transmission(b"x", 30.0, question.number))
    with pytest.raises(KeyError, match="bot = 'nobody'"):
        world.transmit("nobody", Transmission(b"x", 30.0))
    world.step(0.01)
    assert world.take_receptions("alpha") == []


def test_noise_depends_on_seed_receiver_and_senders_number_alone(tmp_path):
    """SIM-R3: other traffic and the order of the senders change nothing."""
    bots = {**PAIR, "charlie": {"position": [0.0, 90.0, 0.0]}}

    world = make_world(tmp_path, bots=bots)

    def strengths(order, world=world):
        world.reset()
        for bot in order:
            world.transmit(bot, Transmission(bot.encode(), 30.0))
        world.step(0.01)
        return [one.strength for one in world.take_receptions("alpha") if one.frame == b"bravo"]

    first = strengths(["bravo", "bravo"])
    assert first == strengths(["charlie", "bravo", "charlie", "bravo", "charlie"])
    assert first[0] != first[1]
    assert first != strengths(["bravo", "bravo"], World(world.scenario, seed=2))


def test_transponder_draws_its_power_only_while_it_transmits(tmp_path):
    """SIM-R4; without power nothing leaves or arrives."""
    world = make_world(tmp_path, bots=PAIR)
    world.step(0.5)
    idle = world.bot("alpha").energy.avionics_power
    for _ in range(5):
        world.transmit("alpha", Transmission(b"claim", 30.0))
        world.step(0.1)
        assert world.bot("alpha").energy.avionics_power == pytest.approx(idle + TRANSPONDER_WATTS)
    world.step(0.3)
    assert world.bot("alpha").energy.avionics_power == pytest.approx(idle)
    assert world.bot("bravo").energy.avionics_power == pytest.approx(idle)
    assert dict(zip(world.energy("alpha").loads, world.energy("alpha").load_on, strict=True))["transponder"]
    world.take_receptions("bravo")
    world.bot("alpha").avionics.load_on["transponder"] = False
    assert sent(world, "alpha", 1, "bravo") == []
    assert sent(world, "bravo", 1, "alpha") == []
    world.bot("alpha").avionics.load_on["transponder"] = True
    assert len(sent(world, "alpha", 1, "bravo")) == 1


def intruder(folder, *scripts):
    return make_world(folder, bots=PAIR, bodies=[SHADOW], intruders=[{"body": "shadow", **one} for one in scripts])


def test_replay_and_relay(tmp_path):
    """SIM-R5: frames of one bot come again from the intruder's direction, later by the delay, within its times."""
    world = intruder(tmp_path, {"kind": "repeat", "of": "bravo", "at": 1.0, "until": 2.0, "delay": 3.0})
    world.step(0.9)
    sent(world)
    world.step(0.5)
    (first,) = sent(world)
    world.step(4.0)
    (again,) = world.take_receptions("alpha")
    assert again.frame == first.frame
    place = world.motion("shadow").position
    legs = np.linalg.norm(np.array([0.0, 400.0, 2.8]) - APART), np.linalg.norm([0.0, 400.0, 8.8])
    direct = np.linalg.norm(APART)
    assert (again.time - first.time) * 1e-9 - 3.0 == pytest.approx((sum(legs) - direct) / LIGHT, abs=2e-9)
    assert unit(np.array(again.bearing), np.array(again.elevation)) @ (place / np.linalg.norm(place)) > math.cos(0.2)
    world.step(1.0)
    assert world.take_receptions("alpha") == []


def test_relayed_answers_are_late(tmp_path):
    """SIM-R5: the round trip holds the detour and both delays."""
    delay = 2e-6
    world = intruder(tmp_path, *({"kind": "repeat", "of": bot, "delay": delay} for bot in ("alpha", "bravo")))
    world.transmit("alpha", Transmission(b"question", 30.0))
    world.step(0.01)
    direct, relayed = world.take_receptions("bravo")
    world.transmit("bravo", Transmission(b"answer", 30.0, relayed.number))
    world.step(0.01)
    trips = [one.round_trip for one in world.take_receptions("alpha") if one.frame == b"answer"]
    shadow = np.array([0.0, 400.0, 0.0])
    detour = (np.linalg.norm(shadow) + np.linalg.norm(shadow - APART)) / LIGHT + delay
    straight = np.linalg.norm(APART) / LIGHT
    assert trips == pytest.approx([detour + straight, 2.0 * detour], abs=6.0 * RADIO.round_trip)
    assert direct.number < relayed.number


def test_clone_with_the_own_position_and_an_offset(tmp_path):
    """SIM-R5: three numbers of a frame of that length are the intruder's own; others are not repeated."""
    overwrite = [{"byte": 2, "value": "position", "offset": [0.0, 0.0, 5.0]}, {"byte": 26, "value": "velocity"}]
    world = intruder(tmp_path, {"kind": "repeat", "of": "bravo", "length": 51, "overwrite": overwrite})
    world.step(1.0)
    frame = b"ID" + struct.pack("<6d", *range(6)) + b"!"
    true, clone = sent(world, frame=frame)
    assert true.frame == frame
    assert clone.frame[:2] + clone.frame[50:] == b"ID!"
    assert struct.unpack("<6d", clone.frame[2:50]) == pytest.approx((0.0, 400.0, 7.0, 0.0, 0.0, 2.0), abs=1e-5)
    assert len(sent(world, frame=b"other")) == 1


def test_jammer_hides_what_is_weaker(tmp_path):
    """SIM-R5: noise at the receiver, by its own distance, within its times."""
    world = intruder(tmp_path, {"kind": "jam", "at": 1.0, "until": 2.0, "eirp": 30.0})
    ahead = free_space_loss(400.0, RADIO.frequency) - free_space_loss(float(np.linalg.norm(APART)), RADIO.frequency)
    assert len(sent(world, count=20)) == 20
    world.step(1.0)
    assert binomtest(len(sent(world, count=300, eirp=31.0 - ahead)), 300, norm.cdf(1.0 / RADIO.strength)).pvalue > CHECK
    assert sent(world, count=20, eirp=10.0) == []
    world.step(1.0)
    assert len(sent(world, count=20)) == 20


def test_an_intruder_repeats_only_what_reaches_it(tmp_path):
    """SIM-R5."""
    world = intruder(tmp_path, {"kind": "repeat", "of": "bravo"})
    reach = RADIO.sensitivity + free_space_loss(float(np.linalg.norm(APART - [0.0, 400.0, 0.0])), RADIO.frequency)
    assert len(sent(world, eirp=reach + 20.0)) == 2
    assert len(sent(world, eirp=reach - 1.0)) < 2


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ({"kind": "jam", "body": "nobody"}, r"intruders\[0\]\.body 'nobody'; allowed: shadow"),
        ({"kind": "jam", "body": "alpha"}, r"intruders\[0\]\.body 'alpha'; allowed: shadow"),
        ({"kind": "repeat", "of": "shadow"}, r"intruders\[0\]\.of 'shadow'; allowed: alpha, bravo"),
        ({"kind": "repeat", "of": "alpha", "delay": -1.0}, r"intruders\[0\].*delay = -1.0"),
        ({"kind": "repeat", "of": "alpha", "at": 2.0, "until": 1.0}, r"until 1.0 s; allowed: after at \(2.0 s\)"),
        ({"kind": "jam", "eirp": 200.0}, r"eirp = 200.0"),
        ({"kind": "shout"}, r"intruders\[0\].*kind|intruders\[0\].*'repeat', 'jam'"),
        ({"kind": "jam", "of": "alpha"}, r"intruders\[0\].*of"),
        (
            {"kind": "repeat", "of": "alpha", "length": 25, "overwrite": [{"byte": 2, "value": "position"}]},
            r"overwrite\[0\]\.byte 2; allowed",
        ),
        ({"kind": "repeat", "of": "alpha", "overwrite": [{"byte": 2, "value": "position"}]}, r"overwrite\[0\]\.byte 2"),
    ],
)
def test_impossible_scripts_are_refused(tmp_path, script, text):
    """SIM-C2: by field, value and allowed range."""
    with pytest.raises(ConfigurationError, match=text):
        intruder(tmp_path, script)


def test_angles_of_arrival_are_of_the_convention():
    """SIM-R2."""
    assert angles(np.array([1e-30, 1.0, 0.0]))[0] < 2.0 * math.pi
    assert angles(np.array([-1e-30, 1.0, 0.0]))[0] == 0.0
