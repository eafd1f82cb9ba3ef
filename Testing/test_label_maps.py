"""Label maps on a grid of their own: resampled or refused, never misread."""

import nibabel as nib
import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import label_ids, read_labels

CENTER = np.array([12.0, -34.0, 56.0])
BALL_RADIUS_MM = 14.0


def grid(spacing_mm, turn: np.ndarray, shape_ijk, offset_mm=(0.0, 0.0, 0.0)) -> np.ndarray:
    """The affine of a grid whose middle is `offset_mm` away from CENTER."""
    scale = turn @ np.diag([*spacing_mm, 1.0])
    middle = (np.array(shape_ijk) - 1.0) / 2.0
    return translation(CENTER + offset_mm - scale[:3, :3] @ middle) @ scale


UPRIGHT, TILTED = np.eye(4), rotation((0.0, 0.6, 0.8), 35.0)
REFERENCE_SHAPE = (40, 44, 30)
REFERENCE = Volume(np.zeros(REFERENCE_SHAPE[::-1], np.int16), grid((1.5, 1.4, 2.0), UPRIGHT, REFERENCE_SHAPE), "ct")
LABEL_GRIDS = {
    "shifted": (grid((1.5, 1.4, 2.0), UPRIGHT, REFERENCE_SHAPE, (3.4, -2.3, 4.9)), REFERENCE_SHAPE),
    "oblique": (grid((1.5, 1.4, 2.0), TILTED, (50, 50, 40)), (50, 50, 40)),
    "finer": (grid((0.7, 0.7, 0.9), UPRIGHT, (80, 84, 62), (1.03, 2.05, 3.07)), (80, 84, 62)),
    "coarser": (grid((2.2, 2.4, 3.0), UPRIGHT, (30, 30, 26), (0.13, 0.17, 0.19)), (30, 30, 26)),
    "left-handed": (grid((-1.1, 1.2, 1.3), TILTED, (60, 62, 64)), (60, 62, 64)),
    "permuted": (grid((1.1, 1.2, 1.3), TILTED, (60, 62, 64))[:, [2, 0, 1, 3]], (64, 60, 62)),
}


def save(path, labels_kji: np.ndarray, affine: np.ndarray):
    nib.save(nib.Nifti1Image(labels_kji.transpose(), affine, dtype=labels_kji.dtype), path)
    return path


def voxel_centers(affine: np.ndarray, shape_ijk) -> np.ndarray:
    """World positions (K, J, I, 3)."""
    k, j, i = np.indices(shape_ijk[::-1])
    return transform_points(affine, np.stack([i, j, k], axis=-1))


def ball_and_sides(affine: np.ndarray, shape_ijk) -> np.ndarray:
    """The truth, in the world: a ball about CENTER, label 7 in its right half, 300 in its left."""
    away = voxel_centers(affine, shape_ijk) - CENTER
    inside = np.linalg.norm(away, axis=-1) < BALL_RADIUS_MM
    return np.where(inside, np.where(away[..., 0] > 0.0, 7, 300), 0).astype(np.uint16)


@pytest.mark.parametrize("name", LABEL_GRIDS)
def test_each_voxel_takes_the_label_of_the_nearest_voxel(tmp_path, name):
    affine, shape = LABEL_GRIDS[name]
    stored = ball_and_sides(affine, shape)
    path = save(tmp_path / "labels.nii.gz", stored, affine)
    labels, record = read_labels(path, REFERENCE)
    ijk = transform_points(np.linalg.inv(nib.load(path).affine), voxel_centers(REFERENCE.ras_from_ijk, REFERENCE_SHAPE))
    nearest = np.rint(ijk).astype(int)
    inside = np.all((nearest >= 0) & (nearest < shape), axis=-1)
    i, j, k = np.moveaxis(np.where(inside[..., None], nearest, 0), -1, 0)
    expected = np.where(inside, stored[k, j, i], 0)
    sure = np.all(np.abs(ijk - np.floor(ijk) - 0.5) > 1e-4, axis=-1)  # not half-way between two voxels
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(labels.array[sure], expected[sure])
    assert labels.same_grid(REFERENCE) and labels.array.dtype == np.uint16
    assert record["resampled"] and record["lost_labels"] == []
    assert record["covered"] == pytest.approx(inside.mean(), abs=0.03)  # sampled at 40 × 44 × 30 of the voxels


@pytest.mark.parametrize("name", LABEL_GRIDS)
def test_a_ball_stays_where_it_is_in_the_world(tmp_path, name):
    """The nearest voxel's middle is at most half a voxel of the map away; a misread grid is out by many."""
    affine, shape = LABEL_GRIDS[name]
    labels, _ = read_labels(save(tmp_path / "labels.nii.gz", ball_and_sides(affine, shape), affine), REFERENCE)
    centers, half_voxel = (
        voxel_centers(REFERENCE.ras_from_ijk, REFERENCE_SHAPE),
        np.abs(affine[:3, :3]).sum(axis=1) / 2.0,
    )
    assert np.all(np.abs(centers[labels.array > 0].mean(axis=0) - CENTER) < half_voxel)
    half_ball = 3.0 / 8.0 * BALL_RADIUS_MM  # distance of a half ball's centroid from the ball's middle
    for label, side in ((7, 1.0), (300, -1.0)):
        expected = CENTER + side * np.array([half_ball, 0.0, 0.0])
        assert np.all(np.abs(centers[labels.array == label].mean(axis=0) - expected) < half_voxel)
    volume = np.count_nonzero(labels.array) * REFERENCE.spacing_mm.prod()
    assert volume == pytest.approx(4.0 / 3.0 * np.pi * BALL_RADIUS_MM**3, rel=0.03)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_labels_on_the_same_grid_are_taken_as_they_are(tmp_path, dtype):
    array = np.random.default_rng(0).integers(0, 118, REFERENCE.array.shape)
    path = save(tmp_path / "labels.nii.gz", array.astype(dtype), REFERENCE.ras_from_ijk)
    labels, record = read_labels(path, REFERENCE)
    np.testing.assert_array_equal(labels.array, array)
    assert labels.array.dtype == np.uint8
    assert record["role"] == "labels" and record["resampled"] is False
    assert label_ids(labels) == tuple(range(1, 118))


def test_the_same_voxels_stored_in_another_order_are_put_back_exactly(tmp_path):
    array = np.random.default_rng(0).integers(0, 65536, REFERENCE.array.shape).astype(np.uint16)
    mirror = translation((REFERENCE_SHAPE[0] - 1.0, 0.0, 0.0)) @ np.diag([-1.0, 1.0, 1.0, 1.0])
    path = save(tmp_path / "labels.nii.gz", array[:, :, ::-1], REFERENCE.ras_from_ijk @ mirror)
    labels, record = read_labels(path, REFERENCE)
    np.testing.assert_array_equal(labels.array, array)
    assert record["resampled"] and record["covered"] == 1.0


def test_labels_that_are_lost_are_named(tmp_path):
    """A label of one fine voxel between the coarse reference's centres, and one outside the reference."""
    affine, shape = LABEL_GRIDS["finer"]
    array = np.full(shape[::-1], 1, np.uint8)
    array[31, 42, 40:42] = 2
    reference = Volume(np.zeros((3, 3, 3), np.int16), grid((9.0, 9.0, 9.0), UPRIGHT, (3, 3, 3), (2.0, 2.0, 2.0)))
    labels, record = read_labels(save(tmp_path / "labels.nii.gz", array, affine), reference)
    assert label_ids(labels) == (1,)
    assert record["lost_labels"] == [2]


BAD = {
    "it holds fractions": np.float32([[[0.0, 1.0, 1.5]]]),
    "run from -1 to 1": np.int16([[[0, 1, -1]]]),
    "run from 0 to 65536": np.int32([[[0, 1, 65536]]]),
    "holds no label": np.zeros((1, 1, 3), np.uint8),
    "voxels are NaN": np.float32([[[0.0, 1.0, np.nan]]]),
}


@pytest.mark.parametrize("message", BAD)
def test_refuses_what_is_not_a_label_map(tmp_path, message):
    path = save(tmp_path / "labels.nii.gz", BAD[message], REFERENCE.ras_from_ijk)
    with pytest.raises(Sim2RealError, match=message):
        read_labels(path, REFERENCE)


def test_refuses_a_map_of_another_place(tmp_path):
    affine, shape = LABEL_GRIDS["finer"]
    array = ball_and_sides(affine, shape)
    far = save(tmp_path / "far.nii.gz", array, translation((500.0, 0.0, 0.0)) @ affine)
    with pytest.raises(Sim2RealError, match="does not overlap ct"):
        read_labels(far, REFERENCE)
    array[...] = 0
    array[0, -1, 0] = 1  # the grids overlap, but not where this label is
    edge = save(tmp_path / "edge.nii.gz", array, translation((0.0, 40.0, 0.0)) @ affine)
    with pytest.raises(Sim2RealError, match="none of its labels lies inside ct"):
        read_labels(edge, REFERENCE)
