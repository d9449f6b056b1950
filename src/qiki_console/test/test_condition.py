"""Conditions on telemetry: a small language, checked against the messages, and nothing else of Python."""

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model.condition import Condition
from qiki_console.model.confirmation import Confirmation
from qiki_console.model.terms import UnknownValueError
from qiki_msgs.msg import BridgeEdge, BridgeState, DockingState, Evidence, RadarTrack, RadarTracks
from qiki_node.message_classes import message_class

KINDS = {"/alpha/docking": DockingState, "/alpha/bridge": BridgeState, "/alpha/tracks": RadarTracks}
EDGES = [
    BridgeEdge(partner="bravo", port="A", state=BridgeEdge.CLOSED, current=-2.5),
    BridgeEdge(partner="charlie", port="B", state=BridgeEdge.SOFT_START, current=math.nan),
]
TRACKS = [
    RadarTrack(id="alpha-1", iff=RadarTrack.FRIEND, transponder_id="ALLY", range=60.0, cpa=math.nan),
    RadarTrack(id="alpha-2", iff=RadarTrack.FOE, transponder_id="ALLY", range=400.0, spoof_state=RadarTrack.SPOOF,
               evidence=[Evidence(channel="position", statistic=3.0), Evidence(channel="uniqueness", statistic=20.0)]),
]  # fmt: skip
VALUES = {
    "/alpha/tracks": RadarTracks(tracks=TRACKS),
    "/alpha/docking": DockingState(phase=DockingState.BRIDGE, partner="bravo", range=0.5, checks=["lock", "polarity"]),
    "/alpha/bridge": BridgeState(source_volts=28.0, edges=EDGES, data_peers=["bravo"]),
}


def judged(text: str) -> bool:
    return Condition.parse(text).bind(KINDS, message_class)(VALUES)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("alpha/docking.phase == BRIDGE", True),
        ("/alpha/docking.phase != BRIDGE", False),
        ("abs(alpha/bridge.edges[0].current) > 1", True),
        ('alpha/bridge.edges["bravo"].state == CLOSED and alpha/docking.partner == "bravo"', True),
        ("alpha/bridge.edges['B'].state == CLOSED", False),
        ("alpha/docking.range / 2 - 1 < -0.7 < alpha/bridge.source_volts", True),
        ("not alpha/docking.active or alpha/docking.tries > 3", True),
        ("'polarity' in alpha/docking.checks", True),
        ("'umbilical' not in alpha/docking.checks and len(alpha/docking.checks) == 2", True),
        ("max(alpha/docking.tries, 4) == min(4, 5)", True),
        # Each comparison knows the constants of its own topics.
        ("alpha/docking.phase == FAULT or alpha/bridge.edges[0].state == FAULT", False),
        ("alpha/docking.partner == 'charlie/docking'", False),
        # Items by a condition on their fields.
        ("len(alpha/tracks.tracks[transponder_id == 'ALLY']) == 2", True),
        ("len(alpha/tracks.tracks[iff == FOE and range > 300]) == 1", True),
        ("len(alpha/tracks.tracks[not iff == FRIEND]) == 2", False),
        ("alpha/tracks.tracks[spoof_state == SPOOF][0].id == 'alpha-2'", True),
        ("len(alpha/tracks.tracks[len(evidence[statistic > 10]) == 1]) == 1", True),
        ("len(alpha/tracks.tracks[transponder_id == alpha/docking.partner]) == 0", True),
    ],
)
def test_conditions_hold_for_the_newest_messages(text: str, holds: bool) -> None:
    assert judged(text) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("alpha/docking.fase == BRIDGE", "field 'fase' is not there; allowed: header, body, "),
        ("alpha/docking.phase == BRIGE", "constant 'BRIGE' is not there; allowed: ABORT, ALIGN, "),
        ("alpha/docking.phase == alpha/bridge.edges[0].state + FAULT", "constant 'FAULT' has several values here"),
        ("alpha/docking.partner == bravo", "constant 'bravo' is not there"),
        ("alpha/docking.phase == 'BRIDGE'", "comparison of a number with a text is not allowed"),
        ("alpha/docking.phase", "it is a number; allowed: a comparison"),
        ("alpha/docking.checks > 1", "comparison of a list with a number"),
        ("len(alpha/docking.partner) > 1", "len: a text is not allowed; allowed: a list"),
        ("abs(alpha/docking.range, 1) > 1", "abs: 2 arguments; allowed: 1 to 1"),
        ("len(alpha/tracks.tracks[iff == FOU]) == 1", "constant 'FOU' is not there; allowed: ASTEROID, "),
        ("len(alpha/tracks.tracks[rang > 1]) == 1", "constant 'rang' is not there"),
        ("len(alpha/tracks.tracks[iff == BRIDGE]) == 1", "constant 'BRIDGE' is not there"),
        (
            "len(alpha/tracks.tracks[iff + 1]) == 1",
            "[iff + 1]: not allowed; allowed: a number from 0, a text, its name",
        ),
        ("len(alpha/tracks.tracks[-iff]) == 1", "[-iff]: not allowed; allowed: a number from 0, a text"),
        ("len(alpha/docking.checks[iff == 1]) == 1", "[iff == 1]: the items have no fields"),
        ("alpha/tracks.tracks[iff == FOE].range > 1", "field 'range': a list has no fields"),
        ("alpha/docking.phase == iff", "constant 'iff' is not there"),
        ("alpha/docking.checks['x'] == 'x'", "['x']: not allowed; allowed: a number from 0"),
        ("alpha/docking.__class__ == 1", "field '__class__' is not there"),
        ("alpha/docking.checks.__len__ == 1", "field '__len__': a list has no fields"),
        ("__import__('os').system('x') == alpha/docking.phase", "function \"__import__('os').system\" is not there"),
        ("alpha/docking.phase == BRIDGE if 1 else 2", "IfExp is not allowed"),
        ("(lambda: alpha/docking.phase)() == 1", "is not"),
        ("[alpha/docking.phase for x in y] == 1", "ListComp is not allowed"),
        ("9 ** 9 ** 9 > alpha/docking.phase", "Pow is not allowed"),
        ("alpha/docking.phase == 1j", "1j is not allowed"),
        ("alpha/docking.phase ==", "no expression"),
        ("alpha/bridge.edges[-1].current < 1", "[-1]: not allowed; allowed: a number from 0, a text"),
        ("1 == 1", "no topic in it"),
        ("_topic_0.phase == 1", "'_topic_'"),
        ("alpha/docking.phase == " + "(" * 300 + "1" + ")" * 300, "characters; allowed: up to 500"),
        ("alpha/docking.phase == " + "(" * 220 + "1" + ")" * 220, "no expression"),
        ("alpha/docking.phase == 1\0", "no expression"),
    ],
)
def test_a_condition_that_is_none_names_the_part_and_the_allowed_ones(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        judged(text)


@pytest.mark.parametrize(
    "text",
    [
        "alpha/bridge.edges['charlie'].current < 1",
        "alpha/bridge.edges['charlie'].current != 1",
        "not alpha/bridge.edges['charlie'].current > 1",
        "alpha/docking.phase == BRIDGE or alpha/bridge.edges['charlie'].current > 1",
        "alpha/bridge.edges[2].current < 1",
        "alpha/tracks.tracks[iff == FOE][1].range > 1",
        "len(alpha/tracks.tracks[cpa < 70]) == 0",
        "alpha/bridge.edges['delta'].current < 1",
        "alpha/docking.range / (alpha/docking.range - 0.5) < 1",
    ],
)
def test_a_value_that_is_not_known_decides_nothing(text: str) -> None:
    with pytest.raises(UnknownValueError):
        judged(text)


@given(st.text(max_size=60) | st.text(st.sampled_from("alph/dock.rng<>=()[]'\"0 9andort+-*"), max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = Condition.parse(text)
        condition.bind(dict.fromkeys(condition.topics, DockingState), message_class)
    except ValueError:
        pass


class Told:
    """A confirmation of `value > 0` for topics that give numbers; NaN is not known."""

    def __init__(self, *topics: str, samples: int = 3) -> None:
        def judge(values: Any) -> bool:
            if any(math.isnan(value) for value in values.values()):
                raise UnknownValueError("a value is not known")
            return all(value > 0.0 for value in values.values())

        self.confirmation = Confirmation(judge, topics, samples, max_age=2.0, since=10.0)

    def __call__(self, topic: str, value: float, stamp: float, now: float | None = None) -> bool:
        self.confirmation.receive(topic, value, stamp, stamp if now is None else now)
        return self.confirmation.confirmed


def test_three_consecutive_fresh_samples_confirm() -> None:
    told = Told("a")
    assert [told("a", 1.0, stamp) for stamp in (10.0, 10.2, 10.4)] == [False, False, True]


@pytest.mark.parametrize(
    ("value", "stamp", "now"),
    [(-1.0, 10.4, None), (math.nan, 10.4, None), (1.0, 10.4, 12.5), (1.0, 13.0, None), (1.0, 10.4, 8.0)],
    ids=["does not hold", "not known", "stale", "after a gap", "from the future"],
)
def test_one_bad_sample_starts_the_count_again(value: float, stamp: float, now: float | None) -> None:
    told = Told("a")
    assert not any(told("a", 1.0, stamp) for stamp in (10.0, 10.2))
    assert not told("a", value, stamp, now)
    count = [told("a", 1.0, stamp + 0.2 * more) for more in (1, 2, 3)]
    # After a gap the sample itself is the first good one.
    assert count == ([False, True, True] if stamp == 13.0 else [False, False, True])


def test_repeated_old_and_backward_stamps_are_no_samples() -> None:
    told = Told("a")
    assert not any(told("a", 1.0, 10.0) for _ in range(5)), "a paused simulator repeats its telemetry"
    told = Told("a")
    assert not any(told("a", 1.0, stamp) for stamp in (9.7, 9.8, 9.9, 10.0, 10.1)), "from before the command"
    assert told("a", 1.0, 10.2)
    told = Told("a")
    assert not any(told("a", 1.0, stamp) for stamp in (30.0, 30.1, 11.0, 11.1)), "the clock was set back"
    assert told("a", 1.0, 11.2)


def test_every_topic_has_to_give_its_samples() -> None:
    told = Told("a", "b")
    assert not any(told("a", 1.0, stamp) for stamp in (10.0, 10.1, 10.2, 10.3)), "nothing of b"
    assert not any(told("b", 1.0, stamp) for stamp in (10.3, 10.8))
    assert not any(told("a", 1.0, stamp) for stamp in (10.8, 10.9, 11.0, 11.1))
    assert told("b", 1.0, 11.3)
    told = Told("a", "b")
    told("b", 1.0, 10.0)
    assert not any(told("a", 1.0, 10.0 + 0.1 * index) for index in range(1, 60)), "b is silent"


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from([1.0, -1.0, math.nan]), st.floats(0.0, 30.0), st.floats(-3.0, 5.0)
        ),
        max_size=40,
    )
)
def test_nothing_is_confirmed_without_three_good_samples_of_each_topic_in_the_end(entries: list[Any]) -> None:
    told = Told("a", "b")
    good: list[str] = []
    for topic, value, stamp, age in entries:
        if told(topic, value, stamp, stamp + age):
            assert value > 0.0
            assert -2.0 <= age <= 2.0
            assert stamp >= 10.0
            assert min([*good, topic].count(name) for name in "ab") >= 3
            return
        good = [*good, topic] if value > 0.0 and -2.0 <= age <= 2.0 and stamp >= 10.0 else []
