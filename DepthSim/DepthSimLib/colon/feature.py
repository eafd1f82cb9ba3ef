"""Things that stand on the wall or open through it: polyps, the ileocaecal valve, the appendix."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .curve import Curve

NORMAL_STEP_MM = 0.3
MARCH_STEPS = 60
REACH_RADII = 1.6
"""How far beyond a feature's own size, in radii of the lumen, it is looked for: it may be nearer than the wall."""

Solid = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Signed distance, (N,), from local positions (N, 3) and the height above the bare wall (N,), mm."""
Field = Callable[[np.ndarray], np.ndarray]
"""Signed distance, (N,), from points (N, 3) in RAS."""


@dataclass(frozen=True, eq=False)
class Foot:
    """A place on the wall. axes: (3, 3), rows along the colon, around it, and into the lumen, in RAS."""

    point_ras: np.ndarray
    axes: np.ndarray
    arc_length_mm: float

    def local(self, points_ras: np.ndarray) -> np.ndarray:
        return (points_ras - self.point_ras.astype(np.float32)) @ self.axes.T.astype(np.float32)

    def world(self, points: np.ndarray) -> np.ndarray:
        return self.point_ras + points @ self.axes


@dataclass(frozen=True, eq=False)
class Feature:
    """Tissue added to the wall, and then a cavity opened in both; either may be missing.

    size_mm: largest extent from the foot. fillet_mm: of tissue and of cavity.
    """

    label: int
    foot: Foot
    size_mm: float
    tissue: Solid | None = None
    cavity: Solid | None = None
    fillet_mm: tuple[float, float] = (1.5, 1.5)


def stand(field: Field, curve: Curve, arc_length_mm: float, direction_ras: np.ndarray) -> Foot:
    """The foot where a ray from the midline meets the wall."""
    (start,), (frame,) = curve.at(np.array([arc_length_mm]))
    direction = direction_ras / np.linalg.norm(direction_ras)
    travelled = march(field, start, direction)
    point = start + travelled * direction
    offsets = NORMAL_STEP_MM * np.vstack([np.eye(3), -np.eye(3)])
    values = field(point + offsets)
    inward = values[3:] - values[:3]
    inward /= np.linalg.norm(inward)
    along = frame[2] - (frame[2] @ inward) * inward
    if np.linalg.norm(along) < 0.1:
        along = frame[0] - (frame[0] @ inward) * inward
    along /= np.linalg.norm(along)
    return Foot(point, np.stack([along, np.cross(inward, along), inward]), arc_length_mm)


def march(field: Field, start: np.ndarray, direction: np.ndarray) -> float:
    """How far a ray from inside the lumen runs until it meets the wall, mm."""
    travelled = 0.0
    for _ in range(MARCH_STEPS):
        step = -0.8 * float(field((start + travelled * direction)[None])[0])
        travelled += step
        if abs(step) < 1e-3:
            break
    return travelled


def ellipsoid(p: np.ndarray, center: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    """First-order distance (Taubin 1991, eq. 12: f/|∇f|)."""
    scaled = (p - np.float32(center)) / np.float32(radii)
    level = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
    slope = np.sqrt(np.einsum("ij,ij->i", scaled / np.float32(radii), scaled / np.float32(radii)))
    return level * (level - 1.0) / np.maximum(slope, 1e-6)


def capsule(p: np.ndarray, a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """A rod from `a` to `b` with round ends."""
    axis = np.float32(b) - np.float32(a)
    start = p - np.float32(a)
    along = np.clip(start @ (axis / (axis @ axis)), 0.0, 1.0)
    offset = start - along[:, None] * axis
    return np.sqrt(np.einsum("ij,ij->i", offset, offset)) - np.float32(radius)


def cushion(across: np.ndarray, height: np.ndarray, radius: float, thickness: float) -> np.ndarray:
    """A disc with a round edge lying on the wall; `across` is the distance from its middle along the wall."""
    return np.hypot(np.maximum(across - np.float32(radius - thickness), 0.0), height) - np.float32(thickness)
