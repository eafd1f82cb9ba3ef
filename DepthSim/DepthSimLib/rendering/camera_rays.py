"""Rays of any camera model: unit directions at the corners of the pixels, interpolated within them.

Image and ground truth share these rays. Interpolation puts them off by about a thousandth of a pixel in any lens, so
that models need no kernel of their own.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.cameras import Camera

from .scalar_grid import ScalarGrid


@dataclass(frozen=True, eq=False)
class CameraRays:
    """One camera in the grid frame.

    corners: flat (H + 1) × (W + 1) × 3 directions in the camera frame, 0 where the model has none.
    rotation: rows of grid-from-camera, of opaque Floats. origin: the camera's position, Array3f, mm.
    """

    arrays: ModuleType
    width: int
    height: int
    corners: Any
    rotation: Any
    origin: Any

    def direction(self, pixel: Any, x: Any, y: Any, active: Any = True) -> Any:
        """Unit direction in the grid frame through the place (x, y), 0 to 1 each, of pixels counted row by row.

        0 0 0 for pixels with a corner where the camera's model has no ray.
        """
        row, column = pixel // self.width, pixel % self.width
        corner = (row * (self.width + 1) + column) * 3

        def at(step: int) -> Any:
            return self.arrays.Array3f(
                *(dr.gather(self.arrays.Float, self.corners, corner + (3 * step + axis), active) for axis in range(3))
            )

        around = [at(step) for step in (0, 1, self.width + 1, self.width + 2)]
        whole = self.arrays.Bool(True)
        for corner_ray in around:
            whole &= dr.squared_norm(corner_ray) > 0.5
        ray = dr.lerp(dr.lerp(around[0], around[1], x), dr.lerp(around[2], around[3], x), y)
        turned = self.arrays.Array3f(*(dr.dot(row, ray) for row in self.rotation))
        return dr.select(whole, turned * dr.rsqrt(dr.maximum(dr.squared_norm(turned), 1e-12)), 0)


def upload_camera(arrays: ModuleType, camera: Camera, ras_from_camera: np.ndarray, grid: ScalarGrid) -> CameraRays:
    """ras_from_camera: rigid 4×4."""
    x, y = np.meshgrid(np.arange(camera.width_px + 1.0), np.arange(camera.height_px + 1.0))
    corners = np.nan_to_num(camera.unproject(np.stack([x, y], axis=-1)), nan=0.0).astype(np.float32)
    grid_from_camera = grid.grid_from_ras @ ras_from_camera
    rotation = [arrays.Array3f(*(dr.opaque(arrays.Float, float(v)) for v in row)) for row in grid_from_camera[:3, :3]]
    origin = arrays.Array3f(*(dr.opaque(arrays.Float, float(v)) for v in grid_from_camera[:3, 3]))
    return CameraRays(arrays, camera.width_px, camera.height_px, arrays.Float(corners.reshape(-1)), rotation, origin)
