"""Bringing a prediction to the scale of the truth, where a model knows its depth only up to that."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .predictor import DepthScale

FEWEST_PX = 16
"""Pixels in which both depths are known; fewer say nothing of an image."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """depth_mm: (H, W) float32, NaN where not known or not above 0. scale, shift: s and t of `DepthScale`."""

    depth_mm: np.ndarray
    scale: float = 1.0
    shift: float = 0.0


def aligned(predicted: np.ndarray, truth_mm: np.ndarray, kind: DepthScale) -> Aligned:
    """A prediction (H, W) at the scale of the truth (H, W), NaN where either is not known.

    A scale alone is the ratio of the medians (Zhou, Brown, Snavely and Lowe, CVPR 2017); scale and shift minimise the
    sum of squared errors of the depth or of its inverse (Ranftl et al., IEEE Trans. Pattern Anal. Mach. Intell. 44(3),
    2022, eq. 4). Sim2RealError: too few pixels in common, other sizes, a prediction that has no scale.
    """
    both = common_px(predicted, truth_mm)
    known, true = predicted[both].astype(np.float64), truth_mm[both].astype(np.float64)
    if kind is DepthScale.METRIC:
        return Aligned(_above_0(predicted))
    if kind is DepthScale.UP_TO_SCALE:
        middle = float(np.median(known))
        if middle <= 0.0:
            raise Sim2RealError(f"The median of the predicted depth is {middle:g}; it must be above 0 to be scaled.")
        scale = float(np.median(true)) / middle
        return Aligned(_above_0(scale * predicted), scale)
    if np.ptp(known) == 0.0:
        raise Sim2RealError("The prediction is the same in every pixel: it has no scale.")
    inverse = kind is DepthScale.INVERSE_UP_TO_SCALE_AND_SHIFT
    scale, shift = (float(value) for value in np.polyfit(known, 1.0 / true if inverse else true, 1))
    fitted = _above_0(scale * predicted + shift)
    return Aligned(1.0 / fitted if inverse else fitted, scale, shift)


def _above_0(depth: np.ndarray) -> np.ndarray:
    return np.where(depth > 0.0, depth, np.nan).astype(np.float32)


def common_px(predicted: np.ndarray, truth_mm: np.ndarray) -> np.ndarray:
    """Where both depths are known, (H, W) bool; Sim2RealError if they are of other sizes or that is hardly anywhere."""
    if predicted.shape != truth_mm.shape:
        sizes = " and ".join(f"{image.shape[1]} × {image.shape[0]} px" for image in (predicted, truth_mm))
        raise Sim2RealError(f"The predicted and the true depth are of other sizes: {sizes}.")
    both = np.isfinite(predicted) & np.isfinite(truth_mm)
    if np.count_nonzero(both) < FEWEST_PX:
        raise Sim2RealError(f"Depth and prediction are both known in {np.count_nonzero(both)} pixels only.")
    return both
