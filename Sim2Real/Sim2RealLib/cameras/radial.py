"""What fisheye models share: polar coordinates, and the inversion of a polynomial where it increases."""

from collections.abc import Callable, Sequence

import numpy as np

INVERSION_TOLERANCE = 1e-14
"""Difference from the target, as a share of the largest value, at which an inversion ends: 1e-11 px in an image."""

MAX_INVERSION_STEPS = 100
"""Newton needs about five; bisection, where Newton leaves its bracket, 52 at most to the spacing of float64."""


def point_polar(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle (...,) in rad of points (..., 3) from the optical axis and azimuth (..., 2), a unit vector.

    The azimuth on the axis is 0; the angle of the origin and of points straight behind, which have none, is NaN.
    """
    points = np.asarray(points, dtype=np.float64)
    radius, azimuth = plane_polar(points[..., :2])
    depth = points[..., 2]
    return np.where((radius > 0.0) | (depth > 0.0), np.arctan2(radius, depth), np.nan), azimuth


def plane_polar(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length (...,) and direction (..., 2) of plane vectors (..., 2); the direction of 0 is 0."""
    length = np.hypot(vectors[..., 0], vectors[..., 1])
    return length, vectors / np.where(length > 0.0, length, 1.0)[..., None]


def rays(angle_rad: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit rays (..., 3) at an angle (...,) from the optical axis towards an azimuth (..., 2)."""
    return np.concatenate([np.sin(angle_rad)[..., None] * azimuth, np.cos(angle_rad)[..., None]], axis=-1)


def smallest_positive_root(coefficients: Sequence[float]) -> float:
    """Of a polynomial given from its constant term up; infinity if it has none."""
    roots = np.polynomial.Polynomial(coefficients).roots()
    real = roots[np.abs(roots.imag) <= 1e-9 * np.abs(roots)].real
    return float(min(real[real > 0.0], default=np.inf))


def invert_increasing(
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], target: np.ndarray, end: float
) -> np.ndarray:
    """x in [0, end] at which a function that increases from 0 has the values `target` (...,); NaN where it has not.

    function: value and slope at x. Newton's method, by bisection where a step leaves the bracket.
    """
    largest = float(function(np.array(end))[0])
    target = np.asarray(target, dtype=np.float64)
    inside = (target >= 0.0) & (target <= largest)
    goal = np.where(inside, target, 0.0)
    low, high = np.zeros_like(goal), np.full_like(goal, end)
    x = goal * (end / largest)
    for _ in range(MAX_INVERSION_STEPS):
        value, slope = function(x)
        excess = value - goal
        found = np.abs(excess) <= INVERSION_TOLERANCE * largest
        if found.all():
            break
        low, high = np.where(excess > 0.0, low, x), np.where(excess > 0.0, x, high)
        newton = x - excess / np.where(slope > 0.0, slope, np.nan)
        step = np.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high))
        x = np.where(found, x, step)
    return np.where(inside, x, np.nan)
