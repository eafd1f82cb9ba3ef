"""Where tagged fluid collects: in the lowest places of the lumen, each pool with a level surface."""

from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from .colon import Colon

BARRIER_MM = 12.0
"""A rise of the lumen's floor that parts two pools."""


def fluid_levels(colon: Colon, up: float, depth: float) -> np.ndarray:
    """Height of the fluid's surface at each row of the midline, along `up` times anterior, mm; −inf where it is dry.

    A pool is filled to `depth` times the diameter at its lowest place, but not over the barrier to the next one.
    """
    curve = colon.curve
    height = up * curve.points_ras[:, 1]
    levels = np.full(len(height), -np.inf, dtype=np.float32)
    if depth == 0.0:
        return levels
    tilt = up * curve.frames[:, 2, 1]
    floor = height - colon.wall.radius_mm * np.sqrt(np.maximum(1.0 - tilt * tilt, 0.0))
    barriers, _ = find_peaks(floor, prominence=BARRIER_MM)
    ends = np.concatenate([[0], barriers, [len(floor)]])
    for start, stop in pairwise(ends):
        lowest = start + int(np.argmin(floor[start:stop]))
        level = floor[lowest] + 2.0 * depth * colon.wall.radius_mm[lowest]
        rims = [floor[end] for end in (start, stop - 1) if 0 < end < len(floor) - 1]
        levels[start:stop] = min([level, *rims])
    return levels
