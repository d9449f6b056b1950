"""Guard rules: the shipped ones, edges, hysteresis, cooldown, modes, refused files."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_vehicle import ConfigurationError
from qiki_xpdr import Allegiance, Contact, GuardMode, GuardTable, Mode, Rules, SpoofState, Status
from qiki_xpdr.guard import closest_approach, matches

SHIPPED = Path(__file__).resolve().parents[3] / "launch/config/guard.yaml"
RULES = Rules.from_file(SHIPPED)
CLOSE, FOE, SPOOFING = (rule.id for rule in RULES.rules)


def contact(track=1, distance=50.0, **options):
    values = {"status": Status.TRACKED, "closing": 0.5, "quality": 0.9} | options
    return Contact(track=track, range=distance, **values)


def names(table, contacts, now):
    return [(alert.rule, alert.track) for alert in table.evaluate(contacts, now)]


@pytest.mark.requirement("XPDR-40")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [CLOSE]),
        ({"distance": 70.1}, []),
        ({"quality": 0.19}, []),
        ({"quality": math.nan}, []),
        ({"distance": math.nan}, []),
        ({"iff": Allegiance.FRIEND, "mode": Mode.ON}, []),
        ({"status": Status.NEW}, []),
        ({"status": Status.LOST}, []),
        ({"status": Status.COASTING}, [CLOSE]),
        ({"iff": Allegiance.FOE, "distance": 149.0}, [FOE]),
        ({"iff": Allegiance.FOE, "distance": 149.0, "mode": Mode.SILENT}, [FOE]),
        ({"iff": Allegiance.FOE, "distance": 149.0, "mode": Mode.ON}, []),
        ({"iff": Allegiance.FOE, "distance": 149.0, "closing": 0.0}, []),
        ({"iff": Allegiance.FOE, "distance": 149.0, "closing": -1.0}, []),
        ({"iff": Allegiance.FOE, "distance": 499.0, "spoof": SpoofState.SPOOF, "mode": Mode.ON}, [SPOOFING]),
        ({"iff": Allegiance.UNKNOWN, "distance": 499.0, "spoof": SpoofState.SUSPECT}, []),
        ({"iff": Allegiance.FRIEND, "distance": 499.0, "mode": Mode.SPOOF}, []),
    ],
)
def test_the_shipped_rules(options, expected):
    assert names(GuardTable(RULES), [contact(**options)], 1.0) == [(rule, 1) for rule in expected]


@pytest.mark.requirement("XPDR-41")
def test_every_violator_is_reported_once():
    table = GuardTable(RULES)
    contacts = [contact(track) for track in range(5)]
    assert names(table, contacts, 1.0) == [(CLOSE, track) for track in range(5)]
    assert names(table, contacts, 1.1) == []
    assert [alert.track for alert in table.alerts] == list(range(5))
    assert [one.type for one in table.take_occurrences()] == ["guard.alert_raised"] * 5


@pytest.mark.requirement("XPDR-41")
def test_hysteresis_cooldown_and_end():
    table = GuardTable(RULES)
    steps = [(0.0, 69.0), (1.0, 74.9), (2.0, 75.1), (3.0, 69.0), (59.9, 69.0), (60.0, 69.0)]
    raised = [len(table.evaluate([contact(distance=distance)], now)) for now, distance in steps]
    assert raised == [1, 0, 0, 0, 0, 1]
    assert [one.type for one in table.take_occurrences()] == [
        "guard.alert_raised",
        "guard.alert_ended",
        "guard.alert_raised",
    ]
    table.evaluate([], 61.0)
    (ended,) = table.take_occurrences()
    assert (ended.type, ended.payload["cause"], ended.payload["seconds"]) == ("guard.alert_ended", "gone", 1.0)
    assert table.alerts == ()


@pytest.mark.requirement("XPDR-41")
def test_least_duration_begins_again_after_a_gap():
    rule = RULES.rules[0].model_copy(update={"min_duration": 2.0})
    table = GuardTable(Rules(rules=(rule,)))
    steps = [(0.0, 60.0), (1.9, 60.0), (2.0, 80.0), (3.0, 60.0), (4.9, 60.0), (5.0, 60.0)]
    assert [len(table.evaluate([contact(distance=d)], now)) for now, d in steps] == [0, 0, 0, 0, 0, 1]


@pytest.mark.requirement("XPDR-42")
def test_passive_has_no_effect_off_does_nothing_and_a_change_ends_alerts():
    table = GuardTable(RULES, GuardMode.PASSIVE)
    assert [alert.effect for alert in table.evaluate([contact()], 0.0)] == [False]
    table.set_mode(GuardMode.ACTIVE, 1.0)
    assert [one.payload.get("cause") for one in table.take_occurrences()] == [None, "mode"]
    assert [alert.effect for alert in table.evaluate([contact()], 1.0)] == [True]
    table.set_mode(GuardMode.OFF, 2.0)
    assert table.alerts == ()
    assert table.evaluate([contact()], 2.0) == []


@given(st.lists(st.tuples(st.floats(0.01, 30.0), st.floats(0.0, 120.0)), max_size=60))
def test_alerts_of_a_track_keep_the_cooldown_and_alternate(steps):
    table, now, last, lasting = GuardTable(RULES), 0.0, -math.inf, False
    for wait, distance in steps:
        now += wait
        for alert in table.evaluate([contact(distance=distance)], now):
            assert alert.rule == CLOSE
            assert now - last >= 60.0
            assert not lasting
            last = now
        lasting = bool(table.alerts)
        assert not lasting or distance <= 75.0
    kinds = [one.type for one in table.take_occurrences()]
    assert kinds == (["guard.alert_raised", "guard.alert_ended"] * len(kinds))[: len(kinds)]


def test_a_clock_set_back_begins_again():
    table = GuardTable(RULES)
    assert names(table, [contact()], 100.0) == [(CLOSE, 1)]
    assert names(table, [contact()], 5.0) == [(CLOSE, 1)]
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="allowed"):
            table.evaluate([], wrong)
    with pytest.raises(ValueError, match="named twice"):
        table.evaluate([contact(), contact()], 6.0)


@pytest.mark.requirement("XPDR-43")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("range: [0.0, 70.0]", "range: [70.0, 0.0]"), r"rules.UNKNOWN_CONTACT_CLOSE.when.range"),
        (("range: [0.0, 70.0]", "range: [80.0, 70.0]"), r"rules.UNKNOWN_CONTACT_CLOSE.when = .*allowed: rising"),
        (("quality_min: 0.2", "quality_min: 1.2"), r"rules.UNKNOWN_CONTACT_CLOSE.when.quality_min = 1.2"),
        (("quality_min: 0.2", "quality: 0.2"), r"unknown key quality; allowed: iff"),
        (("severity: warning", "severity: loud"), r"rules.SPOOFING_DETECTED.severity = 'loud'"),
        (("iff: [FOE]", "iff: [ENEMY]"), r"rules.FOE_TRANSPONDER_OFF_APPROACH.when.iff\[0\] = 'ENEMY'"),
        (("iff: [FOE]", "iff: []"), r"allowed: at least one"),
        (("cooldown: 60.0", "cooldown: -1.0"), r"cooldown = -1.0"),
        (("id: SPOOFING_DETECTED", "id: UNKNOWN_CONTACT_CLOSE"), r"given twice"),
        (("{spoof: [SPOOF], range: [0.0, 500.0]}", "{}"), r"nothing is asked for"),
        (("spoof: [SPOOF]", "cpa_time_max: 5.0"), r"allowed: with it"),
    ],
)
def test_a_bad_file_is_refused_by_file_rule_and_field(tmp_path, change, text):
    content = SHIPPED.read_text()
    assert change[0] in content
    path = tmp_path / "guard.yaml"
    path.write_text(content.replace(*change))
    with pytest.raises(ConfigurationError, match=rf"guard.yaml: .*{text}"):
        Rules.from_file(path)


def test_a_closest_approach_rule():
    when = RULES.rules[0].when.model_copy(update={"iff": None, "range": None, "cpa_max": 10.0, "cpa_time_max": 60.0})
    near = contact(cpa=5.0, cpa_time=30.0)
    assert matches(when, near)
    for other in ({"cpa": 11.0}, {"cpa_time": 61.0}, {"cpa": math.nan, "cpa_time": math.nan}):
        assert not matches(when, dataclasses.replace(near, **other))


@given(st.lists(st.floats(-100.0, 100.0), min_size=6, max_size=6))
def test_the_closest_approach_is_the_least_distance(numbers):
    position, velocity = np.array([numbers[:3]]), np.array([numbers[3:]])
    distance, seconds = closest_approach(position, velocity)
    times = np.linspace(0.0, 50.0, 501)
    least = np.linalg.norm(position + times[:, None] * velocity, axis=1).min()
    if np.isnan(seconds[0]):
        assert least == pytest.approx(np.linalg.norm(position), abs=1e-3)
    else:
        assert distance[0] <= least + 1e-6
