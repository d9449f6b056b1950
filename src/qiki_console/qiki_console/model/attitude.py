"""Quaternions (x, y, z, w) in plain Python."""

from math import asin, atan2, copysign, pi

from qiki_console.model.readings import Quaternion, Vector


def rotate(q: Quaternion, v: Vector) -> Vector:
    """`v` of the body in the world, for the body's unit orientation `q` in the world."""
    x, y, z, w = q
    tx, ty, tz = 2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


def roll_pitch_yaw(q: Quaternion) -> Vector:
    """Angles in rad about the fixed axes x, y, z (REP-103) of a unit orientation; pitch in -pi/2..pi/2."""
    x, y, z, w = q
    sine = 2 * (w * y - z * x)
    pitch = asin(sine) if abs(sine) < 1.0 else copysign(pi / 2, sine)
    return (
        atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        pitch,
        atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    )
