"""Predicted depth against the truth: alignment, the figures of the literature, and surfaces in space."""

import numpy as np
import pytest

from DepthSimLib.depth.alignment import aligned
from DepthSimLib.depth.figures import depth_figures, error_map
from DepthSimLib.depth.predictor import DepthScale
from DepthSimLib.depth.surface import points_of_depth, surface_patch
from DepthSimLib.endoscope.presets import ENDOSCOPES, Endoscope
from Sim2RealLib.cameras import EquidistantCamera
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, rotation, transform_points, translation

RNG = np.random.default_rng(8)
TRUTH = RNG.uniform(10.0, 80.0, (40, 50)).astype(np.float32)
TRUTH[:4, :6] = np.nan
POSE = translation(np.array([5.0, -60.0, 12.0])) @ rotation(np.array([0.6, 0.0, 0.8]), 70.0)


def test_figures_of_four_pixels_by_hand():
    """d = 10, 20, 40, 80 and p = 11, 16, 40, 120, sixteen times over."""
    truth = np.tile(np.array([[10.0, 20.0, 40.0, 80.0]], np.float32), (4, 1))
    predicted = np.tile(np.array([[11.0, 16.0, 40.0, 120.0]], np.float32), (4, 1))
    found = depth_figures(predicted, truth)
    assert found.abs_rel == pytest.approx((0.1 + 0.2 + 0.0 + 0.5) / 4)
    assert found.sq_rel_mm == pytest.approx((1 / 10 + 16 / 20 + 0 + 1600 / 80) / 4)
    assert found.rmse_mm == pytest.approx(np.sqrt((1 + 16 + 0 + 1600) / 4))
    logs = np.log([1.1, 0.8, 1.0, 1.5])
    assert found.rmse_log == pytest.approx(np.sqrt((logs**2).mean()))
    assert found.mae_mm == pytest.approx((1 + 4 + 0 + 40) / 4)
    assert found.median_rel == pytest.approx(0.15)
    # The ratios are 1.1, 1.25, 1 and 1.5: below 1.25 are two, below 1.5625 all.
    assert (found.delta_1, found.delta_2, found.delta_3) == (0.5, 1.0, 1.0)
    assert found.pixels == 16


def test_pixels_without_either_depth_do_not_count():
    predicted = TRUTH * 1.1
    predicted[20:, :] = np.nan
    assert depth_figures(predicted, TRUTH).pixels == 20 * 50 - 24
    assert depth_figures(predicted, TRUTH).abs_rel == pytest.approx(0.1, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "distorted", "scale", "shift"),
    [
        (DepthScale.METRIC, TRUTH, 1.0, 0.0),
        (DepthScale.UP_TO_SCALE, TRUTH / 25.0, 25.0, 0.0),
        (DepthScale.UP_TO_SCALE_AND_SHIFT, (TRUTH - 3.0) / 7.0, 7.0, 3.0),
        (DepthScale.INVERSE_UP_TO_SCALE_AND_SHIFT, (1.0 / TRUTH - 0.002) / 0.3, 0.3, 0.002),
    ],
)
def test_an_exact_prediction_is_recovered_from_what_its_model_knows(kind, distorted, scale, shift):
    found = aligned(distorted.astype(np.float32), TRUTH, kind)
    np.testing.assert_allclose(found.depth_mm, TRUTH, rtol=1e-4)
    assert found.scale == pytest.approx(scale, rel=1e-4)
    assert found.shift == pytest.approx(shift, rel=1e-3, abs=1e-4)


def test_the_median_ratio_ignores_outliers():
    predicted = TRUTH / 4.0
    predicted[10, :] = 1e4
    assert aligned(predicted, TRUTH, DepthScale.UP_TO_SCALE).scale == pytest.approx(4.0, rel=0.1)


def test_depth_that_is_not_above_0_is_none():
    predicted = TRUTH.copy()
    predicted[30, 30] = -1.0
    assert np.isnan(aligned(predicted, TRUTH, DepthScale.METRIC).depth_mm[30, 30])
    with pytest.raises(Sim2RealError, match="predicted depth is not above 0 everywhere: it is -1 mm"):
        depth_figures(predicted, TRUTH)


def test_predictions_that_cannot_be_compared_are_refused():
    with pytest.raises(Sim2RealError, match=r"other sizes: 50 × 20 px and 50 × 40 px"):
        aligned(TRUTH[:20], TRUTH, DepthScale.METRIC)
    with pytest.raises(Sim2RealError, match="in 0 pixels only"):
        aligned(np.full_like(TRUTH, np.nan), TRUTH, DepthScale.METRIC)
    with pytest.raises(Sim2RealError, match="same in every pixel"):
        aligned(np.ones_like(TRUTH), TRUTH, DepthScale.UP_TO_SCALE_AND_SHIFT)
    with pytest.raises(Sim2RealError, match="median of the predicted depth is -1"):
        aligned(-np.ones_like(TRUTH), TRUTH, DepthScale.UP_TO_SCALE)


def test_the_error_is_positive_where_the_prediction_lies_too_far():
    error = error_map(TRUTH + 2.0, TRUTH)
    np.testing.assert_allclose(error[np.isfinite(TRUTH)], 2.0, atol=1e-5)
    assert np.isnan(error[0, 0])


FISHEYE = Endoscope(EquidistantCamera(12.0, 12.0, 20.0, 16.0, 40, 32), ENDOSCOPES["simcol3d"].lights)
"""The corners of its picture are 122° off the axis."""


def inside_of_a_sphere(radius_mm: float, center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rays of the fisheye, and the depth of a sphere around a camera that is not in its middle."""
    rays = FISHEYE.rays()
    along = rays @ center
    return rays, (along + np.sqrt(along**2 - center @ center + radius_mm**2)).astype(np.float32)


def test_points_of_a_depth_image_lie_on_the_surface_in_any_lens():
    center = np.array([4.0, -3.0, 9.0])
    rays, depth = inside_of_a_sphere(30.0, center)
    points = points_of_depth(depth, rays, POSE)
    distance = np.linalg.norm(points - transform_points(POSE, center), axis=-1)
    np.testing.assert_allclose(distance, 30.0, atol=1e-4)
    places = FISHEYE.camera.project(transform_points(invert_rigid(POSE), points))
    np.testing.assert_allclose(places, FISHEYE.camera.pixel_centers(), atol=1e-4)


def test_a_surface_patch_joins_every_pixel_and_faces_the_camera():
    rays, depth = inside_of_a_sphere(30.0, np.array([4.0, -3.0, 9.0]))
    patch = surface_patch(depth, rays, POSE)
    assert len(patch.mesh.triangles) == 2 * 39 * 31
    np.testing.assert_array_equal(patch.pixels, np.arange(40 * 32))
    np.testing.assert_allclose(patch.mesh.vertices_ras, points_of_depth(depth, rays, POSE).reshape(-1, 3), atol=1e-4)
    corners = patch.mesh.vertices_ras.astype(np.float64)[patch.mesh.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ti,ti->t", normals, POSE[:3, 3] - corners[:, 0]) > 0).all()


def test_a_surface_patch_is_torn_where_depth_jumps_or_is_unknown():
    """The right half lies twice as far; a hole of one pixel takes the six triangles that touch it."""
    rays, depth = FISHEYE.rays(), np.full((32, 40), 20.0, np.float32)
    depth[:, 20:] = 40.0
    assert len(surface_patch(depth, rays, POSE).mesh.triangles) == 2 * 31 * (19 + 19)
    depth[10, 10] = np.nan
    patch = surface_patch(depth, rays, POSE)
    assert len(patch.mesh.triangles) == 2 * 31 * (19 + 19) - 6
    assert 10 * 40 + 10 not in patch.pixels
    jump = np.where(np.arange(200) < 100, 60.0, 64.0)[None].repeat(10, axis=0).astype(np.float32)  # behind a low fold
    columns, rows = np.meshgrid(np.arange(200) - 99.5, np.arange(10) - 4.5)
    fine = np.stack([0.005 * columns, 0.005 * rows, np.ones_like(columns)], axis=-1)
    fine /= np.linalg.norm(fine, axis=-1, keepdims=True)
    patch = surface_patch(jump, fine, POSE)
    assert len(patch.mesh.triangles) == 2 * 9 * (99 + 99)
    part = fine[:, :120]
    plane = (60.0 / (part[..., 2] - 3.7 * part[..., 0])).astype(np.float32)  # z = 60 mm + 3.7 x, seen at up to 81°
    assert len(surface_patch(plane, part, POSE).mesh.triangles) == 2 * 9 * 119  # oblique, but one surface
    with pytest.raises(Sim2RealError, match="no surface"):
        surface_patch(np.full((32, 40), np.nan, np.float32), rays, POSE)
