"""Grids and rays on a backend: what the kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from ..tools.intervals import Gap
from .packed_grid import PackedGrid
from .rays import GridRays

FAST, SLOW, PAIR = range(3)
"""The axes of a packed grid."""


@dataclass(frozen=True, eq=False)
class DeviceGrid:
    """A packed grid on a backend, with the layout its kernels need."""

    grid: PackedGrid
    words: Any
    bricks: Any


@dataclass(frozen=True, eq=False)
class RayParameters:
    """`GridRays` as backend arrays of one element: kernels are compiled once, and gradients can flow into them.

    axes[a][c]: voxels along grid axis a for a mm along camera axis c; anchor[a].
    """

    axes: Sequence[Sequence[Any]]
    anchor: Sequence[Any]
    anchor_depth_mm: Any


@dataclass(frozen=True, eq=False)
class Mask:
    """A grid of higher priority: where it holds anything, samples of the grid being traversed count nothing.

    mask_from_grid[a]: the four coefficients of its grid axis a, as backend arrays of one element.
    """

    device_grid: DeviceGrid
    mask_from_grid: Sequence[Sequence[Any]]

    def hides(self, arrays: ModuleType, position: Sequence[Any]) -> Any:
        """Whether the mask's voxel nearest to a position in the traversed grid holds anything."""
        nearest, inside = [], True
        for row, size in zip(self.mask_from_grid, self.device_grid.grid.size, strict=True):
            voxel = dr.floor(row[0] * position[FAST] + row[1] * position[SLOW] + row[2] * position[PAIR] + row[3] + 0.5)
            inside &= (voxel >= 0) & (voxel < size)
            nearest.append(arrays.UInt32(voxel))
        fast, slow, _ = self.device_grid.grid.size
        offset = ((nearest[PAIR] + 1) * (slow + 2) + nearest[SLOW] + 1) * (fast + 2) + nearest[FAST] + 1
        return (dr.gather(arrays.UInt32, self.device_grid.words, offset, inside) & 0xFFFF) != 0


def upload_grid(arrays: ModuleType, grid: PackedGrid) -> DeviceGrid:
    """Put a packed grid on a backend; on the CPU the words are used in place."""
    return DeviceGrid(grid, arrays.UInt32(grid.words.reshape(-1)), arrays.UInt8(grid.bricks.reshape(-1)))


def upload_rays(arrays: ModuleType, rays: GridRays) -> RayParameters:
    return RayParameters(
        _upload_scalars(arrays, rays.axes),
        [dr.opaque(arrays.Float, value) for value in rays.anchor.tolist()],
        dr.opaque(arrays.Float, rays.anchor_depth_mm),
    )


def upload_mask(arrays: ModuleType, mask: DeviceGrid, traversed: PackedGrid) -> Mask:
    """Let `mask` hide what lies in the same place of the grid `traversed`."""
    mask_from_grid = mask.grid.grid_from_ras @ np.linalg.inv(traversed.grid_from_ras)
    return Mask(mask, _upload_scalars(arrays, mask_from_grid[:3]))


def whole_ray(arrays: ModuleType, rays: GridRays, grid: PackedGrid) -> tuple[Any, Any] | None:
    """`between` of `traversal.traverse` for rays from source to detector."""
    if not rays.ends_inside(grid):
        return None
    return tuple(dr.opaque(arrays.Float, depth - rays.anchor_depth_mm) for depth in (0.0, rays.end_depth_mm))


def ray_start(arrays: ModuleType, rays: GridRays, gap: Gap, count: int) -> tuple[Any, Any]:
    """The same up to the end of a gap for its rays, and for the others of all `count` rays up to the detector."""
    end = dr.full(arrays.Float, rays.end_depth_mm - rays.anchor_depth_mm, count)
    dr.scatter(end, _upload_depths(arrays, rays, gap.end_mm), upload_numbers(arrays, gap.rays))
    return dr.opaque(arrays.Float, -rays.anchor_depth_mm), end


def ray_stretch(arrays: ModuleType, rays: GridRays, gap: Gap) -> tuple[Any, Any]:
    """The same for the rays of a gap."""
    return tuple(_upload_depths(arrays, rays, depths_mm) for depths_mm in (gap.start_mm, gap.end_mm))


def _upload_depths(arrays: ModuleType, rays: GridRays, depths_mm: np.ndarray) -> Any:
    return upload_copy(arrays.Float, (depths_mm - rays.anchor_depth_mm).astype(np.float32))


def upload_numbers(arrays: ModuleType, numbers: np.ndarray) -> Any:
    return upload_copy(arrays.UInt32, numbers.astype(np.uint32))


def upload_copy(kind: type, values: np.ndarray) -> Any:
    """A copy of an array of numbers in Dr.Jit's own memory, which is aligned: kernels are compiled anew for each
    combination of aligned and other inputs, and where numpy's memory lies is chance."""
    copy = kind(values) + dr.opaque(kind, 0)
    dr.eval(copy)
    return copy


def _upload_scalars(arrays: ModuleType, matrix: np.ndarray) -> list[list[Any]]:
    return [[dr.opaque(arrays.Float, value) for value in row] for row in matrix.tolist()]
