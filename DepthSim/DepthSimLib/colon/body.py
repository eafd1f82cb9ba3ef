"""The body around a generated colon: skin, fat, abdominal wall, lungs, gas in the small bowel."""

import numpy as np

from .colon import Colon
from .surface import lumen_box

ROOM_HU, LUNG_HU, FAT_HU, MUSCLE_HU, SKIN_HU = -1000.0, -850.0, -100.0, 50.0, 20.0
SKIN_MM, FAT_MM, MUSCLE_MM = 2.0, 18.0, 16.0
FAT_AROUND_MM = 9.0
"""Least fat between colon and abdominal wall."""
LUNG_ABOVE_MM = 14.0
"""Between the highest loop and the lungs."""
AIR_MM = 18.0
"""Room around the body."""
HEIGHT_MM = (22.0, 55.0)
"""Body below the anus and above the highest loop."""
POWER = 2.4
"""Of the superellipse that is the section of the trunk."""
POCKET_RADIUS_MM, POCKET_LENGTH_MM = (6.0, 11.0), (15.0, 55.0)
POCKET_GAP_MM, POCKET_TRIES = 8.0, 400


class Trunk:
    """A trunk that holds the colon. The section is the same at every level.

    lower_ras, upper_ras: corners of the volume that shows it, with air around it.
    """

    def __init__(self, colon: Colon) -> None:
        lower, upper = lumen_box(colon)
        self.middle = (lower + upper) / 2.0
        # The colon's box touches the cavity at the sides, not in its corners.
        self.cavity = 1.04 * (upper - lower)[:2] / 2.0 + FAT_AROUND_MM
        self.top = upper[2]
        outer = self.cavity + MUSCLE_MM + FAT_MM + SKIN_MM + AIR_MM
        self.lower_ras = np.array([*(self.middle[:2] - outer), lower[2] - HEIGHT_MM[0]])
        self.upper_ras = np.array([*(self.middle[:2] + outer), upper[2] + HEIGHT_MM[1]])

    def outside_cavity(self, r: np.ndarray, a: np.ndarray) -> np.ndarray:
        """First-order signed distance (Taubin 1991) to the inner face of the abdominal wall, negative inside."""
        u, v = np.abs(r - self.middle[0]) / self.cavity[0], np.abs(a - self.middle[1]) / self.cavity[1]
        level = np.maximum(u**POWER + v**POWER, 1e-6) ** (1.0 / POWER)
        slope = np.hypot(u ** (POWER - 1.0) / self.cavity[0], v ** (POWER - 1.0) / self.cavity[1])
        return (level - 1.0) / np.maximum(slope * level ** (1.0 - POWER), 1e-6)

    def lungs(self, r: np.ndarray, a: np.ndarray, s: np.ndarray) -> np.ndarray:
        """First-order signed distance to the lungs: two domes that come down to LUNG_ABOVE_MM over the colon."""
        radii = np.array([0.42 * self.cavity[0], 0.8 * self.cavity[1], 90.0])
        side = np.abs(r - self.middle[0]) - 0.5 * self.cavity[0]
        rise = s - (self.top + LUNG_ABOVE_MM + radii[2])
        level = np.sqrt((side / radii[0]) ** 2 + ((a - self.middle[1]) / radii[1]) ** 2 + (rise / radii[2]) ** 2)
        return (level - 1.0) * radii.min()


def small_bowel_gas(colon: Colon, trunk: Trunk, count: int, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Pockets of gas between the loops of the colon: polylines (3, 3) RAS and radii; fewer where room is short."""
    pockets: list[tuple[np.ndarray, float]] = []
    for _ in range(POCKET_TRIES):
        if len(pockets) == count:
            break
        radius, length = rng.uniform(*POCKET_RADIUS_MM), rng.uniform(*POCKET_LENGTH_MM)
        across = rng.uniform(-0.7, 0.7, 2) * trunk.cavity + trunk.middle[:2]
        start = np.array([*across, rng.uniform(-40.0, trunk.top - 80.0)])
        steps = rng.normal(size=3) + 0.6 * rng.normal(size=(2, 3))
        path = np.vstack([start, start + np.cumsum(length / 2.0 * steps / np.linalg.norm(steps, axis=1)[:, None], 0)])
        dense = np.concatenate([np.linspace(path[i], path[i + 1], 8) for i in range(2)])
        others = [np.linalg.norm(dense[:, None] - p[None], axis=-1).min() - r for p, r in pockets]
        clear = radius + POCKET_GAP_MM
        inside = trunk.outside_cavity(dense[:, 0], dense[:, 1]).max() < -clear
        if inside and colon.lumen_distance(dense).min() > clear and min(others, default=np.inf) > clear + 20.0:
            pockets.append((path, float(radius)))
    return pockets
