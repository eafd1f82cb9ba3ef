"""Smooth random fields with grains of a size in millimetres, and the interpolation they share with smooth distances."""

import numpy as np

from Sim2RealLib.voxel_grid import VoxelGrid


def noise(rng: np.random.Generator, grid: VoxelGrid, grain_mm: float) -> np.ndarray:
    """Trilinear value noise of mean 0 and node standard deviation 1 on `grid`, shape (K, J, I) float32."""
    return upsample(*random_nodes(rng, grid, grain_mm), grid)


def random_nodes(rng: np.random.Generator, grid: VoxelGrid, grain_mm: float) -> tuple[np.ndarray, VoxelGrid]:
    """White noise on a coarse grid that covers `grid`."""
    coarse = coarse_grid(grid, grain_mm)
    return rng.standard_normal(coarse.shape_kji, dtype=np.float32), coarse


def coarse_grid(grid: VoxelGrid, step_mm: float) -> VoxelGrid:
    """A grid of step `step_mm` that covers all voxel centres of `grid`."""
    extent = grid.spacing_mm * (np.array(grid.shape_ijk) - 1)
    return VoxelGrid(grid.first_ras, step_mm, tuple(int(n) for n in np.ceil(extent / step_mm).astype(int) + 2))


def upsample(values: np.ndarray, coarse: VoxelGrid, fine: VoxelGrid) -> np.ndarray:
    """Trilinear interpolation of `values` (K, J, I) on `coarse` at the nodes of `fine`, one axis at a time."""
    for axis in (2, 1, 0):
        at = (fine.axis(axis) - coarse.first_ras[axis]) / np.float32(coarse.spacing_mm)
        low = np.clip(np.floor(at).astype(int), 0, coarse.shape_ijk[axis] - 2)
        weight = (at - low).astype(np.float32)
        k = 2 - axis
        weight = weight.reshape([-1 if n == k else 1 for n in range(3)])
        values = np.take(values, low, axis=k) * (1.0 - weight) + np.take(values, low + 1, axis=k) * weight
    return values
