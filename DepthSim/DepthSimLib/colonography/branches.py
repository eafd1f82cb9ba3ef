"""Open lumen that a centreline does not follow: a loop it cuts short, or a side branch such as the ileum."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label, maximum_position
from skimage.graph import MCP_Geometric

from Sim2RealLib.geometry import transform_points

from ..centerline import Centerline
from .clearance import CLEARANCE_SPACING_MM
from .lumen import ColonLumen
from .passages import PASSAGE_MM

BRANCH_MM = 60.0
"""Deeper than any haustrum or caecal pole beside a centreline: the caecum is at most 90 mm wide."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Lumen that leads away from the centreline: its farthest point, RAS mm, (3,), and the way there."""

    tip_ras: np.ndarray
    length_mm: float


def branches_off(lumen: ColonLumen, centerline: Centerline) -> tuple[Branch, ...]:
    """Where the lumen about a centreline goes more than 60 mm away from it, the longest way first.

    None means that the centreline visits all of the lumen that is open to it. A loop cut short through a leak between
    touching walls has its tip half-way round; gas that passed the ileocaecal valve has it in the ileum.
    """
    grid = lumen.clearance.distance
    cost = np.where(grid.array >= PASSAGE_MM, CLEARANCE_SPACING_MM, -1.0)
    places = np.rint(transform_points(grid.ijk_from_ras, centerline.points_ras)).astype(int)[:, ::-1]
    starts = [tuple(place) for place in np.unique(places, axis=0) if cost[tuple(place)] > 0]
    away_mm = MCP_Geometric(cost).find_costs(starts)[0]
    away_mm[~np.isfinite(away_mm)] = 0.0
    numbers, count = label(away_mm > BRANCH_MM, np.ones((3, 3, 3)))
    tips = maximum_position(away_mm, numbers, np.arange(1, count + 1))
    branches = [
        Branch(transform_points(grid.ras_from_ijk, np.array(tip[::-1], dtype=float)), float(away_mm[tip]))
        for tip in tips
    ]
    return tuple(sorted(branches, key=lambda branch: -branch.length_mm))
