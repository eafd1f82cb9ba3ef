"""Rays from an X-ray source through image positions, written so that single precision is enough.

A ray passes the camera-frame points z · (x, y, 1) with x = (u − cx) / fx, y = (v − cy) / fy. In voxel coordinates both
its direction a mm of z and the point where it passes the anchor depth are affine in (x, y). The anchor is put at the
depth of the grid's centre: coordinates are small there, and float32 places a sample to about 1e-4 of a voxel although
the source is a thousand voxels away.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.geometry import invert_rigid, transform_points

from .packed_grid import PackedGrid


@dataclass(frozen=True, eq=False)
class GridRays:
    """All rays of one view in the voxel coordinates of one grid.

    axes: 3×3, grid directions of the camera's x, y, z in voxels a mm, as columns.
    anchor: grid position of the camera-frame point (0, 0, anchor_depth_mm), shape (3,).
    end_depth_mm: z of the detector plane; nothing behind it attenuates.
    """

    axes: np.ndarray
    anchor: np.ndarray
    anchor_depth_mm: float
    end_depth_mm: float

    def ends_inside(self, grid: PackedGrid) -> bool:
        """Whether the source or the detector plane can lie inside the grid, so that rays start or end in it."""
        camera_from_grid = np.linalg.inv(self.axes)
        upper = np.array(grid.size, float)
        corners = np.array([[x, y, z] for x in (-1.0, upper[0]) for y in (-1.0, upper[1]) for z in (-1.0, upper[2])])
        depths = self.anchor_depth_mm + (corners - self.anchor) @ camera_from_grid.T[:, 2]
        return bool(depths.min() < 0.0 or depths.max() > self.end_depth_mm)


def grid_rays(grid: PackedGrid, camera_from_ras: np.ndarray, source_to_detector_mm: float) -> GridRays:
    """The rays of a view, given by the source's pose (rigid 4×4) and the distance of its detector plane, for `grid`."""
    grid_from_camera = grid.grid_from_ras @ invert_rigid(camera_from_ras)
    center = (np.array(grid.size) - 1.0) / 2.0
    depth = float(transform_points(np.linalg.inv(grid_from_camera), center)[2])
    anchor = transform_points(grid_from_camera, [0.0, 0.0, depth])
    return GridRays(grid_from_camera[:3, :3], anchor, depth, source_to_detector_mm)


def pixel_rays(arrays: ModuleType, camera: PinholeCamera) -> tuple[Any, Any]:
    """Normalised image positions x, y of all pixel centres, row by row, as Float arrays of a backend."""
    pixel = dr.arange(arrays.UInt32, camera.width_px * camera.height_px)
    column, row = pixel % dr.opaque(arrays.UInt32, camera.width_px), pixel // dr.opaque(arrays.UInt32, camera.width_px)
    return _normalise(arrays, camera, arrays.Float(column) + 0.5, arrays.Float(row) + 0.5)


def position_rays(arrays: ModuleType, camera: PinholeCamera, positions_px: np.ndarray) -> tuple[Any, Any]:
    """Normalised image positions x, y of the image positions (N, 2), as Float arrays of a backend."""
    u, v = (arrays.Float(np.ascontiguousarray(column, np.float32)) for column in positions_px.T)
    return _normalise(arrays, camera, u, v)


def _normalise(arrays: ModuleType, camera: PinholeCamera, u: Any, v: Any) -> tuple[Any, Any]:
    inverse_fx, inverse_fy, cx, cy = (
        dr.opaque(arrays.Float, value) for value in (1 / camera.fx_px, 1 / camera.fy_px, camera.cx_px, camera.cy_px)
    )
    return (u - cx) * inverse_fx, (v - cy) * inverse_fy
