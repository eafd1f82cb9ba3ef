"""The body around the bones: skin, subcutaneous fat, muscle with fat planes, and the abdominal and pelvic cavity.

The distances are smooth and are evaluated on a coarse grid; edges are drawn after interpolation.
"""

import numpy as np

from Sim2RealLib.voxel_grid import VoxelGrid

from .implicit import capsule, smooth_cut, smooth_intersection, smooth_union
from .lattice_noise import coarse_grid
from .shape import PelvisShape

COARSE_MM = 4.0
DEPTH_MM = 100.0
"""Depth of muscle that the factor PelvisShape.muscle acts on."""

MUSCLE_LEVELS = np.array(
    [
        # S, half width, front, back
        [-150, 150, 40, -80], [-90, 160, 46, -92], [-40, 166, 58, -106], [0, 167, 66, -114], [40, 160, 76, -117],
        [80, 154, 86, -114], [120, 152, 92, -104], [160, 148, 94, -98], [200, 146, 94, -96],
    ],
    dtype=float,
)  # fmt: skip
"""Outer face of the muscles at levels of S, mm."""

CAVITY_LEVELS = np.array(
    [
        [-40, 14, -8, -50], [-25, 34, 22, -62], [0, 48, 34, -72], [30, 52, 44, -74], [55, 62, 62, -70],
        [80, 90, 72, -50], [110, 116, 78, -24], [150, 124, 80, -10], [210, 124, 80, -8],
    ],
    dtype=float,
)  # fmt: skip
"""Inner face of the abdominal and pelvic walls."""


def soft_fields(shape: PelvisShape, grid: VoxelGrid) -> tuple[list[np.ndarray], VoxelGrid]:
    """Signed distances of skin, muscle and cavity on a coarse grid that covers `grid`."""
    coarse = coarse_grid(grid, COARSE_MM)
    s, a, r = np.meshgrid(*[coarse.axis(i) for i in (2, 1, 0)], indexing="ij")
    factors = shape.factors
    x, a, s = np.abs(r) / factors[0], a / factors[1], s / factors[2]
    p = np.column_stack([x.ravel(), a.ravel(), s.ravel()])
    torso = smooth_intersection(_levels(p, MUSCLE_LEVELS), -p[:, 2] - 80.0, 80.0)
    thigh = _superellipse(p[:, 0] - 84.0, p[:, 1] + 18.0, np.full(len(p), 78.0), np.full(len(p), 74.0), 2.2)
    thigh = smooth_intersection(thigh, p[:, 2] - 20.0, 30.0)
    muscle = smooth_union(torso, thigh, 30.0) - DEPTH_MM * (shape.muscle - 1.0)
    behind = np.clip((-p[:, 1] - 20.0) / 80.0, 0.0, 1.0)
    aside = np.clip((p[:, 0] - 60.0) / 90.0, 0.0, 1.0)
    skin = muscle - shape.fat_mm * (1.0 + 0.3 * behind + 0.3 * aside)
    skin = smooth_intersection(skin, -p[:, 1] - 128.0, 25.0)
    psoas = capsule(p, np.array([36.0, -22, 210]), np.array([58.0, 2, 90]), 22.0, 21.0)
    psoas = smooth_union(psoas, capsule(p, np.array([58.0, 2, 90]), np.array([78.0, 30, 20]), 21.0, 17.0), 6.0)
    cavity = smooth_cut(_levels(p, CAVITY_LEVELS), psoas, 6.0)
    return [(v.reshape(coarse.shape_kji) * shape.size).astype(np.float32) for v in (skin, muscle, cavity)], coarse


def fat_planes(
    muscle: np.ndarray, shallow: np.ndarray, deep: np.ndarray, cross: np.ndarray, gate: np.ndarray
) -> np.ndarray:
    """Distance into the fat between muscles, positive inside it: two wavy layers under the surface, and cross planes.

    muscle: signed distance to the outside of the muscles, mm; the others: noise of unit spread.
    """
    layers = np.minimum(np.abs(muscle + 20.0 + 7.0 * shallow), np.abs(muscle + 46.0 + 10.0 * deep))
    along = 0.9 + 1.2 * np.minimum(gate, 0.6) - layers
    return np.maximum(along, 0.9 - 28.0 * np.abs(cross) - 1.5 * np.maximum(gate, 0.0))


def _levels(p: np.ndarray, levels: np.ndarray) -> np.ndarray:
    half, front, back = (np.interp(p[:, 2], levels[:, 0], levels[:, i]) for i in (1, 2, 3))
    side = _superellipse(p[:, 0], p[:, 1] - (front + back) / 2.0, half, (front - back) / 2.0, 2.3)
    return smooth_intersection(side, levels[0, 0] - p[:, 2], 10.0)


def _superellipse(u: np.ndarray, v: np.ndarray, a: np.ndarray, b: np.ndarray, power: float) -> np.ndarray:
    """First-order distance to |u/a|ⁿ + |v/b|ⁿ = 1."""
    s, t = np.maximum(np.abs(u) / a, 1e-3), np.maximum(np.abs(v) / b, 1e-3)
    level = (s**power + t**power) ** (1.0 / power)
    slope = level ** (1.0 - power) * np.sqrt((s ** (power - 1.0) / a) ** 2 + (t ** (power - 1.0) / b) ** 2)
    return (level - 1.0) / slope
