"""What a depth model offers to the panel and to the console."""

from enum import StrEnum
from typing import Protocol

import numpy as np

from Sim2RealLib.cameras import Camera


class DepthScale(StrEnum):
    """What is known of a prediction p of the depth d, the length of the ray in mm; s and t are one each an image."""

    METRIC = "metric"
    """p is d."""
    UP_TO_SCALE = "up to scale"
    """d is s p."""
    UP_TO_SCALE_AND_SHIFT = "up to scale and shift"
    """d is s p + t."""
    INVERSE_UP_TO_SCALE_AND_SHIFT = "inverse, up to scale and shift"
    """1/d is s p + t, as of MiDaS and Depth Anything."""


class DepthPredictor(Protocol):
    """A model ready to run. name: as the panel shows it. scale: what its predictions are."""

    name: str
    scale: DepthScale

    def predict(self, picture: np.ndarray, camera: Camera) -> np.ndarray:
        """A picture, uint8 (H, W, 3) as the screen shows it, to depths (H, W) float32 along the rays of its pixels;
        NaN where the model says nothing."""


PREDICTORS: list[DepthPredictor] = []
"""Those that the panel offers. This version comes without a trained model."""
