"""Transfer functions: what a CT number looks like, as straight lines between control points.

Opacity is authored as in Slicer, as the share α of light that a unit distance u takes away; the extinction coefficient
is σ_t = −ln(1 − α) / u. α must therefore stay below 1.
"""

from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat

from Sim2RealLib.recipe import strict_dataclass

from ..rendering.majorants import BINS
from ..rendering.scalar_grid import LOWEST_HU

MOST_OPACITY = 1.0 - 1e-6
"""Of a unit distance; what is more opaque has no use for a number."""

MOST_ANISOTROPY = 0.99
"""|g| of the phase functions: beyond, light would not turn within a picture's reach."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
OpacityPoint = tuple[float, Annotated[float, Field(ge=0.0, le=MOST_OPACITY)]]
ColorPoint = tuple[float, Share, Share, Share]


def _ascending(points: tuple) -> tuple:
    if any(after[0] < before[0] for before, after in pairwise(points)):
        raise ValueError("the HU of control points must not fall")
    return points


@strict_dataclass
class OpacityFunction:
    """points: (HU, opacity of a unit distance); two points at one HU are a step. Constant beyond the ends."""

    points: Annotated[tuple[OpacityPoint, ...], Field(min_length=1), AfterValidator(_ascending)]
    unit_distance_mm: PositiveFloat = 1.0

    def extinction_mm(self) -> np.ndarray:
        """σ_t by HU from LOWEST_HU on, 1/mm: (BINS,) float32."""
        hu, opacity = np.array(self.points).T
        return (-np.log1p(-_table(hu, opacity)) / self.unit_distance_mm).astype(np.float32)


@strict_dataclass
class ColorFunction:
    """points: (HU, red, green, blue), linear, 0 to 1. Constant beyond the ends."""

    points: Annotated[tuple[ColorPoint, ...], Field(min_length=1), AfterValidator(_ascending)]

    def rgb(self) -> np.ndarray:
        """Colour by HU from LOWEST_HU on: (BINS, 3) float32."""
        hu, *channels = np.array(self.points).T
        return np.stack([_table(hu, channel) for channel in channels], axis=1).astype(np.float32)


@strict_dataclass
class TransferFunction:
    opacity: OpacityFunction
    color: ColorFunction


def _table(hu: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.interp(np.arange(LOWEST_HU, LOWEST_HU + BINS), hu, values)


LUMEN = OpacityFunction(((-600.0, 0.0), (-450.0, 0.55)), unit_distance_mm=0.1)
"""The geometry of a gas-filled lumen: nothing in gas, 8.0 /mm in tissue, which is the μ_t of mucosa at g = 0.9.

The ramp begins before the half-height, so that a perpendicular ray has become half opaque there. Chosen for gas and
mucosa blurred by a Gaussian of 0.4 to 1 mm: the depth is then within 0.05 mm of the surface.
"""
