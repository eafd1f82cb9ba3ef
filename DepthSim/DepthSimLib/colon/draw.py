"""From a seed to the course of the colon, the radius of its lumen and its folds."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial.distance import cdist

from .anatomy import RADIUS_MM, SEGMENT_SHARE, TOTAL_LENGTH_CM
from .curve import Curve
from .folds import draw_folds
from .path import STEP_MM, lay_path
from .shape import ColonShape
from .wall import Wall

SIZE, PATH, FOLDS = range(1, 4)
"""Random streams."""
LENGTH_LIMITS_MM = (1100.0, 2350.0)
SHARE_SPREAD = 0.08
RADIUS_SPREAD = (0.05, 0.07)
"""Logarithmic, of the whole colon and of each segment."""
MOST_SCATTER = 0.18
UNEVENNESS = 0.05
"""Of the radius along a segment, logarithmic; at most twice that."""
ANAL_CANAL_MM, ANAL_RADIUS_MM = 32.0, 4.5
"""Slightly open, closed at the anus."""
RECTOSIGMOID = 0.78
"""Of the radius, at the narrowest place between rectum and sigmoid."""
HAUSTRUM = np.array([0.0, 0.06, 0.08, 0.12, 0.12, 0.12])
"""Bulge of the haustra over the radius."""
TAENIA_MM = np.array([0.0, 0.7, 1.4, 2.2, 2.4, 2.4])
FILLET_MM = np.array([7.0, 6.0, 6.0, 7.0, 8.0, 8.0])
TURN_DEG_CM = 1.5
"""Standard deviation of how the taeniae wind about the midline."""
MOST_BENT = 0.82
"""Largest curvature of the midline times the radius of the lumen."""
LOOP_GAP_MM, LOOP_STEP_MM = 6.0, 2.0
"""Least distance between the lumens of two loops, and how finely it is looked for."""
SAME_LOOP = 1.7
"""Parts of the midline nearer along it than this many diameters are one bend, not two loops."""


@dataclass(frozen=True, eq=False)
class Tube:
    """The colon without valve and polyps. bounds_mm: (7,), arc length where the segments begin and the last ends."""

    curve: Curve
    wall: Wall
    bounds_mm: np.ndarray


def draw_tube(shape: ColonShape) -> Tube:
    sizes = np.random.default_rng([shape.seed, SIZE])
    (shorter, spread), (longer, wider) = TOTAL_LENGTH_CM
    deviation = np.clip(sizes.standard_normal(), -2.5, 2.5)
    length = 10.0 * ((shorter + longer) / 2.0 + (spread + wider) / 2.0 * deviation) * shape.length_factor
    length = np.clip(length, *LENGTH_LIMITS_MM)
    shares = SEGMENT_SHARE * np.exp(SHARE_SPREAD * sizes.standard_normal(6))
    lengths = length * shares / shares.sum()
    scatter = RADIUS_SPREAD[0] * sizes.standard_normal() + RADIUS_SPREAD[1] * sizes.standard_normal(6)
    radii = shape.diameter_factor * RADIUS_MM * np.exp(np.clip(scatter, -MOST_SCATTER, MOST_SCATTER))
    points = lay_path(lengths, 1.05 * (1.0 + HAUSTRUM) * radii, np.random.default_rng([shape.seed, PATH]))
    points = points[: -round(radii[-1] / STEP_MM)]  # the round end of the caecum lies beyond the midline
    bounds = np.concatenate([[0.0], np.cumsum(lengths)])
    bounds[-1] = STEP_MM * (len(points) - 1)
    at = STEP_MM * np.arange(len(points))
    segment = np.clip(np.searchsorted(bounds, at, side="right") - 1, 0, 5)
    rng = np.random.default_rng([shape.seed, FOLDS])
    radius = _narrowed(points, _lumen_radius(at, bounds, radii[segment], rng), HAUSTRUM[segment])
    haustrum, taenia, fillet = (_blend(table[segment], 20.0) for table in (HAUSTRUM, TAENIA_MM, FILLET_MM))
    winding = np.cumsum(_blend(rng.standard_normal(len(at)), 40.0, unit=True)) * STEP_MM
    angle = rng.uniform(0.0, 2.0 * np.pi) + np.deg2rad(TURN_DEG_CM / 10.0) * winding
    folds = draw_folds(bounds, radius, STEP_MM, shape.fold_factor, rng)
    wall = Wall(STEP_MM, radius, angle, taenia, haustrum * radius, fillet * np.minimum(radius / 15.0, 1.0), folds)
    return Tube(Curve(points, STEP_MM, radius * (1.0 + haustrum)), wall, bounds)


def _blend(values: np.ndarray, width_mm: float, unit: bool = False) -> np.ndarray:
    smooth = gaussian_filter1d(values, width_mm / STEP_MM, mode="nearest")
    return smooth / smooth.std() if unit else smooth


def _lumen_radius(at: np.ndarray, bounds: np.ndarray, radius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    radius = _blend(radius, 14.0) * np.exp(
        2.0 * UNEVENNESS * np.tanh(_blend(rng.standard_normal(len(at)), 25.0, unit=True) / 2.0)
    )
    radius *= 1.0 - (1.0 - RECTOSIGMOID) * np.exp(-0.5 * ((at - bounds[1]) / 16.0) ** 2)
    opening = 0.5 * (1.0 + np.tanh((at - ANAL_CANAL_MM) / 7.0))
    return ANAL_RADIUS_MM + (radius - ANAL_RADIUS_MM) * opening


def _narrowed(points: np.ndarray, radius: np.ndarray, haustrum: np.ndarray) -> np.ndarray:
    """The radius where the midline bends too tightly for it, or another loop is too near: flexures are narrower."""
    turn = np.gradient(np.gradient(points, STEP_MM, axis=0), STEP_MM, axis=0)
    outer = radius * (1.0 + haustrum)
    share = np.minimum(MOST_BENT / np.maximum(np.linalg.norm(turn, axis=1), 1e-3) / outer, 1.0)
    stride = round(LOOP_STEP_MM / STEP_MM)
    knots = np.append(points[::stride], points[-1:], axis=0)
    wide = np.append(outer[::stride], outer[-1])
    at = LOOP_STEP_MM * np.arange(len(knots))
    pairs = wide[:, None] + wide
    room = (cdist(knots, knots) - LOOP_GAP_MM) / pairs
    room[np.abs(at[:, None] - at) < SAME_LOOP * pairs] = 1.0
    share = np.minimum(share, np.interp(np.arange(len(points)), stride * np.arange(len(knots)), room.min(axis=1)))
    width = round(12.0 / STEP_MM)
    lowest = minimum_filter1d(share, 2 * width + 1)
    return radius * gaussian_filter1d(lowest, width / 2.0, mode="nearest")
