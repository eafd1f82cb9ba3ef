"""The pose of a C-arm from where its source frame is: the inverse of `carm.source_from_pose`.

The direction to the detector, (−sin p cos s, cos p cos s, sin s) with p the primary and s the secondary angle, is the
same for (p, s) and (p ± 180°, 180° − s), with the image turned by 180°, and for all turns by 360°. Of these the one is
taken that the device reaches and that is nearest to the pose before, so that a C-arm that is dragged does not jump.
Where the beam runs along the patient (s = ±90°) the primary angle is that of the pose before, and all of the turn about
the central ray is the in-plane angle's.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .carm import CArmDevice, CArmPose, limit_problems, source_from_pose

MAX_STRAIN = 1e-3
"""How far the axes of a source frame may be from unit length and right angles: what rounding of files can do."""

ALONG_PATIENT = 1e-7
"""Below this cosine of the secondary angle the primary angle is lost in rounding."""


def pose_from_source(ras_from_source: np.ndarray, device: CArmDevice, near: CArmPose) -> CArmPose:
    """The pose whose source frame is `ras_from_source`, 4×4; its distances, offset and collimation are those of `near`.

    Angles are those of the device's reach where there are such; otherwise `limit_problems` names what it cannot do.
    Sim2RealError for a matrix that is not rigid.
    """
    axes = _nearest_rotation(np.asarray(ras_from_source, dtype=np.float64))
    isocenter = ras_from_source[:3, 3] + near.source_to_isocenter_mm * axes[:, 2]
    moved = replace(near, isocenter_ras=tuple(isocenter.tolist()))

    def preference(pose: CArmPose) -> tuple[bool, float]:
        turns = [abs(getattr(pose, name) - getattr(near, name)) for name in ("primary_deg", "secondary_deg")]
        return bool(limit_problems(device, pose)), sum(turns) + abs(_wrapped(pose.in_plane_deg - near.in_plane_deg))

    return min(_poses(axes, moved), key=preference)


def _nearest_rotation(ras_from_source: np.ndarray) -> np.ndarray:
    left, stretches, right = np.linalg.svd(ras_from_source[:3, :3])
    if np.linalg.det(left @ right) < 0 or np.abs(stretches - 1.0).max() > MAX_STRAIN:
        raise Sim2RealError(
            "The transform of the C-arm scales, shears or mirrors. A C-arm can only be moved and turned: remove that "
            "from the transform and from those above it."
        )
    return left @ right


def _poses(axes: np.ndarray, moved: CArmPose) -> Iterator[CArmPose]:
    """All poses within a turn whose source frame has these axes."""
    right, anterior, superior = axes[:, 2]
    level = float(np.hypot(right, anterior))
    secondary = float(np.rad2deg(np.arctan2(superior, level)))
    primary = moved.primary_deg if level < ALONG_PATIENT else float(np.rad2deg(np.arctan2(-right, anterior)))
    for (p, s), turns_p, turns_s in product(
        ((primary, secondary), (primary + 180.0, 180.0 - secondary)), (-360.0, 0.0, 360.0), (-360.0, 0.0, 360.0)
    ):
        pose = replace(moved, primary_deg=p + turns_p, secondary_deg=s + turns_s, in_plane_deg=0.0)
        turned = source_from_pose(pose)[:3, :3].T @ axes
        in_plane = float(np.rad2deg(np.arctan2(turned[1, 0], turned[0, 0])))
        yield replace(pose, in_plane_deg=in_plane)


def _wrapped(angle_deg: float) -> float:
    """The same angle from −180° up to 180°."""
    return (angle_deg + 180.0) % 360.0 - 180.0
