"""View samplers: evenness on the sphere, range, and independence of the number of a frame."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from DRRSimLib.acquisition.carm import BIPLANES, DEVICES, view_from_pose
from DRRSimLib.acquisition.views import Jitter, Sampler, ViewPlan, angle_ranges, direction, grid_shape, sample_pose

DEVICE = DEVICES["bier_2018"]


def directions(plan: ViewPlan, seed: int = 1) -> np.ndarray:
    return np.array([direction(plan, seed, index) for index in range(plan.count)])


@pytest.mark.parametrize("sampler", list(Sampler))
def test_all_directions_lie_in_the_segment_and_differ(sampler):
    plan = ViewPlan(299, sampler, (-60.0, 40.0), (-10.0, 45.0))  # a grid of 23 × 13
    angles = directions(plan)
    assert np.all(angles.min(axis=0) >= [-60, -10]) and np.all(angles.max(axis=0) <= [40, 45])
    assert len(np.unique(angles.round(6), axis=0)) == 299
    assert np.ptp(angles, axis=0) == pytest.approx([100, 55], abs=6)


@pytest.mark.parametrize(
    ("sampler", "tolerance"),
    # Share of views in each of 24 cells of equal area. Independent draws scatter by 1/√(count/24) ≈ 7 % (four of
    # them are allowed); a lattice or a low-discrepancy sequence by the few points on a cell's edge.
    [(Sampler.UNIFORM, 0.28), (Sampler.FIBONACCI, 0.06), (Sampler.SOBOL, 0.06)],
)
def test_area_uniform_samplers_fill_equal_areas_equally(sampler, tolerance):
    plan = ViewPlan(4800, sampler, (-60.0, 60.0), (-45.0, 80.0))
    primary, secondary = np.deg2rad(directions(plan)).T
    sines = np.sin(np.deg2rad([-45.0, 80.0]))
    counts, *_ = np.histogram2d(primary, np.sin(secondary), (6, 4), [np.deg2rad([-60, 60]), sines])
    assert np.abs(counts / 200 - 1).max() < tolerance


def test_a_grid_has_equal_angular_steps_from_edge_to_edge():
    plan = ViewPlan(475, Sampler.GRID)
    assert grid_shape(plan, plan.count) == (25, 19)  # 5° steps over 120° × 90°, as in the paper
    angles = directions(plan)
    assert np.unique(angles[:, 0]) == pytest.approx(np.arange(-60, 61, 5))
    assert np.unique(angles[:, 1]) == pytest.approx(np.arange(-45, 46, 5))


def test_a_count_that_leaves_a_hole_in_the_grid_is_refused_and_its_neighbours_are_not():
    with pytest.raises(ValidationError, match="has 192 or 221 views, not 200"):
        ViewPlan(200, Sampler.GRID)
    for count in (192, 221):
        angles = directions(ViewPlan(count, Sampler.GRID))
        np.testing.assert_allclose(angles.mean(axis=0), 0.0, atol=1e-9)  # symmetric, as its ranges are


@pytest.mark.parametrize("sampler", [Sampler.UNIFORM, Sampler.SOBOL, Sampler.FIBONACCI, Sampler.GRID])
def test_a_single_direction_is_a_range_of_no_width(sampler):
    plan = ViewPlan(3, sampler, (20.0, 20.0), (-5.0, -5.0))
    assert directions(plan) == pytest.approx(np.tile([20.0, -5.0], (3, 1)))


def test_the_first_views_of_a_fibonacci_lattice_are_spread_too():
    """Stopped after a tenth, every quarter of the segment has its share, give or take two views."""
    primary, secondary = directions(ViewPlan(400, Sampler.FIBONACCI))[:40].T
    counts, *_ = np.histogram2d(primary, np.sin(np.deg2rad(secondary)), 2)
    assert np.abs(counts - 10).max() <= 2


def test_a_sobol_plan_keeps_its_views_when_it_is_extended():
    assert np.array_equal(directions(ViewPlan(50, Sampler.SOBOL)), directions(ViewPlan(200, Sampler.SOBOL))[:50])


def test_jitter_is_uniform_within_its_half_width_and_belongs_to_the_frame():
    jitter = Jitter(in_plane_deg=10.0, isocenter_mm=20.0, source_to_detector_mm=5.0, collimation_mm=30.0)
    plan = ViewPlan(2000, collimation_mm=(200.0, 150.0), jitter=jitter)
    poses = [sample_pose(plan, [DEVICE], np.array([1.0, 2.0, 3.0]), seed=7, index=index) for index in range(2000)]
    in_plane = np.array([pose.in_plane_deg for pose in poses])
    offsets = np.array([pose.isocenter_ras for pose in poses]) - [1, 2, 3]
    # The standard deviation of a uniform distribution is its half-width over √3; 2000 draws give it to 1 %.
    assert in_plane.std() == pytest.approx(10 / np.sqrt(3), rel=0.05) and np.abs(in_plane).max() <= 10
    assert offsets.std(axis=0) == pytest.approx(20 / np.sqrt(3), rel=0.05) and np.abs(offsets).max() <= 20
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.1
    assert np.ptp([pose.collimation_mm[0] for pose in poses]) == pytest.approx(60, rel=0.05)
    assert {pose.source_to_isocenter_mm for pose in poses} == {DEVICE.source_to_isocenter_mm}
    assert sample_pose(plan, [DEVICE], np.array([1.0, 2.0, 3.0]), seed=7, index=123) == poses[123]
    assert sample_pose(plan, [DEVICE], np.array([1.0, 2.0, 3.0]), seed=8, index=123) != poses[123]


def test_a_biplane_sees_one_patient_from_two_perpendicular_sides_at_once():
    planes = BIPLANES["generic_biplane"]
    plan = ViewPlan(20, primary_range_deg=(-40.0, 40.0), jitter=Jitter(isocenter_mm=20.0))
    poses = [sample_pose(plan, planes, np.array([1.0, 2.0, 3.0]), seed=7, index=index) for index in range(40)]
    for frontal, lateral in zip(poses[::2], poses[1::2], strict=True):
        assert frontal.isocenter_ras == lateral.isocenter_ras
        views = [view_from_pose(plane, pose) for plane, pose in zip(planes, (frontal, lateral), strict=True)]
        central_rays = [view.camera_from_ras[2, :3] for view in views]
        assert central_rays[0] @ central_rays[1] == pytest.approx(0.0, abs=1e-12)
        assert central_rays[1] @ [-1.0, 0.0, 0.0] > 0.7  # the lateral detector stands at the patient's left
    assert len({pose.isocenter_ras for pose in poses}) == 20
    frontal_alone = [
        sample_pose(plan, planes[:1], np.array([1.0, 2.0, 3.0]), seed=7, index=index) for index in range(20)
    ]
    assert frontal_alone == poses[::2]


def test_the_planes_of_a_biplane_have_jitter_of_their_own_within_their_ranges():
    planes = BIPLANES["generic_biplane"]
    plan = ViewPlan(400, primary_range_deg=(-40.0, 30.0), jitter=Jitter(primary_deg=5.0, secondary_deg=3.0))
    poses = [sample_pose(plan, planes, np.zeros(3), seed=7, index=index) for index in range(800)]
    for plane in (0, 1):
        for name, (low, high) in zip(("primary_deg", "secondary_deg"), angle_ranges(plan, plane), strict=True):
            angles = np.array([getattr(pose, name) for pose in poses[plane::2]])
            assert low <= angles.min() < low + 4 and high - 4 < angles.max() <= high
    deviations = np.array([[pose.secondary_deg for pose in poses[1::2]]])
    exact = replace(plan, jitter=Jitter())
    frontal = [poses[2 * e].secondary_deg - direction(exact, 7, e)[1] for e in range(400)]
    assert abs(np.corrcoef(frontal, deviations[0])[0, 1]) < 0.2
