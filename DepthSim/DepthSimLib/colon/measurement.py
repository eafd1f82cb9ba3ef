"""Sizes of a colon measured on its wall, as a radiologist would, not read from the numbers that made it."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.signal import find_peaks

from .anatomy import SEGMENTS
from .curve import Curve, Station
from .draw import Tube
from .wall import Wall

ANGLES = 12
MARCH_STEPS, CLOSE_MM = 40, 0.05
STEP_MM = 1.75
LEAST_FOLD_MM = 2.0
FOLD_WINDOW_MM, FOLD_WINDOW_RAYS = 9.0, 5
"""Ridges nearer than this are one fold: along the colon, and in rays around it (a sector between two taeniae)."""


@dataclass(frozen=True)
class Sizes:
    """total_length_mm: anus to the pole of the caecum. By segment: diameter_mm, the mean of that of the
    circle as large as the section; heights of the folds seen."""

    total_length_mm: float
    diameter_mm: dict[str, float]
    fold_height_mm: dict[str, np.ndarray]


def measure(tube: Tube) -> Sizes:
    """Length, diameters and fold heights of a bare colon by rays from its midline to its wall."""
    curve, wall, bounds = tube.curve, tube.wall, tube.bounds_mm
    diameters, folds = {}, {}
    for name, start, stop in zip(SEGMENTS, bounds[:-1], bounds[1:], strict=True):
        radii = wall_radii(wall, curve, np.arange(start, stop, STEP_MM))
        diameters[name] = float(np.mean(2.0 * np.sqrt(np.mean(radii**2, axis=1))))
        folds[name] = fold_heights(radii, STEP_MM)
    pole = wall_radii(wall, curve, np.array([curve.length_mm])).mean()
    length = np.linalg.norm(np.diff(curve.points_ras, axis=0), axis=1).sum() + pole
    return Sizes(float(length), diameters, folds)


def wall_radii(wall: Wall, curve: Curve, arc_length_mm: np.ndarray) -> np.ndarray:
    """Length of rays from the midline to the wall, square to it, (stations, ANGLES): sphere tracing."""
    angle = np.linspace(0.0, 2.0 * np.pi, ANGLES, endpoint=False, dtype=np.float32)
    row = np.repeat(np.rint(arc_length_mm / curve.step_mm).astype(np.int32), ANGLES)
    u, v = (np.tile(f(angle), len(arc_length_mm)) for f in (np.cos, np.sin))
    turn = np.gradient(curve.frames[:, 2], curve.step_mm, axis=0)
    bend_u, bend_v = (np.einsum("ij,ij->i", curve.frames[:, i], turn)[row].astype(np.float32) for i in range(2))
    travelled = np.zeros(len(row), dtype=np.float32)
    moving = np.arange(len(row))
    for _ in range(MARCH_STEPS):
        x, y, nothing = travelled[moving] * u[moving], travelled[moving] * v[moving], np.zeros(len(moving), np.float32)
        stretch = np.maximum(1.0 - bend_u[moving] * x - bend_v[moving] * y, np.float32(0.15))
        distance = wall.distance(Station(row[moving], row[moving], nothing, x, y, nothing, stretch))
        travelled[moving] -= 0.85 * distance
        moving = moving[np.abs(distance) > CLOSE_MM]
        if not len(moving):
            break
    return travelled.reshape(len(arc_length_mm), ANGLES)


def fold_heights(radii: np.ndarray, step_mm: float) -> np.ndarray:
    """Relief of each fold, from its crest to the haustrum beside it, mm: prominences of ridges in `wall_radii`."""
    relief = np.zeros_like(radii)
    for ray in range(radii.shape[1]):
        crests, found = find_peaks(-radii[:, ray], prominence=LEAST_FOLD_MM)
        relief[crests, ray] = found["prominences"]
    size = (2 * round(FOLD_WINDOW_MM / step_mm) + 1, FOLD_WINDOW_RAYS)
    highest = maximum_filter(relief, size=size, mode=("constant", "wrap"))
    return relief[(relief > 0.0) & (relief == highest)]
