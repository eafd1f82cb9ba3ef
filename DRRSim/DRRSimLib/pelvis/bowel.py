"""Bladder and bowel: an ellipsoid, and tubes along random curves with haustra, gas and content."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from .implicit import Field, ellipsoid, smooth_intersection
from .shape import PelvisShape

BLADDER, COLON, SMALL_BOWEL = 21, 20, 18
"""TotalSegmentator v2 class ids."""

ASCENDING = np.array(
    [[62, 44, 58, 20], [78, 38, 72, 29], [90, 28, 104, 27], [95, 20, 140, 25], [95, 14, 180, 24], [94, 12, 230, 24]]
)
DESCENDING = np.array(
    [
        [-96, 10, 230, 17], [-97, 10, 180, 17], [-93, 16, 135, 16], [-86, 32, 98, 16], [-64, 44, 72, 17],
        [-34, 34, 62, 18], [-4, 22, 76, 17], [20, 4, 74, 17], [18, -24, 62, 16], [4, -48, 46, 17],
        [0, -60, 22, 20], [0, -54, -4, 18], [0, -42, -30, 9],
    ]
)  # fmt: skip
"""Template courses of the colon, caecum to flank and flank to anus: rows R, A, S, radius, mm."""

LOOPS_CENTER, LOOPS_SPREAD = np.array([0.0, 42.0, 95.0]), np.array([42.0, 17.0, 38.0])
LOOP_TURNS = 46
WANDER_MM = 5.0
WALL_MM = 2.0
STEP_MM = 0.8
GAS_PATCH_MM = 60.0
"""Length of bowel over which the gas level changes."""
FAR_MM = 60.0


@dataclass(frozen=True, eq=False)
class Organ:
    """A hollow organ. gas: the field of its gas, or None; box: (2, 3), RAS mm; mottled: content like faeces."""

    label: int
    field: Field
    gas: Field | None
    box: np.ndarray
    content_hu: float
    mottled: bool


@dataclass(frozen=True)
class Lumen:
    """Distance of the folds of the wall, their depth as a fraction of the radius, the gas's share of the height."""

    fold_mm: float
    fold_depth: float
    gas: float


def build_organs(shape: PelvisShape, rng: np.random.Generator) -> list[Organ]:
    """Small bowel, colon and bladder of `shape`, in the order they are to be drawn."""
    loops = np.column_stack([_loops(rng), rng.uniform(9.0, 13.0, LOOP_TURNS)])
    organs = [_tube(SMALL_BOWEL, loops, shape, Lumen(9.0, 0.10, 0.55 * shape.bowel_gas), 15.0, False, rng)]
    for template in (ASCENDING, DESCENDING):
        course = template.astype(np.float64)
        course[:, :3] += rng.normal(0.0, WANDER_MM, (len(course), 3)) * (course[:, 2:3] > 0.0)
        course[:, 3] *= rng.uniform(0.85, 1.15, len(course))
        organs.append(_tube(COLON, course, shape, Lumen(27.0, 0.24, shape.bowel_gas), 25.0, True, rng))
    return [*organs, _bladder(shape)]


def _bladder(shape: PelvisShape) -> Organ:
    radius = 10.0 * (shape.bladder_ml * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    radii = radius * np.array([1.2, 0.9, 1.0 / (1.2 * 0.9)])
    front, floor = 27.0 * shape.factors[1], -12.0 * shape.factors[2]
    center = np.array([0.0, front - radii[1], floor + radii[2]])
    box = np.stack([center - radii - 4.0, center + radii + 4.0])
    return Organ(BLADDER, lambda p: ellipsoid(p, center, radii), None, box, 8.0, False)


def _loops(rng: np.random.Generator) -> np.ndarray:
    """A wandering walk through the middle of the cavity: (LOOP_TURNS, 3), template mm."""
    turns = rng.normal(0.0, 1.0, (LOOP_TURNS, 3))
    turns /= np.maximum(1.0, np.linalg.norm(turns, axis=1) / 1.4)[:, None]
    return LOOPS_CENTER + turns * LOOPS_SPREAD


def _tube(
    label: int,
    course: np.ndarray,
    shape: PelvisShape,
    lumen: Lumen,
    content_hu: float,
    mottled: bool,
    rng: np.random.Generator,
) -> Organ:
    """A tube along `course`, rows R, A, S, radius of the template. Gas lies above a level: the patient is supine."""
    line = _even_curve(course * np.append(shape.factors, shape.factors.mean()))
    at = STEP_MM * np.arange(len(line))
    marks = np.arange(0.0, at[-1] + GAS_PATCH_MM, GAS_PATCH_MM)
    shift = np.interp(at, marks, rng.uniform(0.0, 1.0, len(marks)))
    fold = np.abs(np.cos(np.pi * (at / lumen.fold_mm + shift))) ** 6
    radius = line[:, 3] * (1.0 - lumen.fold_depth * fold)
    gas = np.interp(at, marks, np.clip(lumen.gas + rng.normal(0.0, 0.35, len(marks)), -0.2, 1.05))
    level = line[:, 1] + line[:, 3] * (1.0 - 2.0 * gas)
    tree = cKDTree(line[:, :3])

    def wall(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance, nearest = tree.query(p, distance_upper_bound=FAR_MM)
        nearest = np.minimum(nearest, len(line) - 1)
        return (np.minimum(distance, FAR_MM) - radius[nearest]).astype(p.dtype), nearest

    def gas_field(p: np.ndarray) -> np.ndarray:
        distance, nearest = wall(p)
        return smooth_intersection(distance + p.dtype.type(WALL_MM), (level[nearest] - p[:, 1]).astype(p.dtype), 2.0)

    reach = line[:, 3].max() + 4.0
    box = np.stack([line[:, :3].min(axis=0) - reach, line[:, :3].max(axis=0) + reach])
    return Organ(label, lambda p: wall(p)[0], gas_field, box, content_hu, mottled)


def _even_curve(course: np.ndarray) -> np.ndarray:
    """A smooth curve through the rows of `course` (R, A, S, radius), resampled every STEP_MM of its length."""
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(course[:, :3], axis=0), axis=1) ** 0.5)])
    dense = CubicSpline(knots, course)(np.linspace(0.0, knots[-1], 40 * len(course)))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense[:, :3], axis=0), axis=1))])
    at = np.arange(0.0, length[-1], STEP_MM)
    return np.column_stack([np.interp(at, length, dense[:, i]) for i in range(4)])
