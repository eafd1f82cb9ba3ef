"""Where rays go and how deep they see, against closed forms, camera models and the world's own affine."""

import dataclasses

import drjit as dr
import numpy as np
import pytest

from DepthSimLib.endoscope.presets import ENDOSCOPES
from DepthSimLib.rendering.camera_rays import upload_camera
from DepthSimLib.rendering.medium import Medium, rays_in
from DepthSimLib.rendering.opacity_depth import OPACITIES, STEP_VOXELS, OpacityDepths, opacity_depths
from rendering_scenes import (
    AIR,
    ARRAYS,
    GRIDS,
    HU,
    TISSUE,
    Look,
    box_grid,
    constant,
    medium_of,
    number,
    points,
    ramp,
    render,
)
from Sim2RealLib.cameras import EquidistantCamera, PinholeCamera
from Sim2RealLib.geometry import invert_rigid, rotation, transform_points, translation
from Sim2RealLib.volume import Volume

THRESHOLDS = -np.log(1 - np.array(OPACITIES))


def depths(medium: Medium, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(3, N): ray lengths at the opacities of OPACITIES."""
    found = opacity_depths(medium, rays_in(medium, points(origins), points(directions), dr.inf))
    return np.array([getattr(found, field.name).numpy() for field in dataclasses.fields(OpacityDepths)])


def rays_down(count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """From within the first voxels along k, at up to 60° to it."""
    rng = np.random.default_rng(12)
    directions = np.stack([*rng.uniform(-1, 1, (2, count)), rng.uniform(0.6, 1, count)], axis=-1)
    directions[0] = (0, 0, 1)
    directions[1] = (0.6, 0, 0.8)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.array([40, 40, 0]) + rng.uniform(0, 2, (count, 3)), directions


def test_depth_in_a_slab_is_that_of_beers_law():
    """The edge lies halfway between two planes, and is found as well as steps of a quarter of a voxel find it."""
    array = np.full((40, 82, 82), AIR)
    array[16:] = TISSUE
    origins, directions = rays_down()
    found = depths(medium_of(array, constant(0.7)), origins, directions)
    edge = (15.5 - origins[:, 2]) / directions[:, 2]
    expected = edge + THRESHOLDS[:, None] / 0.7
    assert np.abs(found - expected).max() < 0.5 * STEP_VOXELS + 0.01
    assert np.abs(np.mean(found - expected)) < 0.02


def test_depth_in_a_ramp_is_the_root_of_its_integral():
    """σ_t grows linearly along k from plane 8 on: τ = a cosθ s² / 2. Within a step τ is taken to be linear, which is
    off by at most h² / 8 s, and HU are rounded: half of one is 0.025 mm along k, 0.06 mm along the most oblique ray."""
    array = np.full((60, 82, 82), AIR) + np.clip(20 * (np.arange(60) - 8), 0, None)[:, None, None]
    growth = 0.02
    medium = medium_of(array, growth * np.clip((HU - AIR) / 20, 0, None))
    origins, directions = rays_down()
    found = depths(medium, origins, directions)
    start = (8 - origins[:, 2]) / directions[:, 2]
    within = np.sqrt(2 * THRESHOLDS[:, None] / (growth * directions[:, 2]))
    assert np.all(found[0] < found[1]) and np.all(found[1] < found[2])
    assert np.abs(found - start - within).max() < STEP_VOXELS**2 / (8 * within.min()) + 0.06
    assert np.abs(np.mean(found - start - within)) < 0.01


def test_a_ray_that_meets_too_little_has_no_depth():
    array = np.full((20, 20, 20), TISSUE)
    found = depths(medium_of(array, constant(0.03)), np.array([[9.5, 9.5, -3.0]]), np.array([[0, 0, 1.0]]))
    # 19 mm at 0.03 / mm: an opacity of 0.43
    assert found[0, 0] == pytest.approx(3 + THRESHOLDS[0] / 0.03, abs=0.05)
    assert np.all(np.isinf(found[1:]))


CAMERAS = {
    "pinhole": PinholeCamera(90.0, 95.0, 82.0, 71.5, 160, 140),
    "equidistant": EquidistantCamera(50.0, 50.0, 80.0, 70.0, 160, 140),
    "olympus": ENDOSCOPES["olympus_cf_hq190l"].camera.scaled(0.38),
    "capsule": ENDOSCOPES["pillcam_colon2"].camera,
    "endomapper": ENDOSCOPES["olympus_cf_h190l"].camera,
}


@pytest.mark.parametrize("grid", ["oblique", "left-handed"])
@pytest.mark.parametrize("camera", CAMERAS)
def test_rays_through_pixel_centres_are_the_cameras(camera, grid):
    """Directions are interpolated between a pixel's corners: within 0.003 pixels."""
    camera, volume = CAMERAS[camera], box_grid(GRIDS[grid], 8.0)
    pose = translation([1.0, 2.0, -3.0]) @ rotation([0.6, 0.0, 0.8], 70)
    scalar = medium_of(volume, constant(1.0)).device_grid.grid
    rays = upload_camera(ARRAYS, camera, pose, scalar)
    pixel = dr.arange(ARRAYS.UInt32, camera.width_px * camera.height_px)
    linear = (scalar.grid_from_ras @ pose)[:3, :3]
    for place in (np.array([0.5, 0.5]), np.array([0.1, 0.8])):
        found = rays.direction(pixel, *map(number, place)).numpy().T @ linear
        positions_px = camera.pixel_centers().reshape(-1, 2) - 0.5 + place
        expected = camera.unproject(positions_px)
        # towards 90° the polynomial of EndoMapper's camera is about to turn back
        known = expected[:, 2] > np.cos(np.deg2rad(65))
        assert known.mean() > 0.3
        assert np.abs(np.linalg.norm(found[known], axis=1) - 1).max() < 1e-5
        assert np.linalg.norm(camera.project(found[known]) - positions_px[known], axis=1).max() < 3e-3


FAR_CAMERAS = {
    "pinhole": PinholeCamera(310.0, 300.0, 82.0, 71.5, 160, 140),
    "equidistant": EquidistantCamera(280.0, 300.0, 80.0, 70.0, 160, 140),
}


@pytest.mark.parametrize("camera", FAR_CAMERAS)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_bright_voxel_is_where_its_affine_and_the_camera_project_it(grid, camera):
    """Both in the depth, a silhouette, and in the picture: the shadow of a black voxel before a bright background.

    A voxel of 1 mm at 45 mm is 7 pixels wide, up to 8° beside the axis. Its shadow's centre of gravity is off by the
    noise of the picture, and the silhouette's by what the pixels of an outline can be.
    """
    camera, volume = FAR_CAMERAS[camera], box_grid(GRIDS[grid], 10.0)
    voxel_ijk = np.array(volume.shape_ijk) // 2 + [2, -3, 1]
    volume.array[:] = AIR
    volume.array[tuple(voxel_ijk[::-1])] = TISSUE
    center = transform_points(volume.ras_from_ijk, voxel_ijk.astype(float))
    medium = medium_of(Volume(volume.array, volume.ras_from_ijk), ramp(30.0))
    for turn, eye in ((20.0, (1.5, -2.0, -45.0)), (-75.0, (-3.0, 1.0, -43.0))):
        pose = translation(eye) @ rotation([0.0, 0.0, 1.0], turn) @ rotation([1.0, 0.0, 0.0], 3)
        expected = camera.project(transform_points(invert_rigid(pose), center))
        picture = render(medium, [Look(albedo=(0, 0, 0), brightness=0, background=1)], camera=camera,
                         ras_from_camera=pose, samples=16)[0, ..., 0]  # fmt: skip
        rays = upload_camera(ARRAYS, camera, pose, medium.device_grid.grid)
        pixel = dr.arange(ARRAYS.UInt32, camera.width_px * camera.height_px)
        direction = rays.direction(pixel, ARRAYS.Float(0.5), ARRAYS.Float(0.5))
        depth = opacity_depths(medium, rays_in(medium, rays.origin, direction, dr.inf)).middle.numpy()
        depth = depth.reshape(picture.shape)
        for weight, tolerance_px in ((1 - picture, 0.1), (np.isfinite(depth).astype(float), 0.25)):
            found = (weight[..., None] * camera.pixel_centers()).sum(axis=(0, 1)) / weight.sum()
            assert np.abs(found - expected).max() < tolerance_px
        # seen from before, the tent of the voxel becomes opaque within a voxel before its centre
        before = np.linalg.norm(center - pose[:3, 3]) - depth.min()
        assert 0 < before < 1.3
