"""Where the endoscope's camera is in each frame.

A pose is ras_from_camera, 4×4, of the OpenCV camera frame (x right, y down, z forward). Pose i depends on the plan, the
anatomy, the seed and i alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from Sim2RealLib.errors import Sim2RealError

from ..centerline import Centerline
from .curve import CenterlineCurve
from .fly_through import fly_through_pose, way_along
from .pose_file import read_poses
from .pose_plan import CenterlinePlan, FilePlan, FlyThroughPlan, FreePlan, PosePlan

Clearance = Callable[[np.ndarray], np.ndarray]
"""Distance (N,) in mm of RAS points (N, 3) in the lumen to the nearest wall; 0 or less in tissue and outside."""

POSE_STREAM, SPREAD_STREAM, SWAY_STREAM = 10, 11, 12
"""Numbers that keep the random streams of poses apart."""

BATCH, MAX_BATCHES = 32, 128
"""Places that are tried at once, and how often, until one keeps its distance from the wall."""

GOLDEN_SHARE = (5.0**0.5 - 1.0) / 2.0
"""Steps of it, modulo 1, cover the unit interval evenly at every count (Weyl's sequence)."""


@dataclass(frozen=True, eq=False)
class TipPose:
    """ras_from_camera: rigid 4×4. wall_distance_mm: from the camera to the nearest wall.

    arc_length_mm: the place on the centreline that the pose was made for; None if it was for none.
    """

    ras_from_camera: np.ndarray
    wall_distance_mm: float
    arc_length_mm: float | None


@dataclass(frozen=True, eq=False)
class PoseSource:
    """A plan in an anatomy, ready to give `count` poses.

    poses_ras: those of a plan's file. places_mm: where a fly-through's frames are on the centreline.
    """

    plan: PosePlan
    curve: CenterlineCurve
    clearance: Clearance
    seed: int
    count: int
    poses_ras: np.ndarray | None = None
    places_mm: np.ndarray | None = None

    def pose(self, index: int) -> TipPose:
        """Pose `index`; Sim2RealError if the lumen leaves no room for it."""
        if isinstance(self.plan, FilePlan):
            pose = self.poses_ras[index]
            return self._kept(index, pose[:3, :3], pose[:3, 3], None)
        if isinstance(self.plan, FlyThroughPlan):
            rng = np.random.default_rng([self.seed, SWAY_STREAM])
            place = float(self.places_mm[index])
            return self._kept(index, *fly_through_pose(self.plan, self.curve, index, place, rng), place)
        return self._drawn(index)

    def _kept(self, index: int, turn: np.ndarray, position: np.ndarray, place_mm: float | None) -> TipPose:
        """A pose that is given, if it keeps its distance."""
        distance = float(self.clearance(position[None])[0])
        if not (distance > 0.0 and distance >= self.plan.min_wall_mm):
            place = "" if place_mm is None else f", at {place_mm:.0f} mm of the centreline,"
            lies = f"is {distance:.1f} mm from the wall" if distance > 0.0 else "lies in tissue or outside"
            asked = f"; at least {self.plan.min_wall_mm:g} mm are asked for. Lower views.min_wall_mm, or choose another"
            mend = f"{asked} way." if distance > 0.0 else ". Poses must be in the lumen."
            raise Sim2RealError(f"Pose {index} at RAS {position.round(1).tolist()}{place} {lies}{mend}")
        return _tip_pose(turn, position, distance, place_mm)

    def _drawn(self, index: int) -> TipPose:
        """The first of bounded many random poses that keeps its distance."""
        rng = np.random.default_rng([self.seed, POSE_STREAM, index])
        if isinstance(self.plan, FreePlan):
            candidates = _anywhere(self.curve.centerline, rng)
        else:
            first = np.random.default_rng([self.seed, SPREAD_STREAM]).random()
            candidates = _along(self.plan, self.curve, rng, (first + index * GOLDEN_SHARE) % 1.0)
        for turns, positions, places_mm in candidates:
            distance = self.clearance(positions)
            if (found := np.flatnonzero((distance > 0.0) & (distance >= self.plan.min_wall_mm))).size:
                i = found[0]
                return _tip_pose(turns[i], positions[i], float(distance[i]), places_mm[i])
        raise Sim2RealError(
            f"No place for pose {index} in {BATCH * MAX_BATCHES} tries: the lumen is nowhere found "
            f"{self.plan.min_wall_mm:g} mm from its wall. Lower views.min_wall_mm or widen the plan."
        )


def prepare_poses(plan: PosePlan, centerline: Centerline, clearance: Clearance, seed: int) -> PoseSource:
    """The poses of a plan; Sim2RealError if its file is wrong, one of its poses too near to the wall, or the centreline
    too short or too narrow for a fly-through."""
    curve = CenterlineCurve(centerline)
    if isinstance(plan, FilePlan):
        poses = read_poses(plan.file)
        if plan.count is not None and plan.count > len(poses):
            raise Sim2RealError(f"{plan.file}: {len(poses)} poses, fewer than views.count {plan.count}.")
        source = PoseSource(plan, curve, clearance, seed, plan.count or len(poses), poses)
        distances = clearance(poses[: source.count, :3, 3])
        if (bad := np.flatnonzero(~((distances > 0.0) & (distances >= plan.min_wall_mm)))).size:
            source.pose(bad[0])
        return source
    if isinstance(plan, FlyThroughPlan):
        return PoseSource(plan, curve, clearance, seed, plan.count, places_mm=way_along(plan, curve, clearance))
    return PoseSource(plan, curve, clearance, seed, plan.count)


Candidates = Iterator[tuple[np.ndarray, np.ndarray, list[float | None]]]
"""Batches of rotations (N, 3, 3), positions (N, 3) and arc lengths."""


def _along(plan: CenterlinePlan, curve: CenterlineCurve, rng: np.random.Generator, first_share: float) -> Candidates:
    """Poses about the centreline, the very first at a given share of the plan's span."""
    for batch in range(MAX_BATCHES):
        share = rng.random(BATCH)
        if batch == 0:
            share[0] = first_share
        place = curve.length_mm * (plan.span[0] + share * (plan.span[1] - plan.span[0]))
        axes = curve.axes(place)
        room = plan.offset * np.maximum(curve.radius_mm(place) - plan.min_wall_mm, 0.0)
        offset = (room * np.sqrt(rng.random(BATCH)))[:, None] * _directions(rng)
        positions = curve.positions(place) + np.einsum("nij,nj->ni", axes, offset)
        tilt = Rotation.from_rotvec(rng.uniform(0.0, plan.tilt_deg, (BATCH, 1)) * _directions(rng), degrees=True)
        roll = Rotation.from_rotvec(rng.uniform(-plan.roll_deg, plan.roll_deg, (BATCH, 1)) * [0, 0, 1], degrees=True)
        yield axes @ (tilt * roll).as_matrix(), positions, place.tolist()


def _anywhere(centerline: Centerline, rng: np.random.Generator) -> Candidates:
    """Poses in the box around the lumen."""
    reach = centerline.radius_mm[:, None]
    low, high = (centerline.points_ras - reach).min(axis=0), (centerline.points_ras + reach).max(axis=0)
    for _ in range(MAX_BATCHES):
        yield Rotation.random(BATCH, rng=rng).as_matrix(), rng.uniform(low, high, (BATCH, 3)), [None] * BATCH


def _directions(rng: np.random.Generator) -> np.ndarray:
    """Unit vectors (BATCH, 3) across the camera's axis, to all sides alike."""
    angle = rng.uniform(0.0, 2.0 * np.pi, BATCH)
    return np.stack([np.cos(angle), np.sin(angle), np.zeros(BATCH)], axis=-1)


def _tip_pose(turn: np.ndarray, position: np.ndarray, distance_mm: float, place_mm: float | None) -> TipPose:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, position
    return TipPose(pose, distance_mm, place_mm)
