"""Masks and label thickness against brute force and closed forms."""

import numpy as np
import pytest

from DRRSimLib.projection.label_projector import build_label_scene, project_labels
from Sim2RealLib.engine import open_backend
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume
from xray_scenes import GRIDS, box_chords, centered, positions_ras, sphere_chords, view


def label_scene(array: np.ndarray, affine: np.ndarray):
    return build_label_scene(open_backend("llvm"), Volume(array.astype(np.uint16), affine))


@pytest.mark.parametrize("angles", [(0, 0), (40, -20), (0, 85)])
@pytest.mark.parametrize("grid", GRIDS)
def test_every_voxel_projects_into_its_mask_and_nothing_lies_far_from_one(grid, angles):
    """Scattered labels: the projection of each voxel's centre is in its label's mask, and each pixel of a mask lies
    within the image of half a voxel's diagonal from such a projection."""
    shape = (18, 20, 22)
    affine = centered(shape, GRIDS[grid] * np.array([2, 2, 2, 1]))
    rng = np.random.default_rng(7)
    array = np.zeros(shape, np.uint16)
    ids = (5, 77, 300)
    for label in ids:
        for _ in range(8):
            k, j, i = (int(rng.integers(0, n - 2)) for n in shape)
            array[k : k + 2, j : j + 2, i : i + 2] = label
    one_view = view(*angles)
    masks = project_labels(label_scene(array, affine), one_view).masks
    assert set(masks) == set(ids)
    v, u = np.mgrid[: one_view.camera.height_px, : one_view.camera.width_px] + 0.5
    pixels = np.stack([u, v], axis=-1)
    half_diagonal_px = np.linalg.norm(np.linalg.norm(affine[:3, :3], axis=0)) / 2 * (1000 / 600) / 2.0
    for label in ids:
        positions = one_view.project(transform_points(affine, np.argwhere(array == label)[:, ::-1]))
        columns, rows = positions.astype(int).T
        assert masks[label][rows, columns].all()
        distance = np.linalg.norm(pixels[masks[label]][:, None] - positions[None], axis=-1).min(axis=1)
        assert distance.max() < half_diagonal_px + 1


def test_masks_are_amodal_and_overlap():
    """A small sphere behind a large one: its mask is whole."""
    shape = (60, 60, 60)
    affine = centered(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    positions = positions_ras(Volume(np.zeros(shape), affine))
    array = np.zeros(shape, np.uint16)
    array[np.linalg.norm(positions - [0, 25, 0], axis=-1) < 28] = 1
    array[np.linalg.norm(positions - [0, -40, 0], axis=-1) < 14] = 2
    one_view = view()
    masks = project_labels(label_scene(array, affine), one_view).masks
    for label, center, radius in ((1, [0, 25, 0], 28), (2, [0, -40, 0], 14)):
        outer, inner = (sphere_chords(one_view, center, radius + margin) > 0 for margin in (1.8, -1.8))
        assert np.all(masks[label] <= outer) and np.all(masks[label] >= inner)
    assert np.all(masks[1][masks[2]])


def test_thickness_is_the_chord_and_covers_the_mask():
    shape = (40, 40, 40)
    affine = centered(shape, GRIDS["oblique"])
    array = np.zeros(shape, np.uint16)
    array[8:-8, 8:-8, 8:-8] = 9
    array[2:4, 2:4, 2:4] = 4
    one_view = view(20, 15)
    projection = project_labels(label_scene(array, affine), one_view, [9])
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    box_from_ras = np.linalg.inv(affine / np.append(spacing, 1))
    box_from_ras[:3, 3] = 0
    expected = box_chords(one_view, box_from_ras, 12 * spacing)
    thickness = projection.thickness_mm[9]
    assert set(projection.thickness_mm) == {9}
    assert np.median(np.abs(thickness - expected)[expected > 10]) < 0.1
    assert thickness.sum() == pytest.approx(expected.sum(), rel=5e-3)
    assert np.all(thickness[projection.masks[9]] > 0)


def test_more_labels_than_a_bit_set_holds():
    """70 labels in a row along the patient, each a pixel and a half high, found in its own place."""
    array = np.broadcast_to(np.arange(1000, 1070, dtype=np.uint16)[:, None, None], (70, 6, 6)).copy()
    affine = centered(array.shape, np.diag([2.0, 2.0, 2.2, 1.0]))
    one_view = view()
    masks = project_labels(label_scene(array, affine), one_view).masks
    assert len(masks) == 70
    tops = [np.flatnonzero(masks[1000 + number].any(axis=1)).mean() for number in range(70)]
    assert np.all(np.diff(tops) < 0)
    expected = one_view.project(transform_points(affine, [[2.5, 2.5, number] for number in range(70)]))[:, 1]
    assert np.array(tops) + 0.5 == pytest.approx(expected, abs=1.5)
