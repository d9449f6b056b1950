"""The page docs/events.md."""

from pathlib import Path

from qiki_events import REGISTRY
from qiki_events.reference import updated

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_page_is_up_to_date_and_has_every_type() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page) == page, "python -m qiki_events.reference docs/events.md"
    for type in REGISTRY.types:
        assert page.count(f"| `{type}` | `") == 1, type


def test_a_row_has_stream_class_fields_and_moment() -> None:
    (row,) = [line for line in updated("<!-- types: simulator -->\n<!-- end -->").splitlines() if "load_shed" in line]
    assert row == (
        "| `simulator.load_shed` | `<bot>/sim` | audit | `bot`, `load`, `battery_soc`? (0..1), `bus_voltage_v`? "
        "| a load of the avionics bus was switched |"
    )


def test_every_type_states_its_stream_and_moment() -> None:
    for type in REGISTRY.types:
        schema = REGISTRY.schema(type)
        assert schema is not None
        assert schema.stream, type
        assert schema.when, type
