"""Smooth random fields with grains of a size in millimetres, and the interpolation they share with smooth distances."""

import numpy as np

from .grid import Lattice


def noise(rng: np.random.Generator, lattice: Lattice, grain_mm: float) -> np.ndarray:
    """Trilinear value noise of mean 0 and node standard deviation 1 on `lattice`, shape (K, J, I) float32."""
    return upsample(*random_nodes(rng, lattice, grain_mm), lattice)


def random_nodes(rng: np.random.Generator, lattice: Lattice, grain_mm: float) -> tuple[np.ndarray, Lattice]:
    """White noise on a coarse lattice that covers `lattice`."""
    coarse = coarse_lattice(lattice, grain_mm)
    return rng.standard_normal(coarse.shape[::-1], dtype=np.float32), coarse


def coarse_lattice(lattice: Lattice, step_mm: float) -> Lattice:
    """A lattice of step `step_mm` that covers all voxel centres of `lattice`."""
    extent = lattice.spacing_mm * (np.array(lattice.shape) - 1)
    return Lattice(lattice.first, step_mm, tuple(int(n) for n in np.ceil(extent / step_mm).astype(int) + 2))


def upsample(values: np.ndarray, coarse: Lattice, fine: Lattice) -> np.ndarray:
    """Trilinear interpolation of `values` (K, J, I) on `coarse` at the nodes of `fine`, one axis at a time."""
    for axis in (2, 1, 0):
        at = (fine.axis(axis) - coarse.first[axis]) / np.float32(coarse.spacing_mm)
        low = np.clip(np.floor(at).astype(int), 0, coarse.shape[axis] - 2)
        weight = (at - low).astype(np.float32)
        k = 2 - axis
        weight = weight.reshape([-1 if n == k else 1 for n in range(3)])
        values = np.take(values, low, axis=k) * (1.0 - weight) + np.take(values, low + 1, axis=k) * weight
    return values
