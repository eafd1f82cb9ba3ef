"""SimCol3D: ``Frames_<name>/FrameBuffer_NNNN.png`` and ``Depth_NNNN.png``, poses and ``cam.txt`` beside the folder.

Rau et al., "SimCol3D: 3D reconstruction during colonoscopy challenge", arXiv 2307.11261; the numbers are those of the
challenge's own reader, https://github.com/anitarau/simcol. Unity's world is left-handed. With TM = diag(1, −1, 1, 1)
and P the matrix of a stored pose, TM P TM takes camera points (x right, y down, z forward) to a right-handed world,
which here is RAS.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ..cameras import PinholeCamera
from ..dataset.codec import encode
from ..dataset.layout import DISPLAY
from ..dataset.reader import Dataset
from ..errors import Sim2RealError
from ..simulation import Channel
from .endoscopy import (
    DEPTH,
    frame_numbers,
    left_out,
    mask_png,
    numbers_line,
    provenance,
    shared_camera,
    views,
    write_camera_json,
)

TRAJECTORY = "Sim2Real1"
"""SimCol3D's own are S1 … S15, B1 … B15 and O1 … O3."""

CM_PER_MM = 0.1
MAX_DEPTH_MM = 200.0
DEPTH_STEPS = 256 * 255
DEPTH_PNG = Channel("png", "uint16", "mm", "depth along the optical axis", MAX_DEPTH_MM / DEPTH_STEPS)
FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])

README = """\
SimCol3D layout (Rau et al., arXiv 2307.11261; reader: https://github.com/anitarau/simcol).
The frames are simulated; none of them is part of SimCol3D.
{provenance}

{count} frames of {width} x {height} px, pinhole camera; SimCol3D's own are 475 x 475.

Frames_{name}/FrameBuffer_NNNN.png  RGB, 8 bits.
Frames_{name}/Depth_NNNN.png        z-depth, along the optical axis: value / 256 / 255 * 20 cm. 0: nothing seen;
                                       65280 where Valid_NNNN.png is 0: farther than 20 cm.
Frames_{name}/Valid_NNNN.png        255 where Depth_NNNN.png is a measurement. SimCol3D has no such file: its
                                       evaluation takes every pixel as valid.
SavedPosition_{name}.txt            x y z in cm, a line a frame, in Unity's world.
SavedRotationQuaternion_{name}.txt  x y z w, a line a frame, in Unity's world.
cam.txt                                the camera matrix, for positions from the outer corner of the top-left pixel.
camera.json                            camera and poses as plain matrices, right-handed, in mm.

Unity's world is left-handed. With P = [rotation | position] of a line and TM = diag(1, -1, 1, 1), TM @ P @ TM takes
points of the camera (x right, y down, z forward) to the right-handed world, RAS in cm: x to the patient's right, y to
the front, z to the head.
Pixels: in cam.txt the outer corner of the top-left pixel is (0, 0) and its centre (0.5, 0.5), as in SimCol3D's own,
which has 237.5 for the middle of 475 px; in camera.json its centre is (0, 0), so cx and cy are 0.5 less there.
All values are rounded to nearest.
Channels of the dataset without a place in this layout: {left_out}.

Of {seen} pixels that see a surface, {far} are farther than 20 cm, so without a depth here.
"""


def write_simcol(dataset: Dataset, out: Path) -> Iterator[int]:
    """Sim2RealError if the dataset is not a sequence of one pinhole camera with display and depth."""
    camera = shared_camera(dataset)
    if not isinstance(camera, PinholeCamera):
        raise Sim2RealError(
            f"{dataset.folder}: its camera is {camera.model}, and SimCol3D holds pinhole images only. Convert to c3vd, "
            "which keeps every camera, or export with a pinhole camera."
        )
    folder = out / f"Frames_{TRAJECTORY}"
    folder.mkdir()
    poses, counts = [], Counter()
    for number, view in zip(frame_numbers(len(dataset)), views(dataset, camera), strict=True):
        depth, valid = encode_depth(view.z_mm)
        (folder / f"FrameBuffer_{number}.png").write_bytes(view.rgb_png())
        (folder / f"Depth_{number}.png").write_bytes(encode(depth, DEPTH_PNG))
        (folder / f"Valid_{number}.png").write_bytes(mask_png(valid))
        counts["seen"] += np.count_nonzero(np.isfinite(view.z_mm))
        counts["far"] += np.count_nonzero((depth == DEPTH_STEPS) & ~valid)
        poses.append(view.world_from_camera)
        yield len(poses)
    _write_poses(out, poses)
    (out / "cam.txt").write_text("".join(numbers_line(row, " ") for row in camera.matrix), encoding="ascii")
    write_camera_json(out / "camera.json", camera, poses)
    (out / "README.txt").write_text(_readme(dataset, camera, counts), encoding="utf-8")


def encode_depth(z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stored depth (H, W) uint16 and where it is valid; NaN is stored as 0, what is too far as the largest depth."""
    steps = np.rint(np.nan_to_num(z_mm / MAX_DEPTH_MM, nan=0.0) * DEPTH_STEPS)
    return np.clip(steps, 0, DEPTH_STEPS).astype(np.uint16), (steps > 0) & (steps <= DEPTH_STEPS)


def unity_pose(world_from_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) in cm and quaternion x, y, z, w of a pose in RAS mm, as Unity counts them."""
    pose = FLIP_Y @ world_from_camera @ FLIP_Y
    return pose[:3, 3] * CM_PER_MM, Rotation.from_matrix(pose[:3, :3]).as_quat()


def _write_poses(out: Path, poses: list[np.ndarray]) -> None:
    unity = [unity_pose(pose) for pose in poses]
    for name, lines in zip(("SavedPosition", "SavedRotationQuaternion"), zip(*unity, strict=True), strict=True):
        text = "".join(numbers_line(line, " ") for line in lines)
        (out / f"{name}_{TRAJECTORY}.txt").write_text(text, encoding="ascii")


def _readme(dataset: Dataset, camera: PinholeCamera, counts: Counter) -> str:
    return README.format(
        provenance=provenance(dataset),
        count=len(dataset),
        width=camera.width_px,
        height=camera.height_px,
        name=TRAJECTORY,
        left_out=left_out(dataset, {DISPLAY, DEPTH}),
        seen=counts["seen"],
        far=counts["far"],
    )
