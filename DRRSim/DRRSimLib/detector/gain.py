"""Gain that differs between pixels and between readout amplifiers, and pixels and lines that are dead.

The pattern belongs to the detector: it is the same in all frames of a recipe's seed. A calibrated detector divides by
it and replaces what is dead by its neighbours; what calibration leaves is a weaker pattern of the same kind.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.ndimage import convolve

from Sim2RealLib.recipe import strict_dataclass

AMPLIFIER_COLUMNS = 128
"""Columns that one readout chip serves."""

GAIN_STREAM, RESIDUAL_STREAM, DEFECT_STREAM = 11, 12, 13

Deviation = Annotated[float, Field(ge=0, le=0.3)]


@strict_dataclass
class Gain:
    """pixel, amplifier: standard deviation of the gain of pixels and of groups of columns, as a share of it.

    residual: what is left of both by a flat-field correction, as a share of the signal.
    dead_pixels: their share of all. dead_lines: rows and columns without signal.
    """

    pixel: Deviation = 0.05
    amplifier: Deviation = 0.02
    residual: Deviation = 0.001
    dead_pixels: Annotated[float, Field(ge=0, le=0.1)] = 1e-4
    dead_lines: Annotated[int, Field(ge=0, le=100)] = 1


def gain_map(gain: Gain, shape: tuple[int, int], seed: int, corrected: bool) -> np.ndarray:
    """The gain of every pixel, (H, W), around 1: that of the detector, or what a correction has left of it."""
    rng = np.random.default_rng([seed, RESIDUAL_STREAM if corrected else GAIN_STREAM])
    pixels = rng.standard_normal(shape)
    amplifiers = np.repeat(rng.standard_normal(-(-shape[1] // AMPLIFIER_COLUMNS)), AMPLIFIER_COLUMNS)[: shape[1]]
    if not corrected:
        return 1 + gain.pixel * pixels + gain.amplifier * amplifiers
    whole = np.hypot(gain.pixel, gain.amplifier)
    return 1 + (gain.residual / whole if whole else 0.0) * (gain.pixel * pixels + gain.amplifier * amplifiers)


def defects(gain: Gain, shape: tuple[int, int], seed: int) -> np.ndarray:
    """Which pixels are dead, bool (H, W)."""
    rng = np.random.default_rng([seed, DEFECT_STREAM])
    dead = rng.random(shape) < gain.dead_pixels
    for line in range(gain.dead_lines):
        if line % 2:
            dead[rng.integers(shape[0])] = True
        else:
            dead[:, rng.integers(shape[1])] = True
    return dead


def without_defects(image: np.ndarray, dead: np.ndarray) -> np.ndarray:
    """`image` with every dead pixel replaced by the mean of its live neighbours; large gaps are filled from outside."""
    image, dead = image.astype(np.float64), dead.copy()
    if dead.all():
        return image
    around = np.ones((3, 3))
    while dead.any():
        live = convolve((~dead).astype(float), around, mode="constant")
        total = convolve(np.where(dead, 0.0, image), around, mode="constant")
        reached = dead & (live > 0.5)
        image[reached] = total[reached] / live[reached]
        dead &= ~reached
    return image
