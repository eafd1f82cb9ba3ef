"""The Kannala–Brandt fisheye."""

from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import PositiveFloat

from ..recipe import strict_dataclass
from .camera import Camera, SidePx
from .radial import invert_increasing, plane_polar, point_polar, rays, smallest_positive_root


@strict_dataclass
class KannalaBrandtCamera(Camera):
    """Radius of the image of a ray at angle θ from the axis, in focal lengths:

        r(θ) = θ + k1 θ³ + k2 θ⁵ + k3 θ⁷ + k4 θ⁹

    Kannala and Brandt, IEEE TPAMI 28(8), 2006, eq. 6, written as OpenCV's `fisheye` (its K and D; vicalib's ``kb4``).
    The model ends where r(θ) stops increasing, at 180° at the latest: beyond, one position would have two rays.
    """

    fx_px: PositiveFloat
    fy_px: PositiveFloat
    cx_px: float
    cy_px: float
    width_px: SidePx
    height_px: SidePx
    k1: float
    k2: float
    k3: float
    k4: float
    model: Literal["kannala_brandt"] = "kannala_brandt"

    @cached_property
    def max_angle_rad(self) -> float:
        """Half of the largest field of view that the polynomial can describe."""
        slope_in_squares = (1.0, 3.0 * self.k1, 5.0 * self.k2, 7.0 * self.k3, 9.0 * self.k4)
        return min(np.pi, float(np.sqrt(smallest_positive_root(slope_in_squares))))

    def project(self, points: np.ndarray) -> np.ndarray:
        angle, azimuth = point_polar(points)
        radius, _ = self._radius_and_slope(np.where(angle <= self.max_angle_rad, angle, np.nan))
        return radius[..., None] * azimuth * (self.fx_px, self.fy_px) + (self.cx_px, self.cy_px)

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        offset_px = np.asarray(positions_px, dtype=np.float64) - (self.cx_px, self.cy_px)
        radius, azimuth = plane_polar(offset_px / (self.fx_px, self.fy_px))
        return rays(invert_increasing(self._radius_and_slope, radius, self.max_angle_rad), azimuth)

    def _radius_and_slope(self, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = angle * angle
        radius = angle * (1 + t * (self.k1 + t * (self.k2 + t * (self.k3 + t * self.k4))))
        slope = 1 + t * (3 * self.k1 + t * (5 * self.k2 + t * (7 * self.k3 + t * 9 * self.k4)))
        return radius, slope
