"""The midline of a colon, and the frames that travel along it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Centerline:
    """A curve through the middle of the lumen, from the anus or wherever the endoscope enters to the caecum.

    points_ras: (N, 3) float64, mm, evenly spaced.
    radius_mm: (N,), distance from each point to the nearest wall.
    segments: the name of the colon's segment at each point, or empty where it is not known.
    """

    points_ras: np.ndarray
    radius_mm: np.ndarray
    segments: tuple[str, ...] = ()

    @cached_property
    def arc_length_mm(self) -> np.ndarray:
        """Length of the curve from its start to each point, shape (N,)."""
        steps = np.linalg.norm(np.diff(self.points_ras, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    @cached_property
    def frames(self) -> np.ndarray:
        """Rotation-minimising frames, (N, 3, 3), whose rows are two normals and the tangent, in RAS."""
        return rotation_minimising_frames(self.points_ras)


def rotation_minimising_frames(points: np.ndarray) -> np.ndarray:
    """Frames that follow a curve (N, 3) without turning about it: (N, 3, 3), rows first normal, second, tangent.

    Double reflection (Wang, Jüttler, Zheng and Liu, ACM Trans. Graph. 27(1), 2008). The first normal is as close to
    anterior as the first tangent allows. Right-handed: first × second = tangent.
    """
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    away = np.array([0.0, 1.0, 0.0]) if abs(tangents[0, 1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    normals = np.empty_like(points)
    normals[0] = away - (away @ tangents[0]) * tangents[0]
    normals[0] /= np.linalg.norm(normals[0])
    for i in range(len(points) - 1):
        chord = points[i + 1] - points[i]
        normal, tangent = (_reflected(vector, chord) for vector in (normals[i], tangents[i]))
        normals[i + 1] = _reflected(normal, tangents[i + 1] - tangent)
    return np.stack([normals, np.cross(tangents, normals), tangents], axis=1)


def _reflected(vector: np.ndarray, mirror_normal: np.ndarray) -> np.ndarray:
    length2 = mirror_normal @ mirror_normal
    return vector if length2 == 0.0 else vector - (2.0 / length2) * (mirror_normal @ vector) * mirror_normal
