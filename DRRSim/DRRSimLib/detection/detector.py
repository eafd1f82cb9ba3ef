"""What finds landmarks in an X-ray image, and how its findings compare with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Detection:
    """Where a landmark was found, in image coordinates, and how sure the detector is, from 0 to 1."""

    position_px: tuple[float, float]
    confidence: float


class LandmarkDetector(Protocol):
    """A trained model, or anything else that finds landmarks."""

    title: str
    """What people call it."""

    def detect(self, attenuation: np.ndarray, pixel_mm: float) -> Mapping[str, Detection]:
        """The landmarks found in −ln(I / I₀), float32 (H, W), by name; those it does not find are left out.

        pixel_mm: the detector's pixel size.
        """
        ...


DETECTORS: list[LandmarkDetector] = []
"""What the panel offers; trained models add themselves, and so may you. None comes with this version."""


def pixel_errors(detections: Mapping[str, Detection], truth_px: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Distance in pixels from each detection to the landmark's true image position (2,), where that is known."""
    return {
        name: float(np.linalg.norm(np.subtract(found.position_px, truth_px[name])))
        for name, found in detections.items()
        if name in truth_px
    }
