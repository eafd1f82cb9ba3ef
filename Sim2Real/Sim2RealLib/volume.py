"""A scalar voxel grid placed in the world."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .errors import Sim2RealError
from .geometry import require_grid_affine, transform_points


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxel values (HU, labels) with the affine that places them.

    array: shape (K, J, I), Slicer's order; any real dtype.
    ras_from_ijk: 4×4, the centre of voxel (i, j, k) in RAS mm. Rotated, anisotropic and left-handed grids are fine.
    name: what messages and provenance call it, usually the file name.
    """

    array: np.ndarray
    ras_from_ijk: np.ndarray
    name: str = "volume"

    def __post_init__(self) -> None:
        if self.array.ndim != 3:
            raise Sim2RealError(f"{self.name}: a volume has three dimensions, this one has {self.array.ndim}.")
        if self.array.size == 0:
            raise Sim2RealError(f"{self.name}: the volume is empty (shape {self.array.shape}).")
        object.__setattr__(self, "ras_from_ijk", require_grid_affine(self.ras_from_ijk, self.name))

    @cached_property
    def ijk_from_ras(self) -> np.ndarray:
        return np.linalg.inv(self.ras_from_ijk)

    @cached_property
    def spacing_mm(self) -> np.ndarray:
        """Distance between neighbouring voxel centres along i, j, k: shape (3,)."""
        return np.linalg.norm(self.ras_from_ijk[:3, :3], axis=0)

    @property
    def shape_ijk(self) -> tuple[int, int, int]:
        return self.array.shape[::-1]

    @cached_property
    def corners_ras(self) -> np.ndarray:
        """The eight outer corners, half a voxel beyond the outermost centres: shape (8, 3), mm."""
        upper = np.array(self.shape_ijk) - 0.5
        corners_ijk = np.array(
            [[x, y, z] for x in (-0.5, upper[0]) for y in (-0.5, upper[1]) for z in (-0.5, upper[2])]
        )
        return transform_points(self.ras_from_ijk, corners_ijk)

    def contains(self, points_ras: np.ndarray) -> np.ndarray:
        """Whether points (..., 3) lie within the outer faces of the voxels."""
        ijk = transform_points(self.ijk_from_ras, points_ras)
        return np.all((ijk >= -0.5) & (ijk <= np.array(self.shape_ijk) - 0.5), axis=-1)

    def nearest(self, points_ras: np.ndarray) -> np.ndarray:
        """The value of the voxel each point (N, 3) lies in, 0 beyond the grid: (N,)."""
        kji = np.rint(transform_points(self.ijk_from_ras, points_ras)).astype(int)[:, ::-1]
        inside = np.all((kji >= 0) & (kji < self.array.shape), axis=1)
        values = np.zeros(len(kji), self.array.dtype)
        values[inside] = self.array[tuple(kji[inside].T)]
        return values

    def same_grid(self, other: "Volume") -> bool:
        """Whether both have the same shape and every voxel centre agrees within 1 % of a voxel."""
        if self.array.shape != other.array.shape:
            return False
        return bool(np.abs(self.corners_ras - other.corners_ras).max() <= 0.01 * self.spacing_mm.min())
