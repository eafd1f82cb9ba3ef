"""C-arm poses of X-ray angiographic files: ours, exactly, and those of real devices, as far as DICOM tells."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydantic import ValidationError

from Sim2RealLib.errors import Sim2RealError

from ..acquisition.carm import CArmDevice, CArmPose, limit_problems
from .exact_pose import exact_poses, has_exact_poses

TURN_DEG = 360.0
SQUARE = 1e-3
"""How much the sides of a square pixel may differ, as a share."""

Triple = tuple[float, float, float]


def poses_from_dicom(
    path: Path | str, isocenter_ras: Triple = (0.0, 0.0, 0.0)
) -> tuple[CArmDevice, tuple[CArmPose, ...]]:
    """The device, and the pose of each frame of a file.

    Files written by `convert --to dicom` give all of it to the last bit. Of other ones come the angles, the distances,
    the size of the pixels and their number; DICOM does not know where the isocentre is in a CT (`isocenter_ras`, mm),
    and the detector is taken to be centred on the central ray and not turned about it. The reach of the device is not
    known either: it allows every angle.

    Sim2RealError: no DICOM file, a damaged one, one that does not tell the geometry, pixels that are not square, an
    image that was turned or flipped.
    """
    header = _header(Path(path))
    try:
        device, poses = _exact(header) if has_exact_poses(header) else _standard(header, isocenter_ras)
        for problem in (problem for pose in poses for problem in limit_problems(device, pose)):
            raise ValueError(problem)
        if not np.isfinite([number for pose in poses for number in _numbers(pose)]).all():
            raise ValueError("a number is not finite")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Sim2RealError(f"{path}: no pose of a C-arm can be taken from it: {_in_words(error)}.") from error
    return device, poses


def _header(path: Path) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except OSError as error:
        raise Sim2RealError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # pydicom raises many kinds of them on a damaged file
        raise Sim2RealError(f"{path} is not a DICOM file, or a damaged one.") from error


def _exact(header: pydicom.Dataset) -> tuple[CArmDevice, tuple[CArmPose, ...]]:
    name, pixel_mm, poses = exact_poses(header)
    first = poses[0]
    distances = first.source_to_detector_mm, first.source_to_isocenter_mm
    return _device(name, header, pixel_mm, *distances), tuple(poses)


def _standard(header: pydicom.Dataset, isocenter_ras: Triple) -> tuple[CArmDevice, tuple[CArmPose, ...]]:
    if header.get("FieldOfViewRotation") or header.get("FieldOfViewHorizontalFlip", "NO") != "NO":
        raise ValueError("its image was turned or flipped after it was taken (Field of View Rotation, Horizontal Flip)")
    row_mm, column_mm = (float(side) for side in _needed(header, "ImagerPixelSpacing"))
    if abs(row_mm - column_mm) > SQUARE * row_mm:
        raise ValueError(f"its pixels are not square, {row_mm:g} × {column_mm:g} mm")
    to_detector = float(_needed(header, "DistanceSourceToDetector"))
    if header.get("DistanceSourceToPatient"):
        to_isocenter = float(header.DistanceSourceToPatient)
    else:
        to_isocenter = to_detector / float(_needed(header, "EstimatedRadiographicMagnificationFactor"))
    name = str(header.get("ManufacturerModelName") or header.get("Manufacturer") or "DICOM")
    device = _device(name, header, row_mm, to_detector, to_isocenter)
    angles = zip(_angles(header, "Primary"), _angles(header, "Secondary"), strict=True)
    return device, tuple(CArmPose(*pair, tuple(isocenter_ras), to_detector, to_isocenter) for pair in angles)


def _angles(header: pydicom.Dataset, name: str) -> np.ndarray:
    """The angle of every frame: one increment is the change per frame, several are the frames' offsets from the first
    angle (PS3.3 C.8.7.5.1.3)."""
    count = int(header.get("NumberOfFrames") or 1)
    start = float(_needed(header, f"Positioner{name}Angle"))
    increments = np.atleast_1d(header.get(f"Positioner{name}AngleIncrement") or 0.0).astype(np.float64)
    if len(increments) == 1:
        return start + increments[0] * np.arange(count)
    if len(increments) != count:
        raise ValueError(f"it has {count} frames and {len(increments)} increments of the {name.lower()} angle")
    return start + increments


def _device(
    name: str, header: pydicom.Dataset, pixel_mm: float, to_detector_mm: float, to_isocenter_mm: float
) -> CArmDevice:
    size_px = int(_needed(header, "Columns")), int(_needed(header, "Rows"))
    reach = (-TURN_DEG, TURN_DEG)
    return CArmDevice(name, *size_px, pixel_mm, to_detector_mm, to_isocenter_mm, reach, reach)


def _needed(header: pydicom.Dataset, keyword: str) -> Any:
    value = header.get(keyword)
    if value is None or value == "":
        raise ValueError(f"it has no {pydicom.datadict.dictionary_description(keyword)}")
    return value


def _numbers(pose: CArmPose) -> list[float]:
    angles = [pose.primary_deg, pose.secondary_deg, pose.in_plane_deg]
    return [*angles, *pose.isocenter_ras, *pose.detector_offset_mm, *(pose.collimation_mm or ())]


def _in_words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return str(error)
