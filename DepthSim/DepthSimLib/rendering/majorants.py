"""Upper bounds of the extinction coefficient in macro-cells, and how much empty space lies around each empty one.

The range of HU in a cell is found once for a volume, the bound again for every transfer function, as in OSPRay and
VisRTX: the greatest value of the table over the cell's range, by a sparse table (Bender and Farach-Colton 2000).
"""

import numpy as np
from scipy import ndimage

from .scalar_grid import HIGHEST_HU, LOWEST_HU, ScalarGrid

BINS = HIGHEST_HU - LOWEST_HU + 1
"""Entries of a table over HU: one a HU."""


def cell_codes(grid: ScalarGrid, extinction_mm: np.ndarray) -> np.ndarray:
    """What a ray needs to know of every macro-cell, float32 in the order of `cell_low_hu`.

    extinction_mm: σ_t by HU, 1/mm, shape (BINS,).
    A positive code is the majorant, 1/mm. In a cell where σ_t is 0 throughout it is −r: the cells at most r away along
    every axis are empty too.
    """
    low, high = (cells.astype(np.int32) - LOWEST_HU for cells in (grid.cell_low_hu, grid.cell_high_hu))
    majorant = _range_maximum(extinction_mm.astype(np.float32), np.maximum(low - 1, 0), np.minimum(high + 1, BINS - 1))
    if majorant.max() <= 0.0:
        return np.full(majorant.shape, -float(max(majorant.shape)), np.float32)
    clear = ndimage.distance_transform_cdt(majorant <= 0.0, metric="chessboard") - 1
    return np.where(majorant > 0.0, majorant, -clear.astype(np.float32)).astype(np.float32)


def _range_maximum(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """max(values[first .. last]) for arrays of index pairs."""
    table = [values]
    while 2 ** len(table) <= len(values):
        step = 2 ** (len(table) - 1)
        table.append(np.maximum(table[-1], np.concatenate([table[-1][step:], np.zeros(step, values.dtype)])))
    level = np.log2(last - first + 1).astype(int)
    stacked = np.stack(table)
    return np.maximum(stacked[level, first], stacked[level, last + 1 - 2**level])
