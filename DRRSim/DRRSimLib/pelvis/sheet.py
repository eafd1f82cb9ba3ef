"""Plates of bone: a curved middle surface with its own outline and thickness, over a plane."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, RBFInterpolator
from scipy.spatial import cKDTree

STEP_MM = 2.0
"""Grid step of the tables; the plates bend over tens of millimetres."""
MARGIN_MM = 30.0
LEAST_HALF_MM = 1.2
"""Least half thickness, about that of the cortex on cortex of the iliac fossa."""
SMOOTHING = 5.0
"""Of the thin-plate spline through the controls: evens out a millimetre or two."""


@dataclass(frozen=True, eq=False)
class Table:
    """Smooth functions of a plane, tabulated: values (channels, rows, columns) from `lower` on, STEP_MM apart."""

    lower: np.ndarray
    values: np.ndarray

    def __call__(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Bilinear values at (u, v), shape (channels, N); constant beyond the border."""
        rows, columns = self.values.shape[1:]
        kind = u.dtype.type
        row = np.clip((u - kind(self.lower[0])) / kind(STEP_MM), 0.0, rows - 1.001)
        column = np.clip((v - kind(self.lower[1])) / kind(STEP_MM), 0.0, columns - 1.001)
        i, j = row.astype(np.int32), column.astype(np.int32)
        s, t = row - i, column - j
        flat, at = self.values.reshape(len(self.values), -1).astype(u.dtype, copy=False), i * columns + j
        upper = flat[:, at] * (1 - t) + flat[:, at + 1] * t
        return upper * (1 - s) + (flat[:, at + columns] * (1 - t) + flat[:, at + columns + 1] * t) * s


def closed_curve(points: np.ndarray, step: float = 0.5) -> np.ndarray:
    """A smooth closed curve through points (N, 2), sampled about `step` mm apart: shape (M, 2)."""
    loop = np.vstack([points, points[:1]])
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1) ** 0.5)])
    length = np.linalg.norm(np.diff(loop, axis=0), axis=1).sum()
    return CubicSpline(knots, loop, bc_type="periodic")(np.linspace(0.0, knots[-1], int(1.2 * length / step))[:-1])


def outline_distance(curve: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 2) to a densely sampled closed curve, either way round, negative inside."""
    forward = np.roll(curve, -1, axis=0) - np.roll(curve, 1, axis=0)
    normal = np.column_stack([forward[:, 1], -forward[:, 0]]) / np.linalg.norm(forward, axis=1)[:, None]
    turning = np.sum(curve[:, 0] * np.roll(curve[:, 1], -1) - curve[:, 1] * np.roll(curve[:, 0], -1))
    distance, nearest = cKDTree(curve).query(points)
    height = np.einsum("ij,ij->i", points - curve[nearest], normal[nearest]) * np.sign(turning)
    return np.where(distance < 2.0 * STEP_MM, height, np.copysign(distance, height))


def plate_table(outline: np.ndarray, controls: np.ndarray) -> Table:
    """Tabulate a plate.

    outline: (N, 2) points of the closed outline in the plane; controls: (M, 4) rows u, v, height above the plane, half
    thickness. Channels: height, half thickness, outline distance, cosine of the slope.
    """
    curve = closed_curve(outline)
    lower, upper = curve.min(axis=0) - MARGIN_MM, curve.max(axis=0) + MARGIN_MM
    axes = [np.arange(lo, hi + STEP_MM, STEP_MM) for lo, hi in zip(lower, upper, strict=True)]
    plane = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    smooth = RBFInterpolator(controls[:, :2], controls[:, 2:], kernel="thin_plate_spline", smoothing=SMOOTHING)
    height, half = np.moveaxis(smooth(plane.reshape(-1, 2)).reshape(*plane.shape[:2], 2), -1, 0)
    slope_u, slope_v = np.gradient(height, STEP_MM)
    edge = outline_distance(curve, plane.reshape(-1, 2)).reshape(height.shape)
    return Table(
        lower, np.stack([height, np.maximum(half, LEAST_HALF_MM), edge, 1.0 / np.sqrt(1.0 + slope_u**2 + slope_v**2)])
    )
