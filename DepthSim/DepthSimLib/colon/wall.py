"""The wall of the colon without its polyps and its valve, as one signed distance in the coordinates of the midline.

The lumen is a tube, narrowed by the taeniae and widened by the haustra between the folds, minus the folds. In the plane
of arc length and radius a fold is a stadium: a sheet of constant thickness that ends in a round edge.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .curve import Station
from .folds import CREST, FoldRow
from .implicit import smooth_max, smooth_min

ROW_ANGLES = np.float32(2.0 * np.pi / 3.0) * np.arange(3, dtype=np.float32)
"""Middle of each row of folds, between two taeniae, counted from the first."""
TAENIA_SHARPNESS = 3.0
"""Of exp(k (cos 3ψ − 1)): a band of 1 cm at half depth on a radius of 22 mm (1 cm: CT textbooks)."""
STEEPEST_AT = np.float32(1.1)
"""Of the half angle: beyond it a crescent lies in the wall."""
CHORD_SLACK = np.float32(0.25)
"""From the middle of the lumen a fold is as far as its chord less r (cosine − slack); slack keeps that off its edge."""
MOST_TURN = np.float32(1.6)
"""Angle from its middle, radians, up to which a slanting fold runs along the colon."""
JOINT_MM = np.float32(2.5)
"""Fillet between folds that meet."""
BEYOND_LAST_MM = 25.0
"""Where the haustra before the first and behind the last fold end."""


@dataclass(frozen=True, eq=False)
class Wall:
    """Tables along the midline, (N,), one row every `step_mm`, and the rows of folds.

    radius_mm: of the tube. taenia_angle: of the middle of fold row 0, radians about the midline from its first normal.
    groove_mm: depth of the taeniae. haustrum_mm: how far the wall bulges between two folds. fillet_mm: width over which
    a fold rises from the wall.
    """

    step_mm: float
    radius_mm: np.ndarray
    taenia_angle: np.ndarray
    groove_mm: np.ndarray
    haustrum_mm: np.ndarray
    fillet_mm: np.ndarray
    folds: list[FoldRow]

    @cached_property
    def _profile(self) -> np.ndarray:
        """(10, N): the five tables, then their slopes."""
        tables = [self.radius_mm, self.taenia_angle, self.groove_mm, self.haustrum_mm, self.fillet_mm]
        return np.stack(tables + [np.gradient(t, self.step_mm) for t in tables]).astype(np.float32)

    @cached_property
    def _neighbours(self) -> list[list[np.ndarray]]:
        """For each row of folds, the fold before and the one behind every table row: (5, N) each."""
        return [self._before_and_behind(row) for row in self.folds]

    def _before_and_behind(self, row: FoldRow) -> list[np.ndarray]:
        fields = [row.position_mm, row.height_mm, 1.0 / row.half_angle, row.half_thickness_mm, row.slant_mm]
        ends = (row.position_mm[0] - BEYOND_LAST_MM, row.position_mm[-1] + BEYOND_LAST_MM)
        flat = (-10.0, 0.0, 1.0, 0.0)  # beyond the wall all around
        padded = np.array([[a, *f, b] for f, a, b in zip(fields, (ends[0], *flat), (ends[1], *flat), strict=True)])
        at = self.step_mm * np.arange(len(self.radius_mm))
        behind = np.clip(np.searchsorted(padded[0], at), 1, padded.shape[1] - 1)
        return [padded[:, behind - 1].astype(np.float32), padded[:, behind].astype(np.float32)]

    def distance(self, station: Station) -> np.ndarray:
        """Signed distance to the wall, mm, negative in the lumen, (N,); of first order near the wall."""
        profile = np.take(self._profile, station.row, axis=1)
        radius, turn, groove, haustrum, fillet = profile[:5] + station.along * profile[5:]
        across2 = station.u * station.u + station.v * station.v
        r = np.sqrt(across2 + station.beyond * station.beyond)
        # In the round ends of the tube the angle loses its meaning towards the pole.
        sideways = np.sqrt(across2) / np.maximum(r, 1e-3)
        angle = np.arctan2(station.v, station.u) - turn
        s = station.row * np.float32(self.step_mm) + station.along
        lever = 1.0 / np.maximum(r, 0.6 * radius)
        tissue, bulge, bulge_s, bulge_angle = self._folds(station, s, angle, r, radius, lever)
        taenia = groove * np.exp(TAENIA_SHARPNESS * (-np.cos(3.0 * angle) - 1.0))
        tube = r - radius - sideways * (haustrum * bulge - taenia)
        slope_s = (profile[5] + haustrum * bulge_s) / station.stretch
        slope_angle = haustrum * bulge_angle - 3.0 * TAENIA_SHARPNESS * taenia * np.sin(3.0 * angle)
        tube /= np.sqrt(1.0 + slope_s * slope_s + (slope_angle * lever) ** 2)
        return smooth_max(tube, -tissue, fillet)

    def _folds(
        self,
        station: Station,
        s: np.ndarray,
        angle: np.ndarray,
        r: np.ndarray,
        radius: np.ndarray,
        lever: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        """Distance to the nearest fold, and the shape of the haustrum, 0 to 1, with its slopes along s and angle."""
        tissue = np.full_like(s, 1e3)
        bulge, bulge_s, bulge_angle = (np.zeros_like(s) for _ in range(3))
        full, third = np.float32(2.0 * np.pi), np.float32(np.pi / 3.0)
        for middle, sides in zip(ROW_ANGLES, self._neighbours, strict=True):
            alpha = angle - middle
            alpha -= full * np.rint(alpha / full)
            ahead, offsets = r * (np.cos(alpha) - CHORD_SLACK), []
            turn = r * lever * np.clip(alpha, -MOST_TURN, MOST_TURN)
            for table in sides:
                position, height, per_half_angle, thickness, slant = np.take(table, station.row, axis=1)
                x2 = (alpha * per_half_angle) ** 2
                crest = 1.0 - x2 * (CREST[0] + CREST[1] * x2)
                x = np.minimum(np.sqrt(x2), STEEPEST_AT)
                steep = height * per_half_angle * lever * x * (2.0 * CREST[0] + 4.0 * CREST[1] * x * x)
                edge = radius + thickness - height
                beside = (edge + height * (1.0 - crest) - r) / np.sqrt(1.0 + steep * steep)
                inwards = np.maximum(np.minimum(beside, edge - ahead), 0.0)
                offsets.append(s - position)
                sideways = np.abs(offsets[-1] - slant * turn) * station.stretch + np.abs(station.beyond)
                fold = np.sqrt(sideways * sideways + inwards * inwards) - thickness
                tissue = smooth_min(tissue, fold, JOINT_MM)
            window = np.where(np.abs(alpha) < third, np.cos(1.5 * alpha), 0.0)
            length = np.maximum(offsets[0] - offsets[1], 4.0)
            phase = np.float32(np.pi) * np.clip(offsets[0] / length, 0.0, 1.0)
            rise = np.sin(phase)
            bulge += window * window * rise * rise
            bulge_s += window * window * (np.pi / length) * np.sin(2.0 * phase)
            bulge_angle -= 1.5 * np.where(window > 0.0, np.sin(3.0 * alpha), 0.0) * rise * rise
        return tissue, bulge, bulge_s, bulge_angle
