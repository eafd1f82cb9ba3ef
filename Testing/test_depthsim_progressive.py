"""The picture of a pose from coarse to fine: what it ends at, in which steps, and what a change of recipe reuses."""

import numpy as np
import pytest
from scipy import stats

from depthsim_scenes import bent_anatomy, bent_simulation, pose_at
from DepthSimLib import progressive
from DepthSimLib.pictures import trace_pictures
from DepthSimLib.progressive import refine
from DepthSimLib.simulation import EndoscopySimulation

POSE = pose_at(0.4)

DEEPER = """1
1
0.9
0.1
0.2
10
6 -700 0 -200 0.9 3000 0.9
4 0 1 255 1
12 -1000 0 0 0 -500 0.8 0.5 0.4 3000 0.8 0.5 0.4
"""
"""A volume property of Slicer's whose opacity begins farther out in the wall."""


@pytest.fixture(scope="module")
def cinematic() -> EndoscopySimulation:
    scope = {"device": "olympus_cf_hq190l", "scale": 0.05}
    return bent_simulation(
        endoscope=scope,
        rendering={"samples": 8, "denoise": False, "max_order": 4, "looks": [{"surface": {"gradient_factor": 0.0}}]},
    )


def blocks(picture: np.ndarray) -> np.ndarray:
    """Means over 3 × 3 parts of a picture (H, W, 3)."""
    height, width = (side // 3 * 3 for side in picture.shape[:2])
    return picture[:height, :width].reshape(3, height // 3, 3, width // 3, 3).mean(axis=(1, 3))


@pytest.mark.slow
def test_the_last_picture_is_that_of_all_samples_at_once(cinematic):
    """The same mean and variance, by 16 pictures of either, without reflections, whose few bright paths would decide.

    Student's t-test in each of 27 parts, and the ratio of the variances, of 9 · 15 degrees of freedom, within 4.5 of
    its standard deviations. Passes with the same random numbers would have a ratio of 0.3.
    """
    runs = 16
    viewpoint, _ = cinematic.view(POSE)
    looks, rendering = [cinematic.device_look(0, 0)], cinematic.recipe.rendering
    color = np.array(cinematic.look(0, 0).illumination.color)
    at_once = [
        blocks(trace_pictures(cinematic.medium, viewpoint, looks, rendering, seed)[0] * color) for seed in range(runs)
    ]
    in_passes = [blocks([*refine(cinematic, POSE, seed)][-1].noisy) for seed in range(runs)]
    first, second = np.array(at_once), np.array(in_passes)
    assert stats.ttest_ind(first, second, equal_var=False).pvalue.min() > 2 * stats.norm.sf(4.5)
    ratio = first.var(axis=0, ddof=1).sum() / second.var(axis=0, ddof=1).sum()
    assert abs(np.log(ratio)) < 4.5 * np.sqrt(4.0 / (9 * 15))


def test_pictures_grow_and_gain_samples(cinematic):
    steps = [*refine(cinematic, POSE)]
    shape = cinematic.rays.shape[:2]
    assert steps[0].samples == 0  # at once, without paths
    assert steps[0].picture.shape[1] < shape[1]
    sizes = [step.picture.shape[1] for step in steps]
    assert sizes == sorted(sizes)
    full = [step for step in steps if step.picture.shape[:2] == shape]
    assert [step.samples for step in full] == [1, 2, 4, 8]
    assert [step.share for step in full] == [1 / 8, 1 / 4, 1 / 2, 1]
    assert all(step.picture.dtype == np.uint8 for step in steps)


def test_no_pass_takes_more_than_its_share_of_paths(cinematic, monkeypatch):
    pixels = cinematic.rays[..., 0].size
    for most, expected in ((3 * pixels, [1, 2, 4, 7, 8]), (pixels // 2, [1, 2, 3, 4, 5, 6, 7, 8])):
        monkeypatch.setattr(progressive, "PATHS_A_PASS", most)
        steps = refine(cinematic, POSE)
        assert [step.samples for step in steps if step.picture.shape[:2] == cinematic.rays.shape[:2]] == expected


def test_the_same_seed_gives_the_same_picture_and_another_another(cinematic):
    last = [[*refine(cinematic, POSE, seed)][-1].noisy for seed in (1, 1, 2)]
    np.testing.assert_array_equal(last[0], last[1])
    assert (last[0] != last[2]).any()


def test_a_synthetic_picture_ends_at_that_of_a_dataset():
    """The frame of a recipe whose only pose this is, sensor noise included."""
    scene = bent_simulation(rendering={"mode": "synthetic"}, views={"count": 1})
    pose = scene.poses.pose(0).ras_from_camera
    *coarse, last = refine(scene, pose)
    assert coarse
    assert last.share == 1.0
    np.testing.assert_array_equal(last.picture, np.moveaxis(scene.frame(0).channels["display"], 0, -1))


def test_grey_and_denoised_pictures():
    scene = bent_simulation(rendering={"samples": 1, "grayscale": True})
    last = [*refine(scene, POSE)][-1]
    assert last.picture.shape == last.noisy.shape == scene.rays.shape[:2]
    assert (last.radiance != last.noisy).any()


def test_another_endoscope_look_or_mode_takes_the_medium_over():
    before = bent_simulation()
    after = bent_simulation(before, endoscope={"device": "simcol3d", "scale": 0.2}, rendering={"looks": ["pale"]})
    assert after.medium is before.medium
    assert after.endoscope.camera.width_px == 95
    assert after.anatomy is bent_anatomy()
    fresh = bent_simulation(endoscope={"device": "simcol3d", "scale": 0.2}, rendering={"looks": ["pale"]})
    np.testing.assert_array_equal(after.geometry(POSE)[2].depth_mm, fresh.geometry(POSE)[2].depth_mm)


def test_another_place_of_tissue_builds_the_medium_anew(tmp_path):
    path = tmp_path / "opaque.vp"
    path.write_text(DEEPER)
    before = bent_simulation()
    after = bent_simulation(before, rendering={"volume_property": str(path)})
    assert after.medium is not before.medium
    deeper = after.geometry(POSE)[2].depth_mm - before.geometry(POSE)[2].depth_mm
    assert np.nanmedian(deeper) > 0.1
