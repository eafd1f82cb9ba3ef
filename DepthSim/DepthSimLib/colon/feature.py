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

    size_mm: largest extent from the foot. fillet_mm: of tissue and of cavity. neoplasm: what of it is tumour, if any.
    """

    label: int
    foot: Foot
    size_mm: float
    tissue: Solid | None = None
    cavity: Solid | None = None
    fillet_mm: tuple[float, float] = (1.5, 1.5)
    neoplasm: Solid | None = None


def stand(field: Field, curve: Curve, arc_length_mm: np.ndarray, directions_ras: np.ndarray) -> list[Foot]:
    """Feet where rays from places on the midline (N,) along directions (N, 3) meet the wall."""
    starts, frames = curve.at(arc_length_mm)
    directions = directions_ras / np.linalg.norm(directions_ras, axis=1, keepdims=True)
    points = starts + march(field, starts, directions)[:, None] * directions
    offsets = NORMAL_STEP_MM * np.vstack([np.eye(3), -np.eye(3)])
    ahead, behind = field((points[:, None] + offsets).reshape(-1, 3)).reshape(-1, 2, 3).swapaxes(0, 1)
    inward = behind - ahead
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    along = _across(frames[:, 2], inward)
    steep = np.linalg.norm(along, axis=1) < 0.1
    along[steep] = _across(frames[steep, 0], inward[steep])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    axes = np.stack([along, np.cross(inward, along), inward], axis=1)
    return [Foot(*place) for place in zip(points, axes, arc_length_mm, strict=True)]


def _across(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return vectors - np.einsum("ij,ij->i", vectors, normals)[:, None] * normals


def march(field: Field, starts: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """How far rays (N, 3) from inside the lumen run until they meet the wall, mm: (N,)."""
    travelled = np.zeros(len(starts))
    for _ in range(MARCH_STEPS):
        step = -0.8 * field(starts + travelled[:, None] * directions)
        travelled += step
        if np.all(np.abs(step) < 1e-3):
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
