"""Calibration files as OpenCV writes them and as C3VD and EndoMapper publish them."""

import cv2
import numpy as np
import pytest

from DepthSimLib.endoscope.calibration import read_calibration
from DepthSimLib.endoscope.presets import ENDOSCOPES
from Sim2RealLib.cameras import KannalaBrandtCamera, PinholeCamera
from Sim2RealLib.errors import Sim2RealError

K_MATRIX = np.array([[358.6052, 0, 367.6783], [0, 358.7408, 276.3991], [0, 0, 1]])
FISHEYE = np.array([[-0.1389272], [-0.001239606], [0.0009125824], [-4.071615e-05]])

C3VD_CONFIG = """; omnidirectional camera intrinsics
width = 1350
height = 1080
cx = 677.739464094188
cy = 543.057997844875
a0 = 767.733695862103 \t\t\t
a1 = 0.0
a2 = -0.000592506426558248
a3 = -2.69440266600040e-07
a4 = -2.16380341010063e-10
c = 1.0
d = 0.0
e = 0.0

; corner mask
mask = mask.png
"""

ENDOMAPPER_XML = """<rig>
    <camera>
        <camera_model name="" index="0" serialno="0" type="calibu_fu_fv_u0_v0_kb4" version="8">
            <width> 1440 </width>
            <height> 1080 </height>
            <!-- Use RDF matrix, [right down forward], to define the coordinate frame convention -->
            <right> [ 1; 0; 0 ] </right>
            <down> [ 0; 1; 0 ] </down>
            <forward> [ 0; 0; 1 ] </forward>
            <!-- Camera parameters ordered as per type name. -->
            <params> [  717.6911;  718.0214;  734.7278;  552.0724; -0.1396589; -0.0003139987; 0.001505504; -0.0001316715 ] </params>
        </camera_model>
        <pose>
            <T_wc> [ 1, 0, 0, 0; 0, 1, 0, 0; 0, 0, 1, 0 ] </T_wc>
        </pose>
    </camera>
</rig>
"""  # noqa: E501


def opencv_file(path, distortion=FISHEYE, matrix=K_MATRIX, size=(720, 540), fisheye=True):
    """A calibration written by OpenCV itself, with the names of its calibration sample."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("calibration_time", "Sat 21 Nov 2026")
    if size:
        storage.write("image_width", size[0])
        storage.write("image_height", size[1])
    if fisheye:
        storage.write("fisheye_model", 1)
    storage.write("camera_matrix", matrix)
    storage.write("distortion_coefficients", distortion)
    storage.release()
    return path


@pytest.mark.parametrize("name", ["scope.yml", "scope.xml"])
def test_a_fisheye_of_opencv_is_read_with_its_principal_point_half_a_pixel_on(tmp_path, name):
    camera = read_calibration(opencv_file(tmp_path / name))
    assert camera == KannalaBrandtCamera(*(358.6052, 358.7408, 368.1783, 276.8991, 720, 540), *FISHEYE.ravel().tolist())


def test_the_yaml_of_older_versions_of_opencv_is_read(tmp_path):
    path = opencv_file(tmp_path / "scope.yml")
    path.write_text("%YAML:1.0\n" + path.read_text().partition("\n")[2])
    assert read_calibration(path).cx_px == 368.1783


@pytest.mark.parametrize("name", ["scope.yml", "scope.xml"])
def test_a_pinhole_of_opencv_is_read_and_one_with_lens_distortion_refused(tmp_path, name):
    camera = read_calibration(opencv_file(tmp_path / name, np.zeros((1, 5)), fisheye=False))
    assert camera == PinholeCamera(358.6052, 358.7408, 368.1783, 276.8991, 720, 540)
    with pytest.raises(Sim2RealError, match=r"pinhole with lens distortion.*cv2\.fisheye"):
        read_calibration(opencv_file(tmp_path / name, fisheye=False))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": None}, "width_px"),
        ({"matrix": np.eye(4)}, "camera_matrix must be"),
        ({"matrix": K_MATRIX + np.eye(3, k=1)}, "camera_matrix must be"),
        ({"matrix": K_MATRIX * [[-1], [1], [1]]}, "fx_px -358.6"),
        ({"matrix": K_MATRIX * [[np.nan], [1], [1]]}, "camera_matrix: could not convert"),
        ({"distortion": np.zeros((1, 5))}, "4 distortion_coefficients, not 5"),
    ],
)
@pytest.mark.parametrize("name", ["scope.yml", "scope.xml"])
def test_a_wrong_file_of_opencv_is_refused_by_name(tmp_path, name, change, message):
    with pytest.raises(Sim2RealError, match=message):
        read_calibration(opencv_file(tmp_path / name, **change))


def test_a_config_of_c3vd_is_read(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text(C3VD_CONFIG)
    assert read_calibration(path) == ENDOSCOPES["olympus_cf_hq190l_c3vdv3"].camera


def test_a_calibration_of_endomapper_is_read(tmp_path):
    path = tmp_path / "Endoscope_01_geometrical.xml"
    path.write_text(ENDOMAPPER_XML)
    assert read_calibration(path) == KannalaBrandtCamera(
        *(717.6911, 718.0214, 735.2278, 552.5724, 1440, 1080),
        *(-0.1396589, -0.0003139987, 0.001505504, -0.0001316715),
    )
    linear = ENDOMAPPER_XML.replace("_kb4", "").replace("; -0.1396589; -0.0003139987; 0.001505504; -0.0001316715", "")
    path.write_text(linear)
    assert read_calibration(path) == PinholeCamera(717.6911, 718.0214, 735.2278, 552.5724, 1440, 1080)


BOMB = '<?xml version="1.0"?><!DOCTYPE rig [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rig>&b;</rig>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (C3VD_CONFIG.replace("a0 = 767.733695862103", "; "), "a0 missing"),
        (C3VD_CONFIG.replace("a1 = 0.0", "a1 = 0.5"), "a1 is 0.5"),
        (C3VD_CONFIG + "a2 = 1\n", "a2 is given twice"),
        (C3VD_CONFIG.replace("cy = 543", "cy = 543,"), "cy is missing or not one number"),
        (C3VD_CONFIG.replace("width = 1350", "width = wide"), "width: could not convert"),
        (C3VD_CONFIG.replace("width = 1350", "width = 0"), "width_px"),
        ("P6 640 480 255\n", r"line 1 is not .*OpenCV's .*C3VD's .*EndoMapper's"),
        ("", "width, height, cx"),
        (ENDOMAPPER_XML.replace("kb4", "poly3"), "calibu_fu_fv_u0_v0_poly3' is none of"),
        (ENDOMAPPER_XML.replace("<forward> [ 0; 0; 1 ]", "<forward> [ 1; 0; 0 ]"), r"forward is \[ 1; 0; 0 \]"),
        (ENDOMAPPER_XML.replace("; -0.0001316715", ""), "params has 7 numbers; .*_kb4 has 8"),
        (ENDOMAPPER_XML.replace("<width> 1440 </width>", ""), "width is missing"),
        ("<rig></rig>", "0 camera_model entries"),
        ("<rig><camera>", "not valid XML"),
        (BOMB, "document type or entities"),
        ("%YAML:1.0\n---\na: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        (
            "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   data: [1., 0.]\n",
            "has 2 numbers",
        ),
        ("%YAML:1.0\n---\nimage_width: 3\n", "camera_matrix is missing"),
        ("%YAML:1.0\n---\n- 1\n", "no camera_matrix in it"),
        ("; comment\n" * 200_000, "larger than 1 MiB"),
    ],
)
def test_a_damaged_file_is_refused_saying_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "scope.txt"
    path.write_text(text)
    with pytest.raises(Sim2RealError, match=message):
        read_calibration(path)


def test_what_is_no_text_file_is_refused(tmp_path):
    (tmp_path / "scope.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(Sim2RealError, match="not a text file"):
        read_calibration(tmp_path / "scope.png")
    with pytest.raises(Sim2RealError, match="cannot be read"):
        read_calibration(tmp_path / "missing.yml")
