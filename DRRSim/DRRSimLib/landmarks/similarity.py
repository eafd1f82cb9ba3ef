"""The similarity that fits points to points best (Umeyama, IEEE PAMI 13, 1991)."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Similarity:
    """p ↦ scale · rotation @ p + translation; a mirroring one has a rotation of determinant −1."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self.scale * points @ self.rotation.T + self.translation


def fit_similarity(start: np.ndarray, end: np.ndarray, mirrored: bool = False) -> Similarity:
    """The similarity of `start` (N, 3) onto `end` (N, 3) with the least sum of squares; N ≥ 3, not on one line.

    mirrored: among those that turn a right hand into a left one.
    """
    start_mean, end_mean = start.mean(axis=0), end.mean(axis=0)
    left, values, right = np.linalg.svd((end - end_mean).T @ (start - start_mean))
    signs = np.ones(3)
    signs[2] = np.sign(np.linalg.det(left @ right)) * (-1.0 if mirrored else 1.0)
    rotation = left @ np.diag(signs) @ right
    scale = float((values * signs).sum() / ((start - start_mean) ** 2).sum())
    return Similarity(scale, rotation, end_mean - scale * rotation @ start_mean)


def rms(residuals: np.ndarray) -> float:
    """Root mean square length of vectors (N, 3)."""
    return float(np.sqrt((residuals**2).sum(axis=1).mean()))
