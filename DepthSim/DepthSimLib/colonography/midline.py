"""From a path of voxels to a smooth curve in the middle of the lumen."""

import numpy as np
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import gaussian_filter1d

from Sim2RealLib.errors import Sim2RealError

from ..centerline import Centerline
from .clearance import ClearanceField
from .passages import PASSAGE_MM

POINT_SPACING_MM = 1.0
SMOOTHING_MM = 8.0
"""A wave of 2π times this length keeps half its height: haustra are smoothed away, flexures stay."""
FINISH_MM = 5.0
"""The same of the last smoothing, of a curve that the ascents leave even."""
ASCENTS_MM = np.linspace(1.0, 0.2, 12)
FEWEST_POINTS = 6


def centred(path_ras: np.ndarray, clearance: ClearanceField) -> Centerline:
    """A smooth, evenly spaced curve along a path, (N, 3), RAS mm, brought back to the middle of the lumen.

    A smoothing spline cuts bends; so its points climb the clearance across the curve, by steps that shrink and that
    neighbours share (a Gaussian along the curve), before a lighter one is laid through them. What
    of it comes nearer to the wall than PASSAGE_MM at either end is cut off. Sim2RealError for a path below 6 mm.
    """
    points = evenly_spaced(path_ras)
    if len(points) < FEWEST_POINTS:
        raise Sim2RealError("The two ends are too close together for a centreline: place them farther apart.")
    points = evenly_spaced(smoothed(points, SMOOTHING_MM))
    for step_mm in ASCENTS_MM:
        tangent = np.gradient(points, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        uphill = clearance.gradient(points)
        uphill -= np.sum(uphill * tangent, axis=1, keepdims=True) * tangent
        points = evenly_spaced(points + step_mm * gaussian_filter1d(uphill, SMOOTHING_MM / POINT_SPACING_MM, axis=0))
    points = smoothed(points, FINISH_MM)
    open_at = np.flatnonzero(clearance.at(points) >= PASSAGE_MM)
    points = evenly_spaced(points[open_at[0] : open_at[-1] + 1])
    return Centerline(points, clearance.at(points))


def smoothed(points: np.ndarray, smoothing_mm: float) -> np.ndarray:
    """Points POINT_SPACING_MM apart, (N, 3), on the spline that minimises ∑ |x − p|² + λ ∫ |x″|² ds, λ = L⁴ / spacing.

    Reinsch, Numer. Math. 10, 1967; L is `smoothing_mm`. A wave of wavelength 2π L keeps half its height.
    """
    length_mm = np.arange(len(points)) * POINT_SPACING_MM
    return make_smoothing_spline(length_mm, points, lam=smoothing_mm**4 / POINT_SPACING_MM, axis=0)(length_mm)


def evenly_spaced(points: np.ndarray) -> np.ndarray:
    """The polyline through points, (N, 3), at equal steps of about POINT_SPACING_MM along it, ends included."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, at[-1], max(2, round(at[-1] / POINT_SPACING_MM) + 1))
    return np.stack([np.interp(wanted, at, line) for line in points.T], axis=1)
