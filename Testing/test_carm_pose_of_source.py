"""A pose, to the frame of its source and back: against the pose itself, and DICOM's definition of the angles."""

from dataclasses import replace

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import DEVICES, CArmDevice, CArmPose, limit_problems, source_from_pose, view_from_pose
from DRRSimLib.acquisition.pose_of_source import pose_from_source
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation

DEVICE = CArmDevice("test", 600, 400, 0.5, 1000.0, 600.0, (-120.0, 120.0), (-90.0, 90.0))
AP = CArmPose(0.0, 0.0, (12.0, -7.0, 130.0), 1000.0, 600.0, detector_offset_mm=(3.0, 4.0))
RIGHT, ANTERIOR, SUPERIOR = np.eye(3)


def angles(pose):
    return pose.primary_deg, pose.secondary_deg, pose.in_plane_deg


def test_every_pose_comes_back_from_its_source_frame():
    rng = np.random.default_rng(0)
    for primary, secondary, in_plane in zip(
        rng.uniform(-120, 120, 200), rng.uniform(-89.99, 89.99, 200), rng.uniform(-180, 180, 200), strict=True
    ):
        pose = replace(AP, primary_deg=primary, secondary_deg=secondary, in_plane_deg=in_plane)
        found = pose_from_source(source_from_pose(pose), DEVICE, near=AP)
        # At 0.01° from the pole an error of 1e-16 in a matrix is one of 1e-10° in the angles.
        assert angles(found) == pytest.approx((primary, secondary, in_plane), abs=1e-8)
        assert found.isocenter_ras == pytest.approx(AP.isocenter_ras)
        assert found.detector_offset_mm == AP.detector_offset_mm


def test_the_source_frame_is_that_of_the_view():
    pose = replace(AP, primary_deg=30.0, secondary_deg=-20.0, in_plane_deg=10.0)
    assert source_from_pose(pose) @ view_from_pose(DEVICE, pose).camera_from_ras == pytest.approx(np.eye(4), abs=1e-12)


def test_turning_about_the_patients_axis_is_the_primary_angle():
    """DICOM: the primary angle is that about the patient's long axis, positive towards LAO; here the axis is −S."""
    about = np.eye(4)
    about[:3, 3] = AP.isocenter_ras
    turned = about @ rotation(SUPERIOR, 25.0) @ np.linalg.inv(about) @ source_from_pose(AP)
    found = pose_from_source(turned, DEVICE, near=AP)
    assert angles(found) == pytest.approx((25.0, 0.0, 0.0), abs=1e-9)
    assert found.words == "LAO 25.0° CRAN 0.0°"


@pytest.mark.parametrize("secondary", [90.0, -90.0])
def test_a_beam_along_the_patient_keeps_the_primary_angle_of_before(secondary):
    near = replace(AP, primary_deg=20.0, secondary_deg=secondary * 0.9)
    pose = replace(AP, primary_deg=-50.0, secondary_deg=secondary, in_plane_deg=15.0)
    found = pose_from_source(source_from_pose(pose), DEVICE, near)
    assert (found.primary_deg, found.secondary_deg) == pytest.approx((20.0, secondary))
    assert source_from_pose(found) == pytest.approx(source_from_pose(pose), abs=1e-9)


def test_of_two_names_for_a_direction_the_one_within_reach_is_taken():
    orbital = DEVICES["siemens_cios_fusion"]  # primary −110° to 40°, secondary −225° to 225°
    near = CArmPose(0.0, 0.0, (0.0, 0.0, 0.0), 1020.0, 530.0)
    behind = replace(near, primary_deg=170.0)
    found = pose_from_source(source_from_pose(behind), orbital, near)
    assert (found.primary_deg, abs(found.secondary_deg)) == pytest.approx((-10.0, 180.0))
    assert limit_problems(orbital, found) == []
    assert source_from_pose(found) == pytest.approx(source_from_pose(behind), abs=1e-9)


def test_a_dragged_carm_does_not_jump_where_angles_have_two_names():
    """Over the pole, step by step, on a device that may go there: the angles follow without a jump."""
    free = CArmDevice("free", 600, 400, 0.5, 1000.0, 600.0, (-180.0, 180.0), (-180.0, 180.0))
    pose = AP
    for secondary in np.arange(0.0, 175.0, 2.5):
        planned = replace(AP, secondary_deg=secondary)
        pose = pose_from_source(source_from_pose(planned), free, near=pose)
        assert angles(pose) == pytest.approx((0.0, secondary, 0.0), abs=1e-6)


def test_what_no_name_brings_within_reach_is_named():
    pose = replace(AP, primary_deg=150.0, secondary_deg=10.0)
    found = pose_from_source(source_from_pose(pose), DEVICE, near=AP)
    assert any("outside" in problem for problem in limit_problems(DEVICE, found))


@pytest.mark.parametrize("axes", [np.diag([1.01, 1.0, 1.0]), np.diag([-1.0, 1.0, 1.0]), np.eye(3) + 0.01])
def test_a_transform_that_is_not_rigid_is_refused(axes):
    matrix = source_from_pose(AP)
    matrix[:3, :3] = matrix[:3, :3] @ axes
    with pytest.raises(Sim2RealError, match="scales, shears or mirrors"):
        pose_from_source(matrix, DEVICE, near=AP)


def test_rounding_of_a_file_is_no_strain():
    matrix = np.round(source_from_pose(replace(AP, primary_deg=33.0, secondary_deg=21.0)), 5)
    assert angles(pose_from_source(matrix, DEVICE, near=AP)) == pytest.approx((33.0, 21.0, 0.0), abs=1e-3)


@pytest.mark.parametrize("width_px", [256, 100, 601])
def test_a_preview_device_sees_the_same_field(width_px):
    """A point projects to the same share of the image, but for the rounding of the height to a whole pixel."""
    small = DEVICE.resized(width_px)
    assert small.width_px * small.pixel_mm == pytest.approx(DEVICE.width_px * DEVICE.pixel_mm)
    assert abs(small.height_px * small.pixel_mm - DEVICE.height_px * DEVICE.pixel_mm) <= small.pixel_mm / 2
    pose = replace(AP, primary_deg=30.0)
    point = np.array(AP.isocenter_ras) + np.array([20.0, 30.0, -40.0])
    mm = [
        (view_from_pose(device, pose).project(point) - np.array([device.width_px, device.height_px]) / 2)
        * device.pixel_mm
        for device in (DEVICE, small)
    ]
    assert mm[0] == pytest.approx(mm[1])
