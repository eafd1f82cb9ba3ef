"""How far a prediction is from the truth, in the figures that papers on depth give."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .alignment import common_px

DELTA = 1.25
"""Ratio up to which a pixel counts as right in `delta_1`; its square and cube in the others."""


@dataclass(frozen=True)
class DepthFigures:
    """Means over the pixels in which prediction p and truth d are known, both above 0.

    abs_rel: |p − d| / d; sq_rel_mm: (p − d)² / d; rmse_mm: √(p − d)²; rmse_log: √(ln p − ln d)²; delta_1 to delta_3:
        share with max(p/d, d/p) below 1.25, 1.25², 1.25³. All: Eigen, Puhrsch and Fergus, NeurIPS 2014.
    mae_mm: |p − d|; median_rel: the median of |p − d| / d: SimCol3D's L1 and relative error (Rau et al., Med. Image
        Anal. 96, 2024), which gives them in cm and %.
    """

    abs_rel: float
    sq_rel_mm: float
    rmse_mm: float
    rmse_log: float
    delta_1: float
    delta_2: float
    delta_3: float
    mae_mm: float
    median_rel: float
    pixels: int


def depth_figures(predicted_mm: np.ndarray, truth_mm: np.ndarray) -> DepthFigures:
    """Both (H, W), mm, NaN where not known. Sim2RealError as `alignment.common_px`, and for depths that are not above
    0, whose ratio and logarithm mean nothing."""
    both = common_px(predicted_mm, truth_mm)
    p, d = predicted_mm[both].astype(np.float64), truth_mm[both].astype(np.float64)
    if p.min() <= 0.0 or d.min() <= 0.0:
        which = "predicted" if p.min() <= 0.0 else "true"
        raise Sim2RealError(f"The {which} depth is not above 0 everywhere: it is {min(p.min(), d.min()):.3g} mm.")
    error, logs, ratio = np.abs(p - d), np.log(p / d), np.maximum(p / d, d / p)
    return DepthFigures(
        abs_rel=float(np.mean(error / d)),
        sq_rel_mm=float(np.mean(error**2 / d)),
        rmse_mm=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(logs**2))),
        delta_1=float(np.mean(ratio < DELTA)),
        delta_2=float(np.mean(ratio < DELTA**2)),
        delta_3=float(np.mean(ratio < DELTA**3)),
        mae_mm=float(np.mean(error)),
        median_rel=float(np.median(error / d)),
        pixels=int(p.size),
    )


def error_map(predicted_mm: np.ndarray, truth_mm: np.ndarray) -> np.ndarray:
    """Prediction minus truth (H, W), mm, float32: positive where the prediction lies too far; NaN where not known."""
    return (predicted_mm - truth_mm).astype(np.float32)
