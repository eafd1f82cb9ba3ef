"""The 23 landmarks of Bier et al. (MICCAI 2018), found on the implicit surfaces.

Each is a geometric property of the bone: an extreme point, or where a path from inside a foramen or the socket first
meets it. Directions are those of the pelvis before its tilt, so that a landmark is the same spot of the bone in every
pose. The two of the symphysis lie midway between the right and the left pubic bone.
"""

from collections.abc import Callable

import numpy as np

from .bones import MIRROR, Skeleton
from .hip import CUP_NORMAL, HALF_SYMPHYSIS_MM, SACROILIAC_GAP_MM, Hip
from .implicit import Field, project

COARSE_MM = 2.0
FINE_MM = 0.03
PATH_STEP_MM = 0.25
RAY_MM = 80.0
RIM_DEPTH_MM = 2.0
RIM_ARC_DEG = (60.0, -30.0)
SYMPHYSIS_EDGE_MM = 3.0
MIDLINE_MM = 0.5

UP = np.array([0.0, 0.0, 1.0])
POSTERIOR_HORN = np.array([-0.45, -0.40, -0.80])
"""Direction from the hip centre to the lower end of the right socket's rim, behind its notch."""

PAIRED = (
    "ischial_tuberosity",
    "obturator_foramen_inferolateral",
    "pubic_tubercle",
    "obturator_canal",
    "acetabular_rim_inferior",
    "acetabular_roof",
    "ischial_spine",
    "sacroiliac_joint_inferior",
    "anterior_inferior_iliac_spine",
    "anterior_superior_iliac_spine",
)
SYMPHYSIS = ("pubic_symphysis_inferior", "pubic_symphysis_superior")
PROMONTORY = "sacral_promontory"

Region = Callable[[np.ndarray], np.ndarray]


def find_landmarks(skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Name to RAS position (3,), mm, in the order of the paper: pairs right then left."""
    right = _hip_landmarks(skeleton.hip_right, skeleton.sacrum)
    left = {name: at * MIRROR for name, at in _hip_landmarks(skeleton.hip_left, skeleton.sacrum).items()}
    in_pelvis: dict[str, np.ndarray] = {}
    for i, name in enumerate(PAIRED):
        in_pelvis |= {f"{name}_right": right[name], f"{name}_left": left[name]}
        if i == 1:
            in_pelvis |= {name: (right[name] + left[name]) / 2.0 for name in SYMPHYSIS}
    in_pelvis[PROMONTORY] = extreme_point(
        skeleton.sacrum, skeleton.promontory, (0.0, 1.0, 0.2), 12.0, lambda p: np.abs(p[:, 0]) < MIDLINE_MM
    )
    return {name: skeleton.ras_from_pelvis @ at for name, at in in_pelvis.items()}


def extreme_point(
    field: Field, near: np.ndarray, direction: tuple[float, float, float], reach: float, region: Region | None = None
) -> np.ndarray:
    """The point of a solid farthest along `direction` within `reach` of `near` and where `region` holds: (3,), mm.

    A point at some depth has a ball of that radius inside the solid, so that the solid reaches at least the top of this
    ball: a coarse lattice of such tops finds the summit of a flat hill, which the lattice points alone would miss.
    """
    along = np.array(direction) / np.linalg.norm(direction)
    center, half, step = near, reach, COARSE_MM
    while step > FINE_MM:
        axis = np.arange(-half, half + step / 2.0, step)
        points = center + np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        depth = -field(points)
        tops = points + depth[:, None] * along
        allowed = (depth >= 0.0) & (depth < 2.0 * step) & (np.linalg.norm(tops - near, axis=1) <= reach)
        tops = tops[allowed]
        if region is not None and len(tops):
            tops = tops[region(tops)]
        if len(tops):
            center = tops[np.argmax(tops @ along)]
        half, step = 2.0 * step, step / 2.0
    return project(field, center[None])[0]


def first_hit(field: Field, path: np.ndarray) -> np.ndarray:
    """Where a path (N, 3), that begins outside the solid, first enters it: (3,), mm."""
    return project(field, path[np.argmax(field(path) <= 0.0)][None])[0]


def ray(start: np.ndarray, through: np.ndarray) -> np.ndarray:
    """Points of a ray, PATH_STEP_MM apart: (N, 3)."""
    unit = (through - start) / np.linalg.norm(through - start)
    return start + np.arange(0.0, RAY_MM, PATH_STEP_MM)[:, None] * unit


def arc_into_socket(hip: Hip, outward: np.ndarray) -> np.ndarray:
    """Points (N, 3) from before the rim of the socket into the bone under its joint face.

    outward: the direction from the hip centre in which the rim is met.
    """
    across = outward - (outward @ CUP_NORMAL) * CUP_NORMAL
    across /= np.linalg.norm(across)
    radius = hip.socket_radius + RIM_DEPTH_MM
    count = int(radius * np.deg2rad(np.ptp(RIM_ARC_DEG)) / PATH_STEP_MM)
    angle = np.deg2rad(np.linspace(*RIM_ARC_DEG, count))[:, None]
    return hip.center + radius * (np.cos(angle) * across + np.sin(angle) * CUP_NORMAL)


def _hip_landmarks(hip: Hip, sacrum: Field) -> dict[str, np.ndarray]:
    bone, guide = hip.field, hip.guides

    def at_symphysis(p: np.ndarray) -> np.ndarray:
        return p[:, 0] < HALF_SYMPHYSIS_MM + SYMPHYSIS_EDGE_MM

    def at_sacrum(p: np.ndarray) -> np.ndarray:
        return sacrum(p) < SACROILIAC_GAP_MM + 1.0

    def extreme(
        name: str, direction: tuple[float, float, float], reach: float, region: Region | None = None
    ) -> np.ndarray:
        return extreme_point(bone, guide[name], direction, reach, region)

    tuberosity = extreme("tuberosity", (0.0, 0.0, -1.0), 18.0)
    spine = extreme("spine", (-0.45, -0.9, 0.0), 14.0)
    below_foramen = (spine + 2.0 * tuberosity) / 3.0
    return {
        "ischial_tuberosity": tuberosity,
        "obturator_foramen_inferolateral": first_hit(bone, ray(guide["foramen"], below_foramen)),
        "pubic_symphysis_inferior": extreme("symphysis_inferior", (0.0, -0.3, -1.0), 14.0, at_symphysis),
        "pubic_symphysis_superior": extreme("symphysis_superior", (0.0, 0.6, 0.8), 14.0, at_symphysis),
        "pubic_tubercle": extreme("tubercle", (0.0, 1.0, 0.0), 9.0),
        "obturator_canal": first_hit(bone, ray(guide["foramen"], guide["superior_ramus"])),
        "acetabular_rim_inferior": first_hit(bone, arc_into_socket(hip, POSTERIOR_HORN)),
        "acetabular_roof": first_hit(bone, ray(hip.center, hip.center + UP)),
        "ischial_spine": spine,
        "sacroiliac_joint_inferior": extreme("sacroiliac", (0.0, 0.9, -0.45), 22.0, at_sacrum),
        "anterior_inferior_iliac_spine": extreme("aiis", (0.0, 1.0, -0.3), 12.0),
        "anterior_superior_iliac_spine": extreme("asis", (0.1, 1.0, 0.0), 20.0),
    }
