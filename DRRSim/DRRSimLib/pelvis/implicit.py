"""Signed distances of simple solids, and smooth ways to join and cut them.

Every function takes points of shape (N, 3) in mm and gives N distances in mm, negative inside. Spheres and capsules of
constant radius are exact; the others are first-order (Taubin 1991, "Estimation of planar curves, surfaces and
nonplanar space curves", eq. 12: f/|∇f|), right near the surface and of the right sign everywhere.
"""

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]
"""A signed distance: points (N, 3) to distances (N,)."""

GRADIENT_STEP_MM = 0.02
NEWTON_STEPS = 6


def smooth_union(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """The union of two solids with a fillet; quadratic polynomial blend that acts where |a − b| < `radius`."""
    overlap = np.maximum(radius - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap * overlap * (0.25 / radius)


def smooth_intersection(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """The intersection of two solids with its edge rounded."""
    return -smooth_union(-a, -b, radius)


def smooth_cut(solid: np.ndarray, tool: np.ndarray, radius: float) -> np.ndarray:
    """`solid` without `tool`, the new edge rounded."""
    return smooth_intersection(solid, -tool, radius)


def sphere(p: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
    return _norm(p - _as(center, p)) - p.dtype.type(radius)


def half_space(p: np.ndarray, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The side of the plane through `point` that `normal` (any length) points away from."""
    unit = np.asarray(normal, dtype=np.float64) / np.linalg.norm(normal)
    return p @ _as(unit, p) - p.dtype.type(unit @ np.asarray(point))


def ellipsoid(p: np.ndarray, center: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """An ellipsoid with its axes along x, y, z."""
    scaled = (p - _as(center, p)) / _as(radii, p)
    return _taubin(_norm(scaled), _norm(scaled / _as(radii, p)))


def capsule(p: np.ndarray, a: np.ndarray, b: np.ndarray, radius_a: float, radius_b: float) -> np.ndarray:
    """A rod from `a` to `b` with round ends, its radius linear between them."""
    offset, along = _from_segment(p, a, b)
    return _norm(offset) - (p.dtype.type(radius_a) + along * p.dtype.type(radius_b - radius_a))


def flat_capsule(
    p: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    radii_a: tuple[float, float],
    radii_b: tuple[float, float],
    flat: np.ndarray,
) -> np.ndarray:
    """A rod of elliptic section: `radii` across and along the direction `flat` (any length), at each end."""
    unit = np.asarray(flat, dtype=np.float64) / np.linalg.norm(flat)
    offset, along = _from_segment(p, a, b)
    wide = p.dtype.type(radii_a[0]) + along * p.dtype.type(radii_b[0] - radii_a[0])
    thin = p.dtype.type(radii_a[1]) + along * p.dtype.type(radii_b[1] - radii_a[1])
    depth = offset @ _as(unit, p)
    across = np.maximum(np.einsum("ij,ij->i", offset, offset) - depth * depth, 0.0)
    depth = depth * depth
    level = np.sqrt(across / wide**2 + depth / thin**2)
    slope = np.sqrt(across / wide**4 + depth / thin**4)
    return _taubin(level, slope)


def chain(p: np.ndarray, points: np.ndarray, radii: np.ndarray, blend: float) -> np.ndarray:
    """Capsules from point to point, joined smoothly."""
    distance = capsule(p, points[0], points[1], radii[0], radii[1])
    for i in range(1, len(points) - 1):
        rod = capsule(p, points[i], points[i + 1], radii[i], radii[i + 1])
        distance = smooth_union(distance, rod, blend)
    return distance


def project(field: Field, p: np.ndarray) -> np.ndarray:
    """Points (N, 3) near the surface of `field` moved onto it along its gradient (Newton's method)."""
    offsets = GRADIENT_STEP_MM * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    for _ in range(NEWTON_STEPS):
        values = field((p[:, None, :] + offsets).reshape(-1, 3)).reshape(-1, 7)
        gradient = (values[:, 1:4] - values[:, 4:]) / (2.0 * GRADIENT_STEP_MM)
        p = p - (values[:, 0] / np.maximum(np.einsum("ij,ij->i", gradient, gradient), 1e-6))[:, None] * gradient
    return p


def _taubin(level: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return level * (level - 1.0) / np.maximum(slope, level.dtype.type(1e-6))


def _from_segment(p: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axis = np.asarray(b, dtype=np.float64) - a
    start = p - _as(a, p)
    along = np.clip(start @ _as(axis / (axis @ axis), p), 0.0, 1.0)
    return start - along[:, None] * _as(axis, p), along


def _norm(v: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", v, v))


def _as(value: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.asarray(value, dtype=like.dtype)
