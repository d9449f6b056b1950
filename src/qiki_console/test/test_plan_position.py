"""The plan-position picture and the table of tracks: valid whatever is in them, and each symbol where it belongs."""

import csv
import io
import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_console.model import track_csv, tracks
from qiki_console.model.plan_position import plan_position
from qiki_console.model.snapshot import Motion
from qiki_console.model.tracks import Track, TrackEvidence, Tracks

SVG = "{http://www.w3.org/2000/svg}"
MIDDLE = (350.0, 388.0)
RADIUS = 300.0
NOTHING = (math.nan, math.nan, math.nan)
BODY = Track(
    id="alpha-1", object_type="UNSPECIFIED", iff="UNKNOWN", iff_reason=0, transponder_mode="", transponder_id="",
    spoof="UNKNOWN", evidence=(), range=math.nan, bearing=math.nan, elevation=math.nan, radial_velocity=math.nan,
    snr=math.nan, rcs=math.nan, position=NOTHING, velocity=NOTHING, quality=0.9, status="TRACKED", age=3.0, silent=0.0,
    misses=0, band="SR", cpa=math.nan, cpa_time=math.nan, event_time_ns=0, ingest_time_ns=0,
)  # fmt: skip
EVIDENCE = (
    TrackEvidence("uniqueness", 27.5, 18.25, 0, "proven on <alpha-1> & elsewhere"),
    TrackEvidence("position", 9.8, 19.6, 20, "\x1b[2Jat 400 m"),
)
CLONE = replace(
    BODY, id="alpha-2", iff="FOE", transponder_id="ALLY-0A1B2C", spoof="SPOOF", evidence=EVIDENCE, range=400.0,
    bearing=math.radians(270.0), elevation=0.0, radial_velocity=-2.0,
)  # fmt: skip
FRIEND = replace(BODY, iff="FRIEND", transponder_id="ALLY-0A1B2C", spoof="TRUSTED", range=200.0, bearing=0.0)


def seen(*found: Track, age: float = 0.1) -> Tracks:
    return Tracks("alpha", 1_500_000_000, found, detections=len(found), shed=0, age=age)


def drawn(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def of_class(root: ElementTree.Element, name: str, tag: str = "*") -> list[ElementTree.Element]:
    return [
        element for element in root.iter() if name in element.get("class", "").split() and tag in ("*", element.tag)
    ]


numbers = st.floats(allow_nan=True, allow_infinity=True)
triples = st.tuples(numbers, numbers, numbers)
words = st.text(st.characters(codec=None), max_size=30)
evidence = st.builds(TrackEvidence, words, numbers, numbers, st.integers(0, 2**32 - 1), words)
any_track = st.builds(
    Track,
    id=words, object_type=words, iff=st.sampled_from(tracks.ALLEGIANCES) | words, iff_reason=st.integers(0, 2**16),
    transponder_mode=words, transponder_id=words, spoof=st.sampled_from(tracks.VERDICTS) | words,
    evidence=st.lists(evidence, max_size=15).map(tuple), range=numbers, bearing=numbers, elevation=numbers,
    radial_velocity=numbers, snr=numbers, rcs=numbers, position=triples, velocity=triples, quality=numbers,
    status=st.sampled_from(tracks.STATUSES) | words, age=numbers, silent=numbers, misses=st.integers(0, 2**32 - 1),
    band=words, cpa=numbers, cpa_time=numbers, event_time_ns=st.integers(-(2**63), 2**63),
    ingest_time_ns=st.integers(-(2**63), 2**63),
)  # fmt: skip
any_motion = st.builds(Motion, triples, st.tuples(numbers, numbers, numbers, numbers), triples, triples)


@given(st.lists(any_track, max_size=6), numbers, st.none() | any_motion, st.none() | st.floats(10.0, 1e9), st.data())
def test_any_tracks_make_a_valid_picture_and_table(
    found: list[Track], age: float, motion: Motion | None, reach: float | None, data: st.DataObject
) -> None:
    selected = data.draw(st.sampled_from([track.id for track in found] or [""]))
    shown = replace(seen(*found), age=age)
    picture = plan_position(shown, reach=reach, selected=selected, motion=motion)
    root = drawn(picture)
    for element in root.iter():
        for name in ("x", "y", "cx", "cy", "x1", "y1", "x2", "y2", "width", "height", "r", "opacity"):
            assert math.isfinite(float(element.get(name, 0)))
    rows = list(csv.reader(io.StringIO(track_csv.header() + "".join(track_csv.lines(shown)))))
    assert rows[0] == list(track_csv.COLUMNS)
    assert len(rows) == 1 + len(found)
    for row in rows:
        assert len(row) == len(track_csv.COLUMNS)
        assert all(cell.isprintable() for cell in row)
        assert not any(cell.startswith(("=", "+", "@")) for cell in row)


@pytest.mark.parametrize(
    ("bearing", "place"), [(0.0, (0.0, -1.0)), (90.0, (1.0, 0.0)), (180.0, (0.0, 1.0)), (270.0, (-1.0, 0.0))]
)
def test_bearings_grow_clockwise_from_up_and_rings_are_ranges(bearing: float, place: tuple[float, float]) -> None:
    friend = replace(FRIEND, bearing=math.radians(bearing))
    root = drawn(plan_position(seen(friend), reach=500.0))
    [symbol] = [one for one in of_class(root, "friend", f"{SVG}circle") if float(one.get("cx", 0)) < 700.0]
    at = [float(symbol.get(name, 0)) for name in ("cx", "cy")]
    wanted = [middle + RADIUS * 200.0 / 500.0 * part for middle, part in zip(MIDDLE, place, strict=True)]
    assert at == pytest.approx(wanted, abs=0.1)
    assert [text for text in texts(root) if text.endswith(" m") and len(text) < 7] == [
        "100 m", "200 m", "300 m", "400 m", "500 m"
    ]  # fmt: skip


def test_symbols_differ_by_shape_verdict_and_status() -> None:
    lost = replace(BODY, id="alpha-3", range=100.0, bearing=2.0, status="LOST")
    root = drawn(plan_position(seen(FRIEND, CLONE, lost), selected="alpha-2"))
    groups = {group.get("opacity"): group for group in root.findall(f"{SVG}g")}
    assert set(groups) == {"1", "0.35"}
    assert groups["0.35"].find(f"{SVG}path") is not None, "a quatrefoil"
    for shape in ("circle", "polygon", "path"):
        assert [one for one in root.iter(f"{SVG}{shape}") if one.get("class") in ("friend", "foe", "unknown")]
    assert "alpha-2" in texts(root)
    assert texts(root).count("ALLY-0A1B2C SPOOF") == 1
    assert "ALLY-0A1B2C" in texts(root)


def test_the_selected_track_shows_its_evidence() -> None:
    root = drawn(plan_position(seen(FRIEND, CLONE), selected="alpha-2"))
    shown = texts(root)
    assert {"FOE, TRACKED, quality 0.90", "claims ALLY-0A1B2C", "uniqueness", "27.5 / 18.2"} <= set(shown)
    assert "proven on <alpha-1> & elsewhere" in shown
    assert r"over 20 looks: \u001b[2Jat 400 m" in shown
    [over] = of_class(root, "over", f"{SVG}rect")
    [under] = of_class(root, "bar", f"{SVG}rect")
    assert float(over.get("width", 0)) > 2.0 * float(under.get("width", 0))
    assert "nearest tracks" in texts(drawn(plan_position(seen(FRIEND, CLONE), selected="alpha-9")))


def test_vectors_are_relative_with_own_motion_and_along_the_line_of_sight_without() -> None:
    north = replace(FRIEND, position=(0.0, 200.0, 0.0), velocity=(3.0, 0.0, 0.0), elevation=0.0, radial_velocity=-1.0)
    quarter = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))  # own +x axis along +y of world
    still = Motion((0.0, 0.0, 0.0), quarter, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    for motion, right, down in (
        (None, 0.0, 1.0),
        (still, 0.0, 1.0),
        (replace(still, velocity=(0.0, -3.0, 0.0)), 0.0, 0.0),
    ):
        lines = of_class(drawn(plan_position(seen(north), reach=500.0, motion=motion)), "vector")
        if not right and not down:
            assert not lines, "both move alike"
            continue
        first = {name: float(lines[0].get(name, 0)) for name in ("x1", "y1", "x2", "y2")}
        along = (first["x2"] - first["x1"], first["y2"] - first["y1"])
        assert math.atan2(*along) == pytest.approx(math.atan2(right, down), abs=0.05)


def test_old_far_and_unplaced_tracks_are_marked() -> None:
    new = replace(BODY, id="alpha-7", status="NEW", range=9000.0, bearing=1.0)
    root = drawn(plan_position(seen(FRIEND, new)))
    assert "200 m" in texts(root), "clutter far away does not make all else small"
    assert not of_class(root, "dot")
    assert of_class(drawn(plan_position(seen(FRIEND, new), reach=20_000.0)), "dot")
    assert "alpha-7" in texts(drawn(plan_position(seen(FRIEND, new), selected="alpha-7")))
    root = drawn(plan_position(seen(CLONE, BODY, age=5.0), reach=100.0))
    assert "STALE" in texts(root)
    assert "not drawn, without range or bearing: 1" in texts(root)
    assert of_class(root, "beyond")
    with pytest.raises(ValueError, match=r"reach: 1\.0 m; allowed: 10 to "):
        plan_position(seen(), reach=1.0)


def test_a_row_has_units_exact_times_and_empty_cells_for_what_is_not_known() -> None:
    formula = replace(BODY, id="alpha-3", transponder_id="=1+1")
    text = track_csv.header() + "".join(track_csv.lines(seen(CLONE, formula)))
    clone, other = csv.DictReader(io.StringIO(text))
    assert (clone["time_s"], clone["track"], clone["range_m"]) == ("1.500000000", "alpha-2", "400.0")
    assert (clone["cpa_m"], clone["position_x_m"], clone["spoof"]) == ("", "", "SPOOF")
    assert clone["evidence"] == "uniqueness=27.5/18.25 position=9.8/19.6"
    assert other["transponder_id"] == "'=1+1"
