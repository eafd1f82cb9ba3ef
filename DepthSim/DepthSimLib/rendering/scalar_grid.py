"""A CT prepared for ray kernels: voxel pairs in words, and the range of values in every macro-cell.

Kernels work in the *grid frame*: millimetres along the voxel axes from the centre of voxel (0, 0, 0). It is the world
turned (and mirrored, where the volume's axes are left-handed), so that lengths and angles are those of the world.
"""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.volume import Volume

CELL = 4
"""Edge of a macro-cell in voxels."""

LOWEST_HU, HIGHEST_HU = -1024, 3071
"""Values beyond are stored as these: scanner padding below, metal above."""

HU_BITS, LESION_BITS = 12, 4
HU_SHIFTS, LESION_SHIFTS = (0, 20), (12, 16)
"""Bits of each in a word, and where they begin: of a voxel, and of the one after it along k. HU lie at the ends, where
one instruction takes them out."""


@dataclass(frozen=True, eq=False)
class ScalarGrid:
    """Values of a volume and where they are.

    words: uint32 (K − 1, J, I); word [k, j, i] holds voxels (i, j, k) and (i, j, k + 1), so that a trilinear sample
        takes four memory accesses: HU − LOWEST_HU of each, and the share of tumour in the tissue.
    cell_low_hu, cell_high_hu: int16 (cells along k, j, i), the least and the greatest voxel that a sample in the cell,
        or less than a voxel beside it, can meet.
    grid_from_ras: 4×4 into the grid frame.
    """

    words: np.ndarray
    cell_low_hu: np.ndarray
    cell_high_hu: np.ndarray
    spacing_mm: np.ndarray
    grid_from_ras: np.ndarray

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        planes, rows, columns = self.words.shape
        return columns, rows, planes + 1


def scalar_grid(hu: Volume, lesions: np.ndarray | None = None) -> ScalarGrid:
    """Pack a volume of whole HU (int16) with at least two voxels along each axis.

    lesions: share of tumour, uint8 (K, J, I), 255 for all; None for no tumour.
    """
    codes = (np.clip(hu.array, LOWEST_HU, HIGHEST_HU) - LOWEST_HU).astype(np.uint16)
    low, high = (_cell_extremes(codes, extreme) for extreme in (np.minimum, np.maximum))
    words = codes[1:].astype(np.uint32)
    words <<= HU_SHIFTS[1]
    words |= codes[:-1]
    if lesions is not None:
        shares = lesions >> (8 - LESION_BITS)
        for shift, part in zip(LESION_SHIFTS, (shares[:-1], shares[1:]), strict=True):
            words |= np.left_shift(part, shift, dtype=np.uint32)
    grid_from_ras = np.diag([*hu.spacing_mm, 1.0]) @ hu.ijk_from_ras
    return ScalarGrid(words, _hu(low), _hu(high), hu.spacing_mm, grid_from_ras)


def _hu(codes: np.ndarray) -> np.ndarray:
    return codes.astype(np.int16) + np.int16(LOWEST_HU)


def _cell_extremes(codes: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Least or greatest of voxels CELL·c − 1 to CELL·(c + 1) + 1 along each axis: shape (cells along k, j, i)."""
    for axis in range(3):
        size = codes.shape[axis]
        starts = np.arange(0, max(size - 1, 1), CELL)
        blocks = extreme.reduceat(codes, starts, axis=axis)
        before = np.take(codes, np.maximum(starts - 1, 0), axis=axis)
        after = (np.take(codes, np.minimum(starts + CELL + beyond, size - 1), axis=axis) for beyond in (0, 1))
        codes = extreme(extreme(blocks, before), extreme(*after))
    return codes
