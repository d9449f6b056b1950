"""Readings of a docking port as the docking machine and the edge's supervisor take them."""

import math

from qiki_docking.bridge.supervisor import EdgeReading
from qiki_docking.evidence import Sample
from qiki_vehicle.port_hardware import PortReading

UNKNOWN = EdgeReading(math.nan, math.nan, math.nan, math.nan, ground=False)
"""Reading of an edge that is not measured."""


def port_sample(reading: PortReading, stamp: float) -> Sample:
    """Quantities of the sources "port" and "power", and `data_carrier`; unknown ones are NaN. `stamp`: s."""
    return Sample(
        stamp,
        {
            "contact": _flag(reading.contact),
            "capture": _flag(reading.capture),
            "latch_1": _flag(reading.latch_1),
            "latch_2": _flag(reading.latch_2),
            "pull_force": reading.pull_force,
            "slip_1": reading.slip_1,
            "slip_2": reading.slip_2,
            "umbilical": _flag(reading.umbilical),
            "temperature": reading.temperature,
            "isolation": reading.isolation,
            "probe_volts": reading.outer_volts,
            "contacts_closed": _flag(reading.contacts_closed),
            "bridge_volts": fed_volts(reading),
            "bridge_current": reading.current,
            "data_carrier": _flag(reading.data_carrier),
        },
        reading.quality,
    )


def fed_volts(reading: PortReading) -> float:
    """V of the side of the contacts that is fed: the smaller one. NaN: one of them is not known.

    Across closed contacts both sides are alike; across open ones the fed side has none, unless they are welded.
    """
    sides = (reading.outer_volts, reading.inner_volts)
    return math.nan if any(map(math.isnan, sides)) else min(sides, key=abs)


def feeds_inward(reading: PortReading, none: float) -> bool:
    """The partner feeds the own body: by the current, or below `none` A by the volts of both sides."""
    if abs(reading.current) > none:
        return reading.current > 0.0
    return not reading.outer_volts < reading.inner_volts


def edge_reading(reading: PortReading, inward: bool) -> EdgeReading:
    """The reading in the direction of feeding."""
    outer, inner = reading.outer_volts, reading.inner_volts
    return EdgeReading(
        source_volts=outer if inward else inner,
        bus_volts=inner if inward else outer,
        current=reading.current if inward else -reading.current,
        temperature=reading.temperature,
        ground=reading.ground is True,
    )


def is_mated(reading: PortReading) -> bool:
    """The magnets hold the partner, or a latch is locked."""
    return True in (reading.capture, reading.latch_1, reading.latch_2)


def _flag(value: bool | None) -> float:
    return math.nan if value is None else float(value)
