"""Camera poses in lumens whose walls have a formula."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from DepthSimLib.centerline import Centerline
from DepthSimLib.endoscope.curve import CenterlineCurve
from DepthSimLib.endoscope.pose_file import read_poses
from DepthSimLib.endoscope.pose_plan import CenterlinePlan, FilePlan, FlyThroughPlan, FreePlan, PosePlan
from DepthSimLib.endoscope.poses import prepare_poses
from Sim2RealLib.errors import Sim2RealError

SPACING_MM = 0.5


def bent_tube() -> tuple[Centerline, callable]:
    """A helix with folds: its lumen is the union of balls about the centreline, whose distances are known."""
    t = np.linspace(0.0, 3.0 * np.pi, 20_000)
    fine = np.stack([50.0 * np.cos(t), 50.0 * np.sin(t), 14.0 * t], axis=-1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    place = np.arange(0.0, length[-1], SPACING_MM)
    points = np.stack([np.interp(place, length, column) for column in fine.T], axis=-1)
    radius = 15.0 + 5.0 * np.cos(2.0 * np.pi * place / 30.0)
    tree = cKDTree(points)

    def clearance(positions: np.ndarray) -> np.ndarray:
        # A point this far inside a ball is at least as far from the outside of the union.
        distance, nearest = tree.query(positions, k=200)
        return (radius[nearest] - distance).max(axis=1)

    return Centerline(points, radius), clearance


TUBE, CLEARANCE = bent_tube()


def straight_tube(radius_mm: float = 12.0) -> tuple[Centerline, callable]:
    """A cylinder about the z axis from 0 to 100 mm, of which the clearance to the mantle counts."""
    points = np.stack([np.zeros(201), np.zeros(201), np.linspace(0.0, 100.0, 201)], axis=-1)
    return Centerline(points, np.full(201, radius_mm)), lambda p: radius_mm - np.hypot(p[:, 0], p[:, 1])


PLANS = (CenterlinePlan(count=60), FreePlan(count=60), FlyThroughPlan(count=60, start=0.2))
every_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.mode)


@every_plan
def test_every_pose_is_rigid_keeps_its_distance_and_depends_on_seed_and_index_alone(plan):
    source = prepare_poses(plan, TUBE, CLEARANCE, seed=4)
    poses = [source.pose(i) for i in range(source.count)]
    for pose in poses:
        matrix = pose.ras_from_camera
        assert matrix[:3, :3] @ matrix[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
        distance = CLEARANCE(matrix[None, :3, 3])[0]
        assert distance >= plan.min_wall_mm and pose.wall_distance_mm == distance
    again = prepare_poses(plan, TUBE, CLEARANCE, seed=4).pose(37)
    assert np.array_equal(again.ras_from_camera, poses[37].ras_from_camera)
    other = prepare_poses(plan, TUBE, CLEARANCE, seed=5).pose(37)
    assert not np.allclose(other.ras_from_camera, poses[37].ras_from_camera)


@every_plan
def test_a_plan_survives_a_recipe(plan):
    class Views(BaseModel):
        views: PosePlan

    assert Views.model_validate_json(Views(views=plan).model_dump_json()).views == plan


def test_without_offset_and_tilt_the_camera_looks_along_the_centreline_with_anterior_up():
    line, clearance = straight_tube()
    source = prepare_poses(CenterlinePlan(offset=0.0, tilt_deg=0.0, roll_deg=0.0), line, clearance, 0)
    pose = source.pose(11)
    assert pose.ras_from_camera[:3, :3] == pytest.approx(np.array([[-1, 0, 0], [0, -1, 0], [0, 0, 1]]).T)
    assert pose.ras_from_camera[:3, 3] == pytest.approx([0.0, 0.0, pose.arc_length_mm])


def test_offsets_fill_a_disk_and_tilts_and_rolls_their_ranges_evenly():
    line, clearance = straight_tube()
    plan = CenterlinePlan(offset=0.5, tilt_deg=40.0, roll_deg=90.0, min_wall_mm=2.0)
    source = prepare_poses(plan, line, clearance, 1)
    matrices = np.stack([source.pose(i).ras_from_camera for i in range(3000)])
    off = np.hypot(matrices[:, 0, 3], matrices[:, 1, 3])
    assert off.max() <= 5.0  # half of the room of 12 − 2 mm
    assert np.mean(off**2) == pytest.approx(5.0**2 / 2, rel=0.05)  # E r² of a disk
    assert matrices[:, :2, 3].mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.25)
    tilt = np.rad2deg(np.arccos(matrices[:, 2, 2]))
    assert np.percentile(tilt, [0, 25, 50, 75, 100]) == pytest.approx([0, 10, 20, 30, 40], abs=1.5)
    # Undo the tilt on its shortest way: what is left about the axis is the roll.
    axis = np.cross(matrices[:, :3, 2], [0.0, 0.0, 1.0])
    axis *= (np.deg2rad(tilt) / np.maximum(np.linalg.norm(axis, axis=1), 1e-12))[:, None]
    left = Rotation.from_rotvec(axis).as_matrix() @ matrices[:, :3, :3]
    roll = np.rad2deg(np.arctan2(left[:, 1, 0], left[:, 0, 0]) - np.pi)
    roll = (roll + 180.0) % 360.0 - 180.0
    assert np.percentile(roll, [0, 25, 50, 75, 100]) == pytest.approx([-90, -45, 0, 45, 90], abs=4)


def test_places_are_spread_evenly_over_the_span_at_every_count():
    """The discrepancy of the golden sequence falls with 1/N, that of independent draws with 1/√N."""
    line, clearance = straight_tube()
    source = prepare_poses(CenterlinePlan(span=(0.2, 0.7)), line, clearance, 9)
    places = np.array([source.pose(i).arc_length_mm for i in range(300)])
    assert places.min() >= 20.0 and places.max() <= 70.0
    for count in (50, 300):
        share = (np.sort(places[:count]) - 20.0) / 50.0
        assert np.abs(share - (np.arange(count) + 0.5) / count).max() < 2.0 / count


def test_free_poses_fill_the_lumen_evenly_and_look_everywhere():
    line, clearance = straight_tube()
    source = prepare_poses(FreePlan(min_wall_mm=2.0), line, clearance, 2)
    matrices = np.stack([source.pose(i).ras_from_camera for i in range(2000)])
    off = np.hypot(matrices[:, 0, 3], matrices[:, 1, 3])
    assert off.max() <= 10.0 and np.mean(off**2) == pytest.approx(50.0, rel=0.05)
    assert matrices[:, :3, :3].mean(axis=0) == pytest.approx(np.zeros((3, 3)), abs=0.06)


def test_a_fly_through_moves_at_its_speed_smoothly_and_slower_frames_are_the_same_motion():
    slow = FlyThroughPlan(count=121, start=0.1, speed_mm_s=20.0, frames_per_second=30.0, sway=0.0)
    source = prepare_poses(slow, TUBE, CLEARANCE, 3)
    matrices = np.stack([source.pose(i).ras_from_camera for i in range(121)])
    steps = np.linalg.norm(np.diff(matrices[:, :3, 3], axis=0), axis=1)
    assert steps == pytest.approx(20.0 / 30.0, rel=2e-3)  # chords of a helix of radius 50 mm

    plan = FlyThroughPlan(count=121, start=0.1, frames_per_second=30.0)
    source = prepare_poses(plan, TUBE, CLEARANCE, 3)
    matrices = np.stack([source.pose(i).ras_from_camera for i in range(121)])
    double = FlyThroughPlan(count=241, start=0.1, frames_per_second=60.0)
    fine = prepare_poses(double, TUBE, CLEARANCE, 3)
    assert np.allclose([fine.pose(2 * i).ras_from_camera for i in range(121)], matrices)
    # Half the time step quarters the second differences of a motion with accelerations; a jump would leave them as
    # they are, a kink would halve them.
    coarse = np.abs(np.diff(matrices, 2, axis=0)).max(axis=(0, 1))
    halved = np.abs(np.diff([fine.pose(i).ras_from_camera for i in range(241)], 2, axis=0)).max(axis=(0, 1))
    assert np.all(halved < 0.3 * coarse)
    turn = Rotation.from_matrix(matrices[:-1, :3, :3]).inv() * Rotation.from_matrix(matrices[1:, :3, :3])
    assert 0.1 < np.rad2deg(turn.magnitude()).max() < 5.0


def test_in_a_bend_the_camera_looks_where_the_way_goes():
    """A chord of length l of a circle of radius r leaves the tangent by asin(l / 2r); here the arc ahead is 20 mm."""
    angle = np.linspace(0.0, np.pi, 315)
    line = Centerline(50.0 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=-1), np.full(315, 10.0))
    plan = FlyThroughPlan(count=2, start=0.3, look_ahead_mm=20.0, sway=0.0, wander_deg=0.0, roll_deg=0.0)
    pose = prepare_poses(plan, line, lambda p: np.full(len(p), 10.0), 0).pose(0).ras_from_camera
    here = 0.3 * np.pi
    assert pose[:3, 3] == pytest.approx([50.0 * np.cos(here), 50.0 * np.sin(here), 0.0], abs=0.01)
    towards = here + np.pi / 2 + 0.2
    assert pose[:3, 2] == pytest.approx([np.cos(towards), np.sin(towards), 0.0], abs=1e-3)


def test_withdrawal_goes_back_and_looks_ahead():
    line, clearance = straight_tube()
    plan = FlyThroughPlan(count=60, start=0.9, direction="withdrawal", wander_deg=0.0, roll_deg=0.0, sway=0.0)
    source = prepare_poses(plan, line, clearance, 0)
    first, last = source.pose(0), source.pose(59)
    assert (first.arc_length_mm, last.arc_length_mm) == pytest.approx((90.0, 90.0 - 59 * 0.5))
    assert last.ras_from_camera[:3, 2] == pytest.approx([0.0, 0.0, 1.0])


def test_a_way_longer_than_the_centreline_is_refused_before_it_begins():
    line, clearance = straight_tube()
    for plan in (FlyThroughPlan(count=202), FlyThroughPlan(count=202, start=1.0, direction="withdrawal")):
        with pytest.raises(Sim2RealError, match="100 mm long, after 201 of 202 frames"):
            prepare_poses(plan, line, clearance, 0)
    assert prepare_poses(FlyThroughPlan(count=201), line, clearance, 0).pose(200).arc_length_mm == pytest.approx(100.0)


def test_no_room_is_an_error_after_a_bounded_search_and_not_a_pose_in_the_wall():
    line, clearance = straight_tube(radius_mm=2.5)
    for plan in (CenterlinePlan(), FreePlan()):
        with pytest.raises(Sim2RealError, match=r"pose 3 in 4096 tries.*3 mm from its wall"):
            prepare_poses(plan, line, clearance, 0).pose(3)
    with pytest.raises(Sim2RealError, match="nowhere 3 mm from the wall"):
        prepare_poses(FlyThroughPlan(count=4), line, clearance, 0)


def test_a_fly_through_begins_where_the_lumen_is_wide_enough_and_stops_at_a_narrow_place():
    """A tube of 8 mm with ends of 2 mm, 10 mm long, and, in the other plan, a narrow place half-way."""
    line, _ = straight_tube(radius_mm=8.0)
    z = line.points_ras[:, 2]

    def tapered(points):
        return np.where(np.abs(points[:, 2] - z.mean()) > 0.5 * np.ptp(z) - 10.0, 2.0, 8.0)

    source = prepare_poses(FlyThroughPlan(count=2), replace(line, radius_mm=tapered(line.points_ras)), tapered, 0)
    assert source.pose(0).arc_length_mm == pytest.approx(10.0, abs=1.0)

    def waist(points):
        return np.where(np.abs(points[:, 2] - z.mean()) < 1.0, 1.5, 8.0)

    with pytest.raises(Sim2RealError, match=r"Frame 9[89] .* would be 1.5 mm from the wall; at least 3 mm"):
        prepare_poses(FlyThroughPlan(count=150), replace(line, radius_mm=waist(line.points_ras)), waist, 0)


def test_poses_avoid_a_collapsed_part_of_the_lumen():
    line, _ = straight_tube()

    def clearance(points):
        return np.where(points[:, 2] > 30.0, 12.0 - np.hypot(points[:, 0], points[:, 1]), 0.5)

    source = prepare_poses(CenterlinePlan(), line, clearance, 0)
    assert min(source.pose(i).ras_from_camera[2, 3] for i in range(100)) > 30.0


def test_the_free_radius_is_smooth_and_nowhere_beyond_the_wall():
    rough = np.random.default_rng(0).uniform(5.0, 20.0, len(TUBE.points_ras))
    curve = CenterlineCurve(Centerline(TUBE.points_ras, rough))
    free = curve.free_radius_mm(TUBE.arc_length_mm)
    assert np.all(free <= rough + 1e-9)
    assert np.abs(np.diff(free)).max() < 0.1 * np.abs(np.diff(rough)).max()
    even = CenterlineCurve(Centerline(TUBE.points_ras, np.full(len(TUBE.points_ras), 9.0)))
    assert even.free_radius_mm(TUBE.arc_length_mm) == pytest.approx(9.0)


POSE = np.array([[0, -1, 0, 10.5], [1, 0, 0, -20.0], [0, 0, 1, 3.0], [0, 0, 0, 1]])
QUATERNION = [10.5, -20.0, 3.0, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]
"""The same pose: a quarter turn about z."""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_poses_are_read_from_matrices_and_quaternions_in_csv_and_json(tmp_path):
    matrix_line, quaternion_line = (",".join(map(str, np.ravel(numbers))) for numbers in (POSE, QUATERNION))
    texts = {
        "a.csv": f"# ras_from_camera\n{matrix_line}\n\n{matrix_line}\n",
        "b.csv": f"tx,ty,tz,qx,qy,qz,qw\n{quaternion_line}\n{quaternion_line.replace(',', ' ')}\n",
        "c.json": json.dumps([POSE.tolist(), POSE.ravel().tolist(), QUATERNION]),
    }
    for name, text in texts.items():
        poses = read_poses(written(tmp_path / name, text))
        assert len(poses) == (3 if name == "c.json" else 2)
        for pose in poses:
            assert pose == pytest.approx(POSE, abs=1e-12)


def test_poses_of_a_file_are_taken_in_order_and_checked_against_the_wall(tmp_path):
    line, clearance = straight_tube()
    rows = [f"{x} 0 {10 * x} 0 0 0 1" for x in (0.0, 5.0, 13.0)]
    plan = FilePlan(written(tmp_path / "poses.csv", "\n".join(rows)))
    with pytest.raises(Sim2RealError, match=r"Pose 2 .* lies in tissue"):
        prepare_poses(plan, line, clearance, 0)
    source = prepare_poses(FilePlan(plan.file, count=2), line, clearance, 0)
    assert source.count == 2
    assert source.pose(1).ras_from_camera[:3, 3] == pytest.approx([5.0, 0.0, 50.0])
    assert source.pose(1).wall_distance_mm == pytest.approx(7.0)
    with pytest.raises(Sim2RealError, match=r"3 poses, fewer than views\.count 4"):
        prepare_poses(FilePlan(plan.file, count=4), line, clearance, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n", "line 1: 3 numbers; a pose is 16 or 7"),
        ("a b\n1 2 x\n", "line 2: could not convert"),
        ("0 0 0 0 0 0 2\n", "quaternion .* has length 2, not 1"),
        ("nan 0 0 0 0 0 1\n", "not all numbers are finite"),
        (" ".join(map(str, POSE.T.ravel())), "looks written column by column"),
        (" ".join(map(str, (POSE * [[1], [-1], [1], [1]]).ravel())), "no rotation"),
        (" ".join(map(str, (POSE * [[2], [1], [1], [1]]).ravel())), "no rotation"),
        ("# nothing\n", "no pose in it"),
        ("[[1, 2", "not a JSON list"),
        ('[{"pose": 1}]', "not a JSON list"),
    ],
)
def test_what_is_no_pose_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(Sim2RealError, match=message):
        read_poses(written(tmp_path / "poses.txt", text))


def test_spans_and_shares_out_of_range_are_refused():
    for wrong in (
        lambda: CenterlinePlan(span=(0.8, 0.2)),
        lambda: CenterlinePlan(offset=1.2),
        lambda: FlyThroughPlan(sway=1.0),
        lambda: FreePlan(min_wall_mm=-1.0),
    ):
        with pytest.raises(ValueError):
            wrong()
