"""The wall of a generated colon as a closed triangle mesh."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.voxel_grid import VoxelGrid, grid_around

from .colon import Colon
from .grid import blocks_near

SPACING_LIMITS_MM = (0.4, 2.0)
BORDER_MM = 6.0
PROJECTIONS = 3
GRADIENT_STEP_MM = 0.05
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=np.float32)


def colon_mesh(colon: Colon, spacing_mm: float = 1.0) -> TriangleMesh:
    """The closed surface of the lumen, its normals pointing into the lumen, to the endoscope.

    Marching cubes on a grid of `spacing_mm`, the vertices then moved onto the analytic wall by Newton's method.
    Sim2RealError for a spacing outside 0.4 to 2 mm.
    """
    if not SPACING_LIMITS_MM[0] <= spacing_mm <= SPACING_LIMITS_MM[1]:
        low, high = SPACING_LIMITS_MM
        raise Sim2RealError(f"A mesh of a colon wants a spacing from {low} to {high} mm, not {spacing_mm} mm.")
    lower, upper = lumen_box(colon)
    grid = grid_around(lower - BORDER_MM, upper + BORDER_MM, spacing_mm)
    vertices, triangles, _, _ = marching_cubes(_lumen(colon, grid), 0.0)
    points = transform_points(grid.ras_from_ijk, vertices[:, ::-1]).astype(np.float32)
    for _ in range(PROJECTIONS):
        points -= np.clip(_newton_step(colon, points), -0.5 * spacing_mm, 0.5 * spacing_mm)
    return _largest_part(TriangleMesh(points, triangles.astype(np.int32)))


def lumen_box(colon: Colon) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box around the lumen and everything that opens into it."""
    radius = colon.curve.radius_mm[:, None]
    feet = np.array([feature.foot.point_ras for feature in colon.features])
    size = np.array([feature.size_mm for feature in colon.features])[:, None]
    lower = np.vstack([colon.curve.points_ras - radius, feet - size]).min(axis=0)
    return lower, np.vstack([colon.curve.points_ras + radius, feet + size]).max(axis=0)


def _lumen(colon: Colon, grid: VoxelGrid) -> np.ndarray:
    distance = np.full(grid.shape_kji, 2.0 * grid.spacing_mm, dtype=np.float32)
    for block in blocks_near(colon, grid, 2.0 * grid.spacing_mm):
        distance[block.where] = block.distance
    distance[distance == 0.0] = 1e-6  # keeps triangles from collapsing onto grid points
    return distance


def _largest_part(mesh: TriangleMesh) -> TriangleMesh:
    """Without pockets that narrow folds close off."""
    count, edges = len(mesh.vertices_ras), mesh.triangles[:, [0, 1, 1, 2]].reshape(-1, 2)
    links = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, part = connected_components(links, directed=False)
    keep = part == np.bincount(part).argmax()
    number = np.cumsum(keep, dtype=np.int32) - 1
    return TriangleMesh(mesh.vertices_ras[keep], number[mesh.triangles[keep[mesh.triangles[:, 0]]]])


def _newton_step(colon: Colon, points: np.ndarray) -> np.ndarray:
    corners = points[:, None, :] + np.float32(GRADIENT_STEP_MM) * TETRAHEDRON
    values = colon.lumen_distance(corners.reshape(-1, 3)).reshape(-1, 4)
    gradient = values @ TETRAHEDRON / np.float32(4.0 * GRADIENT_STEP_MM)
    square = np.maximum(np.einsum("ij,ij->i", gradient, gradient), 0.1)
    return (colon.lumen_distance(points) / square)[:, None] * gradient
