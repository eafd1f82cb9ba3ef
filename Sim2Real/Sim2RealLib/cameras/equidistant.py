"""The equidistant fisheye."""

from typing import Literal

import numpy as np
from pydantic import PositiveFloat

from ..recipe import strict_dataclass
from .camera import Camera, SidePx
from .radial import plane_polar, point_polar, rays


@strict_dataclass
class EquidistantCamera(Camera):
    """The radius of the image of a ray is its angle from the axis, r = f θ, up to the full sphere."""

    fx_px: PositiveFloat
    fy_px: PositiveFloat
    cx_px: float
    cy_px: float
    width_px: SidePx
    height_px: SidePx
    model: Literal["equidistant"] = "equidistant"

    def project(self, points: np.ndarray) -> np.ndarray:
        angle, azimuth = point_polar(points)
        return angle[..., None] * azimuth * (self.fx_px, self.fy_px) + (self.cx_px, self.cy_px)

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        offset_px = np.asarray(positions_px, dtype=np.float64) - (self.cx_px, self.cy_px)
        angle, azimuth = plane_polar(offset_px / (self.fx_px, self.fy_px))
        return rays(np.where(angle < np.pi, angle, np.nan), azimuth)
