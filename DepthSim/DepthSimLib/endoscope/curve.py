"""A centreline as a smooth curve on which a camera stands anywhere."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from ..centerline import Centerline

ENVELOPE_MM = 5.0
"""Half the width over which the free radius is averaged, twice."""


@dataclass(frozen=True, eq=False)
class CenterlineCurve:
    """Positions by a cubic spline, frames and radii by linear interpolation, at arc lengths (N,) in mm."""

    centerline: Centerline

    @cached_property
    def length_mm(self) -> float:
        return float(self.centerline.arc_length_mm[-1])

    def positions(self, arc_length_mm: np.ndarray) -> np.ndarray:
        """RAS points (N, 3); straight on beyond the ends."""
        inside = np.clip(arc_length_mm, 0.0, self.length_mm)
        beyond = np.asarray(arc_length_mm) - inside
        return self._spline(inside) + beyond[..., None] * self._spline(inside, 1)

    def axes(self, arc_length_mm: np.ndarray) -> np.ndarray:
        """Rotations (N, 3, 3), ras_from_camera, of a camera that looks along the curve without turning about it.

        Up in the image is the first normal of the curve's frames.
        """
        first, _, tangent = np.moveaxis(self._frames(arc_length_mm), -2, 0)
        tangent = tangent / np.linalg.norm(tangent, axis=-1, keepdims=True)
        first = first - np.sum(first * tangent, axis=-1, keepdims=True) * tangent
        first = first / np.linalg.norm(first, axis=-1, keepdims=True)
        return np.stack([np.cross(tangent, first), -first, tangent], axis=-1)

    def pose(self, arc_length_mm: float) -> np.ndarray:
        """ras_from_camera, 4×4, of a camera on the curve that looks along it."""
        pose, place = np.eye(4), np.array(arc_length_mm)
        pose[:3, :3], pose[:3, 3] = self.axes(place), self.positions(place)
        return pose

    def radius_mm(self, arc_length_mm: np.ndarray) -> np.ndarray:
        """Distance (N,) from the curve to the nearest wall."""
        return np.interp(arc_length_mm, self.centerline.arc_length_mm, self.centerline.radius_mm)

    def free_radius_mm(self, arc_length_mm: np.ndarray) -> np.ndarray:
        """A smooth radius (N,) that is nowhere larger than the distance to the nearest wall."""
        return np.interp(arc_length_mm, self.centerline.arc_length_mm, self._envelope)

    @cached_property
    def _spline(self) -> CubicSpline:
        return CubicSpline(self.centerline.arc_length_mm, self.centerline.points_ras)

    def _frames(self, arc_length_mm: np.ndarray) -> np.ndarray:
        frames, known = self.centerline.frames, self.centerline.arc_length_mm
        upper = np.clip(np.searchsorted(known, arc_length_mm), 1, len(known) - 1)
        share = np.clip((arc_length_mm - known[upper - 1]) / (known[upper] - known[upper - 1]), 0.0, 1.0)
        return frames[upper - 1] + share[..., None, None] * (frames[upper] - frames[upper - 1])

    @cached_property
    def _envelope(self) -> np.ndarray:
        # The minimum reaches as far as both averages after it, so that no value exceeds the radius at its place.
        spacing = self.length_mm / (len(self.centerline.points_ras) - 1)
        half = max(1, round(ENVELOPE_MM / spacing))
        lowest = minimum_filter1d(self.centerline.radius_mm, 4 * half + 1, mode="nearest")
        once = uniform_filter1d(lowest, 2 * half + 1, mode="nearest")
        return uniform_filter1d(once, 2 * half + 1, mode="nearest")
