"""Unit quaternions x, y, z, w, as ROS orders them: the rotation from body axes to world.

    quaternion.rotate(orientation, velocity)   # from base_link to world
    quaternion.rotation_vector(quaternion.product(quaternion.conjugate(attitude), target))

Every argument is a sequence of four (a quaternion) or three (a vector) numbers; unit length is the caller's business
but for `unit`.
"""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

IDENTITY = (0.0, 0.0, 0.0, 1.0)


def _floats(values: Iterable[float]) -> Iterable[float]:
    """Python's numbers, with which the products of single vectors are several times as fast as with numpy's."""
    return values.tolist() if isinstance(values, np.ndarray) else map(float, values)


def unit(name: str, values: npt.ArrayLike) -> Floats:
    """`values`, (4,), normalised.

    Raises:
        ValueError: not four finite numbers, or the length is not within 0.99 to 1.01; names `name`.
    """
    quaternion = np.asarray(values, dtype=float)
    length = math.sqrt(math.fsum(q * q for q in quaternion.ravel().tolist()))
    if quaternion.shape != (4,) or not 0.99 <= length <= 1.01:
        raise ValueError(
            f"{name}: {quaternion.tolist()}, length {length:g}; allowed: x, y, z, w of length 0.99 to 1.01"
        )
    return np.asarray(quaternion / length)


def conjugate(q: Iterable[float]) -> Floats:
    """The inverse rotation, (4,)."""
    x, y, z, w = _floats(q)
    return np.array([-x, -y, -z, w])


def product(a: Iterable[float], b: Iterable[float]) -> Floats:
    """(4,): `b` first, then `a` (Hamilton product)."""
    return np.array(multiplied(_floats(a), _floats(b)))


def rotate(q: Iterable[float], v: Iterable[float]) -> Floats:
    """Vector (3,) of body axes in world axes."""
    return np.array(rotated(_floats(q), _floats(v)))


def multiplied(a: Iterable[float], b: Iterable[float]) -> tuple[float, float, float, float]:
    """As `product`, of and as Python's numbers, for long formulas of single vectors."""
    x, y, z, w = a
    i, j, k, s = b
    return (
        w * i + x * s + y * k - z * j,
        w * j - x * k + y * s + z * i,
        w * k + x * j - y * i + z * s,
        w * s - x * i - y * j - z * k,
    )


def rotated(q: Iterable[float], v: Iterable[float]) -> tuple[float, float, float]:
    """As `rotate`, of and as Python's numbers."""
    x, y, z, w = q
    a, b, c = v
    tx, ty, tz = 2.0 * (y * c - z * b), 2.0 * (z * a - x * c), 2.0 * (x * b - y * a)
    return a + w * tx + y * tz - z * ty, b + w * ty + z * tx - x * tz, c + w * tz + x * ty - y * tx


def matrix(q: Iterable[float]) -> Floats:
    """Rotation matrix (3, 3)."""
    x, y, z, w = _floats(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def from_rotation_vector(angle: Iterable[float]) -> Floats:
    """(4,) of a rotation vector, rad."""
    a, b, c = _floats(angle)
    size = math.sqrt(a * a + b * b + c * c)
    scale = 0.5 if size < 1e-12 else math.sin(0.5 * size) / size
    return np.array([a * scale, b * scale, c * scale, math.cos(0.5 * size)])


def rotation_vector(q: Iterable[float]) -> Floats:
    """Rotation vector (3,) rad, the shortest way: at most pi long."""
    x, y, z, w = _floats(q)
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    length = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if length < 1e-9 else 2.0 * math.atan2(length, w) / length
    return np.array([x * scale, y * scale, z * scale])


def between(a: Iterable[float], b: Iterable[float]) -> Floats:
    """(4,), the shortest rotation that turns unit vector `a` into unit vector `b`; of opposite ones, one of them."""
    one, other = np.array([*a], dtype=float), np.array([*b], dtype=float)
    scalar = 1.0 + float(one @ other)
    if scalar < 1e-9:
        # Half a turn about an axis across `a`, taken from the base axis that is the least along it.
        axis = np.cross(one, np.eye(3)[int(np.argmin(np.abs(one)))])
        return np.append(axis / np.linalg.norm(axis), 0.0)
    quaternion = np.append(np.cross(one, other), scalar)
    return np.asarray(quaternion / np.linalg.norm(quaternion))


def roll_pitch_yaw(q: Iterable[float]) -> tuple[float, float, float]:
    """Angles in rad about the fixed axes x, y, z (REP-103); pitch in -pi/2..pi/2."""
    x, y, z, w = _floats(q)
    sine = 2.0 * (w * y - z * x)
    pitch = math.asin(sine) if abs(sine) < 1.0 else math.copysign(math.pi / 2.0, sine)
    return (
        math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),
        pitch,
        math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)),
    )
