"""X-ray frames as DICOM: what dciodvfy, GDCM and Slicer say of the files, and images from poses that are read back."""

import re
import shutil
import subprocess
from functools import cache

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from DRRSimLib.acquisition.carm import view_from_pose
from DRRSimLib.dicom.exact_pose import CREATOR, GROUP
from DRRSimLib.dicom.pixels import attenuation_of, stored_values
from DRRSimLib.dicom.reader import poses_from_dicom
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.simulation import open_simulation
from Sim2RealApp.convert import convert_frames
from Sim2RealApp.export import export_dataset
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import translation
from Sim2RealLib.recipe import read_recipe, validate
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import write_volume
from toy_export import contents

DEVICE = {
    "name": "small",
    "width_px": 120,
    "height_px": 100,
    "pixel_mm": 3.0,
    "source_to_detector_mm": 1200.0,
    "source_to_isocenter_mm": 800.0,
}
BIPLANE = "generic_biplane"
TURN = {"sampler": "grid", "primary_range_deg": [-30, 30], "secondary_range_deg": [10, 10]}
SCATTERED = {
    "sampler": "fibonacci",
    "in_plane_deg": 7.0,
    "detector_offset_mm": [20, -10],
    "collimation_mm": [200, 150],
    "jitter": {"in_plane_deg": 5, "isocenter_mm": 10, "source_to_isocenter_mm": 20, "collimation_mm": 30},
}
DATASETS = {
    "turn": {"carm": {"device": DEVICE}, "views": {"count": 4, **TURN}},
    "scattered": {"carm": {"device": DEVICE}, "views": {"count": 3, **SCATTERED}},
    "biplane": {
        "carm": {"device": BIPLANE},
        "views": {"count": 1, "primary_range_deg": [0, 0], "secondary_range_deg": [0, 0]},
    },
}
DATASETS["variants"] = DATASETS["turn"] | {
    "views": {"count": 6, **TURN, "primary_range_deg": [0, 0]},
    "augmentation": {"variants": 2, "deformation": {"amplitude_mm": 4}},
}
for channel in ("attenuation", "fraction", "display"):
    DATASETS[channel] = DATASETS["scattered"] | {"output": {"channels": [channel]}}
SYNTHETIC_DATA = "(0x0008,0x001c)"
"""In the standard since dciodvfy of Debian 12 and 13 was made, which take it for a mistake."""


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    """Makes a dataset of a ball of water with a ball of bone in it, and its DICOM files."""
    folder = tmp_path_factory.mktemp("dicom")
    radius = np.linalg.norm(np.mgrid[-20:20, -22:22, -24:24] * 4.0, axis=0)
    hu = np.select([radius < 30, radius < 75], [900, 0], -1000).astype(np.int16)
    write_volume(folder / "ct.nrrd", Volume(hu, translation([-96.0, -88.0, -80.0]) @ np.diag([4.0, 4.0, 4.0, 1.0])))

    @cache
    def exported(name):
        content = {"simulator": "drr", "input": {"volume": str(folder / "ct.nrrd")}, **DATASETS[name]}
        for _ in export_dataset(validate(DrrRecipe, content, "the test"), folder / name, "llvm"):
            pass
        list(convert_frames(folder / name, "dicom", folder / f"{name} dicom"))
        return folder / name, sorted((folder / f"{name} dicom").iterdir())

    return exported


@pytest.fixture(params=["turn", "scattered", "biplane"])
def converted(request, export):
    """A dataset and its files."""
    return export(request.param)


def simulation_of(folder):
    return open_simulation(validate(DrrRecipe, read_recipe(folder / "recipe.yaml"), "the test"), open_backend("llvm"))


def first_frames(files):
    """Files with the number of the frame that each begins with."""
    return [(file, int(file.stem)) for file in files]


def test_dciodvfy_finds_no_error(converted):
    """David Clunie's validator of information objects. `make test` installs it where it may."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    for file in converted[1]:
        said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, timeout=60).stderr
        assert "XAImage" in said
        assert [line for line in said.splitlines() if "Error" in line and SYNTHETIC_DATA not in line] == []


def test_objects_tell_what_their_frames_took(converted):
    """Tube load in whole mAs and µAs, and the kerma-area product in dGy·cm², summed over the frames."""
    folder, files = converted
    dataset = Dataset.open(folder)
    for file, first in first_frames(files):
        content = pydicom.dcmread(file)
        step = 2 if folder.name == "biplane" else 1
        numbers = range(first, first + step * int(content.get("NumberOfFrames", 1)), step)
        records = [dataset.frame(number).record["exposure"] for number in numbers]
        load_mas = sum(record["tube_load_mas"] for record in records)
        assert content.Exposure == round(load_mas) and content.ExposureInuAs == round(1000 * load_mas)
        product = sum(record["kerma_area_mgy_cm2"] for record in records) / 100
        assert float(content.ImageAndFluoroscopyAreaDoseProduct) == pytest.approx(product, rel=1e-6)


def test_no_object_shows_more_than_one_anatomy(export):
    """Six frames of a C-arm that stands still, three of each of two deformed bodies, are two objects."""
    _folder, files = export("variants")
    assert [number for _, number in first_frames(files)] == [0, 3]


def test_a_pose_read_back_makes_the_same_image(converted):
    """Bit by bit, noise included."""
    folder, files = converted
    simulation, dataset = simulation_of(folder), Dataset.open(folder)
    planes = len(simulation.planes)
    seen = 0
    for file, first in first_frames(files):
        device, poses = poses_from_dicom(file)
        expected = simulation.device(first)
        assert (device.width_px, device.height_px) == (expected.width_px, expected.height_px)
        for place, pose in enumerate(poses):
            index = first + place * planes
            np.testing.assert_array_equal(simulation.expose(pose, index), dataset.channel(index, "intensity"))
            seen += 1
    assert seen == len(dataset)


def test_without_the_private_block_the_standard_attributes_give_the_pose(export, tmp_path):
    """As of a file from elsewhere. Decimal strings hold 14 digits: 1e-9 mm at a metre."""
    folder, files = export("turn")
    simulation, content = simulation_of(folder), pydicom.dcmread(files[0])
    content.remove_private_tags()
    content.save_as(tmp_path / "foreign.dcm")
    device, poses = poses_from_dicom(tmp_path / "foreign.dcm", tuple(simulation.isocenter_ras))
    assert len(poses) == 4
    for index, pose in enumerate(poses):
        found, expected = view_from_pose(device, pose), simulation.view(index)[1]
        points = simulation.isocenter_ras + np.array([[0, 0, 0], [50, -20, 30], [-40, 60, -70]])
        np.testing.assert_allclose(found.project(points), expected.project(points), rtol=0, atol=1e-6)


def test_offsets_of_the_frames_from_the_first_angle_are_understood(tmp_path):
    """PS3.3 C.8.7.5.1.3: several increments are no steps, they count from the first angle."""
    write_foreign(
        tmp_path / "foreign.dcm",
        NumberOfFrames=3,
        PositionerPrimaryAngle=10,
        PositionerPrimaryAngleIncrement=[0, 5, -20],
        PositionerSecondaryAngleIncrement=2,
    )
    _, poses = poses_from_dicom(tmp_path / "foreign.dcm")
    assert [pose.primary_deg for pose in poses] == [10, 15, -10]
    assert [pose.secondary_deg for pose in poses] == [0, 2, 4]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"DistanceSourceToDetector": None}, "no Distance Source to Detector"),
        ({"PositionerPrimaryAngle": ""}, "no Positioner Primary Angle"),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, "not square"),
        ({"FieldOfViewRotation": 90}, "turned or flipped"),
        ({"FieldOfViewHorizontalFlip": "YES"}, "turned or flipped"),
        ({"NumberOfFrames": 3, "PositionerPrimaryAngleIncrement": [0, 1]}, "3 frames and 2 increments"),
        ({"DistanceSourceToPatient": 1500}, "isocentre"),
        ({"PositionerSecondaryAngle": 1e300}, "outside"),
    ],
)
def test_a_file_that_does_not_tell_its_pose_is_refused(tmp_path, attributes, message):
    write_foreign(tmp_path / "foreign.dcm", **attributes)
    with pytest.raises(Sim2RealError, match=message):
        poses_from_dicom(tmp_path / "foreign.dcm")


def write_foreign(path, **attributes):
    """A header as an angiography device writes it, with some attributes changed; None takes one away."""
    content = pydicom.Dataset()
    content.SOPClassUID = pydicom.uid.XRayAngiographicImageStorage
    content.SOPInstanceUID = "1.2.3"
    content.Rows = content.Columns = 1024
    plain = {
        "ImagerPixelSpacing": [0.2, 0.2],
        "DistanceSourceToDetector": 1100,
        "DistanceSourceToPatient": 750,
        "PositionerPrimaryAngle": 0,
        "PositionerSecondaryAngle": 0,
    }
    for name, value in (plain | attributes).items():
        if value is not None:
            setattr(content, name, value)
    content.file_meta = pydicom.dataset.FileMetaDataset()
    content.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    content.save_as(path, enforce_file_format=True)


def test_what_is_no_dicom_or_damaged_is_refused(converted, tmp_path):
    (tmp_path / "text.dcm").write_text("not a DICOM file")
    with pytest.raises(Sim2RealError, match="not a DICOM file"):
        poses_from_dicom(tmp_path / "text.dcm")
    with pytest.raises(Sim2RealError, match="cannot be read"):
        poses_from_dicom(tmp_path / "missing.dcm")
    content = pydicom.dcmread(converted[1][0])
    del content.private_block(GROUP, CREATOR)[0x10].value[0][GROUP, 0x1013]
    content.save_as(tmp_path / "damaged.dcm")
    with pytest.raises(Sim2RealError, match="no pose"):
        poses_from_dicom(tmp_path / "damaged.dcm")


def test_stored_values_are_the_signal(converted):
    """As SimpleITK's GDCM reads them: half a step of 0.0002 from −ln(I / I₀), 0 exactly where there is no signal, and
    the table to linear values proportional to I, which it rounds to whole numbers."""
    folder, files = converted
    dataset = Dataset.open(folder)
    planes = len(simulation_of(folder).planes)
    for file, first in first_frames(files):
        stored = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
        table = np.frombuffer(pydicom.dcmread(file).ModalityLUTSequence[0].LUTData, "<u2")
        for place, image in enumerate(stored):
            share = dataset.channel(first + place * planes, "intensity") / dataset.header.extra["open_beam_kev"]
            lit = share > 0
            assert np.array_equal(image == 0, ~lit) and 100 < np.median(image[lit]) < 62500
            # a fifth of a step more for float32
            assert np.abs(attenuation_of(image[lit]) + np.log(share[lit])).max() < 0.00014
            np.testing.assert_allclose(table[image] / 32768, np.where(lit, share, 0), rtol=2e-4, atol=1 / 65536)


def test_the_range_of_stored_values_ends_without_wrapping():
    stored = stored_values(np.array([-3.0, 0.0, 12.4, 50.0, np.inf], np.float32))
    assert stored.tolist() == [65535, 62500, 500, 1, 0]


def test_attributes_say_what_the_frame_is(converted):
    folder, files = converted
    contents_of = [pydicom.dcmread(file) for file in files]
    for content in contents_of:
        first = Dataset.open(folder).record(content.InstanceNumber - 1)["carm"]
        assert content.ImageType[:2] == ["DERIVED", "PRIMARY"]
        assert content.SyntheticData == "YES" and content.PatientID.startswith("SYNTHETIC")
        assert content.KVP == 90 and content.PixelIntensityRelationship == "LOG"
        assert content.PositionerPrimaryAngle == pytest.approx(first["primary_deg"], abs=1e-9)
        assert content.PositionerSecondaryAngle == pytest.approx(first["secondary_deg"], abs=1e-9)
        assert content.DistanceSourceToPatient == pytest.approx(first["source_to_isocenter_mm"], abs=1e-9)
        magnification = content.DistanceSourceToDetector / content.DistanceSourceToPatient
        assert content.EstimatedRadiographicMagnificationFactor == pytest.approx(magnification)
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "StudyID"):
        assert len({content[name].value for content in contents_of}) == 1
    assert len({content.SOPInstanceUID for content in contents_of}) == len(contents_of)


def test_a_turn_is_one_object(export):
    (turn,) = map(pydicom.dcmread, export("turn")[1])
    assert (turn.NumberOfFrames, turn.PositionerMotion) == (4, "DYNAMIC")
    assert (turn.PositionerPrimaryAngle, turn.PositionerPrimaryAngleIncrement) == (-30, 20)
    assert turn.PositionerSecondaryAngleIncrement == 0
    # The detector is 30° to the right and 10° to the head: to the image's right the patient's left comes forward.
    assert turn.PatientOrientation == ["LA", "FA"]


def test_scattered_views_are_an_object_each(export):
    scattered = [pydicom.dcmread(file) for file in export("scattered")[1]]
    assert [content.InstanceNumber for content in scattered] == [1, 2, 3]
    assert len({content.SeriesInstanceUID for content in scattered}) == 1
    for content in scattered:
        closed = pixels_of(content) == 0
        rows, columns = np.nonzero(~closed)
        assert content.CollimatorLeftVerticalEdge == pytest.approx(columns.min(), abs=1)
        assert content.CollimatorRightVerticalEdge == pytest.approx(columns.max() + 2, abs=1)
        assert content.CollimatorUpperHorizontalEdge == pytest.approx(rows.min(), abs=1)
        assert content.CollimatorLowerHorizontalEdge == pytest.approx(rows.max() + 2, abs=1)


def test_the_planes_of_a_biplane_refer_to_each_other(export):
    """Docs/Conventions.md: from in front the patient's left is at the image's right; from the left side anterior is at
    its left."""
    frontal, lateral = map(pydicom.dcmread, export("biplane")[1])
    assert (frontal.PatientOrientation, lateral.PatientOrientation) == (["L", "F"], ["P", "F"])
    assert (frontal.ImageType[2], lateral.ImageType[2]) == ("BIPLANE A", "BIPLANE B")
    assert frontal.ReferencedImageSequence[0].ReferencedSOPInstanceUID == lateral.SOPInstanceUID
    assert frontal.SeriesInstanceUID != lateral.SeriesInstanceUID


def pixels_of(content):
    return np.frombuffer(content.PixelData, "<u2").reshape(content.Rows, content.Columns)


def test_converted_twice_it_is_the_same_bytes(converted, tmp_path):
    list(convert_frames(converted[0], "dicom", tmp_path / "again"))
    assert contents(tmp_path / "again") == {file.name: file.read_bytes() for file in converted[1]}


def test_a_dataset_without_the_signal_is_refused(export):
    with pytest.raises(Sim2RealError, match=re.escape("output.channels=attenuation, fraction, intensity")):
        export("display")


@pytest.mark.parametrize("channel", ["attenuation", "fraction"])
def test_each_channel_of_the_signal_will_do(channel, export):
    """Of the same frames: within a step of rounding of float32."""
    for one, other in zip(export("scattered")[1], export(channel)[1], strict=True):
        one, other = pixels_of(pydicom.dcmread(one)), pixels_of(pydicom.dcmread(other))
        assert np.array_equal(one == 0, other == 0) and np.abs(one.astype(int) - other).max() <= 1


def test_slicer_reads_the_frames(slicer_scene, converted):
    """Slicer's own reader of volumes: as many slices as frames, with the stored values."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(converted[1][0]))
    storage.SetSingleFile(1)
    assert storage.ReadData(node)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(converted[1][0])))
    np.testing.assert_array_equal(np.sort(slicer.util.arrayFromVolume(node), axis=None), np.sort(expected, axis=None))
