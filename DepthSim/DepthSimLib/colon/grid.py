"""Evaluating the lumen on a voxel grid, and only in the blocks near it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from Sim2RealLib.voxel_grid import VoxelGrid

from .colon import Colon

BLOCK = 8
"""Voxels along the edge of a block."""
BATCH_BLOCKS = 64
KNOT_ROWS = 4
SLACK_MM = 4.0
"""By how much the wall may lie outside the midline's radius: undulation, and the slope of the radius."""


@dataclass(frozen=True, eq=False)
class Block:
    """A block of voxels: where it lies in (K, J, I), its points, and the lumen there, each of the block's shape."""

    where: tuple[slice, slice, slice]
    points_ras: np.ndarray
    distance: np.ndarray
    arc_length: np.ndarray


def blocks_near(colon: Colon, grid: VoxelGrid, reach_mm: float) -> Iterator[Block]:
    """Every block that holds lumen, or a voxel within `reach_mm` of it, evaluated. Blocks do not overlap."""
    inner = grid.spacing_mm * np.arange(BLOCK)
    offsets = np.stack(np.meshgrid(inner, inner, inner, indexing="ij"), axis=-1)[..., ::-1].astype(np.float32)
    corners = _active(colon, grid, reach_mm)
    for start in range(0, len(corners), BATCH_BLOCKS):
        batch = corners[start : start + BATCH_BLOCKS]
        first = (np.array(grid.first_ras) + grid.spacing_mm * batch[:, ::-1]).astype(np.float32)
        points = first[:, None, None, None, :] + offsets
        values = colon.evaluate(points.reshape(-1, 3))
        distance, arc_length = (value.reshape(points.shape[:-1]) for value in values)
        for n, corner in enumerate(batch):
            where = tuple(slice(c, min(c + BLOCK, size)) for c, size in zip(corner, grid.shape_kji, strict=True))
            cut = tuple(slice(0, part.stop - part.start) for part in where)
            yield Block(where, points[n][cut], distance[n][cut], arc_length[n][cut])


def _active(colon: Colon, grid: VoxelGrid, reach_mm: float) -> np.ndarray:
    """First voxels (k, j, i) of the blocks that come within reach, (B, 3)."""
    starts = [np.arange(0, n, BLOCK) for n in grid.shape_kji]
    corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3)
    middles = np.array(grid.first_ras) + grid.spacing_mm * (corners[:, ::-1] + (BLOCK - 1) / 2.0)
    half_diagonal = np.sqrt(3.0) / 2.0 * grid.spacing_mm * (BLOCK - 1)
    reach = reach_mm + half_diagonal + SLACK_MM
    radius = colon.curve.radius_mm[::KNOT_ROWS]
    # The nearest loop is the one of least power (see Curve); any other is farther from its wall than this bound.
    lift = np.sqrt(radius.max() ** 2 - radius**2)
    tree = cKDTree(np.column_stack([colon.curve.points_ras[::KNOT_ROWS], lift]))
    away, _ = tree.query(np.column_stack([middles, np.zeros(len(middles))]), distance_upper_bound=radius.max() + reach)
    near = np.isfinite(away)
    for feature in colon.features:
        near |= np.linalg.norm(middles - feature.foot.point_ras, axis=1) < feature.size_mm + reach
    return corners[near]
