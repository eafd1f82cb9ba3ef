"""Pinhole cameras, and X-ray sources with a flat detector."""

from typing import Literal

import numpy as np
from pydantic import field_validator

from ..recipe import strict_dataclass
from .camera import Camera, SidePx


@strict_dataclass
class PinholeCamera(Camera):
    """A pinhole camera, or an X-ray source with a flat detector.

    `fx_px` and `fy_px` may be negative: a negative one is an image stored mirrored along that axis. X-ray images are,
    since they are looked at from the detector's side: the camera frame stays a right-handed OpenCV frame at the
    source, and the mirror lives in K, where every formula built on ``K [R | t]`` (OpenCV's too) carries it along.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: SidePx
    height_px: SidePx
    model: Literal["pinhole"] = "pinhole"

    @field_validator("fx_px", "fy_px")
    @classmethod
    def _not_zero(cls, focal_px: float) -> float:
        if focal_px == 0.0:
            raise ValueError("a focal length is not 0")
        return focal_px

    @property
    def matrix(self) -> np.ndarray:
        """The intrinsic matrix K, 3×3, for positions counted from the outer corner of the top-left pixel."""
        return np.array([[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]])

    def project(self, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, dtype=np.float64)
        depth = np.where(points[..., 2] > 0.0, points[..., 2], np.nan)
        return np.stack(
            [self.fx_px * points[..., 0] / depth + self.cx_px, self.fy_px * points[..., 1] / depth + self.cy_px],
            axis=-1,
        )

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        positions_px = np.asarray(positions_px, dtype=np.float64)
        rays = np.stack(
            [
                (positions_px[..., 0] - self.cx_px) / self.fx_px,
                (positions_px[..., 1] - self.cy_px) / self.fy_px,
                np.ones(positions_px.shape[:-1]),
            ],
            axis=-1,
        )
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)
