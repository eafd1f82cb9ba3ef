"""Veiling glare: the part of the light that spreads over centimetres and covers dark places with a veil.

Seibert, Nalcioglu and Roeck 1984 (Med. Phys. 11:172) describe it by a point spread (1 − ρ) δ + ρ e^(−r/k) / (2π k r),
with the transfer function (1 − ρ) + ρ / √(1 + (2π k f)²). Its sum is 1. Behind a lead disk of radius R in the middle of
a large field there remains ρ e^(−R/k) of the open signal.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from Sim2RealLib.recipe import strict_dataclass

from .blur import filtered


@strict_dataclass
class Glare:
    """share: ρ, of the light. range_mm: k, at the detector's entrance."""

    share: Annotated[float, Field(ge=0, lt=1)]
    range_mm: Annotated[float, Field(gt=0, le=500)]


def with_glare(image: np.ndarray, glare: Glare, pixel_mm: float) -> np.ndarray:
    """`image` (H, W) under its veil, float64. No light comes from beyond the detector; what spreads there is lost."""
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), ((0, height), (0, width)))
    spread = filtered(padded, lambda shape: _transfer(glare, shape, pixel_mm))[:height, :width]
    return (1 - glare.share) * image + glare.share * spread


def _transfer(glare: Glare, shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    rows, columns = np.fft.fftfreq(shape[0], pixel_mm), np.fft.rfftfreq(shape[1], pixel_mm)
    return 1 / np.sqrt(1 + (2 * np.pi * glare.range_mm) ** 2 * (rows[:, None] ** 2 + columns**2))
