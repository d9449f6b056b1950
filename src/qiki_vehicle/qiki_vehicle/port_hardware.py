"""Commands to docking ports and their readings, as hardware and docking exchange them."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PortCommand:
    """Wanted state of one port's actuators; None leaves one as it is.

    Attributes:
        port: own port.
        capture: magnets.
        latch: True locks, False unlocks.
        ground, precharge, main: contacts closed.
        current_limit: A, of the electronic limiter; 0: no power is converted.
        data: data over the port.
        pull: N, of the structural pull test along the axis; 0: none.
        release: open contacts and latches of both mated ports at once, under current too.
    """

    port: str
    capture: bool | None = None
    latch: bool | None = None
    ground: bool | None = None
    precharge: bool | None = None
    main: bool | None = None
    current_limit: float | None = None
    data: bool | None = None
    pull: float = 0.0
    release: bool = False


@dataclass(frozen=True)
class DockCommand:
    """Commands to a body's ports and bus converter.

    Attributes:
        stamp: s, when it was ordered.
        ports: those that are missing are left as they are.
        source: the bus converter feeds the bridges; False: it takes power from them.
        draw: W, the most that is taken from the bridges for the own bus; None: as it is.
    """

    stamp: float
    ports: tuple[PortCommand, ...] = ()
    source: bool = False
    draw: float | None = None


@dataclass(frozen=True)
class PortReading:
    """Sensors of one port. None, or NaN: not known.

    Attributes:
        port: own port.
        quality: 0..1.
        contact: the faces touch.
        capture: the magnets hold the partner.
        latch_1, latch_2: sensors of the latches: locked.
        umbilical: mated.
        pull_force: N, of a pull test under way.
        slip_1, slip_2: m, movement of the joint under that force, by two sensors.
        temperature: degC.
        ground: ground contact closed.
        contacts_closed: main power contacts closed.
        isolation: ohm between contacts and hull, contacts open.
        outer_volts: V, partner's side of the contacts; negative: reversed polarity.
        inner_volts: V, own side.
        current: A, positive into the own body.
        data_carrier: frames of the partner arrive over the port.
    """

    port: str
    quality: float = 1.0
    contact: bool | None = None
    capture: bool | None = None
    latch_1: bool | None = None
    latch_2: bool | None = None
    umbilical: bool | None = None
    pull_force: float = math.nan
    slip_1: float = math.nan
    slip_2: float = math.nan
    temperature: float = math.nan
    ground: bool | None = None
    contacts_closed: bool | None = None
    isolation: float = math.nan
    outer_volts: float = math.nan
    inner_volts: float = math.nan
    current: float = math.nan
    data_carrier: bool | None = None


@dataclass(frozen=True, eq=False)
class Sight:
    """A port of another body as a port's camera sees it.

    Attributes:
        port: own port of the camera.
        target, target_port: body and port, recognised by their marker.
        quality: 0..1.
        position: (3,) m in own base_link, centre of the target's port face.
        orientation: (4,) x, y, z, w, from the axes of the target's base_link to those of the own one.
    """

    port: str
    target: str
    target_port: str
    quality: float
    position: Floats
    orientation: Floats


@dataclass(frozen=True, eq=False)
class DockReading:
    """Docking sensors of a body.

    Attributes:
        stamp: s, of the measurement.
        ports: all of the body's own.
        sights: ports of other bodies in sight, the nearest ones.
    """

    stamp: float
    ports: tuple[PortReading, ...] = ()
    sights: tuple[Sight, ...] = ()
