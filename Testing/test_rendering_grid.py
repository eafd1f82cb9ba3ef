"""Packed volumes: trilinear samples against scipy, macro-cells and majorants against brute force."""

import numpy as np
import pytest
from scipy import ndimage

from DepthSimLib.rendering.device_grid import upload_grid
from DepthSimLib.rendering.majorants import cell_codes
from DepthSimLib.rendering.scalar_grid import CELL, HIGHEST_HU, LOWEST_HU, scalar_grid
from rendering_scenes import ARRAYS, HU, points
from Sim2RealLib.random_streams import random_streams
from Sim2RealLib.volume import Volume

SHAPES = [(2, 2, 2), (3, 5, 4), (4, 9, 6), (13, 8, 21), (17, 16, 5)]
SPACING_MM = np.array([0.7, 1.3, 0.9])


def noise(shape, low=LOWEST_HU, high=HIGHEST_HU) -> np.ndarray:
    return np.random.default_rng([5, *shape]).integers(low, high + 1, shape).astype(np.int16)


def grid_of(array: np.ndarray):
    return scalar_grid(Volume(array, np.diag([*SPACING_MM, 1.0])))


def meant(array: np.ndarray, cell: tuple[int, ...], margin: int) -> np.ndarray:
    """The voxels that samples in a cell interpolate, and `margin` more to each side."""
    return array[tuple(slice(max(CELL * c - margin, 0), CELL * (c + 1) + 1 + margin) for c in cell)]


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_know_the_voxels_of_their_samples_and_those_a_voxel_beside(shape):
    array = noise(shape)
    grid = grid_of(array)
    assert grid.cell_low_hu.shape == tuple(-(-(n - 1) // CELL) for n in shape)
    for cell in np.ndindex(grid.cell_low_hu.shape):
        assert grid.cell_low_hu[cell] == meant(array, cell, 1).min()
        assert grid.cell_high_hu[cell] == meant(array, cell, 1).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_majorants_bound_the_table_over_a_cells_values_and_little_more(shape):
    """The table is spiky, so that a bound that misses one HU is found; it may look one HU beyond the range."""
    array = noise(shape, -200, 200)
    extinction = np.random.default_rng(1).exponential(1.0, len(HU)) ** 4
    grid = grid_of(array)
    codes = cell_codes(grid, extinction)
    for cell in np.ndindex(codes.shape):
        low, high = (int(extreme[cell]) - LOWEST_HU for extreme in (grid.cell_low_hu, grid.cell_high_hu))
        assert codes[cell] == np.float32(extinction[low - 1 : high + 2].max())


def test_an_empty_cell_knows_how_far_it_is_empty_around():
    array = np.full((41, 33, 50), -1000, np.int16)
    array[np.random.default_rng(2).random(array.shape) < 1e-4] = 0
    codes = cell_codes(grid_of(array), np.where(HU > -500, 2.0, 0.0))
    solid = codes > 0
    assert 0 < solid.sum() < solid.size and codes.max() == 2.0
    for cell in np.argwhere(~solid):
        nearest = np.abs(np.argwhere(solid) - cell).max(axis=1).min()
        assert codes[tuple(cell)] == -(nearest - 1)


def test_tumour_is_stored_beside_hu_and_changes_neither_them_nor_the_cells():
    """Shares in sixteen steps, sampled as HU are."""
    array = noise((13, 8, 21))
    lesions = np.random.default_rng(8).integers(0, 256, array.shape).astype(np.uint8)
    volume = Volume(array, np.eye(4))
    plain, grid = scalar_grid(volume), scalar_grid(volume, lesions)
    np.testing.assert_array_equal(grid.cell_low_hu, plain.cell_low_hu)
    np.testing.assert_array_equal(grid.cell_high_hu, plain.cell_high_hu)
    voxel = np.random.default_rng(9).uniform(0, np.array(array.shape) - 1.01, (3000, 3))
    where = points(voxel[:, ::-1])
    hu, share = upload_grid(ARRAYS, grid).sample_tissue(where)
    np.testing.assert_array_equal(hu.numpy(), upload_grid(ARRAYS, plain).sample(where).numpy())
    expected = ndimage.map_coordinates(np.floor(lesions / 16.0) / 15.0, voxel.T, order=1)
    np.testing.assert_allclose(share.numpy(), expected, atol=1e-4)


def test_a_medium_of_nothing_is_empty_as_far_as_it_goes():
    codes = cell_codes(grid_of(noise((9, 13, 5))), np.zeros(len(HU)))
    assert np.all(codes <= -max(codes.shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_and_gradients_are_those_of_scipy(shape):
    """float32: HU of up to 4096 are interpolated within 1e-3, and differences of two of them over 1.4 mm."""
    array = noise(shape)
    device = upload_grid(ARRAYS, grid_of(array))
    rng = np.random.default_rng(3)
    size_kji = np.array(shape)
    voxel = rng.uniform(-1, 1, (3000, 3)) * 0.6 * size_kji + 0.5 * (size_kji - 1)

    def expected(kji: np.ndarray) -> np.ndarray:
        # samples end a thousandth of a voxel before the last plane
        return ndimage.map_coordinates(array.astype(float), np.clip(kji, 0, size_kji - 1 - 1e-3).T, order=1)

    where = points((voxel * SPACING_MM[::-1])[:, ::-1])
    assert np.abs(device.sample(where).numpy() - expected(voxel)).max() < 0.01
    gradient = device.gradient(where).numpy()[::-1]
    for axis in range(3):
        step = np.eye(3)[axis]
        slope = (expected(voxel + step) - expected(voxel - step)) / (2 * SPACING_MM[::-1][axis])
        # beyond the last plane the two samples differ in rounding alone
        assert np.abs(gradient[axis] - slope).max() < 0.02


def test_values_beyond_the_table_are_stored_as_its_ends():
    array = np.array([-2000, -1024, 3071, 32767] * 4, np.int16).reshape(4, 2, 2)
    device = upload_grid(ARRAYS, scalar_grid(Volume(array, np.eye(4))))
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    assert np.allclose(device.sample(points(corners)).numpy(), [-1024, -1024, 3071, 3071], atol=5)


def test_lanes_and_seeds_have_independent_random_numbers():
    """1,152 correlations of 2¹⁷ pairs each: the largest of so many normal deviates stays below 5.5 with 1 − 4e-5."""
    count, draws = 2**17, 12

    def numbers(seed: int) -> np.ndarray:
        streams = random_streams(ARRAYS, count, seed)
        drawn = np.array([streams.next_float32().numpy() for _ in range(draws)])
        return (drawn - 0.5) * 12**0.5

    first, second = numbers(1), numbers(2)
    pairs = [(first, second), *((first, np.roll(first, lag, axis=1)) for lag in (1, 32, 512))]
    for one, other in pairs:
        assert np.abs(one @ other.T).max() / count**0.5 < 5.5
    assert np.abs(first.mean(axis=1)).max() * count**0.5 < 5
    assert abs((first**2).mean() - 1) < 5 * (0.8 / first.size) ** 0.5
