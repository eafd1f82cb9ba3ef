"""Smooth ways to join and cut solids given by signed distances, negative inside."""

import numpy as np


def smooth_min(a: np.ndarray, b: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Union of two solids with a fillet: quadratic polynomial blend that acts where |a − b| < `radius`."""
    overlap = np.maximum(radius - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap * overlap / (4.0 * radius)


def smooth_max(a: np.ndarray, b: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """Intersection of two solids with its edge rounded."""
    overlap = np.maximum(radius - np.abs(a - b), 0.0)
    return np.maximum(a, b) + overlap * overlap / (4.0 * radius)
