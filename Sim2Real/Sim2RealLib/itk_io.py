"""SimpleITK's readers and images, kept quiet, with errors for people."""

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import Sim2RealError
from .geometry import RAS_FROM_LPS, require_grid_affine
from .volume import Volume

_STDERR_LOCK = threading.RLock()


def read_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The values of an NRRD or MetaImage file, shape (…, K, J, I), and the 4×4 RAS position of voxel (i, j, k) in mm.

    Doubles become float32. Sim2RealError: a header that is not understood or does not say how the volume lies, an empty
    dimension, several values a voxel, complex numbers, a sheared or singular grid, voxel data incomplete.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with itk_errors(path, "its header is damaged, truncated or not understood"):
        reader.ReadImageInformation()
    if 0 in reader.GetSize():
        raise Sim2RealError(f"{path.name}: the volume is empty (size {reader.GetSize()}).")
    if reader.GetPixelIDValue() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise Sim2RealError(f"{path.name} holds complex numbers; a volume holds real ones.")
    if reader.GetNumberOfComponents() > 1:
        raise Sim2RealError(
            f"{path.name} has {reader.GetNumberOfComponents()} values a voxel (colour, vectors, a time series?); "
            "a volume has one."
        )
    affine = _affine(path, reader)
    if reader.GetPixelIDValue() == sitk.sitkFloat64:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    with itk_errors(path, "its voxels are incomplete (a truncated file?), damaged, or too many for the memory here"):
        return sitk.GetArrayFromImage(reader.Execute()), affine


def read_itk_slices(path: Path, files: Sequence[Path], as_float: bool) -> np.ndarray:
    """The values of DICOM slices in the order given, shape (K, J, I), rescaled, float32 if `as_float`."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(file) for file in files])
    if as_float:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    with itk_errors(path, "the pixels of a slice are incomplete (a truncated file?) or in an unknown compression"):
        return sitk.GetArrayFromImage(reader.Execute())


def detached_data(path: Path) -> Path | None:
    """The file beside a .mhd, .mha or .nrrd header that holds its voxels, or None where they follow the header.

    Sim2RealError if they are in several files, in another folder or missing.
    """
    with path.open("rb") as stream:
        header = stream.read(1 << 16)
    match = re.search(rb"^(?:ElementDataFile\s*=|data ?file:)[ \t]*([^\r\n]*)", header, re.IGNORECASE | re.MULTILINE)
    name = match[1].decode(errors="replace").strip() if match else "LOCAL"
    if name.upper() == "LOCAL":
        return None
    if re.search(r"[/\\:%]", name) or name.upper().startswith("LIST"):
        raise Sim2RealError(f"{path.name}: its voxels are in '{name}'; only one file in the same folder is read.")
    data = path.with_name(name)
    if not data.is_file():
        raise Sim2RealError(f"{path.name}: the file with its voxels, {name}, is missing beside it.")
    return data


def itk_image(volume: Volume) -> sitk.Image:
    """A copy of a volume as ITK has it, in LPS."""
    lps = RAS_FROM_LPS @ volume.ras_from_ijk
    image = sitk.GetImageFromArray(volume.array)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((lps[:3, :3] / volume.spacing_mm).ravel().tolist())
    return image


@contextmanager
def itk_errors(path: Path, likely_cause: str) -> Iterator[None]:
    """SimpleITK's C++ traces as one line."""
    try:
        with silent_stderr():
            yield
    except RuntimeError as error:
        raise Sim2RealError(f"{path.name} cannot be read: {likely_cause}. Copy or export it again.") from error


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep ITK off the terminal: its MetaImage, NIfTI and GDCM parts write to the C library's error stream."""
    with _STDERR_LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # a program without a console
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(null)


def _affine(path: Path, reader: sitk.ImageFileReader) -> np.ndarray:
    """The place of an NRRD or MetaImage file, from ITK's LPS origin, spacing and directions, which may be sheared."""
    if path.suffix.lower() == ".nrrd" and (
        not reader.HasMetaDataKey("NRRD_space") or reader.GetMetaData("NRRD_space") != "left-posterior-superior"
    ):
        raise Sim2RealError(
            f"{path.name}: its header does not say how the volume lies in the patient (its 'space' is missing or not "
            "anatomical). Load it in Slicer, check left and right, and save it."
        )
    count = reader.GetDimension()
    axes = slice(min(count, 3))
    lps_from_ijk = np.eye(4)
    lps_from_ijk[axes, axes] = (np.reshape(reader.GetDirection(), (count, count)) * reader.GetSpacing())[axes, axes]
    lps_from_ijk[axes, 3] = reader.GetOrigin()[axes]
    return require_grid_affine(RAS_FROM_LPS @ lps_from_ijk, path.name)
