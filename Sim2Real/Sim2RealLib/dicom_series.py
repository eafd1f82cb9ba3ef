"""A DICOM CT series as one rectangular grid: which files, in which order, where they lie.

Attributes are named as in DICOM PS3.3, sections C.7.6.2 (Image Plane Module) and C.8.2.1 (CT Image Module). Files are
read with pydicom up to their pixels; nothing is taken from file names.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from .errors import Sim2RealError
from .geometry import RAS_FROM_LPS, require_grid_affine

MAX_FILES = 20_000
"""More files than this in a folder is a mistake (a whole archive), not a series."""
_MAX_POSITION_ERROR = 0.1
"""Largest distance of a slice from its regular place, in slice distances; some scanners round positions to 0.1 mm."""
_SAME_DIRECTION = 1e-3
_TAGS = [
    "SeriesInstanceUID",
    "SeriesDescription",
    "Modality",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SliceThickness",
    "NumberOfFrames",
    "SamplesPerPixel",
    "RescaleSlope",
    "RescaleIntercept",
]


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """Files in the order of their slices; the 4×4 RAS position of voxel (i, j, k); whether stored values become HU
    (or whatever the modality's unit is) by whole numbers."""

    files: tuple[Path, ...]
    ras_from_ijk: np.ndarray
    modality: str
    integer_rescale: bool


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's preamble (PS3.10, section 7.1)."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def find_series(path: Path) -> DicomSeries:
    """The series in a folder that holds one, or the series that a file belongs to, from the files of its folder.

    Sim2RealError, each with its own message: no image, several series (they are listed), a damaged or multi-frame or
    colour file, slices of different orientation or size (a localizer), two slices in one place, a missing slice or
    irregular distances, and a sheared grid (tilted gantry).
    """
    folder = path if path.is_dir() else path.parent
    wanted = None if path.is_dir() else str(_read_header(path).get("SeriesInstanceUID", ""))
    images = [(file, header) for file, header in _headers(folder) if "Rows" in header]
    series: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for file, header in images:
        series.setdefault(str(header.get("SeriesInstanceUID", "")), []).append((file, header))
    if wanted is not None:
        series = {uid: members for uid, members in series.items() if uid == wanted}
    if not series:
        raise Sim2RealError(f"{path} holds no DICOM images.")
    if len(series) > 1:
        raise Sim2RealError(
            f"{path} holds {len(series)} DICOM series: {_listing(series)}. Give one file of the series that is meant."
        )
    return _arranged(path.name, next(iter(series.values())))


def _headers(folder: Path) -> Iterator[tuple[Path, pydicom.Dataset]]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    if len(files) > MAX_FILES:
        raise Sim2RealError(f"{folder} holds {len(files)} files, more than a series has ({MAX_FILES}).")
    for file in files:
        if is_dicom(file) and file.name != "DICOMDIR":
            yield file, _read_header(file)


def _read_header(file: Path) -> pydicom.Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
            values = {tag: header.get(tag) for tag in _TAGS}
    except Exception as error:  # pydicom raises many kinds of them on a damaged file
        raise Sim2RealError(f"{file} is a damaged DICOM file. Copy or export it again.") from error
    if not values["SeriesInstanceUID"] or (values["Modality"] == "CT" and not values["Rows"]):
        raise Sim2RealError(f"{file} is a truncated DICOM file: it ends in its header. Copy or export it again.")
    return header


def _listing(series: dict[str, list[tuple[Path, pydicom.Dataset]]]) -> str:
    shown = [
        f"'{members[0][1].get('SeriesDescription', '')}' ({len(members)} files, such as {members[0][0].name})"
        for members in list(series.values())[:10]
    ]
    return "; ".join(shown) + ("; …" if len(series) > len(shown) else "")


def _arranged(name: str, members: Sequence[tuple[Path, pydicom.Dataset]]) -> DicomSeries:
    first_file, first = members[0]
    for file, header in members:
        _require_single_slice(file, header)
    row, column, normal = _axes(first)
    for file, header in members:
        alike = (header.Rows, header.Columns) == (first.Rows, first.Columns) and np.allclose(
            [*header.PixelSpacing, *header.ImageOrientationPatient],
            [*first.PixelSpacing, *first.ImageOrientationPatient],
            atol=_SAME_DIRECTION,
        )
        if not alike:
            raise Sim2RealError(
                f"{name}: {file.name} and {first_file.name} belong to one series but differ in size, pixel spacing or "
                "orientation (a localizer?). Put the slices of the volume alone into a folder."
            )
    positions = np.array([header.ImagePositionPatient for _, header in members], dtype=np.float64)
    order = np.argsort(positions @ normal, kind="stable")
    files = tuple(members[index][0] for index in order)
    step = _slice_step(name, positions[order], normal, [file.name for file in files], first)
    lps_from_ijk = np.eye(4)
    lps_from_ijk[:3, :3] = np.stack([row * first.PixelSpacing[1], column * first.PixelSpacing[0], step], axis=1)
    lps_from_ijk[:3, 3] = positions[order[0]]
    rescale = [float(header.get(tag, 0.0)) for _, header in members for tag in ("RescaleSlope", "RescaleIntercept")]
    return DicomSeries(
        files=files,
        ras_from_ijk=require_grid_affine(RAS_FROM_LPS @ lps_from_ijk, name),
        modality=str(first.get("Modality", "")),
        integer_rescale=all(value.is_integer() for value in rescale),
    )


def _require_single_slice(file: Path, header: pydicom.Dataset) -> None:
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise Sim2RealError(
            f"{file} is a multi-frame DICOM object, which is not read. Save it as NRRD or NIfTI in Slicer."
        )
    if int(header.get("SamplesPerPixel") or 1) > 1:
        raise Sim2RealError(f"{file} is a colour image. A volume has one value a voxel.")
    lengths = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
    for tag, length in lengths.items():
        values = np.array(header.get(tag) or [], dtype=np.float64)
        if values.shape != (length,) or not np.all(np.isfinite(values)):
            raise Sim2RealError(f"{file} does not say where its slice lies ({tag} is missing or wrong).")


def _axes(header: pydicom.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors in LPS along a row (growing column index), along a column, and of the slices' normal."""
    orientation = np.array(header.ImageOrientationPatient, dtype=np.float64)
    row, column = (axis / max(np.linalg.norm(axis), 1e-6) for axis in (orientation[:3], orientation[3:]))
    normal = np.cross(row, column)
    return row, column, normal / max(np.linalg.norm(normal), 1e-6)


def _slice_step(
    name: str, positions: np.ndarray, normal: np.ndarray, names: Sequence[str], first: pydicom.Dataset
) -> np.ndarray:
    """The displacement from one slice to the next, of sorted `positions` (N, 3): shape (3,), mm."""
    if len(positions) == 1:
        thickness = float(first.get("SliceThickness") or 0.0)
        if thickness <= 0.0:
            raise Sim2RealError(f"{name} has a single slice without a SliceThickness; its depth is not known.")
        return normal * thickness
    distances = np.diff(positions @ normal)
    if distances.min() < 1e-3:
        where = int(np.argmin(distances))
        raise Sim2RealError(
            f"{name}: {names[where]} and {names[where + 1]} lie in the same place (several phases or time points?). "
            "Put the slices of one volume alone into a folder."
        )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    regular = positions[0] + np.arange(len(positions))[:, None] * step
    if np.linalg.norm(positions - regular, axis=1).max() > _MAX_POSITION_ERROR * np.linalg.norm(step):
        where = int(np.argmax(np.abs(distances - np.median(distances))))
        raise Sim2RealError(
            f"{name}: the slices are not evenly spaced ({distances[where]:.2f} mm from {names[where]} to "
            f"{names[where + 1]}, mostly {np.median(distances):.2f} mm). A slice is missing or the series has gaps: "
            "complete it, or resample it to a regular grid in Slicer."
        )
    return step
