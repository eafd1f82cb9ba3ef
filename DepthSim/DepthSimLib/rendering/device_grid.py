"""A scalar grid on a backend: trilinear samples and gradients."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from .scalar_grid import LOWEST_HU, ScalarGrid

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
        Float, UInt32 = self.arrays.Float, self.arrays.UInt32  # noqa: N806
        voxel = dr.clip(position * self.per_mm, 0, self.upper)
        low = self.arrays.Array3u(voxel)
        x, y, z = voxel - self.arrays.Array3f(low)
        columns, rows, _ = self.grid.size
        offset = (low.z * rows + low.y) * columns + low.x
        words = [dr.gather(UInt32, self.words, offset + step, active) for step in (0, 1, columns, columns + 1)]
        (a, b, c, d), (e, f, g, h) = [Float(w & 0xFFFF) for w in words], [Float(w >> 16) for w in words]
        lower = _mix(_mix(a, b, x), _mix(c, d, x), y)
        upper = _mix(_mix(e, f, x), _mix(g, h, x), y)
        return _mix(lower, upper, z) + LOWEST_HU

    def gradient(self, position: Any, active: Any = True) -> Any:
        """HU a mm at grid-frame positions: central differences over a voxel to each side."""
        steps = self.grid.spacing_mm.tolist()
        differences = []
        for axis in range(3):
            offset = self.arrays.Array3f(*(steps[axis] if a == axis else 0.0 for a in range(3)))
            ahead, behind = self.sample(position + offset, active), self.sample(position - offset, active)
            differences.append((ahead - behind) * (0.5 / steps[axis]))
        return self.arrays.Array3f(*differences)


def _mix(a: Any, b: Any, share: Any) -> Any:
    return dr.fma(b - a, share, a)


def upload_grid(arrays: ModuleType, grid: ScalarGrid) -> DeviceGrid:
    """Put a grid on a backend; on the CPU its words are used in place."""
    per_mm = arrays.Array3f(*(dr.opaque(arrays.Float, float(1.0 / step)) for step in grid.spacing_mm))
    upper = arrays.Array3f(*(dr.opaque(arrays.Float, float(np.float32(n - 1 - INSIDE))) for n in grid.size))
    return DeviceGrid(arrays, grid, arrays.UInt32(grid.words.reshape(-1)), per_mm, upper)
