"""Camera models: from a point in the camera frame to a position in the image and back.

Camera frame: OpenCV's, x right, y down, z towards the scene or detector, origin at the pinhole or the focal spot, mm.
Image coordinates are continuous with (0, 0) at the outer corner of the top-left pixel: the centre of pixel (column c,
row r) is (c + ½, r + ½).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Camera(Protocol):
    """What every camera model offers; fisheye models have the same two functions and another formula inside."""

    width_px: int
    height_px: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in the camera frame to image positions (..., 2); NaN where the model sees no such point."""

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        """Image positions (..., 2) to unit rays (..., 3) in the camera frame; NaN outside the model's domain."""


@dataclass(frozen=True)
class PinholeCamera:
    """A pinhole camera, or an X-ray source with a flat detector.

    `fx_px` and `fy_px` may be negative: a negative one is an image stored mirrored along that axis. X-ray images are,
    since they are looked at from the detector's side: the camera frame stays a right-handed OpenCV frame at the
    source, and the mirror lives in K, where every formula built on ``K [R | t]`` (OpenCV's too) carries it along.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: int
    height_px: int

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

    def contains(self, positions_px: np.ndarray) -> np.ndarray:
        """Whether image positions (..., 2) lie on the image; NaN does not."""
        x, y = np.moveaxis(np.asarray(positions_px), -1, 0)
        return (x >= 0) & (x < self.width_px) & (y >= 0) & (y < self.height_px)
