"""Parts and resamplings of a voxel grid."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import RAS_FROM_LPS, translation
from Sim2RealLib.itk_io import itk_image
from Sim2RealLib.volume import Volume


def cropped(volume: Volume, lower_kji: np.ndarray, upper_kji: np.ndarray) -> Volume:
    """The voxels from `lower_kji` up to, not including, `upper_kji`, (3,) each, cut at the grid's faces; a copy."""
    lower = np.maximum(lower_kji, 0)
    upper = np.minimum(upper_kji, volume.array.shape)
    part = tuple(slice(int(low), int(high)) for low, high in zip(lower, upper, strict=True))
    return Volume(volume.array[part].copy(), volume.ras_from_ijk @ translation(lower[::-1]), volume.name)


def bounds_kji(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and one past the last voxel of a mask along each axis: two (3,)."""
    along = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return np.array([line[0] for line in along]), np.array([line[-1] + 1 for line in along])


def labels_on(labels: Volume, reference: Volume) -> np.ndarray:
    """The label of the nearest voxel at every voxel of another grid, 0 beyond it: (K, J, I)."""
    return _resampled(labels, reference.shape_ijk, reference.ras_from_ijk, sitk.sitkNearestNeighbor, 0.0)


def on_ras_grid(volume: Volume, spacing_mm: float, outside: float) -> Volume:
    """A volume resampled trilinearly to an isotropic grid along R, A, S that covers it.

    Its points are multiples of the spacing, so that all such grids are parts of one.
    """
    lower = np.floor(volume.corners_ras.min(axis=0) / spacing_mm)
    upper = np.ceil(volume.corners_ras.max(axis=0) / spacing_mm)
    size_ijk = (upper - lower).astype(int) + 1
    ras_from_ijk = translation(lower * spacing_mm) @ np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    return Volume(_resampled(volume, size_ijk, ras_from_ijk, sitk.sitkLinear, outside), ras_from_ijk, volume.name)


def point_pair(points_ras: Sequence[Sequence[float]], what: str) -> np.ndarray:
    """Two points of a user's, RAS mm, as (2, 3). Sim2RealError, naming what they are, for anything else."""
    try:
        pair = np.asarray(points_ras, dtype=np.float64)
    except (TypeError, ValueError):
        pair = np.empty(0)
    if pair.shape != (2, 3) or not np.all(np.isfinite(pair)):
        raise Sim2RealError(f"{what}: two points in RAS mm are needed, [[r, a, s], [r, a, s]], not {points_ras}.")
    return pair


def _resampled(
    volume: Volume, size_ijk: Sequence[int], ras_from_ijk: np.ndarray, interpolator: int, outside: float
) -> np.ndarray:
    lps = RAS_FROM_LPS @ ras_from_ijk
    spacing_mm = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.Resample(
        itk_image(volume),
        [int(size) for size in size_ijk],
        sitk.Transform(),
        interpolator,
        lps[:3, 3].tolist(),
        spacing_mm.tolist(),
        (lps[:3, :3] / spacing_mm).ravel().tolist(),
        outside,
    )
    return sitk.GetArrayFromImage(image)
