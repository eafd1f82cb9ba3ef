"""Pieces of the bowel's lumen: where a path may run, and where each piece ends."""

from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.ndimage import find_objects, label, maximum_filter
from skimage.graph import MCP_Geometric

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

from .clearance import CLEARANCE_SPACING_MM, ClearanceField
from .grid import labels_on
from .surroundings import BOWEL, LUNG, ROOM

PASSAGE_MM = 0.5 * 3**0.5 * CLEARANCE_SPACING_MM
"""Clearance that a path keeps. Balls of this radius about two neighbours of the grid overlap or touch, so that no step
crosses a wall, however thin; a narrower lumen counts as collapsed, and a leak through touching walls as closed."""

GAS_BELOW_HU = -800.0
LARGE_ENOUGH_ML = 0.1
END_MM = 12.0

_NEIGHBOURS = np.ones((3, 3, 3))


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected stretch of the lumen in which the clearance is at least PASSAGE_MM.

    ends_ras: (2, 3), the two points farthest apart on ways through the piece, mm.
    near_ends_ras: the points of the grid less than END_MM of way from either end, (N, 3) and (M, 3).
    length_mm: the way between the ends. volume_ml: without the layer of PASSAGE_MM along the wall.
    deepest_ras: (3,), where the clearance is greatest.
    """

    number: int
    ends_ras: np.ndarray
    near_ends_ras: tuple[np.ndarray, np.ndarray]
    length_mm: float
    volume_ml: float
    deepest_ras: np.ndarray

    @property
    def calibre_mm(self) -> float:
        """The diameter of the cylinder of the same length and volume, with its layer along the wall."""
        return 2.0 * float(np.sqrt(1000.0 * self.volume_ml / (np.pi * self.length_mm)) + PASSAGE_MM)

    @property
    def elongation(self) -> float:
        """Length over calibre: 1 for a ball."""
        return self.length_mm / self.calibre_mm


def find_pieces(clearance: ClearanceField, blocks: Volume, ct: Volume) -> tuple[Volume, list[Piece]]:
    """The pieces, neither room nor lung by `blocks`, and the map of their numbers, from 1, on the clearance's grid.

    A piece whose deepest point is no gas in `ct`, or of less than 0.1 ml, is in the map alone.
    """
    grid = clearance.distance
    outside = maximum_filter(np.isin(blocks.array, (ROOM, LUNG)), 3) & (blocks.array != BOWEL)
    passable = grid.array >= PASSAGE_MM
    passable &= labels_on(Volume(outside.view(np.uint8), blocks.ras_from_ijk), grid) == 0
    numbers, _ = label(passable, _NEIGHBOURS)
    voxel_ml = CLEARANCE_SPACING_MM**3 / 1000.0
    volume_ml = np.bincount(numbers.ravel()) * voxel_ml
    pieces = []
    for number, part in zip(count(1), find_objects(numbers), strict=False):
        if volume_ml[number] < LARGE_ENOUGH_ML:
            continue
        inside = numbers[part] == number
        corner = np.array([axis.start for axis in part])
        depth = np.where(inside, grid.array[part], 0.0)
        deepest = np.array(np.unravel_index(depth.argmax(), depth.shape))
        deepest_ras = _ras(grid, corner + deepest)
        if ct.nearest(deepest_ras[None])[0] >= GAS_BELOW_HU:
            continue
        ends, near_ends, length_mm = _farthest_apart(inside)
        ends_ras, *near_ends_ras = (_ras(grid, corner + kji) for kji in (ends, *near_ends))
        pieces.append(Piece(number, ends_ras, tuple(near_ends_ras), length_mm, float(volume_ml[number]), deepest_ras))
    return Volume(numbers, grid.ras_from_ijk, ct.name), pieces


def _farthest_apart(inside: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], float]:
    """Two sweeps of geodesic distance over a mask: its two farthest voxels, those near each, (N, 3), and the way in mm.

    The layer of PASSAGE_MM beyond either end counts as way.
    """
    cost = np.where(inside, CLEARANCE_SPACING_MM, -1.0)
    last = np.argwhere(inside)[0]
    for _ in range(2):
        first = last
        reached = MCP_Geometric(cost).find_costs([tuple(first)])[0]
        reached[~inside] = -1.0
        last = np.array(np.unravel_index(reached.argmax(), reached.shape))
    length_mm = float(reached.max())
    near = np.argwhere(inside & (reached <= END_MM)), np.argwhere(inside & (reached >= length_mm - END_MM))
    return np.array([first, last]), near, length_mm + 2.0 * PASSAGE_MM


def _ras(grid: Volume, kji: np.ndarray) -> np.ndarray:
    return transform_points(grid.ras_from_ijk, kji[..., ::-1])
