"""Volumes from files. The independent reader is nibabel; NRRD and MetaImage headers are written and parsed by hand."""

import gzip
import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, read_volume, write_volume

OBLIQUE = translation((-31.5, 12.25, 400.0)) @ rotation((0.6, 0.0, 0.8), 25.0) @ np.diag([0.75, 0.8, 2.5, 1.0])
GRIDS = {
    "straight": np.diag([1.0, 1.0, 1.0, 1.0]),
    "anisotropic": translation((5.0, -6.0, 7.0)) @ np.diag([0.5, 0.7, 3.0, 1.0]),
    "as scanners store it": translation((90.0, 80.0, -70.0)) @ np.diag([-0.7, -0.7, 2.0, 1.0]),
    "oblique": OBLIQUE,
    "left-handed": OBLIQUE @ np.diag([-1.0, 1.0, 1.0, 1.0]),
    "permuted": OBLIQUE[:, [2, 0, 1, 3]],
}
SHEARED = GRIDS["anisotropic"] + [[0, 0, 0.8, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
BRIGHT_IJK = (2, 3, 4)
SHAPE_IJK = (6, 7, 8)


def voxels(dtype: type = np.int16) -> np.ndarray:
    """A dim noise with one bright voxel, (I, J, K) as nibabel has it."""
    array = np.random.default_rng(0).integers(-1000, 100, SHAPE_IJK).astype(dtype)
    array[BRIGHT_IJK] = 3000
    return array


def save_nifti(path: Path, affine: np.ndarray, array: np.ndarray, sform_code=1, qform_code=1) -> Path:
    image = nib.Nifti1Image(array, affine, dtype=array.dtype)
    image.set_sform(affine if sform_code else None, sform_code)
    image.set_qform(affine if qform_code else None, qform_code)
    nib.save(image, path)
    return path


def save_patched(path: Path, offset: int, values: np.ndarray, sform_code=1, qform_code=0) -> None:
    """A NIfTI file with header bytes replaced; offsets as in nifti1.h."""
    data = bytearray(save_nifti(path, np.eye(4), voxels(), sform_code, qform_code).read_bytes())
    data[offset : offset + values.nbytes] = values.tobytes()
    path.write_bytes(data)


def bright_ras(volume: Volume) -> np.ndarray:
    ijk = np.unravel_index(np.argmax(volume.array), volume.array.shape)[::-1]
    return (volume.ras_from_ijk @ [*ijk, 1.0])[:3]


def refusal(read, *arguments) -> str:
    with pytest.raises(Sim2RealError) as caught:
        read(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("codes", [(1, 1), (0, 1), (2, 0)], ids=["both", "qform", "sform"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_bright_voxel_lies_where_nibabel_puts_it(tmp_path, grid, codes):
    path = save_nifti(tmp_path / "ct.nii.gz", GRIDS[grid], voxels(), *codes)
    volume, _ = read_volume(path)
    expected = (nib.load(path).affine @ [*BRIGHT_IJK, 1.0])[:3]
    np.testing.assert_allclose(bright_ras(volume), expected, atol=1e-6)
    np.testing.assert_array_equal(volume.array, voxels().transpose())
    np.testing.assert_allclose(expected, (GRIDS[grid] @ [*BRIGHT_IJK, 1.0])[:3], atol=1e-3)  # float32 in the header


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", ">i2", ">f4"])
def test_dtypes_and_byte_orders_are_kept(tmp_path, dtype):
    array = np.arange(336).reshape(SHAPE_IJK).astype(dtype)
    image = nib.Nifti1Image(
        array, np.eye(4), nib.Nifti1Header(endianness=">" if ">" in dtype else "<"), dtype=array.dtype
    )
    nib.save(image, tmp_path / "ct.nii")
    volume, _ = read_volume(tmp_path / "ct.nii")
    assert volume.array.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(volume.array, array.transpose())


def test_doubles_become_floats_and_scaled_integers_their_value(tmp_path):
    doubles, _ = read_volume(save_nifti(tmp_path / "f8.nii", np.eye(4), voxels() * np.float64(0.1)))
    assert doubles.array.dtype == np.float32
    np.testing.assert_allclose(doubles.array, voxels().transpose() * 0.1, rtol=1e-7)
    path = tmp_path / "scaled.nii"
    save_patched(path, 112, np.float32([0.5, -1024.0]))  # scl_slope, scl_inter
    scaled, _ = read_volume(path)
    assert scaled.array.dtype == np.float32
    np.testing.assert_array_equal(scaled.array, voxels().transpose() * 0.5 - 1024.0)
    np.testing.assert_array_equal(scaled.array, nib.load(path).get_fdata().transpose())


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("grid", GRIDS)
def test_what_is_written_is_read_back(tmp_path, grid, suffix):
    written = Volume(np.ascontiguousarray(voxels().transpose()), GRIDS[grid])
    path = tmp_path / f"ct{suffix}"
    write_volume(path, written)
    read, _ = read_volume(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read.array.dtype == np.int16
    np.testing.assert_array_equal(read.array, written.array)
    np.testing.assert_allclose(read.ras_from_ijk, written.ras_from_ijk, atol=1e-4)  # NIfTI's header is float32
    if suffix == ".nii.gz":
        np.testing.assert_allclose(nib.load(path).affine, GRIDS[grid], atol=1e-4)
    if suffix == ".nrrd":  # space directions and origin by hand, LPS
        header = path.read_bytes().split(b"\n\n")[0].decode()
        vectors = re.search(r"space directions: (.*)", header)[1] + re.search(r"space origin: (.*)", header)[1]
        numbers = np.array(re.findall(r"-?[\d.]+(?:e-?\d+)?", vectors), dtype=float).reshape(4, 3)
        np.testing.assert_allclose(numbers.T * [[-1.0], [-1.0], [1.0]], GRIDS[grid][:3], atol=1e-9)


def nrrd(space: str, directions: str = "(1,0,0) (0,2,0) (0,0,3)", sizes: str = "8 7 6", extra: str = "") -> bytes:
    dimension = len(sizes.split())
    head = f"NRRD0005\ntype: int16\ndimension: {dimension}\nsizes: {sizes}\nendian: little\nencoding: raw\n{extra}"
    place = f"{space}space directions: {directions}\nspace origin: (10,20,30)\n" if space else ""
    return (head + place + "\n").encode() + voxels().tobytes()


def mha(extra: str, size: str = "8 7 6", data: str = "LOCAL") -> bytes:
    head = f"ObjectType = Image\nNDims = {len(size.split())}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    return f"{head}{extra}DimSize = {size}\nElementType = MET_SHORT\nElementDataFile = {data}\n".encode() + (
        voxels().tobytes() if data == "LOCAL" else b""
    )


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior", (-1, -1, 1)), ("right-anterior-superior", (1, 1, 1)), ("LAS", (-1, 1, 1))],
)
def test_nrrd_spaces(tmp_path, space, signs):
    (tmp_path / "ct.nrrd").write_bytes(nrrd(f"space: {space}\n"))
    volume, _ = read_volume(tmp_path / "ct.nrrd")
    expected = np.array([[1, 0, 0, 10], [0, 2, 0, 20], [0, 0, 3, 30]]) * np.reshape(signs, (3, 1))
    np.testing.assert_allclose(volume.ras_from_ijk[:3], expected)
    np.testing.assert_array_equal(volume.array.ravel(), voxels().ravel())


def test_metaimage_with_its_data_beside_it(tmp_path):
    header, data = tmp_path / "ct.mhd", tmp_path / "ct.raw"
    header.write_bytes(
        mha("ElementSpacing = 1 2 3\nOffset = 10 20 30\nTransformMatrix = 0 1 0 -1 0 0 0 0 1\n", data="ct.raw")
    )
    data.write_bytes(voxels().tobytes())
    volume, record = read_volume(header)
    # MetaImage lists the direction of the first axis first, in LPS: here (0, 1, 0), so +i is posterior
    np.testing.assert_allclose(volume.ras_from_ijk[:3], [[0, 2, 0, -10], [-1, 0, 0, -20], [0, 0, 3, 30]])
    hashes = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in (header, data))
    assert record["sha256"] == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_the_record_says_what_was_read(tmp_path):
    path = save_nifti(tmp_path / "ct.nii.gz", GRIDS["anisotropic"], voxels())
    _, record = read_volume(path, "implant")
    assert json.loads(json.dumps(record)) == {
        "role": "implant",
        "name": "ct.nii.gz",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "shape_ijk": [6, 7, 8],
        "spacing_mm": pytest.approx([0.5, 0.7, 3.0]),
    }


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_scanner_padding_is_raised_and_counted_and_all_else_is_kept(tmp_path, dtype):
    array = voxels(dtype)
    array[0, 0, :5] = [-1025, -2000, -3024, -1024, 30710]
    volume, record = read_ct(save_nifti(tmp_path / "ct.nii", np.eye(4), array))
    assert record["role"] == "ct" and record["raised_to_lowest_hu"] == 3
    assert volume.array.dtype == dtype
    array[0, 0, :3] = -1024
    np.testing.assert_array_equal(volume.array, array.transpose())


@pytest.mark.parametrize("scale", [lambda hu: hu + 1024, lambda hu: (hu + 1000) / 2000.0, lambda hu: hu / 1000.0])
def test_values_that_are_not_hounsfield_units_are_refused(tmp_path, scale):
    array = scale(voxels().clip(-1000).astype(np.float32))
    message = refusal(read_ct, save_nifti(tmp_path / "ct.nii", np.eye(4), array))
    assert "are not Hounsfield units" in message


def test_one_slice_and_one_time_point_are_volumes(tmp_path):
    volume, _ = read_volume(save_nifti(tmp_path / "slice.nii", GRIDS["anisotropic"], voxels()[:, :, :1]))
    assert volume.shape_ijk == (6, 7, 1)
    assert volume.spacing_mm[2] == pytest.approx(3.0)
    volume, _ = read_volume(save_nifti(tmp_path / "time.nii", np.eye(4), voxels()[..., None]))
    assert volume.shape_ijk == SHAPE_IJK
    (tmp_path / "time.mha").write_bytes(mha("ElementSpacing = 1 2 3 1\n", "8 7 6 1"))
    volume, _ = read_volume(tmp_path / "time.mha")
    np.testing.assert_array_equal(volume.array.ravel(), voxels().ravel())


RGB = np.zeros(SHAPE_IJK, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
NOT_A_NUMBER = np.where(voxels() == 3000, np.nan, 0.0).astype(np.float32)
BAD_NIFTI = {
    "constant: every voxel is 7": lambda path: save_nifti(path, np.eye(4), np.full(SHAPE_IJK, 7, np.int16)),
    "1 voxels are NaN or infinite": lambda path: save_nifti(path, np.eye(4), NOT_A_NUMBER),
    "2 voxels are NaN or infinite": lambda path: save_nifti(
        path, np.eye(4), np.where(np.arange(336).reshape(SHAPE_IJK) < 2, np.inf, 0.0).astype(np.float32)
    ),
    "more than three dimensions": lambda path: save_nifti(path, np.eye(4), np.stack([voxels(), voxels()], -1)),
    "two-dimensional image": lambda path: save_nifti(path, np.eye(4), voxels()[0]),
    "holds colours": lambda path: save_nifti(path, np.eye(4), RGB),
    "complex numbers": lambda path: save_nifti(path, np.eye(4), voxels().astype(np.complex64)),
    "grid is sheared": lambda path: save_nifti(path, SHEARED, voxels(), 1, 0),
    "does not say how the volume lies": lambda path: save_nifti(path, np.eye(4), voxels(), 0, 0),
    "lengths in metres": lambda path: save_patched(path, 123, np.uint8([1])),
    "the volume is empty": lambda path: save_patched(path, 46, np.int16([0])),
    "not a unit quaternion": lambda path: save_patched(path, 256, np.float32([3.0]), 0, 1),
    "not a finite affine": lambda path: save_patched(path, 280, np.float32([np.nan])),
    "transform is singular": lambda path: save_patched(path, 280, np.float32([0.0])),
    "header is damaged": lambda path: save_patched(path, 108, np.float32([np.nan])),
    "is a NIfTI-2 file": lambda path: nib.save(nib.Nifti2Image(voxels(), np.eye(4)), path),
    "not a NIfTI-1 file": lambda path: path.write_bytes(b"hello" * 100),
}


@pytest.mark.parametrize("message", BAD_NIFTI)
def test_refuses_a_bad_nifti(tmp_path, message, capfd):
    BAD_NIFTI[message](tmp_path / "bad.nii")
    assert message in refusal(read_volume, tmp_path / "bad.nii")
    assert capfd.readouterr() == ("", ""), "ITK must not write to the terminal"


@pytest.mark.parametrize(("sform", "message"), [(SHEARED, "grid is sheared"), (OBLIQUE, "places the volume twice")])
def test_two_transforms_that_differ_are_refused(tmp_path, sform, message):
    """SimpleITK alone takes the qform in place of a sheared sform, and either of two that are merely different."""
    image = nib.Nifti1Image(voxels(), sform)
    image.set_sform(sform, 1)
    image.set_qform(GRIDS["anisotropic"], 1)
    nib.save(image, tmp_path / "ct.nii")
    assert SimpleITK.ReadImage(str(tmp_path / "ct.nii")).GetSize() == SHAPE_IJK
    assert message in refusal(read_volume, tmp_path / "ct.nii")


LPS = "space: left-posterior-superior\n"
BAD_FILES = {
    "does not exist": ("none.nii", None),
    "unknown format": ("ct.txt", b"text"),
    "does not say how the volume lies": ("ct.nrrd", nrrd("")),
    "'space' is missing or not": ("ct.nrrd", nrrd("space: scanner-xyz\n")),
    "grid is sheared": ("ct.nrrd", nrrd(LPS, "(1,0,0) (0,2,0) (0,0.8,3)")),
    "2 values a voxel": (
        "ct.nrrd",
        nrrd(LPS, "none (1,0,0) (0,2,0) (0,0,3)", "2 7 4 6", "kinds: vector domain domain domain\n"),
    ),
    "more than three dimensions": ("ct.mha", mha("ElementSpacing = 1 2 3 1\n", "8 7 3 2")),
    "the volume is empty": ("ct.mha", mha("ElementSpacing = 1 2 3\n", "8 7 0")),
    "two axes meet at": ("ct.mha", mha("TransformMatrix = 1 0 0 0 1 0 0 0.3 0.95\n")),
    "transform is singular": ("ct.mha", mha("TransformMatrix = 1 0 0 0 1 0 0 1 0\n")),
    "in '../ct.raw'; only one file": ("ct.mhd", mha("", data="../ct.raw")),
    "in '/etc/passwd'; only one file": ("ct.nrrd", nrrd(LPS, extra="data file: /etc/passwd\n")),
    "the file with its voxels, ct.raw, is missing": ("ct.mhd", mha("", data="ct.raw")),
    "too many for the memory here": ("ct.mha", mha("", "40000 30000 20000")),
    "holds no DICOM images": (".", None),
}


@pytest.mark.parametrize("message", BAD_FILES)
def test_refuses_a_bad_file(tmp_path, message, capfd):
    name, content = BAD_FILES[message]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert message in refusal(read_volume, tmp_path / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", [0.0, 0.04, 0.5, 0.99])
@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "raw.nrrd", "ct.nrrd", "raw.mha", "ct.mha"])
def test_refuses_a_truncated_file(tmp_path, name, kept, capfd):
    path, image = (
        tmp_path / name,
        SimpleITK.GetImageFromArray(np.random.default_rng(1).integers(-1000, 1000, (9, 20, 30))),
    )
    SimpleITK.WriteImage(SimpleITK.Cast(image, SimpleITK.sitkInt16), str(path), useCompression="raw" not in name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    capfd.readouterr()
    assert re.search("truncated|not a NIfTI-1 file", refusal(read_volume, path))
    assert capfd.readouterr() == ("", "")


def test_refuses_a_damaged_gzip(tmp_path):
    path = save_nifti(tmp_path / "ct.nii", np.eye(4), voxels())
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[-6] ^= 0xFF  # in the checksum
    (tmp_path / "ct.nii.gz").write_bytes(packed)
    assert "truncated or damaged" in refusal(read_volume, tmp_path / "ct.nii.gz")


def test_the_terminal_is_given_back_after_reading_in_threads(tmp_path, capfd):
    path = tmp_path / "ct.nrrd"
    path.write_bytes(nrrd(LPS))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_volume, [path] * 64))
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_refuses_to_write_where_it_cannot(tmp_path):
    volume = Volume(voxels().transpose(), np.eye(4))
    assert "written as .nii.gz" in refusal(write_volume, tmp_path / "ct.dcm", volume)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        assert "cannot be written" in refusal(write_volume, tmp_path / "none" / f"ct{suffix}", volume)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path, suffix):
    """A file-size limit stands for the disk; SimpleITK alone reports no error for NIfTI."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / f"ct{suffix}"
    path.write_bytes(b"old")
    big = Volume(np.random.default_rng(0).integers(-1000, 3000, (40, 40, 40)).astype(np.int16), np.eye(4))
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        message = refusal(write_volume, path, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "disk not full?" in message
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_real_ct(real_data):
    """Sizes and HU ranges as the data's README states them; the place as nibabel reads it."""
    path = real_data / "abdomen_pelvis" / "ct.nii.gz"
    volume, record = read_ct(path)
    image = nib.load(path)
    np.testing.assert_allclose(volume.ras_from_ijk, image.affine, atol=1e-9)
    stored = np.asanyarray(image.dataobj).transpose()
    assert volume.shape_ijk == (122, 101, 112) and stored.min() == -1207 and volume.array.min() == -1024
    assert record["raised_to_lowest_hu"] == np.count_nonzero(stored < -1024)
    np.testing.assert_array_equal(volume.array, np.maximum(stored, -1024))
