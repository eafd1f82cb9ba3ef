"""The generated pelvis against anatomy: properties of the label map and the surfaces, and published sizes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label as connected

from DRRSimLib.pelvis import build_pelvis, generate_pelvis, sample_shape
from DRRSimLib.pelvis.bones import Skeleton, build_skeleton
from DRRSimLib.pelvis.grid import sample
from DRRSimLib.pelvis.hip import CUP_NORMAL, JOINT_SPACE_MM, Hip
from DRRSimLib.pelvis.landmarks import find_landmarks
from DRRSimLib.phantom import Phantom
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.voxel_grid import VoxelGrid

SEED = 4
BLADDER, SACRUM, L5, L4, L3, FEMUR_LEFT, FEMUR_RIGHT, HIP_LEFT, HIP_RIGHT = 21, 25, 27, 28, 29, 75, 76, 77, 78
BONES = (SACRUM, L5, L4, L3, FEMUR_LEFT, FEMUR_RIGHT, HIP_LEFT, HIP_RIGHT)

ORDER = [
    "ischial_tuberosity_right", "ischial_tuberosity_left",
    "obturator_foramen_inferolateral_right", "obturator_foramen_inferolateral_left",
    "pubic_symphysis_inferior", "pubic_symphysis_superior",
    "pubic_tubercle_right", "pubic_tubercle_left",
    "obturator_canal_right", "obturator_canal_left",
    "acetabular_rim_inferior_right", "acetabular_rim_inferior_left",
    "acetabular_roof_right", "acetabular_roof_left",
    "ischial_spine_right", "ischial_spine_left",
    "sacroiliac_joint_inferior_right", "sacroiliac_joint_inferior_left",
    "anterior_inferior_iliac_spine_right", "anterior_inferior_iliac_spine_left",
    "anterior_superior_iliac_spine_right", "anterior_superior_iliac_spine_left",
    "sacral_promontory",
]  # fmt: skip

PAIR_DISTANCES_MM = {
    "ischial_tuberosity": (102, 14),
    "obturator_foramen_inferolateral": (101, 9),
    "pubic_tubercle": (54, 7),
    "obturator_canal": (86, 7),
    "acetabular_rim_inferior": (139, 9),
    "acetabular_roof": (175, 11),
    "ischial_spine": (103, 7),
    "sacroiliac_joint_inferior": (107, 7),
    "anterior_inferior_iliac_spine": (190, 14),
    "anterior_superior_iliac_spine": (223, 20),
}
"""Mean and sd between right and left over the 20 subjects of Bier et al. (MICCAI 2018)."""


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_pelvis(SEED, 2.0)


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return build_skeleton(sample_shape(SEED))


@pytest.fixture(scope="module")
def in_pelvis(phantom: Phantom, skeleton: Skeleton):
    """Voxel centres of a label (N, 3), before the pelvic tilt, in which anatomical directions hold."""

    def points(label: int) -> np.ndarray:
        ijk = np.argwhere(phantom.labels.array == label)[:, ::-1]
        return transform_points(phantom.labels.ras_from_ijk, ijk) @ skeleton.ras_from_pelvis

    return points


def labels_at(phantom: Phantom, points: np.ndarray) -> np.ndarray:
    i, j, k = np.rint(transform_points(phantom.labels.ijk_from_ras, points)).astype(int).T
    return phantom.labels.array[k, j, i]


def bone_of(landmark: str) -> int:
    if landmark == "sacral_promontory":
        return SACRUM
    return HIP_RIGHT if landmark.endswith("right") else HIP_LEFT


def test_the_landmarks_are_the_23_in_the_order_of_the_paper(phantom: Phantom) -> None:
    assert list(phantom.landmarks) == ORDER


@pytest.mark.parametrize("name", [name for name in ORDER if "symphysis" not in name])
def test_a_landmark_lies_on_the_surface_of_its_bone(phantom: Phantom, skeleton: Skeleton, name: str) -> None:
    at = phantom.landmarks[name][None]
    bone = next(b for b in skeleton.bones if b.label == bone_of(name))
    assert abs(bone.field(at)[0]) < 0.1
    steps = 2.0 * np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    nearby = labels_at(phantom, at + steps)
    assert bone.label in nearby and (nearby != bone.label).any()


def test_symphysis_landmarks_lie_midway_in_a_gap_of_a_few_millimetres(phantom: Phantom, skeleton: Skeleton) -> None:
    right, left = (next(b.field for b in skeleton.bones if b.label == label) for label in (HIP_RIGHT, HIP_LEFT))
    for name in ("pubic_symphysis_inferior", "pubic_symphysis_superior"):
        at = phantom.landmarks[name][None]
        assert (
            1.0 < right(at)[0] < 6.0 and 1.0 < left(at)[0] < 6.0
        )  # the joint is 3 to 6 mm wide, more at its rounded ends
    height = np.linalg.norm(
        phantom.landmarks["pubic_symphysis_superior"] - phantom.landmarks["pubic_symphysis_inferior"]
    )
    assert 25.0 < height < 50.0


@pytest.mark.parametrize(("side", "label"), [("right", HIP_RIGHT), ("left", HIP_LEFT)])
def test_extreme_landmarks_are_the_extremes_of_the_label_map(
    phantom, skeleton, in_pelvis, side: str, label: int
) -> None:
    """To 1.5 voxels: the label map knows nothing of how landmarks are searched."""
    voxels = in_pelvis(label)
    at = {name: phantom.landmarks[f"{name}_{side}"] @ skeleton.ras_from_pelvis for name in PAIR_DISTANCES_MM}
    assert at["ischial_tuberosity"][2] == pytest.approx(voxels[:, 2].min(), abs=3.0)
    wing = voxels[voxels[:, 2] > 60.0]
    assert at["anterior_superior_iliac_spine"][1] == pytest.approx(wing[:, 1].max(), abs=3.0)
    behind_socket = voxels[np.abs(voxels[:, 2] - at["ischial_spine"][2]) < 12.0]
    assert at["ischial_spine"][1] == pytest.approx(behind_socket[:, 1].min(), abs=3.0)
    above_socket = voxels[np.abs(voxels[:, 2] - at["anterior_inferior_iliac_spine"][2]) < 3.0]
    assert at["anterior_inferior_iliac_spine"][1] == pytest.approx(above_socket[:, 1].max(), abs=3.0)


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("ischial_tuberosity", (0.0, 0.0, -1.0)),
        ("pubic_tubercle", (0.0, 1.0, 0.0)),
        ("anterior_inferior_iliac_spine", (0.0, 1.0, -0.3)),
        ("anterior_superior_iliac_spine", (0.1, 1.0, 0.0)),
    ],
)
def test_no_bone_near_an_extreme_landmark_lies_beyond_it(skeleton: Skeleton, name: str, direction: tuple) -> None:
    at = skeleton.ras_from_pelvis.T @ find_landmarks(skeleton)[f"{name}_right"]
    around = at + np.random.default_rng(0).uniform(-5.0, 5.0, (50_000, 3))
    beyond = around[(around - at) @ np.array(direction) > 0.1]
    assert (skeleton.hip_right.field(beyond) > 0.0).all()


def test_the_promontory_is_the_foremost_midline_point_of_the_sacral_bodies(phantom, skeleton, in_pelvis) -> None:
    voxels = in_pelvis(SACRUM)
    midline = voxels[(np.abs(voxels[:, 0]) < 2.0) & (voxels[:, 2] > 40.0)]
    assert (phantom.landmarks["sacral_promontory"] @ skeleton.ras_from_pelvis)[1] == pytest.approx(
        midline[:, 1].max(), abs=3.0
    )


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_sacroiliac_landmark_lies_where_ilium_and_sacrum_part(
    phantom: Phantom, skeleton: Skeleton, side: str
) -> None:
    at = phantom.landmarks[f"sacroiliac_joint_inferior_{side}"] @ skeleton.ras_from_pelvis
    mirrored = at * [1.0 if side == "right" else -1.0, 1.0, 1.0]
    assert 1.0 < skeleton.sacrum(mirrored[None])[0] < 4.0  # joint space of adults: 2 to 4 mm
    assert at[2] < (phantom.landmarks["sacral_promontory"] @ skeleton.ras_from_pelvis)[2] - 20.0


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_obturator_foramen_is_open_and_ringed_by_bone(phantom: Phantom, side: str) -> None:
    top, bottom = (phantom.landmarks[f"{n}_{side}"] for n in ("obturator_canal", "obturator_foramen_inferolateral"))
    medial = (phantom.landmarks["pubic_symphysis_inferior"] + phantom.landmarks["pubic_symphysis_superior"]) / 2.0
    center = 0.4 * top + 0.4 * bottom + 0.2 * medial
    normal = np.cross(top - bottom, medial - bottom)
    normal /= np.linalg.norm(normal)
    through = labels_at(phantom, center + np.linspace(-25.0, 25.0, 101)[:, None] * normal)
    assert not np.isin(through, (HIP_LEFT, HIP_RIGHT)).any()
    across = (top - bottom) / np.linalg.norm(top - bottom)
    for angle in np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False):
        direction = np.cos(angle) * across + np.sin(angle) * np.cross(normal, across)
        outward = [
            center + np.linspace(0.0, 50.0, 101)[:, None] * direction + tilt * normal for tilt in (-12, -6, 0, 6, 12)
        ]
        assert any(np.isin(labels_at(phantom, ray), (HIP_LEFT, HIP_RIGHT)).any() for ray in outward)


@pytest.mark.parametrize(("femur", "hip"), [(FEMUR_RIGHT, HIP_RIGHT), (FEMUR_LEFT, HIP_LEFT)])
def test_the_socket_is_concentric_with_the_head_at_a_joint_space_of_four_millimetres(
    skeleton, femur: int, hip: int
) -> None:
    side = skeleton.hip_right if hip == HIP_RIGHT else skeleton.hip_left
    mirror = np.array([1.0 if hip == HIP_RIGHT else -1.0, 1.0, 1.0])
    center = skeleton.ras_from_pelvis @ (side.center * mirror)
    fields = {b.label: b.field for b in skeleton.bones}
    along = np.arange(0.0, 45.0, 0.05)
    for direction in np.array(
        [[0.0, 0.0, 1.0], [0.3, 0.0, 0.95], [-0.5, 0.0, 0.8], [-0.2, -0.5, 0.8], [-0.2, 0.4, 0.9]]
    ):
        ray = center + along[:, None] * (direction * mirror / np.linalg.norm(direction))
        head = along[np.argmax(fields[femur](ray) > 0.0)]
        socket = along[np.argmax(fields[hip](ray) < 0.0)]
        assert 2.5 < socket - head < 5.5  # 4 mm and the roughness of the bone


def socket_seen_from_the_front(hip: Hip, x: np.ndarray, z: np.ndarray, side: float) -> np.ndarray:
    """Whether the wall of the socket before (side 1) or behind (-1) the head covers it at x, z from the hip centre."""
    depth = np.arange(0.0, hip.socket_radius + 5.0, 0.5)
    offset = np.stack(np.broadcast_arrays(x[:, None], side * depth, z[:, None]), axis=-1)
    bone = hip.field((hip.center + offset).reshape(-1, 3)).reshape(offset.shape[:2]) < 0.0
    return (bone & (np.linalg.norm(offset, axis=-1) > hip.socket_radius - JOINT_SPACE_MM)).any(axis=1)


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_the_walls_of_the_socket_end_where_they_do_on_radiographs_and_ct(seed: int) -> None:
    """Anterior and posterior wall index: how far each wall reaches along the neck, from the medial edge of the head, in
    head radii. 0.50 ± 0.14 and 0.91 ± 0.12 on radiographs, 0.42 and 1.06 on CT (39 hips; "Measurement of acetabular
    wall indices: comparison between CT and plain radiography"). The lateral centre-edge angle: 35 ± 7° in 4151 adults
    (Jacobsen et al. 2005)."""
    skeleton = build_skeleton(sample_shape(seed))
    for hip in (skeleton.hip_right, skeleton.hip_left):
        radius = hip.socket_radius - JOINT_SPACE_MM
        reach = np.arange(0.0, 2.0 * radius, 0.25)
        along_neck = (reach - radius)[:, None] * np.array([0.79, -0.61])
        index = [reach[socket_seen_from_the_front(hip, *along_neck.T, side)].max() / radius for side in (1.0, -1.0)]
        assert 0.25 < index[0] < 0.7
        assert 0.75 < index[1] < 1.2
        angle = np.deg2rad(np.arange(0.0, 70.0, 0.5))
        over_head = (hip.socket_radius + 2.0) * np.stack([np.sin(angle), np.cos(angle)])
        roof = socket_seen_from_the_front(hip, *over_head, 1.0) | socket_seen_from_the_front(hip, *over_head, -1.0)
        assert 21.0 < np.rad2deg(angle[roof]).max() < 49.0


def test_the_rim_of_the_socket_undulates(skeleton: Skeleton) -> None:
    """It dips under the hemisphere by 9° in front and by 21° behind and above (Köhnlein et al. 2009); a plane would
    not dip anywhere more than elsewhere. To 5°, as the rim is rounded."""
    hip = skeleton.hip_right
    up = np.array([0.0, 0.0, 1.0]) - CUP_NORMAL[2] * CUP_NORMAL
    up /= np.linalg.norm(up)
    front = np.cross(up, CUP_NORMAL) * np.sign(np.cross(up, CUP_NORMAL)[1])
    latitude = np.deg2rad(np.arange(30.0, -45.0, -0.5))[:, None]

    def rim(clock_deg: float) -> float:
        outward = np.cos(np.deg2rad(clock_deg)) * up + np.sin(np.deg2rad(clock_deg)) * front
        arc = hip.center + (hip.socket_radius + 2.0) * (np.cos(latitude) * outward + np.sin(latitude) * CUP_NORMAL)
        return float(np.rad2deg(latitude[np.argmax(hip.field(arc) < 0.0), 0]))

    peaks = [rim(35.0), rim(122.0), rim(205.0)]
    assert rim(80.0) - np.mean(peaks[:2]) == pytest.approx(-9.0, abs=5.0)
    assert rim(305.0) - np.mean([peaks[0], peaks[2]]) == pytest.approx(-21.0, abs=5.0)


def test_the_sacroiliac_joint_is_oblique_above_and_sagittal_below(skeleton: Skeleton) -> None:
    """The sacrum narrows backwards at S1 and hardly at S3 (Solonen 1957); the joint is 2 to 4 mm wide where it is."""
    at = np.arange(20.0, 75.0, 0.1)

    def sides(front: float, down: float) -> tuple[float, float]:
        """R of the sacrum and of the ilium, `down` the face of the sacrum from the promontory and `front` before it."""
        a, s = skeleton.promontory[1:] + down * np.array([-0.72, -0.69]) + front * np.array([0.69, -0.72])
        line = np.stack([at, np.full(len(at), a), np.full(len(at), s)], axis=1)
        return at[skeleton.sacrum(line) < 0.0].max(), at[np.argmax(skeleton.hip_right.field(line) < 0.0)]

    upper, lower = [(sides(6.0, down), sides(-9.0, down)) for down in (20.0, 42.0)]
    assert 12.0 < np.rad2deg(np.arctan2(upper[0][0] - upper[1][0], 15.0)) < 40.0
    assert np.rad2deg(np.arctan2(lower[0][0] - lower[1][0], 15.0)) < 18.0
    assert all(1.0 < ilium - sacrum < 5.0 for sacrum, ilium in (*upper, *lower))


def test_at_least_three_pairs_of_sacral_foramina_run_from_front_to_back(skeleton: Skeleton) -> None:
    """Seen along the normal of the third sacral segment, about 35° from the horizontal."""
    angle = np.deg2rad(35.0)
    across, up, along = np.array(
        [[1, 0, 0], [0, np.sin(angle), np.cos(angle)], [0, np.cos(angle), -np.sin(angle)]], dtype=float
    )
    axis = np.arange(-60.0, 60.5, 1.5)
    x, height, depth = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.array([0.0, -65.0, 50.0]) + np.stack([x, height, depth], axis=-1) @ np.stack([across, up, along])
    clear = (skeleton.sacrum(points.reshape(-1, 3)).reshape(x.shape) > 0.0).all(axis=2)
    islands, count = connected(clear)
    border = np.concatenate([islands[0], islands[-1], islands[:, 0], islands[:, -1]])
    holes = [axis[np.nonzero(islands == i)[0]].mean() for i in range(1, count + 1) if i not in border]
    for side in (-1, 1):
        assert sum(14.0 < side * at < 30.0 for at in holes) >= 3


def test_the_iliac_fossa_is_thin_and_unbroken(skeleton: Skeleton) -> None:
    a, s, r = np.meshgrid(np.arange(-14.0, 9.0, 2.0), np.arange(90.0, 109.0, 2.0), np.arange(60.0, 150.0, 0.25))
    for hip in (skeleton.hip_right, skeleton.hip_left):
        inside = hip.field(np.stack([r, a, s], axis=-1).reshape(-1, 3)).reshape(a.shape) < 0.0
        thickness = 0.25 * inside.sum(axis=2)
        assert thickness.min() > 1.0
        assert np.median(thickness) < 6.0  # two cortices with hardly anything between; the rims are 15 to 25 mm


def test_the_vertebrae_stack_on_the_sacrum(phantom: Phantom, in_pelvis) -> None:
    heights = [in_pelvis(bone)[:, 2].mean() for bone in (SACRUM, L5, L4, L3)]
    assert (np.diff(heights) > 20.0).all()
    assert (phantom.labels.array[-1] == L3).any()


def test_trabeculae_are_denser_in_the_head_of_the_femur_than_in_its_trochanter(phantom: Phantom, skeleton) -> None:
    """The compressive group is the last to go, the trochanter the first (Singh, Nagrath and Maini 1970)."""
    for hip, sign in ((skeleton.hip_right, 1.0), (skeleton.hip_left, -1.0)):
        center = skeleton.ras_from_pelvis @ (hip.center * [sign, 1.0, 1.0])
        ball = np.random.default_rng(0).uniform(-5.0, 5.0, (500, 3))
        median = []
        for offset in ((0.0, 0.0, 8.0), (sign * 51.0, -10.0, -25.0)):
            points = center + np.array(offset) + ball
            i, j, k = np.rint(transform_points(phantom.hu.ijk_from_ras, points)).astype(int).T
            median.append(np.median(phantom.hu.array[k, j, i]))
        assert median[0] > 1.3 * median[1] > 0.0


def test_right_is_plus_r(phantom: Phantom, in_pelvis) -> None:
    for label, sign in ((FEMUR_RIGHT, 1), (HIP_RIGHT, 1), (FEMUR_LEFT, -1), (HIP_LEFT, -1)):
        assert (sign * in_pelvis(label)[:, 0] > 0.0).all()
    for name, at in phantom.landmarks.items():
        if name.endswith(("right", "left")):
            assert (at[0] > 0.0) == name.endswith("right")


def test_bytes_depend_on_the_seed_and_landmarks_not_on_the_voxel_size() -> None:
    first, again, other = generate_pelvis(1, 5.0), generate_pelvis(1, 5.0), generate_pelvis(2, 5.0)
    assert first.hu.array.tobytes() == again.hu.array.tobytes()
    assert first.labels.array.tobytes() == again.labels.array.tobytes()
    assert first.hu.array.tobytes() != other.hu.array.tobytes()
    finer = generate_pelvis(1, 4.0)
    for name, at in first.landmarks.items():
        assert np.array_equal(at, finer.landmarks[name])
        assert np.linalg.norm(at - other.landmarks[name]) > 0.05


@pytest.mark.slow
def test_pelves_are_as_wide_as_people(phantom: Phantom) -> None:
    found = [find_landmarks(build_skeleton(sample_shape(seed))) for seed in range(16)]
    for name, (mean, sd) in PAIR_DISTANCES_MM.items():
        distances = [np.linalg.norm(at[f"{name}_right"] - at[f"{name}_left"]) for at in found]
        assert np.mean(distances) == pytest.approx(mean, abs=2.0 * sd)
        assert 0.2 * sd < np.std(distances) < 1.5 * sd


def test_bi_iliac_width(in_pelvis) -> None:
    width = in_pelvis(HIP_RIGHT)[:, 0].max() - in_pelvis(HIP_LEFT)[:, 0].min()
    assert 240.0 < width < 320.0  # adults: 280 ± 15 mm


def test_hounsfield_units_agree_with_the_labels(phantom: Phantom) -> None:
    hu, labels = phantom.hu.array, phantom.labels.array
    assert phantom.hu.same_grid(phantom.labels) and hu.dtype == np.int16 and labels.dtype == np.uint8
    assert np.median(hu[labels == BLADDER]) == pytest.approx(8.0, abs=5.0)
    for bone in BONES:
        assert np.median(hu[labels == bone]) > 130.0
        assert np.percentile(hu[labels == bone], 98) > 500.0
    assert np.median(hu[0, 0]) == pytest.approx(-1000.0, abs=3.0)
    assert (hu[np.isin(labels, (18, 20))] < -900).any()  # gas
    unlabelled = hu[(labels == 0)]
    assert np.mean(unlabelled > 400) < 0.003  # only the blurred rim of bone


@pytest.mark.slow
def test_a_layer_of_fat_lies_under_the_skin() -> None:
    shape = replace(sample_shape(SEED), fat_mm=15.0)
    phantom = build_pelvis(shape, 2.0)
    row = phantom.hu.array[
        np.argmin(np.abs(phantom.hu.ras_from_ijk[2, 3] + 2.0 * np.arange(phantom.hu.array.shape[0])))
    ]
    line = row[:, row.shape[1] // 2][::-1].astype(float)  # from the front, in the midline
    inside = np.argmax(line > -500.0)
    muscle = inside + 2 + np.argmax(line[inside + 2 :] > 0.0)
    assert 2.0 * (muscle - inside) == pytest.approx(15.0, abs=5.0)  # two voxels and the skin


def test_sampling_only_near_the_surface_equals_sampling_everywhere(skeleton: Skeleton) -> None:
    for bone in skeleton.bones[:5]:  # the femurs run out of the picture
        count = np.ceil((bone.box[1] - bone.box[0]) / 4.0).astype(int)
        grid = VoxelGrid(tuple(bone.box[0]), 4.0, tuple(count))
        mesh = np.stack(np.meshgrid(*[grid.axis(i) for i in (2, 1, 0)], indexing="ij"), axis=-1)[..., ::-1]
        dense = bone.field(mesh.reshape(-1, 3)).reshape(mesh.shape[:3])
        sparse = sample(bone.field, grid, 3.0)
        assert np.array_equal(sparse < 0.0, dense < 0.0)
        near = np.abs(dense) < 3.0
        assert np.abs(sparse - dense)[near].max() < 1e-3  # float32
        edges = [dense[0], dense[-1], dense[:, 0], dense[:, -1], dense[:, :, -1]]
        assert all(face.min() > 0.0 for face in edges)  # the box holds the bone


def test_a_voxel_size_that_shows_nothing_is_refused() -> None:
    for spacing in (0.0, 50.0, float("nan")):
        with pytest.raises(Sim2RealError, match="voxel size"):
            generate_pelvis(0, spacing)
