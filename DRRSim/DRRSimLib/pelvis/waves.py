"""Smooth random functions of position that can be evaluated anywhere: sums of plane waves."""

from collections.abc import Callable

import numpy as np

Waves = Callable[[np.ndarray], np.ndarray]
"""Points (N, 3) to values (N, channels)."""


def random_waves(
    rng: np.random.Generator, count: int, wavelengths_mm: tuple[float, float], amplitude: float, channels: int = 1
) -> Waves:
    """`count` waves of random directions and phases whose sum has the standard deviation `amplitude`."""
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    vectors = directions * (2.0 * np.pi / rng.uniform(*wavelengths_mm, count))[:, None]
    phases = rng.uniform(0.0, 2.0 * np.pi, count)
    weights = rng.normal(size=(count, channels))
    weights *= amplitude * np.sqrt(2.0) / np.linalg.norm(weights, axis=0)

    def value(p: np.ndarray) -> np.ndarray:
        return np.sin(p @ vectors.T.astype(p.dtype) + phases.astype(p.dtype)) @ weights.astype(p.dtype)

    return value
