"""Optical flow between two frames of a still scene, from exact depth and poses.

Flow leads from a frame back to the one before it, as in C3VD (Bobrow et al. 2023): what pixel p shows was at p + flow.
"""

from dataclasses import dataclass

import drjit as dr
import numpy as np

from Sim2RealLib.cameras import Camera
from Sim2RealLib.geometry import invert_rigid, transform_points

from ..rendering.medium import Medium, rays_in
from ..rendering.opacity_depth import opacity_depths

HIDDEN_MM, HIDDEN_SHARE = 0.3, 0.01
"""How much nearer than a point, in mm or as a share of its distance, something must be to hide it."""


@dataclass(frozen=True, eq=False)
class Motion:
    """flow_px: (H, W, 2), right and down, NaN where the frame shows nothing or the frame before has no image of it.

    hidden: (H, W) bool, whether what is seen was behind something, or out of view, one frame before.
    """

    flow_px: np.ndarray
    hidden: np.ndarray


def motion_from_previous(
    medium: Medium, camera: Camera, depth_mm: np.ndarray, ras_from_camera: np.ndarray, ras_from_previous: np.ndarray
) -> Motion:
    """depth_mm: ray lengths (H, W) of the frame at `ras_from_camera`, NaN where it shows nothing."""
    centres = camera.pixel_centers()
    points_ras = transform_points(ras_from_camera, camera.unproject(centres) * depth_mm[..., None])
    before = camera.project(transform_points(invert_rigid(ras_from_previous), points_ras))
    flow = (before - centres).astype(np.float32)
    seen = np.isfinite(depth_mm)
    in_view = camera.contains(before)
    hidden = seen & ~in_view
    hidden[in_view] = _behind_something(medium, points_ras[in_view], ras_from_previous[:3, 3])
    return Motion(flow, hidden)


def _behind_something(medium: Medium, points_ras: np.ndarray, eye_ras: np.ndarray) -> np.ndarray:
    """Whether tissue becomes opaque between an eye and each of the points (N, 3)."""
    if not len(points_ras):
        return np.zeros(0, bool)
    arrays, grid_from_ras = medium.arrays, medium.device_grid.grid.grid_from_ras
    points, eye = (transform_points(grid_from_ras, p).astype(np.float32) for p in (points_ras, eye_ras))
    target = arrays.Array3f(*(arrays.Float(np.ascontiguousarray(axis)) for axis in points.T))
    origin = arrays.Array3f(*(dr.opaque(arrays.Float, float(v)) for v in eye))
    distance = dr.norm(target - origin)
    depths = opacity_depths(medium, rays_in(medium, origin, (target - origin) / distance, distance))
    nearest = distance - dr.maximum(HIDDEN_MM, HIDDEN_SHARE * distance)
    return (depths.middle < nearest).numpy()
