"""Scattering directions: Henyey–Greenstein's phase function."""

from types import ModuleType
from typing import Any

import drjit as dr

from Sim2RealLib.directions import around

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
