"""A smooth way of the camera along the centreline, each of its places a function of time.

What sways is a sum of sines with random frequencies and phases (Rice, Bell Syst. Tech. J. 23, 1944): smooth, bounded,
and known at any time without the times before.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from Sim2RealLib.errors import Sim2RealError

from .curve import CenterlineCurve
from .pose_plan import FlyThroughPlan

SINES = 4
FREQUENCY_SPREAD = 0.5
"""Frequencies lie within this share around that of `sway_period_s`."""


def arc_length(plan: FlyThroughPlan, length_mm: float, index: int) -> float:
    """Where on a centreline of this length frame `index` is, mm; Sim2RealError if its way is longer than that."""
    way = plan.speed_mm_s * index / plan.frames_per_second
    place = plan.start * length_mm + (way if plan.direction == "insertion" else -way)
    if not 0.0 <= place <= length_mm:
        room = length_mm * (1.0 - plan.start if plan.direction == "insertion" else plan.start)
        frames = int(room / plan.speed_mm_s * plan.frames_per_second) + 1
        raise Sim2RealError(
            f"The fly-through leaves the centreline, {length_mm:.0f} mm long, after {frames} of {index + 1} frames: "
            "lower views.count or speed_mm_s, or begin elsewhere (start, direction)."
        )
    return place


def sway(period_s: float, time_s: float, rng: np.random.Generator, channels: int) -> np.ndarray:
    """Smooth values (channels,) within ±1 at a time; the same generator state gives the same motion."""
    frequency = (1.0 + FREQUENCY_SPREAD * rng.uniform(-1.0, 1.0, (channels, SINES))) / period_s
    phase = rng.uniform(0.0, 2.0 * np.pi, (channels, SINES))
    return np.sin(2.0 * np.pi * frequency * time_s + phase).mean(axis=-1)


def fly_through_pose(
    plan: FlyThroughPlan, curve: CenterlineCurve, index: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Rotation ras_from_camera (3, 3), position (3,) and arc length in mm of frame `index`.

    rng: in the same state for every frame of a sequence.
    """
    place = arc_length(plan, curve.length_mm, index)
    x, y, pitch, yaw, roll = sway(plan.sway_period_s, index / plan.frames_per_second, rng, 5)
    axes, here = curve.axes(np.array(place)), curve.positions(np.array(place))
    look = curve.positions(np.array(place + plan.look_ahead_mm)) - here
    axes = _turned_to(axes, look / np.linalg.norm(look))
    room = plan.sway * max(float(curve.free_radius_mm(place)) - plan.min_wall_mm, 0.0)
    wander = np.deg2rad(plan.wander_deg) / np.sqrt(2.0) * np.array([pitch, yaw, 0.0])
    turn = Rotation.from_rotvec(wander) * Rotation.from_rotvec([0.0, 0.0, np.deg2rad(plan.roll_deg) * roll])
    position = here + axes[:, :2] @ (room / np.sqrt(2.0) * np.array([x, y]))
    return axes @ turn.as_matrix(), position, place


def _turned_to(axes: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Axes turned on the shortest way so that the third is `look`."""
    axis = np.cross(axes[:, 2], look)
    sine, cosine = np.linalg.norm(axis), axes[:, 2] @ look
    if sine == 0.0:
        return axes
    return Rotation.from_rotvec(np.arctan2(sine, cosine) / sine * axis).as_matrix() @ axes
