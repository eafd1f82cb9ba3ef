"""Variants of an anatomy: labels, HU and landmarks move together, exactly."""

import numpy as np
import pytest

from DRRSimLib.anatomy import Anatomy
from DRRSimLib.augmentation.deformation import random_deformation
from DRRSimLib.augmentation.density import scaled_density
from DRRSimLib.augmentation.resampling import interpolated_hu
from DRRSimLib.augmentation.rigid_bones import SOFT_TISSUE_HU, Body, about, femoral_head, moved_bone
from DRRSimLib.augmentation.section import Augmentation
from DRRSimLib.augmentation.variant import variant_of
from DRRSimLib.frame_checks import frame_checks, input_checks
from DRRSimLib.pelvis import generate_pelvis
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.simulation import open_simulation
from Sim2RealApp.export import export_dataset
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.label_table import classes_present, label_groups
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume

GRIDS = [
    np.diag([2.0, 2.0, 2.0, 1.0]),
    translation([5.0, -7.0, 9.0]) @ rotation([0.6, 0.0, 0.8], 25) @ np.diag([2.0, -1.6, 2.4, 1.0]),
]
CENTERS = np.array([[22.0, 25.0, 30.0], [40.0, 20.0, 22.0], [30.0, 45.0, 40.0], [18.0, 40.0, 18.0]])
"""Of small balls, in voxels i, j, k."""

SHAPE = (60, 64, 62)
RADIUS_MM = 8.0


def balls(affine: np.ndarray, radius_mm: float = RADIUS_MM) -> tuple[Volume, Volume, np.ndarray]:
    """HU and labels of balls of bone in water, and their centres in RAS."""
    centers = transform_points(affine, CENTERS)
    k, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    points = transform_points(affine, np.stack([i, j, k], axis=-1))
    labels = np.zeros(SHAPE, np.uint8)
    for number, center in enumerate(centers, start=1):
        labels[np.linalg.norm(points - center, axis=-1) < radius_mm] = number
    hu = np.where(labels > 0, 1000, 0).astype(np.int16)
    return Volume(hu, affine), Volume(labels, affine), centers


def voxel_points(volume: Volume) -> np.ndarray:
    k, j, i = np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij")
    return transform_points(volume.ras_from_ijk, np.stack([i, j, k], axis=-1).reshape(-1, 3))


@pytest.mark.parametrize("affine", GRIDS)
def test_a_deformed_label_is_the_deformed_shape_voxel_by_voxel(affine):
    """A voxel has a label exactly if the point that the map takes there lies in the ball: closed form, but for points
    within half a voxel of the ball's surface, which the nearest voxel decides."""
    hu, labels, centers = balls(affine)
    deformation = random_deformation(hu, 8.0, 60.0, np.random.default_rng(1))
    found = deformation.labels(labels).array.ravel()
    points = voxel_points(labels)[::7]
    source = points + deformation.displacement_mm(points)
    assert np.abs(source - points).max() > 3
    distance = np.linalg.norm(source[:, None] - centers, axis=-1)
    inside, clear = distance < RADIUS_MM, np.abs(distance - RADIUS_MM) > 2.1
    for number in range(len(centers)):
        decided = clear[:, number]
        assert np.array_equal((found[::7] == number + 1)[decided], inside[decided, number])


@pytest.mark.parametrize("affine", GRIDS)
def test_landmarks_go_where_the_map_takes_them_and_so_do_their_balls(affine):
    """Balls of 4.5 mm, of some 50 voxels. Interpolated HU keep their centroid; the nearest label can be half a voxel
    off along each axis, in the same direction all over a ball."""
    hu, labels, centers = balls(affine, 4.5)
    deformation = random_deformation(hu, 8.0, 60.0, np.random.default_rng(2))
    moved = deformation.moved(centers)
    assert moved + deformation.displacement_mm(moved) == pytest.approx(centers, abs=1e-4)
    assert np.linalg.norm(moved - centers, axis=1).max() > 3
    deformed, bright = deformation.labels(labels), deformation.hu(hu)
    for number, expected in enumerate(moved, start=1):
        of_label = np.argwhere(deformed.array == number).mean(axis=0)[::-1]
        assert np.abs(of_label - transform_points(hu.ijk_from_ras, expected)).max() < 0.5
        near = np.linalg.norm(voxel_points(hu) - expected, axis=-1) < 10
        weight = bright.array.ravel()[near].astype(float)
        of_hu = weight @ voxel_points(hu)[near] / weight.sum()
        assert np.linalg.norm(of_hu - expected) < 0.2


def test_a_deformation_is_one_to_one():
    """With the largest amplitude allowed: the determinant of p + u(p) is positive everywhere."""
    hu, _, _ = balls(GRIDS[0])
    deformation = random_deformation(hu, 9.0, 60.0, np.random.default_rng(3))
    points = voxel_points(hu)[::499]
    step = 1e-3
    columns = [
        (deformation.displacement_mm(points + step * axis) - deformation.displacement_mm(points - step * axis))
        / (2 * step)
        for axis in np.eye(3)
    ]
    jacobian = np.eye(3) + np.stack(columns, axis=-1)
    assert np.linalg.det(jacobian).min() > 0.2
    assert np.abs(np.stack(columns, axis=-1)).sum(axis=2).max() < 0.9
    with pytest.raises(ValueError, match="at most"):
        random_deformation(hu, 9.1, 60.0, np.random.default_rng(3))


@pytest.mark.parametrize("affine", GRIDS)
def test_a_moved_bone_takes_its_label_hu_and_landmark_along_and_leaves_soft_tissue(affine):
    hu, labels, centers = balls(affine)
    landmarks = {f"ball_{number}": center for number, center in enumerate(centers, start=1)}
    move = about(centers.mean(axis=0), np.array([0.0, 0.6, 0.8]), 14.0, np.array([3.0, -2.0, 1.0]))
    body = moved_bone(Body(hu, labels, frozenset({1, 2, 3, 4}), landmarks), 2, move)
    expected = transform_points(move, centers[1])
    assert body.landmarks["ball_2"] == pytest.approx(expected)
    assert all(body.landmarks[name] is landmarks[name] for name in ("ball_1", "ball_3", "ball_4"))
    of_label = transform_points(affine, np.argwhere(body.labels.array == 2).mean(axis=0)[::-1])
    assert np.linalg.norm(of_label - expected) < 0.15
    # But for a voxel's half diagonal at the surface; HU are interpolated between all eight voxels around a place.
    distance = np.linalg.norm(voxel_points(hu) - expected, axis=-1)
    assert np.all(body.labels.array.ravel()[distance < RADIUS_MM - 2.1] == 2)
    assert np.all(body.hu.array.ravel()[distance < RADIUS_MM - 4.2] == 1000)
    left = (labels.array == 2) & (body.labels.array != 2)
    assert left.any() and np.all(body.hu.array[left] == SOFT_TISSUE_HU) and np.all(body.labels.array[left] == 0)
    for number in (1, 3, 4):
        assert np.array_equal(body.labels.array == number, labels.array == number)


def test_a_bone_does_not_replace_another_one():
    hu, labels, centers = balls(GRIDS[0])
    onto = translation(centers[2] - centers[0] + [4.0, 0.0, 0.0])
    body = moved_bone(Body(hu, labels, frozenset({1, 2, 3, 4}), {}), 1, onto)
    assert np.array_equal(body.labels.array == 3, labels.array == 3)
    assert 0 < np.count_nonzero(body.labels.array == 1) < np.count_nonzero(labels.array == 1)


def test_the_head_of_a_femur_is_found():
    """A sphere with a neck and a shaft, in voxels of 1.5 mm."""
    for radius, neck in ((24.0, 1), (21.0, -1)):
        spacing = 1.5
        shape = (80, 60, 70)
        affine = translation([-40.0, -40.0, -90.0]) @ np.diag([spacing, spacing, spacing, 1.0])
        points = voxel_points(Volume(np.zeros(shape, np.uint8), affine))
        head = np.array([3.3, 1.7, -8.2])
        along = np.array([neck * 0.75, -0.1, -0.65]) / np.linalg.norm([0.75, -0.1, -0.65])
        reach = np.clip((points - head) @ along, 0, 42)
        inside = np.linalg.norm(points - head, axis=1) < radius
        inside |= np.linalg.norm(points - head - reach[:, None] * along, axis=1) < 0.65 * radius  # the neck
        shaft = head + 42 * along
        inside |= (np.linalg.norm((points - shaft)[:, :2], axis=1) < 15) & (points[:, 2] < shaft[2] + 8)
        center, found = femoral_head(Volume(inside.reshape(shape).astype(np.uint8), affine), 1)
        assert np.linalg.norm(center - head) < 0.5
        assert found == pytest.approx(radius, abs=0.6)


def test_thin_metal_stays_metal():
    """A pin one voxel wide, moved by nearly half a voxel: as many voxels of metal as before, and no others like it."""
    hu = np.full((12, 12, 12), 40, np.int16)
    hu[6, 6] = 3071
    k, j, i = np.meshgrid(*(np.arange(12.0),) * 3, indexing="ij")
    moved = interpolated_hu(hu, [k + 0.45, j - 0.45, i])
    assert np.count_nonzero(moved == 3071) == 12
    assert set(np.unique(moved[moved != 3071])) <= set(range(40, 2501))


def test_density_scales_attenuation_of_a_group_and_nothing_else():
    hu, labels, _ = balls(GRIDS[0])
    hu.array[labels.array == 2], hu.array[labels.array == 4] = 2800, -1000
    groups = {1: "bone", 2: "bone", 3: "muscle", 4: "bone"}
    scaled = scaled_density(hu, labels, groups, {"bone": 0.8}).array
    assert np.all(scaled[labels.array == 1] == 0.8 * 2000 - 1000)
    for number, value in ((0, 0), (2, 2800), (3, 1000), (4, -1000)):
        assert np.all(scaled[labels.array == number] == value)


def test_a_variant_depends_on_seed_and_number_only_and_its_landmarks_stay_on_their_bones():
    pelvis = generate_pelvis(seed=3, spacing_mm=4.0)
    ids = {int(label) for label in np.unique(pelvis.labels.array)}
    classes, groups = classes_present(pelvis.labels, "totalsegmentator_v2"), label_groups("totalsegmentator_v2")
    anatomy = Anatomy(pelvis.hu, pelvis.labels, classes, groups, pelvis.landmarks, (), ())
    section = Augmentation.model_validate(
        {
            "variants": 2,
            "bones": [{"label": "femur_left", "rotation_deg": 15, "about": "femoral_head"}],
            "deformation": {"amplitude_mm": 6, "spacing_mm": 60},
            "density": {"bone": 0.2},
        }
    )
    first, again, other = (variant_of(anatomy, section, 5, number) for number in (0, 0, 1))
    assert np.array_equal(first.anatomy.hu.array, again.anatomy.hu.array) and first.record == again.record
    assert not np.array_equal(first.anatomy.labels.array, other.anatomy.labels.array)
    assert set(np.unique(first.anatomy.labels.array)) <= ids
    left = next(entry.id for entry in classes if entry.name == "femur_left")
    pivot = femoral_head(pelvis.labels, left)[0]
    move = np.array(first.record["bones"]["femur_left"])
    assert transform_points(move, pivot) == pytest.approx(pivot, abs=1e-6)
    # Each landmark is as far from its bone as before, to the voxels of 4 mm that both are seen in.
    for name, position in first.anatomy.landmarks.items():
        before, after = (
            np.linalg.norm(transform_points(v.ras_from_ijk, np.argwhere(v.array > 0)[:, ::-1]) - p, axis=1).min()
            for v, p in ((pelvis.labels, pelvis.landmarks[name]), (first.anatomy.labels, position))
        )
        assert abs(after - before) < 4.0, name


RECIPE = {
    "simulator": "drr",
    "input": {"anatomy": {"seed": 3, "spacing_mm": 4.0}},
    "carm": {
        "device": {
            "name": "small",
            "width_px": 160,
            "height_px": 120,
            "pixel_mm": 2.4,
            "source_to_detector_mm": 1200,
            "source_to_isocenter_mm": 800,
        }
    },
    "views": {"count": 4},
    "output": {"channels": ["intensity"]},
    "augmentation": {
        "variants": 2,
        "bones": [{"label": "femur_right", "rotation_deg": 20, "about": "femoral_head"}],
        "deformation": {"amplitude_mm": 8},
        "density": {"bone": 0.15, "muscle": 0.02},
    },
}


def test_frames_of_an_augmented_recipe_are_those_of_their_variant_and_pass_the_checks(tmp_path):
    recipe = validate(DrrRecipe, RECIPE, "test")
    for _ in export_dataset(recipe, tmp_path / "d", "llvm"):
        pass
    dataset = Dataset.open(tmp_path / "d")
    assert [dataset.record(index)["augmentation"]["variant"] for index in range(4)] == [0, 0, 1, 1]
    simulation = open_simulation(recipe, open_backend("llvm"))
    for index in (3, 0):  # in any order
        frame = dataset.frame(index)
        assert list(frame_checks(dataset)(frame)) == []
        assert list(input_checks(dataset, simulation)(frame)) == []
    moved = np.array(list(dataset.record(3)["augmentation"]["landmarks_ras"].values()))
    before = np.array(list(dataset.header.extra["landmarks_ras"].values()))
    assert 1 < np.linalg.norm(moved - before, axis=1).mean() < 14


def test_without_augmentation_a_frame_says_nothing_of_it():
    recipe = validate(DrrRecipe, RECIPE | {"augmentation": None}, "test")
    assert "augmentation" not in open_simulation(recipe, open_backend("llvm")).frame(0).record


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"variants": 5}, "variants must be at most views.count, 4"),
        ({"deformation": {"amplitude_mm": 10, "spacing_mm": 50}}, "must be at most 0.15 of spacing_mm"),
        ({"density": {"bones": 0.1}}, "augmentation.density"),
        ({"bones": [{"label": "femur"}]}, "femur is no bone of this input, which has .*femur_left"),
    ],
)
def test_impossible_augmentations_are_refused(change, complaint):
    with pytest.raises(Sim2RealError, match=complaint):
        open_simulation(validate(DrrRecipe, RECIPE | {"augmentation": change}, "test"), open_backend("llvm"))
