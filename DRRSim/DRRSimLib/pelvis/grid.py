"""Evaluating implicit bones on a voxel lattice, and only where their surface is."""

from dataclasses import dataclass

import numpy as np

from .implicit import Field

BLOCK_MM = 8.0
CHUNK_POINTS = 16_384
"""Points evaluated at a time: their temporaries stay in the cache."""
LIPSCHITZ = 1.5
"""Bound on how fast the blended fields change along a line, for skipping blocks."""


@dataclass(frozen=True)
class Lattice:
    """Voxel centres of an axis-aligned RAS grid: centre of voxel (0, 0, 0), step and count along R, A, S."""

    first: tuple[float, float, float]
    spacing_mm: float
    shape: tuple[int, int, int]

    @property
    def ras_from_ijk(self) -> np.ndarray:
        matrix = np.diag([self.spacing_mm] * 3 + [1.0])
        matrix[:3, 3] = self.first
        return matrix

    def axis(self, i: int) -> np.ndarray:
        return (self.first[i] + self.spacing_mm * np.arange(self.shape[i])).astype(np.float32)

    def window(self, lower: np.ndarray, upper: np.ndarray) -> tuple[slice, slice, slice]:
        """Index ranges along k, j, i of the voxels inside a box, cut to the grid."""
        first = np.maximum(np.ceil((lower - self.first) / self.spacing_mm), 0).astype(int)
        last = np.minimum(np.floor((upper - self.first) / self.spacing_mm), np.array(self.shape) - 1).astype(int)
        return tuple(slice(a, b + 1) for a, b in zip(first[::-1], last[::-1], strict=True))

    def crop(self, window: tuple[slice, slice, slice]) -> "Lattice":
        starts = [s.start for s in window][::-1]
        first = tuple(float(f + self.spacing_mm * s) for f, s in zip(self.first, starts, strict=True))
        return Lattice(first, self.spacing_mm, tuple(s.stop - s.start for s in window)[::-1])


def sample(field: Field, lattice: Lattice, band_mm: float) -> np.ndarray:
    """Distances on `lattice`, (K, J, I) float32: true within `band_mm` of the surface, of the right sign elsewhere."""
    b = max(2, round(BLOCK_MM / lattice.spacing_mm))
    blocks = [-(-n // b) for n in lattice.shape]
    h = lattice.spacing_mm
    centers = [lattice.first[i] + h * (b * np.arange(blocks[i]) + (b - 1) / 2) for i in range(3)]
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
    return full[: lattice.shape[2], : lattice.shape[1], : lattice.shape[0]]


def _evaluate(field: Field, points: np.ndarray) -> np.ndarray:
    return np.concatenate([field(points[i : i + CHUNK_POINTS]) for i in range(0, len(points), CHUNK_POINTS)])
