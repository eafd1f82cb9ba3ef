"""The middle of the body, on bodies whose middle is known."""

import numpy as np
import pytest

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct

CENTER = np.array([15.0, -20.0, 300.0])
HALF_AXES_MM = np.array([150.0, 100.0, 120.0])
GRIDS = {
    "axial": np.diag([1.7, 1.7, 5.0, 1.0]),
    "as scanners store it": np.diag([-3.0, -3.0, 5.0, 1.0]),
    "oblique": rotation((0.0, 0.6, 0.8), 20.0) @ np.diag([3.0, 3.0, 4.0, 1.0]),
    "sagittal": np.diag([3.0, 3.0, 5.0, 1.0])[:, [1, 2, 0, 3]],
}


def chest(grid: np.ndarray) -> Volume:
    """An ellipsoid about CENTER with two lungs, lying on a hollow table, with a tube on the skin, and noise."""
    shape_ijk = np.ceil(np.array([420.0, 420.0, 420.0]) / np.linalg.norm(grid[:3, :3], axis=0)).astype(int)
    affine = translation(CENTER - grid[:3, :3] @ ((shape_ijk - 1) / 2.0)) @ grid
    k, j, i = np.indices(shape_ijk[::-1])
    right, anterior, superior = np.moveaxis(transform_points(affine, np.stack([i, j, k], axis=-1)) - CENTER, -1, 0)

    def ellipsoid(offset, half_axes):
        scaled = [(p - o) / h for p, o, h in zip((right, anterior, superior), offset, half_axes, strict=True)]
        return np.sum(np.square(scaled), axis=0) < 1.0

    hu = np.full(shape_ijk[::-1], -1000.0)
    table = (np.abs(right) < 190.0) & (np.abs(anterior + 118.0) < 20.0)
    shell = table & ~((np.abs(right) < 185.0) & (np.abs(anterior + 118.0) < 15.0))
    hu[table], hu[shell] = -850.0, 100.0
    hu[np.hypot(right - 60.0, anterior - 96.0) < 7.0] = 60.0
    hu[ellipsoid((0, 0, 0), HALF_AXES_MM)] = 30.0
    for side in (-70.0, 70.0):
        hu[ellipsoid((side, 0, 10), (50.0, 65.0, 85.0))] = -820.0
    noise = 60.0 * np.random.default_rng(0).standard_normal(hu.shape, dtype=np.float32)
    return Volume((hu + noise).astype(np.int16), affine)


@pytest.mark.parametrize("grid", GRIDS)
def test_finds_the_middle_whatever_the_grid_and_the_table(grid):
    np.testing.assert_allclose(body_center_ras(chest(GRIDS[grid])), CENTER, atol=4.0)


def test_small_objects_and_full_volumes_have_a_middle():
    array = np.full((20, 30, 40), -1000, np.int16)
    array[5:15, 10:20, 8:28] = 40
    affine = translation((100.0, 0.0, 0.0)) @ np.diag([0.5, 0.5, 0.5, 1.0])
    np.testing.assert_allclose(body_center_ras(Volume(array, affine)), [108.75, 7.25, 4.75], atol=0.5)
    np.testing.assert_allclose(
        body_center_ras(Volume(np.full_like(array, 40), affine)), [109.75, 7.25, 4.75], atol=1e-9
    )


def test_thinning_keeps_a_symmetric_body_in_the_middle():
    array = np.full((131, 131, 131), -1000, np.int16)
    array[30:101, 30:101, 30:101] = 40
    np.testing.assert_allclose(body_center_ras(Volume(array, np.eye(4))), [65.0, 65.0, 65.0], atol=1e-9)


def test_a_hand_on_the_belly_does_not_move_the_middle():
    array = np.full((60, 80, 100), -1000, np.int16)
    array[:, 10:60, 10:90] = 40
    array[20:40, 60:75, 30:55] = 40
    np.testing.assert_allclose(
        body_center_ras(Volume(array, np.diag([4.0, 4.0, 4.0, 1.0]))), [198.0, 138.0, 118.0], atol=4.0
    )


def test_the_larger_of_two_bodies_counts():
    array = np.full((40, 60, 100), -1000, np.int16)
    array[5:35, 10:50, 5:25] = 0
    array[5:35, 10:50, 40:95] = 0
    np.testing.assert_allclose(
        body_center_ras(Volume(array, np.diag([3.0, 3.0, 3.0, 1.0]))), [201.0, 88.5, 58.5], atol=3.0
    )


def test_air_has_no_body():
    with pytest.raises(Sim2RealError, match="shows no body"):
        body_center_ras(Volume(np.full((5, 6, 7), -1000, np.int16), np.eye(4)))


@pytest.mark.parametrize("name", ["pelvis/ct.nii.gz", "abdomen_pelvis/ct.nii.gz", "colon/pseudo_ct.nii.gz"])
def test_real_bodies(real_data, name):
    """Against the same planes counted over everything above −300 HU: tables and hands move that by centimetres only."""
    volume, _ = read_ct(real_data / name)
    mask = volume.array > -300
    middle_kji = []
    for axis in range(3):
        profile = mask.sum(axis=tuple(other for other in range(3) if other != axis))
        span = np.flatnonzero(profile > profile.max() / 4)
        middle_kji.append((span[0] + span[-1]) / 2.0)
    expected = transform_points(volume.ras_from_ijk, np.array(middle_kji[::-1]))
    np.testing.assert_allclose(body_center_ras(volume), expected, atol=25.0)
    np.testing.assert_allclose(body_center_ras(volume)[2], expected[2], atol=4.0)
