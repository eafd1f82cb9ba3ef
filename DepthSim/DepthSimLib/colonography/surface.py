"""The wall of the lumen as a triangle mesh."""

from dataclasses import replace

import numpy as np
from skimage.measure import marching_cubes

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

from .cleansing import SURFACE_HU


def only_lumen(ct: Volume, inside: np.ndarray) -> Volume:
    """The CT, float32, in which a mask alone, (K, J, I) bool, is gas: all else, and the grid's faces, is wall."""
    hu = np.maximum(ct.array, SURFACE_HU + 1.0, dtype=np.float32)
    within = (slice(1, -1),) * 3
    np.copyto(hu[within], np.minimum(ct.array[within], SURFACE_HU - 1.0), where=inside[within])
    return replace(ct, array=hu)


def wall_mesh(lumen: Volume) -> TriangleMesh:
    """The watertight surface at half height between gas and wall in a CT of `only_lumen`; normals point into the lumen.

    Marching cubes (Lewiner, Lopes, Vieira and Tavares, J. Graphics Tools 8(2), 2003). Separate parts of the lumen are
    closed each by itself.
    """
    return _mesh(lumen, SURFACE_HU, "descent")


def distance_mesh(distance: Volume) -> TriangleMesh:
    """The watertight surface where a signed distance, positive in the lumen, is 0; normals point into the lumen."""
    return _mesh(distance, 0.0, "ascent")


def _mesh(volume: Volume, level: float, inwards: str) -> TriangleMesh:
    vertices_kji, triangles, _, _ = marching_cubes(volume.array, level, gradient_direction=inwards)
    vertices_ras = transform_points(volume.ras_from_ijk, vertices_kji[:, ::-1])
    if np.linalg.det(volume.ras_from_ijk[:3, :3]) < 0:
        triangles = triangles[:, ::-1]
    return TriangleMesh(vertices_ras.astype(np.float32), np.ascontiguousarray(triangles, dtype=np.int32))
