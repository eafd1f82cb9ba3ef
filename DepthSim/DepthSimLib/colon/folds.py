"""Haustral folds: three rows of crescents between the taeniae, and the transverse folds of the rectum (Houston)."""

from dataclasses import dataclass

import numpy as np

from .anatomy import FOLD_MEAN_MM, FOLD_PITCH_MM, FOLD_SD_MM

PITCH_VARIATION = 0.25
SMALLEST_GAP_MM = 14.0
LEAST_HEIGHT_MM = 1.5
MOST_OF_RADIUS, OPENING_MM = 0.66, 7.0
"""Greatest height of a fold over the radius of the lumen, and radius of the way that it leaves along the midline."""
RING_SHARE = 0.22
"""Folds that continue across the taeniae in line with their neighbours."""
RING_REACH = 0.45
"""How far a fold is moved to make a ring, in pitches."""
HALF_ANGLE_DEG = (63.0, 6.0)
HALF_THICKNESS_MM = (1.85, 2.3)
"""A fold is the distended wall, up to 3 mm thick, laid double (assumed)."""
SLANT_MM = 1.5
"""Standard deviation of the shift along the colon per radian of the crescent."""
HOUSTON_AT_MM = (58.0, 84.0, 112.0)
HOUSTON_ROW = (0, 1, 0)
HOUSTON_HEIGHT_MM = (9.0, 13.0)
"""Assumed, as is the distance from the anus: middle one at the peritoneal reflection, 7 to 9 cm."""
CREST = (0.6, 0.4)
"""Depth of a crescent at the fraction x of its half angle: 1 − 0.6 x² − 0.4 x⁴, near the chord of its sector."""


@dataclass(frozen=True, eq=False)
class FoldRow:
    """The folds between two taeniae, from the anus on; each field (F,).

    position_mm: arc length at the middle. height_mm: of the middle above the wall. half_angle, slant_mm: in radians
    about the middle, and the shift along the colon per radian. half_thickness_mm: also the radius of the free edge.
    """

    position_mm: np.ndarray
    height_mm: np.ndarray
    half_angle: np.ndarray
    half_thickness_mm: np.ndarray
    slant_mm: np.ndarray


def draw_folds(
    bounds_mm: np.ndarray, radius_mm: np.ndarray, step_mm: float, fold_factor: float, rng: np.random.Generator
) -> list[FoldRow]:
    """Three rows. bounds_mm: (7,) ends of the segments; radius_mm: (N,) of the lumen every step_mm."""
    middles = (bounds_mm[:-1] + bounds_mm[1:]) / 2.0
    first, last = bounds_mm[1] + 8.0, bounds_mm[-1] - 14.0
    pitch = FOLD_PITCH_MM[1:]
    rows = []
    for row in range(3):
        at, positions = first + pitch[0] * (row / 2.0 % 1.0 + 0.3 * rng.random()), []
        while at < last:
            positions.append(at)
            local = np.interp(at, middles[1:], pitch)
            at += max(local * rng.gamma(PITCH_VARIATION**-2, PITCH_VARIATION**2), SMALLEST_GAP_MM)
        rows.append(np.array(positions))
    _join_rings(rows, middles[1:], pitch, rng)
    return [_dressed(row, j, middles, radius_mm, step_mm, fold_factor, rng) for j, row in enumerate(rows)]


def _join_rings(rows: list[np.ndarray], middles: np.ndarray, pitch: np.ndarray, rng: np.random.Generator) -> None:
    """Bring some folds of the second and third row into line with one of the first."""
    for at in rows[0][rng.random(len(rows[0])) < RING_SHARE]:
        for row in rows[1:]:
            near = np.argmin(np.abs(row - at))
            if abs(row[near] - at) < RING_REACH * np.interp(at, middles, pitch):
                row[near] = at
    for row in rows[1:]:
        row.sort()
        row[1:] = np.maximum(row[1:], row[:-1] + SMALLEST_GAP_MM)


def _dressed(
    positions: np.ndarray,
    row: int,
    middles: np.ndarray,
    radius_mm: np.ndarray,
    step_mm: float,
    fold_factor: float,
    rng: np.random.Generator,
) -> FoldRow:
    """Heights, widths and slants, with this row's folds of the rectum in front."""
    count = len(positions)

    def limit(at_mm: np.ndarray) -> np.ndarray:
        radius = np.interp(at_mm, step_mm * np.arange(len(radius_mm)), radius_mm)
        return np.minimum(MOST_OF_RADIUS * radius, radius - OPENING_MM)

    mean, spread = (np.interp(positions, middles, values) for values in (FOLD_MEAN_MM, FOLD_SD_MM))
    height = fold_factor * (mean + spread * np.clip(rng.standard_normal(count), -2.0, 2.0))
    height = np.clip(height, LEAST_HEIGHT_MM * min(fold_factor, 1.0), limit(positions))
    angle = np.deg2rad(HALF_ANGLE_DEG[0] + HALF_ANGLE_DEG[1] * np.clip(rng.standard_normal(count), -2.0, 2.0))
    thickness = rng.uniform(*HALF_THICKNESS_MM, count)
    slant = SLANT_MM * np.clip(rng.standard_normal(count), -2.0, 2.0)
    rectal = np.array([at for at, j in zip(HOUSTON_AT_MM, HOUSTON_ROW, strict=True) if j == row])
    n = len(rectal)
    rectal += rng.normal(0.0, 3.0, n)
    return FoldRow(
        np.concatenate([rectal, positions]),
        np.concatenate([np.minimum(rng.uniform(*HOUSTON_HEIGHT_MM, n), limit(rectal)), height]),
        np.concatenate([np.deg2rad(rng.uniform(78.0, 92.0, n)), angle]),
        np.concatenate([rng.uniform(2.0, 2.5, n), thickness]),
        np.concatenate([rng.normal(0.0, 3.0, n), slant]),
    )
