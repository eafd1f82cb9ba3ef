"""Camera models against closed forms, OpenCV, and the numbers of their publications."""

import json

import cv2
import numpy as np
import pytest

from Sim2RealLib.cameras import (
    EquidistantCamera,
    KannalaBrandtCamera,
    PinholeCamera,
    ScaramuzzaCamera,
    camera_from_record,
)
from Sim2RealLib.errors import Sim2RealError

ENDOMAPPER = KannalaBrandtCamera(
    *(358.6052, 358.7408, 368.1783, 276.8991, 720, 540),
    *(-0.1389272, -0.001239606, 0.0009125824, -4.071615e-5),
)
C3VD = ScaramuzzaCamera(
    *(679.044839263292, 543.475887548343, 1350, 1080),
    *(769.243600037458, -8.12770624150226e-4, 6.25674244578925e-7, -1.19662182144280e-9),
    *(0.999986882249990, 0.00288273829525059, -0.00296316513429569),
)
FOLDED = ScaramuzzaCamera(320.0, 240.0, 640, 480, 200.0, 0.0, 2e-5, 0.0)
"""Its angle stops increasing where 200 = 2 · 2e-5 · ρ³, before the image corner at 400 px."""

CAMERAS = {
    "pinhole": PinholeCamera(227.6, 237.5, 227.6, 237.5, 475, 475),
    "mirrored": PinholeCamera(-800.0, 790.0, 320.5, 239.0, 640, 480),
    "kannala_brandt": ENDOMAPPER,
    "scaramuzza": C3VD,
    "folded": FOLDED,
    "equidistant": EquidistantCamera(76.0, 75.5, 131.4, 129.0, 256, 256),
}
every_camera = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)

EXACT_PX = 1e-8
"""Round trips are limited by float64 and the inversion's tolerance, about 1e-11 px; a calibration knows 0.1 px."""


def directions(max_angle_deg: float, count: int = 2000) -> np.ndarray:
    """Points in front and behind, at all angles from the axis up to `max_angle_deg`, at random distances."""
    rng = np.random.default_rng(1)
    angle, around = np.deg2rad(rng.uniform(0.0, max_angle_deg, count)), rng.uniform(0.0, 2 * np.pi, count)
    rays = np.stack([np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)], axis=-1)
    return rays * rng.uniform(1.0, 100.0, (count, 1))


@every_camera
def test_a_pixel_that_has_a_ray_is_where_the_ray_is_imaged(camera):
    positions = camera.pixel_centers()
    assert positions.shape == (camera.height_px, camera.width_px, 2)
    assert positions[0, 0].tolist() == [0.5, 0.5] and positions[-1, -1, 0] == camera.width_px - 0.5
    rays = camera.unproject(positions)
    valid = camera.valid_mask()
    assert valid.mean() > 0.25 and np.isnan(rays[~valid]).all()
    assert np.linalg.norm(rays[valid], axis=-1) == pytest.approx(1.0)
    assert np.abs(camera.project(37.0 * rays[valid]) - positions[valid]).max() < EXACT_PX


@every_camera
def test_a_point_in_the_field_of_view_lies_on_the_ray_of_its_image(camera):
    points = directions(180.0)
    positions = camera.project(points)
    seen = np.isfinite(positions).all(axis=-1) & camera.contains(positions)
    assert seen.sum() > 100
    expected = points[seen] / np.linalg.norm(points[seen], axis=-1, keepdims=True)
    assert np.abs(camera.unproject(positions[seen]) - expected).max() < 1e-7


@every_camera
def test_the_axis_is_imaged_at_the_principal_point_and_points_without_direction_nowhere(camera):
    assert camera.project([0.0, 0.0, 5.0]) == pytest.approx([camera.cx_px, camera.cy_px])
    assert np.isnan(camera.project([[0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [np.nan] * 3])).all()
    assert not camera.contains(np.array([np.nan, np.nan]))


@every_camera
def test_a_scaled_camera_takes_the_same_image_with_more_or_fewer_pixels(camera):
    points = directions(60.0)
    half = camera.scaled(0.5)
    positions = camera.project(points)
    inside = camera.contains(positions)
    assert half.project(points)[inside] == pytest.approx(0.5 * positions[inside])
    assert half.width_px == round(camera.width_px / 2)


@every_camera
def test_a_camera_survives_its_record(camera):
    record = json.loads(json.dumps(camera.parameters))
    assert record["model"] == camera.model
    assert camera_from_record(record) == camera


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "double_sphere"}, "'double_sphere' is none of pinhole"),
        ({"k1": float("nan")}, "k1 nan"),
        ({"fx_px": -1.0}, "fx_px -1.0"),
        ({"width_px": 0}, "width_px 0"),
        ({"k5": 0.0}, "k5"),
    ],
)
def test_a_wrong_record_is_refused_by_name(change, message):
    with pytest.raises(Sim2RealError, match=f"scope.yml: .*{message}"):
        camera_from_record(ENDOMAPPER.parameters | change, "scope.yml")


def test_missing_parameters_and_mirroring_stretch_matrices_are_refused():
    with pytest.raises(Sim2RealError, match="height_px"):
        camera_from_record({"model": "equidistant", "fx_px": 1, "fy_px": 1, "cx_px": 1, "cy_px": 1, "width_px": 2})
    with pytest.raises(Sim2RealError, match="stretch matrix"):
        camera_from_record(C3VD.parameters | {"d": 2.0, "e": 1.0})
    with pytest.raises(Sim2RealError, match="focal length is not 0"):
        camera_from_record(CAMERAS["pinhole"].parameters | {"fx_px": 0.0})


@pytest.mark.parametrize("fx_px", [800.0, -800.0])
def test_pinhole_projects_by_its_matrix_and_back(fx_px):
    camera = PinholeCamera(fx_px, 790.0, 320.5, 239.0, 640, 480)
    points = np.random.default_rng(1).uniform([-200, -200, 100], [200, 200, 900], (100, 3))
    homogeneous = points @ camera.matrix.T
    assert camera.project(points) == pytest.approx(homogeneous[:, :2] / homogeneous[:, 2:])
    rays = camera.unproject(camera.project(points))
    assert rays == pytest.approx(points / np.linalg.norm(points, axis=1, keepdims=True))


def test_kannala_brandt_is_the_fisheye_of_opencv_half_a_pixel_away():
    """OpenCV divides by z, so that it knows only what is in front; it counts from pixel centres."""
    k_matrix = np.array([[ENDOMAPPER.fx_px, 0, ENDOMAPPER.cx_px - 0.5], [0, ENDOMAPPER.fy_px, ENDOMAPPER.cy_px - 0.5]])
    k_matrix = np.vstack([k_matrix, [0, 0, 1]])
    distortion = np.array([ENDOMAPPER.k1, ENDOMAPPER.k2, ENDOMAPPER.k3, ENDOMAPPER.k4])
    points = directions(85.0)
    theirs, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), k_matrix, distortion)
    assert np.abs(ENDOMAPPER.project(points) - (theirs[:, 0] + 0.5)).max() < 1e-6

    positions = ENDOMAPPER.project(directions(70.0))
    normalised = cv2.fisheye.undistortPoints((positions - 0.5)[:, None], k_matrix, distortion)[:, 0]
    rays = ENDOMAPPER.unproject(positions)
    assert np.abs(rays[:, :2] / rays[:, 2:] - normalised).max() < 1e-6


def test_pinhole_is_opencvs_half_a_pixel_away():
    camera = CAMERAS["pinhole"]
    points = directions(60.0)
    k_matrix = camera.matrix - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    theirs, _ = cv2.projectPoints(points[:, None], np.zeros(3), np.zeros(3), k_matrix, np.zeros(4))
    assert np.abs(camera.project(points) - (theirs[:, 0] + 0.5)).max() < 1e-9


def test_kannala_brandt_ends_where_its_polynomial_stops_increasing():
    """EndoMapper's stops at 90.8°, 372.9 px from the centre, while the image corner is 460 px away."""
    angle = np.linspace(0.0, np.pi, 2_000_001)
    radius = angle + sum(
        k * angle ** (2 * n + 1) for n, k in enumerate((-0.1389272, -0.001239606, 0.0009125824, -4.071615e-5), 1)
    )
    top = np.argmax(np.diff(radius) <= 0.0)
    assert ENDOMAPPER.max_angle_rad == pytest.approx(angle[top], abs=2e-6)
    assert np.rad2deg(ENDOMAPPER.max_angle_rad) == pytest.approx(90.8, abs=0.05)
    end_px = radius[top] * ENDOMAPPER.fx_px
    positions = [[ENDOMAPPER.cx_px - end_px + step, ENDOMAPPER.cy_px] for step in (0.01, -0.01)]
    assert np.isnan(ENDOMAPPER.unproject(positions)).all(axis=-1).tolist() == [False, True]
    beyond = ENDOMAPPER.max_angle_rad + np.array([-1e-4, 1e-4])
    points = np.stack([np.sin(beyond), np.zeros(2), np.cos(beyond)], axis=-1)
    assert np.isnan(ENDOMAPPER.project(points)).all(axis=-1).tolist() == [False, True]


def test_rays_of_c3vd_are_those_of_its_published_formula():
    """C3VD's example loader counts pixels from 0 at their centres and uses the principal point as it is published."""
    u, v = np.meshgrid(np.arange(0, 1350, 13.0), np.arange(0, 1080, 13.0))
    stretch = np.array([[C3VD.c, C3VD.d], [C3VD.e, 1.0]])
    x, y = np.linalg.solve(stretch, np.stack([u - 678.544839263292, v - 542.975887548343]).reshape(2, -1))
    rho = np.hypot(x, y)
    height = 769.243600037458 - 8.12770624150226e-4 * rho**2 + 6.25674244578925e-7 * rho**3
    rays = np.stack([x, y, height - 1.19662182144280e-9 * rho**4], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    ours = C3VD.unproject(C3VD.pixel_centers()[::13, ::13]).reshape(-1, 3)
    assert np.abs(ours - rays).max() < 1e-12


@pytest.mark.parametrize("camera", [C3VD, FOLDED], ids=["c3vd", "folded"])
def test_scaramuzza_images_points_at_the_smallest_positive_root(camera):
    points = directions(120.0, 300)
    stretch = np.array([[camera.c, camera.d], [camera.e, 1.0]])
    positions = camera.project(points)
    for (x, y, z), position in zip(points, positions, strict=True):
        r = np.hypot(x, y)
        roots = np.roots([camera.a4, camera.a3, camera.a2, -z / r, camera.a0])
        real = roots[np.abs(roots.imag) < 1e-9].real
        rho = min(real[real > 0.0], default=np.inf)
        if rho < camera.max_radius_px:
            expected = stretch @ (rho * np.array([x, y]) / r) + (camera.cx_px, camera.cy_px)
            assert position == pytest.approx(expected, abs=1e-6)
        else:
            assert np.isnan(position).all()
    assert 50 < np.isfinite(positions).all(axis=-1).sum() < 300


def test_scaramuzza_ends_where_two_positions_would_have_one_ray_or_at_the_corner():
    assert FOLDED.max_radius_px == pytest.approx((200.0 / (2 * 2e-5)) ** (1 / 3))
    # The stretch matrix is nearly the identity.
    assert C3VD.max_radius_px == pytest.approx(np.hypot(C3VD.cx_px, C3VD.cy_px), rel=0.005)
    assert np.rad2deg(np.arccos(C3VD.unproject([0.0, 0.0])[2])) == pytest.approx(97.6, abs=0.3)  # the published corner


def test_scaramuzza_and_kannala_brandt_of_one_endoscope_agree():
    """The Kannala–Brandt coefficients were fitted to C3VD's calibration without this code, to 1.0 px up to 860 px."""
    twin = KannalaBrandtCamera(769.357, 769.357, 679.045, 543.476, 1350, 1080, -0.203596, 0.022607, 0.008665, -0.002117)
    unstretched = camera_from_record(C3VD.parameters | {"c": 1.0, "d": 0.0, "e": 0.0})
    positions = twin.pixel_centers()[::20, ::20]
    positions = positions[np.linalg.norm(positions - (679.045, 543.476), axis=-1) < 860.0]
    assert np.abs(unstretched.project(twin.unproject(positions)) - positions).max() < 1.1


def test_equidistant_radius_is_the_angle_up_to_the_full_sphere():
    camera = EquidistantCamera(100.0, 50.0, 400.0, 200.0, 800, 400)
    for angle_deg in (0.0, 30.0, 90.0, 179.0):
        angle = np.deg2rad(angle_deg)
        assert camera.project([np.sin(angle), 0.0, np.cos(angle)]) == pytest.approx([400.0 + 100.0 * angle, 200.0])
        assert camera.project([0.0, -np.sin(angle), np.cos(angle)]) == pytest.approx([400.0, 200.0 - 50.0 * angle])
    assert np.isnan(camera.unproject([400.0 + 100.0 * np.pi, 200.0])).all()
    same = KannalaBrandtCamera(100.0, 50.0, 400.0, 200.0, 800, 400, 0.0, 0.0, 0.0, 0.0)
    assert same.project(directions(179.0)) == pytest.approx(camera.project(directions(179.0)))
