"""From image positions back into space: rays, and the point where the rays of several views meet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid

from ..acquisition.carm import XrayView
from ..acquisition.detector_plane import detector_points_ras

SMALLEST_ANGLE_DEG = 5.0
"""Between two of the rays; at 5° an error across a ray becomes one eleven times as large along it."""


@dataclass(frozen=True, eq=False)
class Ray:
    """From the focal spot (3,) to where an image position lies on the detector (3,), RAS mm."""

    source_ras: np.ndarray
    detector_ras: np.ndarray

    @property
    def direction(self) -> np.ndarray:
        """Unit vector (3,)."""
        along = self.detector_ras - self.source_ras
        return along / np.linalg.norm(along)

    def distance_mm(self, point_ras: np.ndarray) -> float:
        """How far a point (3,) lies from the line of the ray."""
        return float(np.linalg.norm(np.cross(self.direction, point_ras - self.source_ras)))


def back_project(view: XrayView, position_px: Sequence[float]) -> Ray:
    """The ray that an image position stands for."""
    source = invert_rigid(view.camera_from_ras)[:3, 3]
    return Ray(source, detector_points_ras(view, np.asarray(position_px, dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class Triangulation:
    """The point (3,) nearest to some rays, RAS mm, and its distance from each of them."""

    position_ras: np.ndarray
    residuals_mm: tuple[float, ...]


def triangulate(rays: Sequence[Ray]) -> Triangulation:
    """The point whose squared distances from the rays have the smallest sum: Σ (1 − d dᵀ)(p − s) = 0.

    Sim2RealError for fewer than two rays, or rays that run nearly in one direction.
    """
    if len(rays) < 2:
        raise Sim2RealError("A point in space needs rays from two views; add another view.")
    directions = np.array([ray.direction for ray in rays])
    widest = np.rad2deg(np.arccos(np.clip(np.abs(directions @ directions.T).min(), 0.0, 1.0)))
    if widest < SMALLEST_ANGLE_DEG:
        raise Sim2RealError(
            f"The views differ by {widest:.1f}° only; for a point in space turn the C-arm by {SMALLEST_ANGLE_DEG:g}° "
            "or more between them."
        )
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    starts = np.array([ray.source_ras for ray in rays])
    point = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, starts))
    return Triangulation(point, tuple(ray.distance_mm(point) for ray in rays))
