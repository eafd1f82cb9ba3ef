"""The surface that a depth image is of, in the world."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh

TORN_ABOVE = 0.15
"""Neighbouring pixels whose depths differ by a larger share lie on different surfaces, such as a fold and what is
behind it (assumed)."""

GRAZING = 0.1
"""Triangles whose normals have a smaller cosine to the line of sight (84°) join an edge to what it hides (assumed); of
a real surface that lies so obliquely the picture shows next to nothing."""

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
    """Triangles between neighbouring pixels of a depth image, torn where it jumps and where it is seen edge on.

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
    points = points_of_depth(depth_mm, rays, ras_from_camera)[known]
    triangles = triangles[_cosines(points[triangles], ras_from_camera[:3, 3]) > GRAZING]
    if not len(triangles):
        raise Sim2RealError("There is no surface in this depth image.")
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


def _cosines(corners_ras: np.ndarray, camera_ras: np.ndarray) -> np.ndarray:
    """Of the angles (T,) between triangles' (T, 3, 3) normals and the lines of sight to their first corners."""
    normals = np.cross(corners_ras[:, 1] - corners_ras[:, 0], corners_ras[:, 2] - corners_ras[:, 0])
    towards = camera_ras - corners_ras[:, 0]
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(towards, axis=1)
    return np.abs(np.einsum("ti,ti->t", normals, towards)) / np.maximum(lengths, 1e-12)
