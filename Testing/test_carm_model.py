"""The C-arm's surfaces: closed, of the device's size, and out of the beam; and where its image lies."""

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import DEVICES, CArmDevice, CArmPose, source_from_pose, view_from_pose
from DRRSimLib.acquisition.carm_model import beam_corners, beam_surface, carm_surfaces
from DRRSimLib.acquisition.detector_plane import detector_plane_ras, detector_points_ras, ras_from_pixels
from Sim2RealLib.geometry import transform_points

SMALL = CArmDevice("small", 100, 80, 2.0, 700.0, 350.0)
AP = CArmPose(0.0, 0.0, (0.0, 0.0, 0.0), 1200.0, 800.0)


def signed_volume_mm3(mesh):
    a, b, c = (mesh.vertices_ras.astype(float)[mesh.triangles[:, i]] for i in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


@pytest.mark.parametrize("device", [*DEVICES.values(), SMALL], ids=lambda device: device.name)
def test_parts_are_closed_and_seen_from_outside(device):
    for name, mesh in carm_surfaces(device).items():
        assert mesh.is_watertight(), name
        assert signed_volume_mm3(mesh) > 0, name


@pytest.mark.parametrize("device", [DEVICES["bier_2018"], SMALL], ids=lambda device: device.name)
def test_sizes_are_those_of_the_device(device):
    parts = carm_surfaces(device)
    detector = parts["detector"].vertices_ras
    width, height = device.width_px * device.pixel_mm, device.height_px * device.pixel_mm
    assert width < np.ptp(detector[:, 0]) < width + 60 and height < np.ptp(detector[:, 1]) < height + 60
    assert 0 < detector[:, 2].min() - device.source_to_detector_mm < 10  # right behind the plane of the image
    tube = parts["tube"].vertices_ras
    assert tube.max(axis=0) == pytest.approx(-tube.min(axis=0))  # around the focal spot
    gantry = parts["gantry"].vertices_ras
    assert gantry[:, 2].min() < 0 and gantry[:, 2].max() > device.source_to_detector_mm


def test_the_gantry_leaves_the_beam_free():
    """No part but the collimator's cone reaches into the pyramid between 200 mm from the source and the detector."""
    device = DEVICES["bier_2018"]
    slope = np.abs(beam_corners(device)[0, :2]) / device.source_to_detector_mm
    for name, mesh in carm_surfaces(device).items():
        vertices = mesh.vertices_ras
        between = vertices[(vertices[:, 2] > 200) & (vertices[:, 2] < device.source_to_detector_mm)]
        assert not np.all(np.abs(between[:, :2]) < slope * between[:, 2:], axis=1).any(), name


def test_the_beam_ends_where_the_images_corners_are():
    device = DEVICES["bier_2018"]
    pose = CArmPose(25.0, -30.0, (5.0, 6.0, 7.0), 1200.0, 800.0, in_plane_deg=20.0)
    corners = transform_points(source_from_pose(pose), beam_corners(device))
    w, h = device.width_px, device.height_px
    assert view_from_pose(device, pose).project(corners) == pytest.approx(np.array([[0, 0], [w, 0], [w, h], [0, h]]))
    assert beam_surface(device).vertices_ras[1:] == pytest.approx(beam_corners(device))


def test_in_an_ap_view_the_c_is_at_the_patients_right_in_the_axial_plane():
    gantry = transform_points(source_from_pose(AP), carm_surfaces(DEVICES["bier_2018"])["gantry"].vertices_ras)
    assert gantry[:, 0].max() > 600 and gantry[:, 0].min() > -200
    assert np.abs(gantry[:, 2]).max() < 100
    detector = transform_points(source_from_pose(AP), carm_surfaces(DEVICES["bier_2018"])["detector"].vertices_ras)
    assert detector[:, 1].min() > 390  # in front of the patient


OBLIQUE = CArmPose(25.0, -30.0, (5.0, 6.0, 7.0), 1200.0, 800.0, in_plane_deg=20.0, detector_offset_mm=(10.0, -5.0))


def test_a_pixel_lies_where_a_point_there_projects_to_it():
    device = DEVICES["bier_2018"]
    view = view_from_pose(device, OBLIQUE)
    centers = ras_from_pixels(view) @ np.array([[0, 0, 0, 1], [614, 0, 0, 1], [100, 300, 0, 1]]).T
    expected = np.array([[0.5, 0.5], [614.5, 0.5], [100.5, 300.5]])
    assert view.project(centers[:3].T) == pytest.approx(expected)
    assert detector_points_ras(view, expected) == pytest.approx(centers[:3].T)
    depth_mm = transform_points(view.camera_from_ras, centers[:3].T)[:, 2]
    assert depth_mm == pytest.approx([device.source_to_detector_mm] * 3)
    assert np.linalg.norm(ras_from_pixels(view)[:3, :3], axis=0) == pytest.approx([device.pixel_mm, device.pixel_mm, 1])


def test_the_viewer_stands_behind_the_detector_and_sees_the_head_up():
    """In an AP view: the image's right is the patient's left, up is the head, the viewer is in front of the patient."""
    plane = detector_plane_ras(view_from_pose(DEVICES["bier_2018"], AP))
    assert plane == pytest.approx(np.array([[-1, 0, 0, 0], [0, 0, 1, 400], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    oblique = detector_plane_ras(view_from_pose(DEVICES["bier_2018"], OBLIQUE))
    assert np.linalg.det(oblique[:3, :3]) == pytest.approx(1.0)
    pixels = ras_from_pixels(view_from_pose(DEVICES["bier_2018"], OBLIQUE))
    assert np.linalg.det(pixels[:3, :3]) > 0
    assert oblique[:3, 0] * 0.616 == pytest.approx(pixels[:3, 0])
    assert oblique[:3, 1] * 0.616 == pytest.approx(-pixels[:3, 1])
