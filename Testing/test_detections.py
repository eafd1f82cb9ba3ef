"""Detections, their rays and triangulated points, against projections of known points and closed forms."""

import numpy as np
import pytest

from DRRSimLib.detection.detector import Detection, pixel_errors
from DRRSimLib.detection.triangulation import Ray, back_project, triangulate
from Sim2RealLib.errors import Sim2RealError
from xray_scenes import DEVICE, view

POINT = np.array([20.0, -15.0, 30.0])
ISOCENTER = (5.0, 6.0, 7.0)


@pytest.mark.parametrize("angles", [(0.0, 0.0), (35.0, -20.0), (90.0, 40.0)])
def test_a_ray_runs_from_the_source_through_the_point_to_its_image(angles):
    seen = view(*angles, isocenter=ISOCENTER)
    ray = back_project(seen, seen.project(POINT))
    assert ray.distance_mm(POINT) == pytest.approx(0.0, abs=1e-9)
    assert seen.camera_from_ras @ [*ray.source_ras, 1.0] == pytest.approx([0, 0, 0, 1], abs=1e-9)
    assert (seen.camera_from_ras @ [*ray.detector_ras, 1.0])[2] == pytest.approx(DEVICE.source_to_detector_mm)
    assert seen.project(ray.detector_ras) == pytest.approx(seen.project(POINT))


def test_rays_of_exact_views_meet_in_the_point():
    rays = [back_project(v, v.project(POINT)) for v in (view(0.0), view(60.0), view(-30.0, 30.0))]
    found = triangulate(rays)
    assert found.position_ras == pytest.approx(POINT, abs=1e-9)
    assert found.residuals_mm == pytest.approx([0.0] * 3, abs=1e-9)


def test_two_skew_lines_give_the_middle_of_their_shortest_connection():
    """Along R at A = 0, S = 0 and along A at R = 0, S = 4: the middle is (0, 0, 2), 2 mm from either."""
    first = Ray(np.array([-500.0, 0.0, 0.0]), np.array([500.0, 0.0, 0.0]))
    second = Ray(np.array([0.0, -500.0, 4.0]), np.array([0.0, 500.0, 4.0]))
    found = triangulate([first, second])
    assert found.position_ras == pytest.approx([0.0, 0.0, 2.0])
    assert found.residuals_mm == pytest.approx((2.0, 2.0))


def test_the_error_in_space_is_that_of_the_detections_scaled_to_the_patient():
    """Of two perpendicular views both see the error along S, one each those across: σ a pixel gives σ √(1 + 1 + ½)."""
    rng, views = np.random.default_rng(1), (view(0.0), view(90.0))
    sigma_px = 1.5
    errors = []
    for _ in range(400):
        rays = [back_project(v, v.project(np.zeros(3)) + sigma_px * rng.standard_normal(2)) for v in views]
        errors.append(triangulate(rays).position_ras)
    at_isocenter_mm = sigma_px * DEVICE.pixel_mm * DEVICE.source_to_isocenter_mm / DEVICE.source_to_detector_mm
    # 400 draws give a standard deviation to 4 %
    assert np.std(errors, axis=0) == pytest.approx(at_isocenter_mm * np.sqrt([1.0, 1.0, 0.5]), rel=0.15)


def test_rays_that_cannot_be_triangulated_are_refused():
    near = [back_project(v, v.project(POINT)) for v in (view(0.0), view(3.0))]
    with pytest.raises(Sim2RealError, match=r"views differ by 3\.\d° only"):
        triangulate(near)
    with pytest.raises(Sim2RealError, match="two views"):
        triangulate(near[:1])


def test_opposite_views_are_no_two_directions():
    """Seen from the front and from behind: the rays run along one line."""
    with pytest.raises(Sim2RealError, match="views differ by"):
        triangulate([back_project(v, v.project(np.zeros(3))) for v in (view(0.0), view(180.0))])


def test_errors_are_distances_in_the_image():
    found = {"a": Detection((13.0, 24.0), 0.9), "b": Detection((5.0, 5.0), 0.2), "c": Detection((0.0, 0.0), 0.5)}
    assert pixel_errors(found, {"a": np.array([10.0, 20.0]), "b": np.array([5.0, 5.0])}) == {"a": 5.0, "b": 0.0}
