"""Volumes from files and back: NIfTI-1, NRRD, MetaImage and DICOM series."""

import logging
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .dicom_series import find_series, is_dicom
from .errors import Sim2RealError
from .geometry import RAS_FROM_LPS, transform_points
from .itk_io import detached_data, itk_image, read_itk, read_itk_slices, silent_stderr
from .nifti import read_nifti
from .provenance import input_record
from .scene_path import scene_reader, split_scene_path
from .volume import Volume

LOG = logging.getLogger("sim2real")

LOWEST_HU = -1024
"""Air is −1000 HU; scanners pad with values below −1024, which mean nothing."""
HIGHEST_LABEL = 65535
_CT_HOLDS_BELOW_HU = -50
"""Any CT of a patient holds fat (about −100 HU) or air; one with nothing below this is not in Hounsfield units."""
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
_COVERAGE_SAMPLES = 64


def read_volume(path: str | Path, role: str = "volume") -> tuple[Volume, dict[str, Any]]:
    """A scalar volume in RAS with its provenance: role, name, sha256, shape_ijk, spacing_mm.

    path: .nii, .nii.gz, .nrrd, .mha, .mhd, a folder with one DICOM series, one file of a series, or a volume in a scene
    of Slicer's, ``case.mrb#CT`` (see `scene_path`).
    Integer values keep their dtype; floating-point ones become float32. One slice is a volume too, since its spacing
    and its projections are defined.

    Sim2RealError, each with its own message: a missing file, an unknown format, a truncated or damaged file, an empty
    or constant volume, NaN or infinite values, fewer or more than three dimensions (a fourth of size 1 is dropped),
    several values a voxel, complex values, a sheared or singular grid, one whose place in the patient is not told.
    """
    volume, record = _read_grid(Path(path), role)
    return require_contrast(volume), record


def read_ct(path: str | Path) -> tuple[Volume, dict[str, Any]]:
    """A CT in Hounsfield units. Values below −1024 HU become −1024; the record counts them as `raised_to_lowest_hu`.

    Sim2RealError as `read_volume`, for a DICOM series that is not CT, and for values that are not Hounsfield units.
    """
    return as_ct(*read_volume(path, "ct"))


def as_ct(volume: Volume, record: dict[str, Any]) -> tuple[Volume, dict[str, Any]]:
    """What `read_ct` gives of a volume and its record; voxels below −1024 HU are raised in place."""
    if record.get("modality", "CT") != "CT":
        raise Sim2RealError(f"{volume.name} is a DICOM series of modality '{record['modality']}'; a CT is needed.")
    lowest, highest = volume.array.min(), volume.array.max()
    if lowest >= _CT_HOLDS_BELOW_HU:
        raise Sim2RealError(
            f"{volume.name}: its values, {lowest:g} to {highest:g}, are not Hounsfield units: a CT has air (−1000) or "
            "fat (−100). Add the rescale intercept (often −1024) to raw values; use the CT before normalisation."
        )
    below = int(np.count_nonzero(volume.array < LOWEST_HU))
    if below:
        np.maximum(volume.array, LOWEST_HU, out=volume.array)
    return volume, record | {"raised_to_lowest_hu": below}


def read_mask(path: str | Path, role: str = "mask") -> tuple[Volume, dict[str, Any]]:
    """A mask on a grid of its own: uint8, 1 where the file is not 0. One that fills its whole grid is a mask too.

    Sim2RealError as for `read_volume`, and for a mask that is empty.
    """
    stored, record = _read_grid(Path(path), role)
    if not stored.array.any():
        raise Sim2RealError(f"{stored.name} is an empty mask: every voxel is 0.")
    return Volume((stored.array != 0).astype(np.uint8), stored.ras_from_ijk, stored.name), record


def read_labels(path: str | Path, reference: Volume) -> tuple[Volume, dict[str, Any]]:
    """A label map on the grid of `reference`, uint8 or uint16, 0 where nothing is labelled.

    A map on another grid is resampled: each voxel takes the label of the nearest voxel of the map, 0 outside it. The
    record then has `resampled` true, `covered` (the share of the reference inside the map) and `lost_labels` (those too
    small, or too far outside, to be left). Whole numbers in a floating-point file are read.

    Sim2RealError as for `read_volume` (a constant map may be read), for values that are not labels, and where no label
    lies inside the reference.
    """
    return place_labels(*_read_grid(Path(path), "labels"), reference)


def place_labels(stored: Volume, record: dict[str, Any], reference: Volume) -> tuple[Volume, dict[str, Any]]:
    """What `read_labels` gives of a map and its record."""
    labels = as_labels(stored)
    if not labels.array.any():
        raise Sim2RealError(f"{labels.name} holds no label: every voxel is 0.")
    if labels.same_grid(reference):
        return Volume(labels.array, reference.ras_from_ijk, labels.name), record | {"resampled": False}
    covered = _coverage(labels, reference)
    if not covered:
        raise Sim2RealError(
            f"{labels.name} does not overlap {reference.name}: they lie in different places. Is it a map of this CT?"
        )
    resampled = Volume(resample_nearest(labels, reference), reference.ras_from_ijk, labels.name)
    lost = np.setdiff1d(label_ids(labels), label_ids(resampled))
    if not resampled.array.any():
        raise Sim2RealError(f"{labels.name}: none of its labels lies inside {reference.name}.")
    if covered < 1.0 or lost.size:
        LOG.warning(
            "%s is on another grid than %s: it covers %.0f %% of it%s.",
            labels.name,
            reference.name,
            100 * covered,
            f", and labels {', '.join(map(str, lost))} are lost" if lost.size else "",
        )
    return resampled, record | {"resampled": True, "covered": covered, "lost_labels": lost.tolist()}


def label_ids(labels: Volume) -> tuple[int, ...]:
    """The labels, 0 left out, that a map of uint8 or uint16 holds, in ascending order."""
    present = np.zeros(HIGHEST_LABEL + 1, dtype=bool)
    for plane in labels.array:
        present[plane] = True
    return tuple((np.flatnonzero(present[1:]) + 1).tolist())


def grid_record(volume: Volume) -> dict[str, Any]:
    """What a record keeps of a grid."""
    return {"shape_ijk": list(volume.shape_ijk), "spacing_mm": volume.spacing_mm.tolist()}


def as_labels(volume: Volume) -> Volume:
    """The volume as uint8 or uint16. Sim2RealError if its values are not whole numbers from 0 to 65535."""
    lowest, highest = volume.array.min(), volume.array.max()
    if lowest < 0 or highest > HIGHEST_LABEL:
        raise Sim2RealError(
            f"{volume.name} is not a label map: its values run from {lowest:g} to {highest:g}, labels from 0 to "
            f"{HIGHEST_LABEL}."
        )
    labels = volume.array.astype(np.uint8 if highest <= 255 else np.uint16)
    if volume.array.dtype.kind == "f" and not np.array_equal(labels, volume.array):
        raise Sim2RealError(
            f"{volume.name} is not a label map: it holds fractions. A probability map, or interpolated?"
        )
    return Volume(labels, volume.ras_from_ijk, volume.name)


def require_finite(volume: Volume) -> Volume:
    """The volume; Sim2RealError if a voxel is NaN or infinite."""
    for extreme in (volume.array.min(), volume.array.max()):
        if not np.isfinite(extreme):
            count = np.count_nonzero(~np.isfinite(volume.array))
            raise Sim2RealError(f"{volume.name}: {count} voxels are NaN or infinite. Give them a value first.")
    return volume


def require_contrast(volume: Volume) -> Volume:
    """The volume; Sim2RealError if all its voxels are the same."""
    if volume.array.min() == volume.array.max():
        raise Sim2RealError(f"{volume.name} is constant: every voxel is {volume.array.flat[0]}. Is it the right file?")
    return volume


def resample_nearest(labels: Volume, reference: Volume) -> np.ndarray:
    """The voxels of `reference`, each with the label of the nearest voxel of a map, 0 outside it."""
    lps = RAS_FROM_LPS @ reference.ras_from_ijk
    image = sitk.Resample(
        itk_image(labels),
        reference.shape_ijk,
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        lps[:3, 3].tolist(),
        reference.spacing_mm.tolist(),
        (lps[:3, :3] / reference.spacing_mm).ravel().tolist(),
    )
    return sitk.GetArrayFromImage(image)


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write a .nii.gz, .nrrd or .mha file, compressed; a file that cannot be written whole is not left behind.

    Sim2RealError: another suffix, a folder or disk that does not take the file.
    """
    path = Path(path)
    suffix = require_written_suffix(path)
    partial = path.with_name(f".{uuid.uuid4().hex}{suffix}")
    try:
        with silent_stderr():
            sitk.WriteImage(itk_image(volume), str(partial), useCompression=True)
        if suffix == ".nii.gz":
            read_nifti(partial)  # ITK reports no error when the disk is full
        partial.replace(path)
    except (RuntimeError, OSError, Sim2RealError) as error:
        raise Sim2RealError(
            f"{path} cannot be written: is the folder there and writable, and the disk not full?"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def require_written_suffix(path: Path) -> str:
    """The suffix of a file that `write_volume` would write; Sim2RealError for another one."""
    suffix = _suffix(path)
    if suffix not in (".nii.gz", ".nrrd", ".mha"):
        raise Sim2RealError(f"{path}: volumes are written as .nii.gz, .nrrd or .mha.")
    return suffix


def _read_grid(path: Path, role: str) -> tuple[Volume, dict[str, Any]]:
    scene = split_scene_path(path)
    volume, record = _read_path(path, role) if scene is None else scene_reader().read_grid(*scene, role)
    return require_finite(volume), record | grid_record(volume)


def _read_path(path: Path, role: str) -> tuple[Volume, dict[str, Any]]:
    if not path.exists():
        raise Sim2RealError(f"{path} does not exist.")
    try:
        dicom = path.is_dir() or (_suffix(path) not in VOLUME_SUFFIXES and is_dicom(path))
        return _read_dicom(path, role) if dicom else _read_file(path, role)
    except OSError as error:
        raise Sim2RealError(f"{path} cannot be read: {error.strerror}.") from error


def _read_file(path: Path, role: str) -> tuple[Volume, dict[str, Any]]:
    suffix = _suffix(path)
    if suffix not in VOLUME_SUFFIXES:
        raise Sim2RealError(f"{path} has an unknown format; known are {', '.join(VOLUME_SUFFIXES)} and DICOM.")
    data = None if suffix.startswith(".nii") else detached_data(path)
    array, affine = read_nifti(path) if suffix.startswith(".nii") else read_itk(path)
    size = array.shape[::-1]
    if len(size) < 3:
        raise Sim2RealError(f"{path.name} is a two-dimensional image of size {size}; a volume is needed.")
    if any(extent > 1 for extent in size[3:]):
        raise Sim2RealError(f"{path.name} has more than three dimensions (size {size}). Save one time point alone.")
    volume = Volume(array.reshape(array.shape[-3:]), affine, path.name)
    return volume, input_record(role, path, (path, data) if data else ())


def _read_dicom(path: Path, role: str) -> tuple[Volume, dict[str, Any]]:
    series = find_series(path)
    array = read_itk_slices(path, series.files, as_float=not series.integer_rescale)
    name = path.name if path.is_dir() else path.parent.name
    volume = Volume(array, series.ras_from_ijk, name)
    return volume, input_record(role, Path(name), series.files) | {"modality": series.modality}


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def _coverage(labels: Volume, reference: Volume) -> float:
    """The share of the voxels of `reference`, sampled evenly, that lie inside the grid of `labels`."""
    axes = [np.linspace(0, size - 1, min(size, _COVERAGE_SAMPLES)) for size in reference.shape_ijk]
    samples = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return float(np.mean(labels.contains(transform_points(reference.ras_from_ijk, samples))))
