"""C-arm geometry against DICOM's definition of the angles (PS3.3 C.8.7.5.1.2) and similar triangles."""

from dataclasses import replace

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import DEVICES, CArmDevice, CArmPose, clamp_angles, view_from_pose
from Sim2RealLib.errors import Sim2RealError

DEVICE = CArmDevice("test", 600, 400, 0.5, 1000.0, 600.0, (-100.0, 100.0), (-60.0, 60.0))
ISOCENTER = (12.0, -7.0, 130.0)
AP = CArmPose(0.0, 0.0, ISOCENTER, 1000.0, 600.0)
RIGHT, ANTERIOR, SUPERIOR = np.eye(3)


def source_ras(view):
    return np.linalg.inv(view.camera_from_ras)[:3, 3]


def test_zero_pose_is_tube_posterior_with_the_patient_facing_the_viewer():
    view = view_from_pose(DEVICE, AP)
    assert source_ras(view) == pytest.approx(np.array(ISOCENTER) - 600 * ANTERIOR)
    offsets = np.array([0 * RIGHT, 30 * RIGHT, 30 * SUPERIOR])
    center, right, up = view.project(np.array(ISOCENTER) + offsets)
    assert center == pytest.approx([300, 200])
    magnified_px = 30 * 1000 / 600 / 0.5
    assert right == pytest.approx([300 - magnified_px, 200])  # the patient's right at the image's left
    assert up == pytest.approx([300, 200 - magnified_px])  # head up


@pytest.mark.parametrize(
    ("primary", "secondary", "detector_direction"),
    [
        (90.0, 0.0, -RIGHT),  # full LAO: detector at the patient's left
        (-90.0, 0.0, RIGHT),
        (0.0, 45.0, (ANTERIOR + SUPERIOR) / np.sqrt(2)),  # cranial: detector towards the head
        (0.0, -45.0, (ANTERIOR - SUPERIOR) / np.sqrt(2)),
        (30.0, 20.0, None),
    ],
)
def test_angles_move_the_detector_as_dicom_says(primary, secondary, detector_direction):
    if detector_direction is None:  # spherical coordinates: primary is the longitude, secondary the latitude
        p, s = np.deg2rad([primary, secondary])
        detector_direction = np.array([-np.sin(p) * np.cos(s), np.cos(p) * np.cos(s), np.sin(s)])
    view = view_from_pose(DEVICE, replace(AP, primary_deg=primary, secondary_deg=secondary))
    assert source_ras(view) == pytest.approx(np.array(ISOCENTER) - 600 * np.array(detector_direction))
    rotation = view.camera_from_ras[:3, :3]
    assert rotation @ rotation.T == pytest.approx(np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert view.project(np.array(ISOCENTER)) == pytest.approx([300, 200])


def test_magnification_is_the_ratio_of_distances():
    for toward_detector in (-200.0, 0.0, 150.0):
        points = np.array(ISOCENTER) + toward_detector * ANTERIOR + [[0, 0, 0], 10 * SUPERIOR]
        length_px = np.linalg.norm(np.diff(view_from_pose(DEVICE, AP).project(points), axis=0))
        assert length_px * 0.5 == pytest.approx(10 * 1000 / (600 + toward_detector))


def test_in_plane_rotation_turns_clockwise_in_the_image_and_offset_moves_it():
    view = view_from_pose(DEVICE, replace(AP, in_plane_deg=90.0))
    assert view.project(np.array(ISOCENTER) + 30 * SUPERIOR) == pytest.approx([300 + 100, 200])
    # The detector moves 10 mm right and 5 mm down; what it shows moves the other way.
    view = view_from_pose(DEVICE, replace(AP, detector_offset_mm=(10.0, 5.0)))
    assert view.project(np.array(ISOCENTER)) == pytest.approx([300 - 20, 200 - 10])


def test_collimator_opens_a_field_around_the_central_ray():
    view = view_from_pose(DEVICE, replace(AP, collimation_mm=(100.0, 50.0), detector_offset_mm=(10.0, 0.0)))
    assert view.open_field_px == pytest.approx((280 - 100, 200 - 50, 280 + 100, 200 + 50))
    assert view_from_pose(DEVICE, AP).open_field_px == (0, 0, 600, 400)


def test_poses_out_of_range_are_refused_and_clamped_only_on_request():
    pose = replace(AP, primary_deg=120.0, secondary_deg=-75.0)
    with pytest.raises(Sim2RealError, match=r"primary angle 120.00° is outside -100° to 100°.*secondary angle -75"):
        view_from_pose(DEVICE, pose)
    clamped = clamp_angles(DEVICE, pose)
    assert (clamped.primary_deg, clamped.secondary_deg) == (100.0, -60.0)
    with pytest.raises(Sim2RealError, match="does not lie between it and the detector"):
        view_from_pose(DEVICE, replace(AP, source_to_isocenter_mm=1000.0))


def test_angles_in_words():
    assert replace(AP, primary_deg=-30.0, secondary_deg=12.5).words == "RAO 30.0° CRAN 12.5°"
    assert replace(AP, primary_deg=5.0, secondary_deg=-1.0).words == "LAO 5.0° CAUD 1.0°"


def test_the_landmark_papers_device_has_its_focal_length():
    """AnatomicalLandmarks, the code of Bier et al. 2018, uses f = 1948.05 px and the centre (307.5, 239.5)."""
    device = DEVICES["bier_2018"]
    pose = CArmPose(0, 0, (0, 0, 0), device.source_to_detector_mm, device.source_to_isocenter_mm)
    camera = view_from_pose(device, pose).camera
    assert abs(camera.fx_px) == pytest.approx(1948.05, abs=0.01)
    assert (camera.cx_px, camera.cy_px) == (307.5, 239.5)
