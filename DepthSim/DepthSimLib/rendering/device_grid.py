"""A scalar grid on a backend: trilinear samples and gradients."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from .scalar_grid import HU_BITS, HU_SHIFTS, LESION_BITS, LESION_SHIFTS, LOWEST_HU, ScalarGrid

INSIDE = 1e-3
"""How far, in voxels, samples are kept from the last plane of voxels, beyond which there is nothing to interpolate."""


@dataclass(frozen=True, eq=False)
class DeviceGrid:
    """words: a flat UInt32 array; per_mm: voxels a mm along each axis; upper: the last sample position, in voxels."""

    arrays: ModuleType
    grid: ScalarGrid
    words: Any
    per_mm: Any
    upper: Any

    def sample(self, position: Any, active: Any = True) -> Any:
        """HU at grid-frame positions (Array3f, mm), trilinear; the nearest edge beyond the grid."""
        return self._corners(position, active).mixed(HU_SHIFTS, HU_BITS) + LOWEST_HU

    def sample_tissue(self, position: Any, active: Any = True) -> tuple[Any, Any]:
        """HU, and the share of tumour, 0 to 1; as `sample`."""
        corners = self._corners(position, active)
        lesion = corners.mixed(LESION_SHIFTS, LESION_BITS) * (1.0 / (2**LESION_BITS - 1))
        return corners.mixed(HU_SHIFTS, HU_BITS) + LOWEST_HU, lesion

    def _corners(self, position: Any, active: Any) -> "_Corners":
        voxel = dr.clip(position * self.per_mm, 0, self.upper)
        low = self.arrays.Array3u(voxel)
        columns, rows, _ = self.grid.size
        offset = (low.z * rows + low.y) * columns + low.x
        steps = (0, 1, columns, columns + 1)
        words = [dr.gather(self.arrays.UInt32, self.words, offset + step, active) for step in steps]
        return _Corners(self.arrays, words, voxel - self.arrays.Array3f(low))

    def gradient(self, position: Any, active: Any = True) -> Any:
        """HU a mm at grid-frame positions: central differences over a voxel to each side."""
        steps = self.grid.spacing_mm.tolist()
        differences = []
        for axis in range(3):
            offset = self.arrays.Array3f(*(steps[axis] if a == axis else 0.0 for a in range(3)))
            ahead, behind = self.sample(position + offset, active), self.sample(position - offset, active)
            differences.append((ahead - behind) * (0.5 / steps[axis]))
        return self.arrays.Array3f(*differences)


@dataclass(frozen=True, eq=False)
class _Corners:
    """The four words around positions, and how far these are from the first voxel to the next along each axis."""

    arrays: ModuleType
    words: list[Any]
    share: Any

    def mixed(self, shifts: tuple[int, int], bits: int) -> Any:
        """What the words hold in `bits` from each of two shifts on, for the two voxels of each, trilinear."""
        (a, b, c, d), (e, f, g, h) = (
            [self.arrays.Float(_bits_of(word, shift, bits)) for word in self.words] for shift in shifts
        )
        x, y, z = self.share
        lower = _mix(_mix(a, b, x), _mix(c, d, x), y)
        upper = _mix(_mix(e, f, x), _mix(g, h, x), y)
        return _mix(lower, upper, z)


def _bits_of(word: Any, shift: int, bits: int) -> Any:
    rest = word >> shift if shift else word
    return rest if shift + bits == 32 else rest & (2**bits - 1)


def _mix(a: Any, b: Any, share: Any) -> Any:
    return dr.fma(b - a, share, a)


def upload_grid(arrays: ModuleType, grid: ScalarGrid) -> DeviceGrid:
    """Put a grid on a backend; on the CPU its words are used in place."""
    per_mm = arrays.Array3f(*(dr.opaque(arrays.Float, float(1.0 / step)) for step in grid.spacing_mm))
    upper = arrays.Array3f(*(dr.opaque(arrays.Float, float(np.float32(n - 1 - INSIDE))) for n in grid.size))
    return DeviceGrid(arrays, grid, arrays.UInt32(grid.words.reshape(-1)), per_mm, upper)
