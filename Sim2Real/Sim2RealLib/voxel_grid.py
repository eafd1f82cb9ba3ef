"""Grids of cubic voxels along the axes of the world, on which anatomies are drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VoxelGrid:
    """Voxel centres along R, A, S: centre of voxel (0, 0, 0) in mm, step, and count."""

    first_ras: tuple[float, float, float]
    spacing_mm: float
    shape_ijk: tuple[int, int, int]

    @property
    def ras_from_ijk(self) -> np.ndarray:
        matrix = np.diag([self.spacing_mm] * 3 + [1.0])
        matrix[:3, 3] = self.first_ras
        return matrix

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        return self.shape_ijk[::-1]

    def axis(self, i: int) -> np.ndarray:
        """Positions of the voxel centres along axis i, float32."""
        return (self.first_ras[i] + self.spacing_mm * np.arange(self.shape_ijk[i])).astype(np.float32)

    def window(self, lower_ras: np.ndarray, upper_ras: np.ndarray) -> tuple[slice, slice, slice]:
        """Index ranges along k, j, i of the voxels inside a box, cut to the grid."""
        first = np.maximum(np.ceil((lower_ras - self.first_ras) / self.spacing_mm), 0).astype(int)
        last = np.floor((upper_ras - self.first_ras) / self.spacing_mm)
        last = np.minimum(last, np.array(self.shape_ijk) - 1).astype(int)
        return tuple(slice(a, b + 1) for a, b in zip(first[::-1], last[::-1], strict=True))

    def crop(self, window: tuple[slice, slice, slice]) -> "VoxelGrid":
        """The grid of the voxels in index ranges along k, j, i."""
        starts = [part.start for part in window][::-1]
        first = tuple(float(f + self.spacing_mm * s) for f, s in zip(self.first_ras, starts, strict=True))
        return VoxelGrid(first, self.spacing_mm, tuple(part.stop - part.start for part in window)[::-1])


def grid_around(lower_ras: np.ndarray, upper_ras: np.ndarray, spacing_mm: float) -> VoxelGrid:
    """The grid whose voxels fill a box."""
    count = np.ceil((np.asarray(upper_ras) - lower_ras) / spacing_mm).astype(int)
    return VoxelGrid(tuple((lower_ras + spacing_mm / 2.0).tolist()), float(spacing_mm), tuple(count.tolist()))
