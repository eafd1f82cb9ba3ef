"""Camera poses from a file of text.

CSV: one pose a line, numbers between commas, semicolons or blanks; empty lines and those that begin with # are skipped,
    and a first line of names is.
JSON: a list of poses, each a list of numbers or of rows of numbers.

A pose is either 16 numbers, the 4×4 matrix ras_from_camera row by row, or 7 numbers, tx ty tz qx qy qz qw: the position
and the quaternion of the rotation from the camera frame (x right, y down, z forward) to RAS. Positions in mm. What
rounding left of errors in a rotation is taken out.
"""

import json
import re
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.text_files import read_text

MAX_POSE_FILE_BYTES = 2**28

RIGIDITY_TOLERANCE = 1e-3
"""Largest error of a rotation matrix's products or a quaternion's length; files round to three digits and more."""


def read_poses(path: Path | str) -> np.ndarray:
    """The poses of a file, ras_from_camera, (N, 4, 4) float64; Sim2RealError names the pose that is none."""
    path = Path(path)
    text = read_text(path, MAX_POSE_FILE_BYTES, "list of poses")
    rows = _json_rows(text, path) if text.lstrip().startswith("[") else _csv_rows(text, path)
    if not rows:
        raise Sim2RealError(
            f"{path}: no pose in it; the first line of a CSV file may be names, the others are numbers."
        )
    return np.stack([_pose(numbers, f"{path}: {place}") for place, numbers in rows])


def _csv_rows(text: str, path: Path) -> list[tuple[str, np.ndarray]]:
    rows = []
    names_allowed = True
    for number, line in enumerate(text.splitlines(), 1):
        words = [word for word in re.split(r"[\s,;]+", line) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            rows.append((f"line {number}", np.array([float(word) for word in words])))
        except ValueError as error:
            if not names_allowed:
                raise Sim2RealError(f"{path}: line {number}: {error}.") from error
        names_allowed = False
    return rows


def _json_rows(text: str, path: Path) -> list[tuple[str, np.ndarray]]:
    try:
        return [(f"pose {i}", np.array(pose, np.float64).ravel()) for i, pose in enumerate(json.loads(text))]
    except (ValueError, TypeError, RecursionError) as error:
        raise Sim2RealError(f"{path}: not a JSON list of lists of numbers ({error}).") from error


def _pose(numbers: np.ndarray, where: str) -> np.ndarray:
    if not np.isfinite(numbers).all():
        raise Sim2RealError(f"{where}: not all numbers are finite.")
    if len(numbers) == 7:
        length = np.linalg.norm(numbers[3:])
        if abs(length - 1.0) > RIGIDITY_TOLERANCE:
            raise Sim2RealError(f"{where}: the quaternion qx qy qz qw has length {length:.4g}, not 1.")
        return _rigid(Rotation.from_quat(numbers[3:]), numbers[:3])
    if len(numbers) != 16:
        raise Sim2RealError(f"{where}: {len(numbers)} numbers; a pose is 16 or 7 (tx ty tz qx qy qz qw).")
    pose = numbers.reshape(4, 4)
    if not np.array_equal(pose[3], [0, 0, 0, 1]):
        hint = " It looks written column by column." if np.array_equal(pose[:, 3], [0, 0, 0, 1]) else ""
        raise Sim2RealError(f"{where}: the last row of the matrix is {pose[3].tolist()}, not [0, 0, 0, 1].{hint}")
    turn = pose[:3, :3]
    if np.abs(turn @ turn.T - np.eye(3)).max() > RIGIDITY_TOLERANCE or np.linalg.det(turn) < 0.0:
        raise Sim2RealError(f"{where}: the matrix is no rotation with translation.")
    return _rigid(Rotation.from_matrix(turn), pose[:3, 3])


def _rigid(rotation: Rotation, position: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), position
    return pose
