"""A rigid instrument in a trocar: it turns about the entry point and slides through it, four degrees of freedom.

The shaft frame has its origin at the tip, z along the shaft into the patient, x to the right and y down as seen by one
who looks along it. With all angles at 0 the shaft points to the patient's back, up is the head, right the patient's
left. Pan turns the tip towards the patient's left, tilt towards the head; the tilted direction is then panned about the
patient's long axis, so that the shaft's direction in RAS is (−sin p cos t, −cos p cos t, sin t).
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation
from Sim2RealLib.recipe import strict_dataclass

RIGHT, ANTERIOR, SUPERIOR = np.eye(3)
ALONG_SHAFT = np.array([0.0, 0.0, 1.0])
STRAIGHT = np.stack([-RIGHT, -SUPERIOR, -ANTERIOR], axis=1)
"""Axes of the shaft frame in RAS with all angles at 0."""

MAX_LEAN_DEG = 75.0
"""Of pan and of tilt; beyond it the shaft lies on the skin of a patient on the back (assumed)."""
MAX_INSERTION_MM = 250.0
"""A laparoscope of 310 mm (Karl Storz 26003) less the 60 mm of a trocar that stay outside (assumed)."""

STRAIN, ROUNDING = 1e-3, 1e-3
"""Scaling of a transform, and degrees or mm beyond a limit, that rounding explains."""

Lean = Annotated[float, Field(ge=-MAX_LEAN_DEG, le=MAX_LEAN_DEG)]


@strict_dataclass
class FulcrumPose:
    """How an instrument lies in its trocar.

    roll_deg: turns the instrument about its shaft, clockwise for one who looks along it into the patient.
    insertion_mm: from the trocar to the tip.
    """

    pan_deg: Lean = 0.0
    tilt_deg: Lean = 0.0
    roll_deg: Annotated[float, Field(ge=-180.0, le=180.0)] = 0.0
    insertion_mm: Annotated[float, Field(ge=0.0, le=MAX_INSERTION_MM)] = 0.0


def shaft_from_pose(trocar_ras: np.ndarray, pose: FulcrumPose) -> np.ndarray:
    """The shaft frame in RAS, rigid 4×4, of an instrument in the trocar at `trocar_ras`, (3,)."""
    ras_from_shaft = np.eye(4)
    ras_from_shaft[:3, :3] = _axes(pose.pan_deg, pose.tilt_deg, pose.roll_deg)
    ras_from_shaft[:3, 3] = trocar_ras + pose.insertion_mm * ras_from_shaft[:3, 2]
    return ras_from_shaft


def pose_from_shaft(ras_from_shaft: np.ndarray, trocar_ras: np.ndarray) -> tuple[FulcrumPose, tuple[str, ...]]:
    """The pose nearest to a shaft frame, 4×4, in a trocar, and a few words on each thing that could not be.

    The tip stays where it is, and the shaft is turned about it to pass through the trocar; a tip that is in the trocar
    or behind it keeps its direction. Sim2RealError if the matrix is singular or not finite.
    """
    given = np.asarray(ras_from_shaft, dtype=np.float64)
    axes, problems = _nearest_rotation(given[:3, :3])
    offset = given[:3, 3] - trocar_ras
    insertion = float(np.copysign(np.linalg.norm(offset), offset @ axes[:, 2]))
    direction = offset / insertion if insertion > ROUNDING else axes[:, 2]
    right, anterior, superior = direction
    pan, pan_problem = _limited("pan", _angle(-right, -anterior), -MAX_LEAN_DEG, MAX_LEAN_DEG, "°")
    tilt = _angle(superior, float(np.hypot(right, anterior)))
    tilt, tilt_problem = _limited("tilt", tilt, -MAX_LEAN_DEG, MAX_LEAN_DEG, "°")
    depth, depth_problem = _limited("insertion", insertion, 0.0, MAX_INSERTION_MM, " mm")
    rolled = _axes(pan, tilt, 0.0).T @ axes
    roll = _angle(rolled[1, 0] - rolled[0, 1], rolled[0, 0] + rolled[1, 1])
    return FulcrumPose(pan, tilt, roll, depth), (*problems, *pan_problem, *tilt_problem, *depth_problem)


def aim(
    trocar_ras: np.ndarray, target_ras: np.ndarray, from_target_mm: float, tip_angle_deg: float = 0.0
) -> FulcrumPose:
    """The pose, without roll, whose tip is `from_target_mm` before a target in the middle of its view.

    tip_angle_deg: how far optics look off the shaft, downwards in the picture. Where the target is too near or too far
    the insertion is that nearest to it. Sim2RealError if the direction is out of the instrument's reach.
    """
    offset = np.asarray(target_ras, dtype=np.float64) - trocar_ras
    right, anterior, superior = offset
    distance, bend = float(np.linalg.norm(offset)), np.deg2rad(tip_angle_deg)
    # The triangle trocar, tip, target has the angle 180° − bend at the tip.
    along = np.sqrt(max(distance**2 - (from_target_mm * np.sin(bend)) ** 2, 0.0))
    insertion = float(np.clip(along - from_target_mm * np.cos(bend), 0.0, MAX_INSERTION_MM))
    at_target = np.arcsin(np.clip(insertion * np.sin(bend) / max(distance, ROUNDING), -1.0, 1.0))
    pan = _angle(-right, -anterior)
    tilt = _angle(superior, float(np.hypot(right, anterior))) + float(np.rad2deg(bend - at_target))
    if max(abs(pan), abs(tilt)) > MAX_LEAN_DEG:
        raise Sim2RealError(
            f"From this trocar the target is out of reach: it needs pan {pan:.0f}° and tilt {tilt:.0f}°, and an "
            f"instrument leans at most {MAX_LEAN_DEG:.0f}°. Move the trocar."
        )
    return FulcrumPose(pan, tilt, 0.0, insertion)


def _axes(pan_deg: float, tilt_deg: float, roll_deg: float) -> np.ndarray:
    leant = rotation(SUPERIOR, -pan_deg) @ rotation(RIGHT, -tilt_deg)
    return leant[:3, :3] @ STRAIGHT @ rotation(ALONG_SHAFT, roll_deg)[:3, :3]


def _angle(sine: float, cosine: float) -> float:
    return float(np.rad2deg(np.arctan2(sine, cosine)))


def _limited(name: str, value: float, low: float, high: float, unit: str) -> tuple[float, tuple[str, ...]]:
    nearest = float(np.clip(value, low, high))
    said = (f"{name} {value:.0f}{unit} is beyond {nearest:.0f}{unit}",) if abs(value - nearest) > ROUNDING else ()
    return nearest, said


def _nearest_rotation(axes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if not np.isfinite(axes).all() or abs(np.linalg.det(axes)) < 1e-9:
        raise Sim2RealError("The instrument's transform has no direction left: its matrix is singular.")
    left, stretches, right = np.linalg.svd(axes)
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rigid = np.allclose(stretches, 1.0, atol=STRAIN) and proper[2, 2] > 0
    return left @ proper @ right, () if rigid else ("an instrument can be moved and turned, not scaled or mirrored",)
