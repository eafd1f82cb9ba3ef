"""Coordinates along a curve: from points in the world to arc length and position across, and back."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ..centerline import rotation_minimising_frames

CELL_MM = 3.0
COARSE_CELLS = 4
MARGIN_MM = 12.0
"""Around the lumen: how far the grid of starting points reaches."""
KNOT_MM = 3.0
FRAME_MM = 2.0
NEWTON_STEPS = 4
SMALLEST_STRETCH = 0.15
LONGEST_STEP_MM = 6.0


@dataclass(frozen=True, eq=False)
class Station:
    """Where points stand relative to the curve; all (N,), float32 but `cell` and `row`.

    cell: number of the curve's grid cell (see Curve.cell_centers), int.
    row, along: nearest table row, int, and distance beyond it along the tangent, mm.
    u, v: position along the first and the second normal.
    beyond: how far the point lies past an end of the curve, negative before the first; 0 beside the curve.
    stretch: length at the point per length of the curve, 1 − κ·offset: below 1 on the inside of a bend.
    """

    cell: np.ndarray
    row: np.ndarray
    along: np.ndarray
    u: np.ndarray
    v: np.ndarray
    beyond: np.ndarray
    stretch: np.ndarray


@dataclass(frozen=True, eq=False)
class Curve:
    """A smooth curve with rows every `step_mm`, and the radius of the lumen that surrounds it.

    points_ras: (N, 3). radius_mm: (N,), largest distance of the wall; tells which of two passing loops a point is in.
    """

    points_ras: np.ndarray
    step_mm: float
    radius_mm: np.ndarray

    @property
    def length_mm(self) -> float:
        return self.step_mm * (len(self.points_ras) - 1)

    @cached_property
    def frames(self) -> np.ndarray:
        """(N, 3, 3): rows are the two rotation-minimising normals and the tangent."""
        stride = round(FRAME_MM / self.step_mm)
        coarse = rotation_minimising_frames(self.points_ras[::stride])
        at, knots = np.arange(len(self.points_ras)), np.arange(len(coarse)) * stride
        first = np.column_stack([np.interp(at, knots, coarse[:, 0, i]) for i in range(3)])
        tangent = np.gradient(self.points_ras, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        first -= np.einsum("ij,ij->i", first, tangent)[:, None] * tangent
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        return np.stack([first, np.cross(tangent, first), tangent], axis=1)

    @cached_property
    def _table(self) -> np.ndarray:
        """(14, N) float32: point, first normal, second normal, tangent, curvature along each normal."""
        turn = np.gradient(self.frames[:, 2], self.step_mm, axis=0)
        curvature = np.einsum("nij,nj->ni", self.frames[:, :2], turn)
        rows = np.column_stack([self.points_ras, self.frames.reshape(-1, 9), curvature])
        return np.ascontiguousarray(rows.T, dtype=np.float32)

    @cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        """First cell's centre, and the number of cells of CELL_MM along each axis, of a grid that covers the lumen."""
        reach = self.radius_mm.max() + MARGIN_MM
        lower = self.points_ras.min(axis=0) - reach
        return lower, np.ceil((self.points_ras.max(axis=0) + reach - lower) / CELL_MM).astype(int) + 1

    @cached_property
    def cell_centers(self) -> np.ndarray:
        """(cells, 3) RAS."""
        lower, count = self._cells
        axes = [lower[i] + CELL_MM * np.arange(count[i]) for i in range(3)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    @cached_property
    def _start_rows(self) -> np.ndarray:
        """For each cell, the row of the loop it belongs to, (cells,) int32.

        A loop owns the points of least power |x − c|² − radius², whose borders lie between disjoint spheres: nearest
        neighbours of (c, √(R² − radius²)) in four dimensions.
        """
        stride, widest = round(KNOT_MM / self.step_mm), self.radius_mm.max()
        tree = cKDTree(np.column_stack([self.points_ras, np.sqrt(widest**2 - self.radius_mm**2)])[::stride])
        _, count = self._cells
        lifted = np.column_stack([self.cell_centers, np.zeros(np.prod(count))]).reshape(*count, 4)
        thinned = lifted[::COARSE_CELLS, ::COARSE_CELLS, ::COARSE_CELLS]
        away, owner = tree.query(thinned)
        near = away < widest + MARGIN_MM + COARSE_CELLS * CELL_MM * np.sqrt(3.0)
        for axis in range(3):
            owner, near = (np.repeat(a, COARSE_CELLS, axis).take(range(count[axis]), axis) for a in (owner, near))
        owner[near] = tree.query(lifted[near])[1]
        return (stride * owner).astype(np.int32).ravel()

    def locate(self, points_ras: np.ndarray) -> Station:
        """Orthogonal projection of points, (N, 3), onto the curve by Newton's method."""
        p = np.ascontiguousarray(np.asarray(points_ras, dtype=np.float32).T)
        cell = np.zeros(p.shape[1], dtype=np.int32)
        for x, lower, count in zip(p, *self._cells, strict=True):
            cell *= count
            cell += np.clip(np.rint((x - np.float32(lower)) / CELL_MM), 0, count - 1).astype(np.int32)
        position = self._start_rows[cell].astype(np.float32)
        last, step = np.float32(len(self.points_ras) - 1), np.float32(self.step_mm)
        for _ in range(NEWTON_STEPS):
            row = np.rint(position).astype(np.int32)
            u, v, a, ku, kv = self._across(p, row)
            stretch = np.maximum(1.0 - ku * u - kv * v, np.float32(SMALLEST_STRETCH))
            along = np.clip(a / stretch, -LONGEST_STEP_MM, LONGEST_STEP_MM)
            position = np.clip(row + along / step, 0.0, last)
        inside = (position - row) * step
        beyond = np.where((position <= 0.0) | (position >= last), a - inside * stretch, 0.0)
        sagitta = np.float32(0.5) * inside * inside
        return Station(cell, row, inside, u - ku * sagitta, v - kv * sagitta, beyond, stretch)

    def _across(self, p: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, ...]:
        c = np.take(self._table, row, axis=1)
        x, y, z = p[0] - c[0], p[1] - c[1], p[2] - c[2]
        u = x * c[3] + y * c[4] + z * c[5]
        v = x * c[6] + y * c[7] + z * c[8]
        a = x * c[9] + y * c[10] + z * c[11]
        return u, v, a, c[12], c[13]

    def at(self, arc_length_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, 3) and frames (N, 3, 3) of the nearest rows."""
        row = np.clip(np.rint(np.asarray(arc_length_mm) / self.step_mm).astype(int), 0, len(self.points_ras) - 1)
        return self.points_ras[row], self.frames[row]
