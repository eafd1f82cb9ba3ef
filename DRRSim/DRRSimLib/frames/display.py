"""From attenuation to grey values by a fixed look-up: the same attenuation is the same grey in every image."""

from enum import StrEnum

import numpy as np
from pydantic import model_validator

from Sim2RealLib.recipe import strict_dataclass


class Polarity(StrEnum):
    """Which end is bright: radiographs show bone white, fluoroscopy shows it dark."""

    BONE_WHITE = "bone_white"
    BONE_DARK = "bone_dark"


class VoiFunction(StrEnum):
    """How a window's interval is spread over the greys, named as in DICOM (PS3.3 C.11.2.1.3).

    linear: a straight line between the window's ends; what lies outside takes the end values.
    sigmoid: the S-shaped curve of a film, as steep as the line in the middle of the window, which never ends: a
        thicker patient is always a little brighter.
    """

    LINEAR = "linear"
    SIGMOID = "sigmoid"


@strict_dataclass
class Window:
    """The interval of −ln(I / I₀) that is spread over the grey values."""

    low: float
    high: float
    function: VoiFunction = VoiFunction.LINEAR

    @model_validator(mode="after")
    def _ascending(self) -> "Window":
        if self.low >= self.high:
            raise ValueError("the window's low end must be below its high end")
        return self


WINDOWS = {
    "wide": Window(0.0, 9.0),  # from the open beam to a lateral pelvis with a metal implant
    "pelvis": Window(2.0, 7.5, VoiFunction.SIGMOID),  # an adult from in front to 60° from the side
    "abdomen": Window(1.0, 6.0, VoiFunction.SIGMOID),
    "extremity": Window(0.0, 3.5),
}


def log_attenuation(intensity: np.ndarray, open_beam: float) -> np.ndarray:
    """−ln(I / I₀), float32; +inf where no photon arrived, or where electronic noise made the signal negative."""
    with np.errstate(divide="ignore"):
        return -np.log(np.maximum(intensity, 0.0) / np.float32(open_beam), dtype=np.float32)


def to_display(attenuation: np.ndarray, window: Window, polarity: Polarity, bits: int) -> np.ndarray:
    """Grey values of −ln(I / I₀) as uint8 or uint16."""
    place = (attenuation - window.low) / (window.high - window.low)
    if window.function is VoiFunction.SIGMOID:
        shade = 1.0 / (1.0 + np.exp(-4.0 * (place - 0.5)))
    else:
        shade = np.clip(place, 0.0, 1.0)
    if polarity is Polarity.BONE_DARK:
        shade = 1.0 - shade
    return np.rint(shade * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
