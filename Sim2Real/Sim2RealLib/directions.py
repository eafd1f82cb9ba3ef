"""Directions about an axis, on any Dr.Jit backend."""

from types import ModuleType
from typing import Any

import drjit as dr


def around(arrays: ModuleType, axis: Any, cosine: Any, turn: Any) -> Any:
    """The unit vector at an angle to a unit axis, turned about it by `turn` of a full circle."""
    sine = dr.safe_sqrt(1 - cosine * cosine)
    sin_turn, cos_turn = dr.sincos(2 * dr.pi * turn)
    first, second = _normals(arrays, axis)
    return dr.normalize(first * (sine * cos_turn) + second * (sine * sin_turn) + axis * cosine)


def _normals(arrays: ModuleType, axis: Any) -> tuple[Any, Any]:
    """Two unit vectors that are perpendicular to a unit vector and to each other (Duff et al., JCGT 6(1), 2017)."""
    sign = dr.select(axis.z >= 0, arrays.Float(1), arrays.Float(-1))
    a = -1 / (sign + axis.z)
    b = axis.x * axis.y * a
    return (
        arrays.Array3f(1 + sign * axis.x * axis.x * a, sign * b, -sign * axis.x),
        arrays.Array3f(b, sign + axis.y * axis.y * a, -axis.y),
    )
