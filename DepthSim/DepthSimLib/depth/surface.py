"""The surface that a depth image is of, in the world."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh

TORN_ABOVE = 0.15
"""Neighbouring pixels whose depths differ by a larger share lie on different surfaces, such as a fold and what is
behind it (assumed)."""


MOST_PX = 400
"""Pixels a side of what is drawn; a quarter of a million triangles."""


@dataclass(frozen=True, eq=False)
class SurfacePatch:
    """mesh: of the surface, normals towards the camera. pixels: (V,), the flat pixel number of each vertex."""

    mesh: TriangleMesh
    pixels: np.ndarray


def points_of_depth(depth_mm: np.ndarray, rays: np.ndarray, ras_from_camera: np.ndarray) -> np.ndarray:
    """World positions (H, W, 3) of ray lengths (H, W); NaN where there is none.

    rays: unit, of the pixel centres in the camera frame, (H, W, 3), as `Endoscope.rays` gives them for any lens.
    """
    return transform_points(ras_from_camera, depth_mm[..., None].astype(np.float64) * rays)


def surface_patch(
    depth_mm: np.ndarray, rays: np.ndarray, ras_from_camera: np.ndarray, most_px: int = MOST_PX
) -> SurfacePatch:
    """Triangles between neighbouring pixels of a depth image, torn where it jumps.

    most_px: of an image that is larger, every second, third, … pixel along either side is taken. Sim2RealError if
    nothing is seen.
    """
    step = -(-max(depth_mm.shape) // most_px)
    number_of_px = np.arange(depth_mm.size).reshape(depth_mm.shape)[::step, ::step]
    depth_mm, rays = depth_mm[::step, ::step], rays[::step, ::step]
    known = np.isfinite(depth_mm) & np.isfinite(rays[..., 2])
    number = np.cumsum(known.ravel()).reshape(known.shape) - 1
    here, after = slice(None, -1), slice(1, None)
    upper_left, upper_right, lower_left, lower_right = (here, here), (here, after), (after, here), (after, after)
    halves = (upper_left, lower_left, upper_right), (upper_right, lower_left, lower_right)
    triangles = np.concatenate([_between(depth_mm, known, number, half) for half in halves])
    if not len(triangles):
        raise Sim2RealError("There is no surface in this depth image.")
    points = points_of_depth(depth_mm, rays, ras_from_camera)[known]
    pixels = number_of_px[known]
    used = np.zeros(len(points), bool)
    used[triangles] = True
    renumbered = np.cumsum(used) - 1
    mesh = TriangleMesh(points[used].astype(np.float32), renumbered[triangles].astype(np.int32))
    return SurfacePatch(mesh, pixels[used])


def _between(depth_mm: np.ndarray, known: np.ndarray, number: np.ndarray, corners: tuple) -> np.ndarray:
    """The triangles (T, 3) of one corner pattern of every square of pixels that is whole."""
    depths = np.stack([depth_mm[corner] for corner in corners])
    whole = np.logical_and.reduce([known[corner] for corner in corners])
    with np.errstate(invalid="ignore"):
        whole &= depths.max(axis=0) <= (1.0 + TORN_ABOVE) * depths.min(axis=0)
    return np.stack([number[corner][whole] for corner in corners], axis=1)
