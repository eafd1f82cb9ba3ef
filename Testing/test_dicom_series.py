"""DICOM series, written slice by slice with pydicom. The place of voxel (column c, row r) of slice k is DICOM's own
equation C.7.6.2.1-1: ImagePositionPatient + c · PixelSpacing[1] · row cosines + r · PixelSpacing[0] · column cosines.
"""

import hashlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, read_volume

ROWS, COLUMNS, SLICES = 8, 6, 5
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURN = rotation((0.36, 0.48, 0.8), 40.0)[:3, :3]
OBLIQUE = tuple(np.concatenate([TURN[:, 0], TURN[:, 1]]).round(6))
BRIGHT = {"column": 4, "row": 1, "slice": 3}


def write_series(
    folder: Path, count: int = SLICES, orientation=AXIAL, step=None, uid=None, name="slice", **attributes
) -> str:
    """Slices in a shuffled naming order; `step` is the LPS displacement between slices, by default along the normal."""
    folder.mkdir(exist_ok=True)
    uid, study, frame = uid or generate_uid(), generate_uid(), generate_uid()
    normal = np.cross(orientation[:3], orientation[3:])
    step = 2.5 * normal if step is None else np.asarray(step)
    for k in range(count):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
        header.SeriesInstanceUID, header.StudyInstanceUID, header.FrameOfReferenceUID = uid, study, frame
        header.Modality, header.SeriesDescription, header.InstanceNumber = "CT", name, count - k
        header.Rows, header.Columns, header.PixelSpacing = ROWS, COLUMNS, [0.7, 0.5]
        header.ImageOrientationPatient = list(orientation)
        header.ImagePositionPatient = [round(value, 6) for value in np.array([10.0, 20.0, 30.0]) + k * step]
        header.SliceThickness = 2.5
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 12, 11, 0
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.RescaleSlope, header.RescaleIntercept = 1, -1024
        for key, value in attributes.items():
            setattr(header, key, value[k] if isinstance(value, tuple) else value)
        header.PixelData = stored_pixels(k).tobytes()
        header.save_as(folder / f"{name}{(k * 3 + 1) % 5}_{k}.dcm", enforce_file_format=True)
    return uid


def stored_pixels(k: int) -> np.ndarray:
    pixels = np.random.default_rng(k).integers(0, 1500, (ROWS, COLUMNS)).astype(np.uint16)
    if k == BRIGHT["slice"]:
        pixels[BRIGHT["row"], BRIGHT["column"]] = 4000
    return pixels


def slice_file(folder: Path, k: int) -> Path:
    return next(folder.glob(f"*_{k}.dcm"))


def refusal(path: Path, capfd) -> str:
    with pytest.raises(Sim2RealError) as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    return str(caught.value)


@pytest.mark.parametrize(
    "orientation", [AXIAL, OBLIQUE, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)], ids=["axial", "oblique", "sagittal"]
)
@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_bright_voxel_lies_where_dicom_puts_it(tmp_path, orientation, direction):
    row_cosines, column_cosines = np.array(orientation[:3]), np.array(orientation[3:])
    step = direction * 2.5 * np.cross(row_cosines, column_cosines)
    write_series(tmp_path / "ct", orientation=orientation, step=step)
    volume, record = read_ct(tmp_path / "ct")
    lps = np.array([10.0, 20.0, 30.0]) + BRIGHT["slice"] * step
    lps = lps + BRIGHT["column"] * 0.5 * row_cosines + BRIGHT["row"] * 0.7 * column_cosines
    assert volume.array.max() == 4000 - 1024
    ijk = np.unravel_index(np.argmax(volume.array), volume.array.shape)[::-1]
    found = (volume.ras_from_ijk @ [*ijk, 1.0])[:3]
    np.testing.assert_allclose(found, lps * [-1.0, -1.0, 1.0], atol=1e-4)  # positions are rounded to 1e-6
    assert volume.array.dtype == np.int16 and record["modality"] == "CT"
    hashes = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "ct").iterdir())
    assert record["sha256"] == hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert record["name"] == "ct"


def test_rescale_is_applied(tmp_path):
    write_series(tmp_path / "ct", RescaleSlope=0.5, RescaleIntercept=-1000.25)
    volume, _ = read_volume(tmp_path / "ct")
    assert volume.array.dtype == np.float32
    expected = np.stack([stored_pixels(k) * 0.5 - 1000.25 for k in range(SLICES)])
    np.testing.assert_array_equal(volume.array, expected)


def test_one_file_stands_for_its_series(tmp_path, capfd):
    write_series(tmp_path / "ct", name="portal")
    write_series(tmp_path / "ct", name="arterial", count=4)
    (tmp_path / "ct" / "notes.txt").write_text("not an image")
    message = refusal(tmp_path / "ct", capfd)
    assert "2 DICOM series" in message and "'portal' (5 files" in message and "'arterial' (4 files" in message
    volume, _ = read_volume(next((tmp_path / "ct").glob("arterial*")))
    assert volume.shape_ijk == (COLUMNS, ROWS, 4)
    nameless = slice_file(tmp_path / "ct", 4).rename(tmp_path / "ct" / "IM0001")
    assert read_volume(nameless)[0].shape_ijk == (COLUMNS, ROWS, 5)


def test_one_slice_has_its_thickness(tmp_path, capfd):
    write_series(tmp_path / "ct", count=1)
    volume, _ = read_volume(tmp_path / "ct")
    assert isinstance(volume, Volume) and volume.spacing_mm == pytest.approx([0.5, 0.7, 2.5])
    write_series(tmp_path / "flat", count=1, SliceThickness=None)
    assert "without a SliceThickness" in refusal(tmp_path / "flat", capfd)


def test_positions_rounded_by_the_scanner_pass(tmp_path):
    """0.625 mm apart and written to a tenth: up to 0.05 mm off."""
    places = tuple([10.0, 20.0, round(30.0 + 0.625 * k, 1)] for k in range(9))
    write_series(tmp_path / "ct", count=9, ImagePositionPatient=places)
    assert read_volume(tmp_path / "ct")[0].spacing_mm[2] == pytest.approx(0.625)


BAD_SERIES = {
    "slices are not evenly spaced": {"ImagePositionPatient": tuple([0, 0, z] for z in (0, 2.5, 5, 9, 11.5))},
    "axes meet at 78.7°": {"step": (0.0, 0.5, 2.5)},
    "lie in the same place": {"step": (0.0, 0.0, 0.0)},
    "is a multi-frame DICOM object": {"NumberOfFrames": 2},
    "is a colour image": {"SamplesPerPixel": 3},
    "ImageOrientationPatient is missing or wrong": {"ImageOrientationPatient": None},
    "PixelSpacing is missing or wrong": {"PixelSpacing": [0.5]},
    "transform is singular": {"ImageOrientationPatient": [0.0] * 6, "count": 1},
}


@pytest.mark.parametrize("message", BAD_SERIES)
def test_refuses_a_bad_series(tmp_path, message, capfd):
    write_series(tmp_path / "ct", **BAD_SERIES[message])
    assert message in refusal(tmp_path / "ct", capfd)


def test_refuses_a_missing_slice_and_says_where(tmp_path, capfd):
    """SimpleITK alone stretches the others over the gap, with a warning."""
    write_series(tmp_path / "ct")
    slice_file(tmp_path / "ct", 2).unlink()
    message = refusal(tmp_path / "ct", capfd)
    assert "5.00 mm from" in message and slice_file(tmp_path / "ct", 1).name in message


@pytest.mark.parametrize("attributes", [{"orientation": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)}, {"PixelSpacing": [1.4, 1.0]}])
def test_refuses_a_localizer_in_the_series(tmp_path, attributes, capfd):
    uid = write_series(tmp_path / "ct")
    write_series(tmp_path / "ct", count=1, uid=uid, name="localizer", **attributes)
    message = refusal(tmp_path / "ct", capfd)
    assert "differ in size, pixel spacing or orientation" in message and "localizer" in message


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.97])
def test_refuses_a_truncated_slice(tmp_path, kept, capfd):
    """At the end of the series, where its absence would leave no gap. SimpleITK alone leaves it out."""
    write_series(tmp_path / "ct")
    path = slice_file(tmp_path / "ct", SLICES - 1)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert "truncated" in refusal(tmp_path / "ct", capfd)


def test_a_series_of_another_modality_is_a_volume_but_no_ct(tmp_path):
    write_series(tmp_path / "mr", Modality="MR")
    assert read_volume(tmp_path / "mr")[1]["modality"] == "MR"
    with pytest.raises(Sim2RealError, match="modality 'MR'; a CT is needed"):
        read_ct(tmp_path / "mr")
