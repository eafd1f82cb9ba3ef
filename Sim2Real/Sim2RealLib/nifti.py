"""NIfTI-1 files.

They are read here and not by SimpleITK, which fills a truncated file up with zeros, turns NaN into 0, and, where the
header holds two transforms that differ, takes one of them, even in place of a sheared one; all without a word.

Source: the NIfTI-1.1 header definition, nifti1.h, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h ("methods"
2 and 3 of its section on orientation for the transforms).
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import Sim2RealError
from .geometry import require_grid_affine, transform_points

_HEADER = np.dtype(
    {
        "names": [
            *("sizeof_hdr", "dim", "datatype", "pixdim", "vox_offset", "scl_slope", "scl_inter", "xyzt_units"),
            *("qform_code", "sform_code", "quatern", "qoffset", "srow", "magic"),
        ],
        "formats": ["i4", "8i2", "i2", "8f4", "f4", "f4", "f4", "u1", "i2", "i2", "3f4", "3f4", "(3,4)f4", "S4"],
        "offsets": [0, 40, 70, 76, 108, 112, 116, 123, 252, 254, 256, 268, 280, 344],
        "itemsize": 348,
    }
)
_DTYPES = {
    **{2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"},
    **{256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"},
}
_COMPLEX, _COLOUR = (32, 1792, 2048), (128, 2304)
_SMALLEST_OFFSET, _LARGEST_OFFSET = 352, 2**31
_NIFTI_2_HEADER_SIZE = 540
_LENGTH_UNIT_MASK, _UNKNOWN_UNIT, _MILLIMETRE = 0x07, 0, 2
_MAX_DISAGREEMENT_VOXELS = 0.5
"""Largest distance between the places two equivalent transforms give a corner; a float32 quaternion rounds by less."""
_FLOAT32_ROUNDING = 3.0 * float(np.finfo(np.float32).eps)
"""A quaternion's first element, squared, below which it is 0: the others are float32 in the header."""
_CHUNK = 1 << 20


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The values of a .nii or .nii.gz file, shape (…, K, J, I), and the 4×4 RAS position of voxel (i, j, k) in mm.

    Integers keep their dtype, unless the header scales them; scaled values and doubles become float32. Of the header's
    transforms the sform is preferred, as NIfTI intends, then the qform.

    Sim2RealError: not NIfTI-1, an empty dimension, complex numbers or colour, no transform, two transforms that differ,
    a sheared or singular one, lengths not in mm, voxel data incomplete, damaged or too large for the memory.
    """
    with _opened(path) as stream:
        header = _header(path.name, stream.read(_HEADER.itemsize))
        affine = _affine(path.name, header)
        array = _values(path.name, stream, header)
        while stream.read(_CHUNK):  # to the end, where gzip has its checksum
            pass
    return array, affine


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed if they start as gzip does."""
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield gzip.GzipFile(fileobj=raw) if compressed else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Sim2RealError(
            f"{path.name} is truncated or damaged: it does not unpack. Copy or export it again."
        ) from error


def _header(name: str, data: bytes) -> np.void:
    if len(data) < _HEADER.itemsize:
        raise Sim2RealError(f"{name} is truncated: it ends inside the NIfTI header. Copy or export it again.")
    sizes = struct.unpack("<i", data[:4]) + struct.unpack(">i", data[:4])
    if _NIFTI_2_HEADER_SIZE in sizes:
        raise Sim2RealError(f"{name} is a NIfTI-2 file, which is not read. Save it as NIfTI-1 or NRRD.")
    if _HEADER.itemsize not in sizes or data[344:348] != b"n+1\0":
        raise Sim2RealError(f"{name} is not a NIfTI-1 file, whatever its name says.")
    header = np.frombuffer(data, _HEADER.newbyteorder("<" if sizes[0] == _HEADER.itemsize else ">"))[0]
    if not 1 <= header["dim"][0] <= 7 or not _SMALLEST_OFFSET <= header["vox_offset"] <= _LARGEST_OFFSET:
        raise Sim2RealError(f"{name}: its NIfTI header is damaged. Copy or export it again.")
    if min(_shape(header)) < 1:
        raise Sim2RealError(f"{name}: the volume is empty (size {_shape(header)[::-1]}).")
    if header["datatype"] in _COMPLEX:
        raise Sim2RealError(f"{name} holds complex numbers; a volume holds real ones.")
    if header["datatype"] in _COLOUR:
        raise Sim2RealError(f"{name} holds colours; a volume has one value a voxel.")
    if header["datatype"] not in _DTYPES:
        raise Sim2RealError(f"{name} has voxels of NIfTI type {header['datatype']}, which is not read.")
    return header


def _shape(header: np.void) -> tuple[int, ...]:
    return tuple(int(size) for size in header["dim"][1 : header["dim"][0] + 1][::-1])


def _values(name: str, stream: BinaryIO, header: np.void) -> np.ndarray:
    stored = np.dtype(_DTYPES[int(header["datatype"])]).newbyteorder(header.dtype["dim"].base.byteorder)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    scaled = slope != 0.0 and np.isfinite([slope, intercept]).all() and (slope, intercept) != (1.0, 0.0)
    becomes_float = scaled or stored.kind == "f"
    try:
        array = np.empty(_shape(header), np.float32 if becomes_float else stored.newbyteorder("="))
    except (MemoryError, ValueError) as error:
        raise Sim2RealError(f"{name}: a volume of size {_shape(header)[::-1]} does not fit into memory.") from error
    stream.seek(int(header["vox_offset"]))
    values = array.reshape(-1)
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        data = stream.read(part.size * stored.itemsize)
        if len(data) < part.size * stored.itemsize:
            raise Sim2RealError(
                f"{name} is truncated: it ends after {start + len(data) // stored.itemsize} of {values.size} voxels. "
                "Copy or export it again."
            )
        read = np.frombuffer(data, stored)
        part[...] = read * slope + intercept if scaled else read
    return array


def _affine(name: str, header: np.void) -> np.ndarray:
    if int(header["xyzt_units"]) & _LENGTH_UNIT_MASK not in (_UNKNOWN_UNIT, _MILLIMETRE):
        raise Sim2RealError(f"{name}: its header gives lengths in metres or micrometres. Save it in millimetres.")
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        raise Sim2RealError(
            f"{name}: its header does not say how the volume lies in the patient (sform and qform codes are 0). "
            "Save it again from the software that knows, or load it in Slicer, check left and right, and save it."
        )
    if header["sform_code"] <= 0:
        return require_grid_affine(_qform(name, header), name)
    sform = np.vstack([header["srow"].astype(np.float64), [0.0, 0.0, 0.0, 1.0]])
    require_grid_affine(sform, name)
    if header["qform_code"] > 0:
        _require_agreement(name, header, sform)
    return sform


def _qform(name: str, header: np.void) -> np.ndarray:
    """Rotation by a unit quaternion (a, b, c, d), a ≥ 0, of the spacings; pixdim[0] = −1 mirrors the third axis."""
    b, c, d = header["quatern"].astype(np.float64)
    squared = 1.0 - b * b - c * c - d * d
    if not squared > -1e-5:
        raise Sim2RealError(f"{name}: the rotation in its header (qform) is not a unit quaternion.")
    a = np.sqrt(squared) if squared > _FLOAT32_ROUNDING else 0.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = header["pixdim"][1:4].astype(np.float64)
    spacing[2] *= -1.0 if header["pixdim"][0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    affine[:3, 3] = header["qoffset"]
    return affine


def _require_agreement(name: str, header: np.void, sform: np.ndarray) -> None:
    last = header["dim"][1:4] - 1
    corners_ijk = np.array(
        [[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])], dtype=np.float64
    )
    difference = transform_points(sform, corners_ijk) - transform_points(_qform(name, header), corners_ijk)
    distance = np.linalg.norm(difference, axis=1).max()
    if not distance <= _MAX_DISAGREEMENT_VOXELS * np.linalg.norm(sform[:3, :3], axis=0).min():
        raise Sim2RealError(
            f"{name}: its header places the volume twice (sform and qform), up to {distance:.1f} mm apart. "
            "Save it with the transform that is right, for example from Slicer after checking it there."
        )
