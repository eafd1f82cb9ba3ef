"""All bones of one pelvis in the world: fields, boxes, labels and what they are made of."""

from dataclasses import dataclass

import numpy as np

from .density import Condensation, Shell, compressive_trabeculae, even_shell, femoral_shell, under_socket
from .femur import right_femur
from .hip import Hip, right_hip
from .implicit import Field
from .lumbar import vertebra
from .sacrum import sacrum_field
from .shape import PelvisShape
from .waves import Waves, random_waves
from .wing import Place

SACRUM, L5, L4, L3, FEMUR_LEFT, FEMUR_RIGHT, HIP_LEFT, HIP_RIGHT = 25, 27, 28, 29, 75, 76, 77, 78
"""TotalSegmentator v2 class ids."""

ROUGHNESS_MM = 0.22
ROUGHNESS_WAVELENGTHS_MM = (12.0, 30.0)
WARP_MM = 1.3
SIDE_WARP_MM = 0.4
WARP_WAVELENGTHS_MM = (90.0, 240.0)
"""Random displacement: bumps of all surfaces, and the slow bends of both sides together and of each side alone."""

CALCAR_MM = (20.0, -4.0, -36.0)
"""The medial cortex of the right femoral neck, from the hip centre."""

MIRROR = np.array([-1.0, 1.0, 1.0])
NO_MIRROR = np.ones(3)


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone in RAS.

    box: (2, 3), lower and upper corner, mm; shell: its cortex, of at most shell_limit_mm; denser: where its inside has
    more than the HU of the shell.
    """

    label: int
    field: Field
    box: np.ndarray
    shell: Shell
    shell_limit_mm: float = 2.5
    denser: Condensation | None = None


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The bones, and the hips and the sacrum in the frame their landmarks are looked for.

    ras_from_pelvis: (3, 3) rotation, the pelvic tilt. hip_left is a right hip: the left one mirrored.
    """

    bones: tuple[Bone, ...]
    ras_from_pelvis: np.ndarray
    hip_right: Hip
    hip_left: Hip
    sacrum: Field
    promontory: np.ndarray


def build_skeleton(shape: PelvisShape) -> Skeleton:
    rng = np.random.default_rng([shape.seed, 2])
    angle = np.deg2rad(shape.tilt_deg)
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
    smooth_sacrum, promontory = sacrum_field(shape.factors)
    sacrum = _roughened(smooth_sacrum, rng)
    common = _warp(rng, WARP_MM)
    head = shape.head_radius_mm * shape.size
    hips = []
    for asymmetry in (np.zeros(3), np.array(shape.asymmetry)):
        place = _place(shape, asymmetry, common, _warp(rng, SIDE_WARP_MM))
        hips.append(right_hip(place, head, float(shape.factors.mean()), sacrum, _roughness(rng)))
    bones = [
        _hip_bone(shape, hips[0], tilt, HIP_RIGHT, NO_MIRROR),
        _hip_bone(shape, hips[1], tilt, HIP_LEFT, MIRROR),
        _sacral_bone(shape, sacrum, tilt),
        _vertebra_bone(shape, tilt, L5, np.array([0.0, -27.0, 129.0]), 18.0, np.array([26.0, 17.5, 13.5]), 46.0, rng),
        _vertebra_bone(shape, tilt, L4, np.array([0.0, -20.0, 166.0]), 2.0, np.array([25.0, 17.5, 14.0]), 44.0, rng),
        _femur_bone(shape, tilt @ hips[0].center, FEMUR_RIGHT, NO_MIRROR, 0),
        _femur_bone(shape, tilt @ hips[1].center, FEMUR_LEFT, MIRROR, 1),
        _vertebra_bone(shape, tilt, L3, np.array([0.0, -23.0, 204.0]), -8.0, np.array([24.0, 17.5, 14.5]), 43.0, rng),
    ]
    return Skeleton(tuple(bones), tilt, *hips, sacrum, promontory)


def _hip_bone(shape: PelvisShape, hip: Hip, tilt: np.ndarray, label: int, side: np.ndarray) -> Bone:
    box = np.array([[0.0, -110.0, -80.0], [160.0, 72.0, 160.0]]) * shape.factors * side
    shell = even_shell(shape.cortex_mm, 1100.0 * shape.bone_density, 230.0 * shape.bone_density)
    sourcil = under_socket(tilt @ (hip.center * side), hip.socket_radius)
    return Bone(label, _seen(hip.field, tilt, side), _tilted_box(box, tilt), shell, denser=sourcil)


def _sacral_bone(shape: PelvisShape, sacrum: Field, tilt: np.ndarray) -> Bone:
    box = np.array([[-70.0, -125.0, -25.0], [70.0, -5.0, 152.0]]) * shape.factors
    shell = even_shell(1.5, 1100.0 * shape.bone_density, 215.0 * shape.bone_density)
    return Bone(SACRUM, _seen(sacrum, tilt), _tilted_box(box, tilt), shell)


def _vertebra_bone(
    shape: PelvisShape,
    tilt: np.ndarray,
    label: int,
    center: np.ndarray,
    lean_deg: float,
    size: np.ndarray,
    transverse: float,
    rng: np.random.Generator,
) -> Bone:
    middle = center * shape.factors
    field = _roughened(vertebra(middle, lean_deg, size * shape.factors, transverse * shape.factors[0]), rng)
    box = np.array([[-60.0, -90.0, -45.0], [60.0, 25.0, 40.0]]) * shape.factors + middle
    shell = even_shell(1.2, 950.0 * shape.bone_density, 180.0 * shape.bone_density)
    return Bone(label, _seen(field, tilt), _tilted_box(box, tilt), shell)


def _femur_bone(shape: PelvisShape, center: np.ndarray, label: int, side: np.ndarray, index: int) -> Bone:
    scale = float(shape.factors.mean())
    field = right_femur(
        center,
        shape.head_radius_mm * shape.size,
        scale,
        shape.neck_shaft_deg,
        shape.anteversion_deg + shape.femur_rotation_deg[index],
        shape.femur_abduction_deg[index],
    )
    box = np.sort((np.array([[-40.0, -60.0, -230.0], [95.0, 40.0, 35.0]]) * scale + center) * side, axis=0)
    trabeculae = compressive_trabeculae(
        center * side, shape.head_radius_mm * shape.size, (center + scale * np.array(CALCAR_MM)) * side
    )
    shell = femoral_shell(center[2], scale, shape.bone_density)
    return Bone(label, _seen(field, np.eye(3), side), box, shell, 7.5, trabeculae)


def _place(shape: PelvisShape, asymmetry: np.ndarray, common: Waves, own: Waves) -> Place:
    """The map of template points (..., 3) to one side of the individual."""
    factors = shape.factors * (1.0 + asymmetry)
    arch = 0.10 * (shape.femaleness - 0.5)
    flare = shape.flare - 1.0 - 0.02 * (shape.femaleness - 0.5)

    def place(points: np.ndarray) -> np.ndarray:
        flat = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        low = np.clip(-flat[:, 2] / 60.0, 0.0, 1.0)
        high = np.clip((flat[:, 2] - 50.0) / 60.0, 0.0, 1.0)
        moved = flat * factors + common(flat) + own(flat)
        moved[:, 0] += flat[:, 0] * factors[0] * (arch * low + flare * high)
        return moved.reshape(np.shape(points))

    return place


def _warp(rng: np.random.Generator, amplitude: float) -> Waves:
    return random_waves(rng, 6, WARP_WAVELENGTHS_MM, amplitude, channels=3)


def _roughness(rng: np.random.Generator) -> Field:
    waves = random_waves(rng, 8, ROUGHNESS_WAVELENGTHS_MM, ROUGHNESS_MM)
    return lambda p: waves(p)[:, 0]


def _roughened(field: Field, rng: np.random.Generator) -> Field:
    rough = _roughness(rng)
    return lambda p: field(p) + rough(p)


def _seen(field: Field, ras_from_pelvis: np.ndarray, side: np.ndarray = NO_MIRROR) -> Field:
    """A field of the pelvis frame as a field of RAS; `side` mirrors it."""
    local = ras_from_pelvis * side
    return lambda p: field(p @ local.astype(p.dtype))


def _tilted_box(box: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    corners = np.array([[x, y, z] for x in box[:, 0] for y in box[:, 1] for z in box[:, 2]]) @ tilt.T
    return np.stack([corners.min(axis=0), corners.max(axis=0)])
