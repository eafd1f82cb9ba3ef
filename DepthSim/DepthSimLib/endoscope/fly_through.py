"""A smooth way of the camera along the centreline, each of its places a function of time.

What sways is a sum of sines with random frequencies and phases (Rice, Bell Syst. Tech. J. 23, 1944): smooth, bounded,
and known at any time without the times before.
"""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from Sim2RealLib.errors import Sim2RealError

from .curve import CenterlineCurve
from .pose_plan import FlyThroughPlan

SINES = 4
FREQUENCY_SPREAD = 0.5
"""Frequencies lie within this share around that of `sway_period_s`."""

ROUNDING_MM = 1e-6


def way_along(
    plan: FlyThroughPlan, curve: CenterlineCurve, clearance: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Where on the centreline every frame is, (count,), mm.

    clearance: distance (N,) in mm of RAS points (N, 3) to the wall. Sim2RealError if the way is longer than the
    centreline between the ends at which it is wide enough, or meets a place that is too narrow.
    """
    wide = np.flatnonzero(curve.centerline.radius_mm >= plan.min_wall_mm)
    if not wide.size:
        raise Sim2RealError(
            f"The centreline is nowhere {plan.min_wall_mm:g} mm from the wall. Lower views.min_wall_mm."
        )
    first, last = curve.centerline.arc_length_mm[wide[[0, -1]]]
    forwards = plan.direction == "insertion"
    way = np.arange(plan.count) * (plan.speed_mm_s / plan.frames_per_second)
    places = first + plan.start * (last - first) + (way if forwards else -way)
    beyond = np.flatnonzero((places < first - ROUNDING_MM) | (places > last + ROUNDING_MM))
    if beyond.size:
        raise Sim2RealError(
            f"The fly-through leaves the centreline, {last - first:.0f} mm long, after {beyond[0]} of {plan.count} "
            "frames: lower views.count or speed_mm_s, or begin elsewhere (start, direction)."
        )
    places = np.clip(places, first, last)
    points = curve.positions(places)
    room = clearance(points)
    if (narrow := np.flatnonzero(room < plan.min_wall_mm)).size:
        frame = narrow[0]
        raise Sim2RealError(
            f"Frame {frame} of the fly-through, at {places[frame]:.0f} mm of the centreline, RAS "
            f"{points[frame].round(1).tolist()}, would be {room[frame]:.1f} mm from the wall; at least "
            f"{plan.min_wall_mm:g} mm are asked for. Lower views.min_wall_mm, or begin elsewhere (start)."
        )
    return places


def sway(period_s: float, time_s: float, rng: np.random.Generator, channels: int) -> np.ndarray:
    """Smooth values (channels,) within ±1 at a time; the same generator state gives the same motion."""
    frequency = (1.0 + FREQUENCY_SPREAD * rng.uniform(-1.0, 1.0, (channels, SINES))) / period_s
    phase = rng.uniform(0.0, 2.0 * np.pi, (channels, SINES))
    return np.sin(2.0 * np.pi * frequency * time_s + phase).mean(axis=-1)


def fly_through_pose(
    plan: FlyThroughPlan, curve: CenterlineCurve, index: int, place: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rotation ras_from_camera (3, 3) and position (3,) of frame `index`, which is at `place` mm of the centreline.

    rng: in the same state for every frame of a sequence.
    """
    x, y, pitch, yaw, roll = sway(plan.sway_period_s, index / plan.frames_per_second, rng, 5)
    axes, here = curve.axes(np.array(place)), curve.positions(np.array(place))
    look = curve.positions(np.array(place + plan.look_ahead_mm)) - here
    axes = _turned_to(axes, look / np.linalg.norm(look))
    room = plan.sway * max(float(curve.free_radius_mm(place)) - plan.min_wall_mm, 0.0)
    wander = np.deg2rad(plan.wander_deg) / np.sqrt(2.0) * np.array([pitch, yaw, 0.0])
    turn = Rotation.from_rotvec(wander) * Rotation.from_rotvec([0.0, 0.0, np.deg2rad(plan.roll_deg) * roll])
    position = here + axes[:, :2] @ (room / np.sqrt(2.0) * np.array([x, y]))
    return axes @ turn.as_matrix(), position


def _turned_to(axes: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Axes turned on the shortest way so that the third is `look`."""
    axis = np.cross(axes[:, 2], look)
    sine, cosine = np.linalg.norm(axis), axes[:, 2] @ look
    if sine == 0.0:
        return axes
    return Rotation.from_rotvec(np.arctan2(sine, cosine) / sine * axis).as_matrix() @ axes
