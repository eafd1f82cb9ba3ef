"""Evaluating implicit bones on a voxel grid, and only where their surface is."""

import numpy as np

from Sim2RealLib.voxel_grid import VoxelGrid

from .implicit import Field

BLOCK_MM = 8.0
CHUNK_POINTS = 16_384
"""Points evaluated at a time: their temporaries stay in the cache."""
LIPSCHITZ = 1.5
"""Bound on how fast the blended fields change along a line, for skipping blocks."""


def sample(field: Field, grid: VoxelGrid, band_mm: float) -> np.ndarray:
    """Distances on `grid`, (K, J, I) float32: true within `band_mm` of the surface, of the right sign elsewhere."""
    b = max(2, round(BLOCK_MM / grid.spacing_mm))
    blocks = [-(-n // b) for n in grid.shape_ijk]
    h = grid.spacing_mm
    centers = [grid.first_ras[i] + h * (b * np.arange(blocks[i]) + (b - 1) / 2) for i in range(3)]
    mesh = np.stack(np.meshgrid(*centers[::-1], indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3).astype(np.float32)
    coarse = _evaluate(field, mesh)
    reach = LIPSCHITZ * (np.sqrt(3.0) * h * (b - 1) / 2) + band_mm
    active = np.flatnonzero(np.abs(coarse) < reach)
    inner = h * (np.arange(b) - (b - 1) / 2)
    offsets = (
        np.stack(np.meshgrid(inner, inner, inner, indexing="ij"), axis=-1)[..., ::-1].reshape(-1, 3).astype(np.float32)
    )
    cells = np.repeat(coarse[:, None], b**3, axis=1)
    step = max(1, CHUNK_POINTS // b**3)
    for start in range(0, len(active), step):
        some = active[start : start + step]
        points = (mesh[some, None, :] + offsets).reshape(-1, 3)
        cells[some] = field(points).reshape(len(some), -1)
    nk, nj, ni = blocks[::-1]
    full = cells.reshape(nk, nj, ni, b, b, b).transpose(0, 3, 1, 4, 2, 5).reshape(nk * b, nj * b, ni * b)
    return full[: grid.shape_ijk[2], : grid.shape_ijk[1], : grid.shape_ijk[0]]


def _evaluate(field: Field, points: np.ndarray) -> np.ndarray:
    return np.concatenate([field(points[i : i + CHUNK_POINTS]) for i in range(0, len(points), CHUNK_POINTS)])
