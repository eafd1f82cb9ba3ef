"""Transforms and grids against closed forms."""

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, require_grid_affine, rotation, transform_points, translation
from Sim2RealLib.volume import Volume


def test_rotation_is_right_handed_and_keeps_its_axis():
    assert rotation([0, 0, 1], 90)[:3, :3] @ [1, 0, 0] == pytest.approx([0, 1, 0])
    axis = np.array([1.0, 2.0, 2.0]) / 3
    turned = rotation(axis, 73.0)
    assert turned[:3, :3] @ axis == pytest.approx(axis)
    assert np.trace(turned[:3, :3]) == pytest.approx(1 + 2 * np.cos(np.deg2rad(73.0)))
    assert np.linalg.det(turned) == pytest.approx(1.0)


def test_rigid_inverse_undoes_the_transform():
    rigid = translation([10, -20, 30]) @ rotation([0, 0.6, 0.8], 25)
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    assert transform_points(invert_rigid(rigid), transform_points(rigid, points)) == pytest.approx(points)


def test_sheared_and_singular_grids_are_refused_and_rectangular_ones_pass():
    oblique = rotation([0.6, 0.8, 0], 30) @ np.diag([-0.7, 0.9, 2.5, 1.0])
    assert require_grid_affine(oblique, "ct") == pytest.approx(oblique)
    sheared = oblique @ np.array([[1, 0, 0.05, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    with pytest.raises(Sim2RealError, match="ct: the voxel grid is sheared"):
        require_grid_affine(sheared, "ct")
    with pytest.raises(Sim2RealError, match="singular"):
        require_grid_affine(np.diag([1.0, 0.0, 1.0, 1.0]), "ct")
    with pytest.raises(Sim2RealError, match="not a finite affine"):
        require_grid_affine(np.diag([1.0, np.nan, 1.0, 1.0]), "ct")


def test_a_volume_is_three_dimensional_and_not_empty():
    with pytest.raises(Sim2RealError, match="three dimensions"):
        Volume(np.zeros((2, 2, 2, 2)), np.eye(4))
    with pytest.raises(Sim2RealError, match="empty"):
        Volume(np.zeros((2, 0, 2)), np.eye(4))


def test_corners_of_a_volume_lie_half_a_voxel_outside_the_centres():
    volume = Volume(np.zeros((4, 3, 2)), translation([10, 20, 30]) @ np.diag([-1.0, 2.0, 3.0, 1.0]))
    assert volume.corners_ras.min(axis=0) == pytest.approx([10 - 1.5, 20 - 1, 30 - 1.5])
    assert volume.corners_ras.max(axis=0) == pytest.approx([10 + 0.5, 20 + 5, 30 + 10.5])
