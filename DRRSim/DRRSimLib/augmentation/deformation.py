"""Smooth deformation of a volume with its labels and landmarks.

A displacement u is a cubic B-spline over a lattice of control points. What is at p after the deformation was at
p + u(p) before. Control points displaced by less than a sixth of their spacing keep the map one to one: in the maximum
norm u changes by less than p does, since each derivative of a cubic B-spline is an average of differences of
neighbouring control points over their spacing, at most 2 A / h, and three of them add up to less than 1 if A < h / 6.
By the same bound p ← q − u(p) converges to the place of a landmark that was at q.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

from .resampling import interpolated_hu

MAX_AMPLITUDE = 0.15
"""Of the lattice's spacing: below 1/6."""

LANDMARK_TOLERANCE_MM = 1e-4
MAX_STEPS = 200
"""Each step leaves at most six times MAX_AMPLITUDE, 0.9, of the error."""


@dataclass(frozen=True, eq=False)
class Deformation:
    """coefficients_mm: displacements of the control points along the volume's axes i, j, k, shape (NK, NJ, NI, 3).
    spacing_mm: of the lattice, whose axes are the volume's. volume: places the lattice; its voxels are not used."""

    coefficients_mm: np.ndarray
    spacing_mm: float
    volume: Volume

    def displacement_mm(self, points_ras: np.ndarray) -> np.ndarray:
        """u along the world's axes at points (N, 3); beyond the volume that of its border."""
        mm = transform_points(self.volume.ijk_from_ras, points_ras) * self.volume.spacing_mm
        i, j, k = (_basis(mm[:, axis], self.spacing_mm, self.coefficients_mm.shape[2 - axis]) for axis in range(3))
        across_k = np.einsum("na,abcd->nbcd", k, self.coefficients_mm)
        along = np.einsum("nc,ncd->nd", i, np.einsum("nb,nbcd->ncd", j, across_k))
        return along @ self._directions.T

    def moved(self, points_ras: np.ndarray) -> np.ndarray:
        """Where points (N, 3) of the volume before are after the deformation."""
        moved = points_ras.astype(np.float64)
        for _ in range(MAX_STEPS):
            previous, moved = moved, points_ras - self.displacement_mm(moved)
            if np.abs(moved - previous).max(initial=0.0) < LANDMARK_TOLERANCE_MM / 10:
                return moved
        raise RuntimeError("a landmark's place was not found; the deformation is not one to one")

    def hu(self, volume: Volume) -> Volume:
        """A CT on the lattice's grid, after the deformation; from beyond its border comes what is at the border."""
        return self._resampled(volume, interpolated_hu)

    def labels(self, volume: Volume) -> Volume:
        """Labels on that grid, after the deformation: of the nearest voxel, from up to half a voxel off."""
        return self._resampled(volume, lambda array, kji: map_coordinates(array, kji, order=0, mode="nearest"))

    def _resampled(self, volume: Volume, sample: Callable) -> Volume:
        array, spacing = np.empty_like(volume.array), self.volume.spacing_mm
        bases = [
            _basis(np.arange(n) * spacing[axis], self.spacing_mm, self.coefficients_mm.shape[2 - axis])
            for axis, n in enumerate(volume.shape_ijk)
        ]
        j, i = np.meshgrid(*(np.arange(n) for n in volume.array.shape[1:]), indexing="ij")
        for k in range(len(array)):
            in_plane = np.einsum("a,abcd->bcd", bases[2][k], self.coefficients_mm)
            u = np.einsum("jb,ic,bcd->dji", bases[1], bases[0], in_plane, optimize=True) / spacing[:, None, None]
            array[k] = sample(volume.array, [k + u[2], j + u[1], i + u[0]])
        return Volume(array, volume.ras_from_ijk, volume.name)

    @property
    def _directions(self) -> np.ndarray:
        """Unit vectors of the volume's axes in the world, as columns."""
        return self.volume.ras_from_ijk[:3, :3] / self.volume.spacing_mm


def random_deformation(volume: Volume, amplitude_mm: float, spacing_mm: float, rng: np.random.Generator) -> Deformation:
    """Control points displaced evenly within ±amplitude_mm along each axis; ValueError above MAX_AMPLITUDE."""
    if amplitude_mm > MAX_AMPLITUDE * spacing_mm:
        raise ValueError(f"amplitude_mm must be at most {MAX_AMPLITUDE} of spacing_mm")
    size_mm = (np.array(volume.shape_ijk) - 1) * volume.spacing_mm
    # One control point before the first voxel, two after the last one
    counts = np.floor(size_mm / spacing_mm).astype(int) + 4
    return Deformation(rng.uniform(-amplitude_mm, amplitude_mm, (*counts[::-1], 3)), spacing_mm, volume)


def _basis(mm: np.ndarray, spacing_mm: float, count: int) -> np.ndarray:
    """Weights of the control points at positions along one axis, (N, count): uniform cubic B-splines, of which the
    second one is centred on 0; positions beyond the lattice count as its ends."""
    position = np.clip(np.asarray(mm, float) / spacing_mm, 0, count - 3)
    first = np.minimum(np.floor(position).astype(int), count - 4)
    t = position - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    basis = np.zeros((len(position), count))
    np.put_along_axis(basis, first[:, None] + np.arange(4), weights, axis=1)
    return basis
