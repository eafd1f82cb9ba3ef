"""Scattering directions: Henyey–Greenstein's phase function and the frames that directions are drawn in."""

from types import ModuleType
from typing import Any

import drjit as dr

ISOTROPIC_BELOW = 1e-3
"""|g| below which a direction is drawn as isotropic: the inversion divides by g."""


def henyey_greenstein(cosine: Any, g: Any) -> Any:
    """Probability density a steradian of scattering by an angle; `cosine` between the two directions of travel.

    Henyey and Greenstein, Astrophys. J. 93, 1941.
    """
    denominator = 1 + g * g - 2 * g * cosine
    return (1 - g * g) / (4 * dr.pi * denominator * dr.sqrt(denominator))


def sample_henyey_greenstein(arrays: ModuleType, travel: Any, g: Any, u: Any, v: Any) -> Any:
    """A new direction of travel with density `henyey_greenstein`, from two uniform numbers."""
    ratio = (1 - g * g) / (1 - g + 2 * g * u)
    inverted = (1 + g * g - ratio * ratio) / (2 * dr.select(dr.abs(g) > ISOTROPIC_BELOW, g, 1))
    cosine = dr.select(dr.abs(g) > ISOTROPIC_BELOW, inverted, 1 - 2 * u)
    return around(arrays, travel, dr.clip(cosine, -1, 1), v)


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
