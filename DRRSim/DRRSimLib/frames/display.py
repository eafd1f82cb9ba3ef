"""From attenuation to grey values by a fixed look-up: the same attenuation is the same grey in every image."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Polarity(StrEnum):
    """Which end is bright: radiographs show bone white, fluoroscopy shows it dark."""

    BONE_WHITE = "bone_white"
    BONE_DARK = "bone_dark"


@dataclass(frozen=True)
class Window:
    """The interval of −ln(I / I₀) that is spread over the grey values; what lies outside takes the end values."""

    low: float
    high: float


WINDOWS = {
    "wide": Window(0.0, 9.0),  # from the open beam to a lateral pelvis with a metal implant
    "pelvis": Window(1.5, 8.5),  # an adult from in front to 60° from the side
    "abdomen": Window(1.0, 6.0),
    "extremity": Window(0.0, 3.5),
}


def log_attenuation(intensity: np.ndarray, open_beam: float) -> np.ndarray:
    """−ln(I / I₀), float32; +inf where no photon arrived, or where electronic noise made the signal negative."""
    with np.errstate(divide="ignore"):
        return -np.log(np.maximum(intensity, 0.0) / np.float32(open_beam), dtype=np.float32)


def to_display(attenuation: np.ndarray, window: Window, polarity: Polarity, bits: int) -> np.ndarray:
    """Grey values of −ln(I / I₀) as uint8 or uint16."""
    shade = np.clip((attenuation - window.low) / (window.high - window.low), 0.0, 1.0)
    if polarity is Polarity.BONE_DARK:
        shade = 1.0 - shade
    return np.rint(shade * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
