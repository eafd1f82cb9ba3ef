"""What the endoscopy formats take from a dataset: one camera, and of each frame pose, picture, z-depth and the like.

The formats hold one sequence of one camera in one look. They count depth along the optical axis, where ours is the
length of the ray, and most of their positions from the centre of the top-left pixel, so that our principal points lose
half a pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras import PIXEL_CENTER_PX, Camera, PinholeCamera, camera_from_record
from ..dataset.codec import encode
from ..dataset.layout import DISPLAY
from ..dataset.reader import Dataset, StoredFrame
from ..dataset.schema import to_json
from ..errors import Sim2RealError
from ..geometry import invert_rigid
from ..simulation import Channel

RIGID_TOLERANCE = 1e-6
"""Largest error of RᵀR; a pose that went through float32 passes."""

DEPTH, NORMALS, FLOW, HIDDEN = "depth", "normals", "flow", "hidden"

IMAGES = {DEPTH: ("mm", ()), NORMALS: ("1", (3,)), FLOW: ("px", (2,)), HIDDEN: ("1", ())}
"""Unit and pages that a channel must have to be what its name says."""

FORMULAS = {
    "pinhole": "position = (fx x / z + cx, fy y / z + cy)",
    "kannala_brandt": "OpenCV's fisheye: radius in focal lengths = t + k1 t^3 + k2 t^5 + k3 t^7 + k4 t^9, "
    "t the angle from the axis in rad",
    "scaramuzza": "C3VD's: ray = (u, v, a0 + a2 r^2 + a3 r^3 + a4 r^4), r^2 = u^2 + v^2, "
    "position = [[c, d], [e, 1]] (u, v) + (cx, cy)",
    "equidistant": "radius in focal lengths = angle from the axis in rad",
}
"""Every camera model in a line, for readers of a converted dataset who do not have this library."""

VALID_MASK = Channel("png", "uint8", "1", "255: the pixel has a value")


@dataclass(frozen=True, eq=False)
class View:
    """A frame in the terms of the formats.

    world_from_camera: 4×4, RAS mm. z_mm: (H, W) depth along the optical axis, NaN where no surface is seen, negative
    beyond 90° from the axis.
    """

    frame: StoredFrame
    world_from_camera: np.ndarray
    z_mm: np.ndarray

    def values(self, name: str) -> np.ndarray | None:
        """Channel `name` in its unit, (pages, H, W), NaN where it has no value; None if the dataset has none."""
        if name not in self.frame.dataset.header.channels:
            return None
        return _values(self.frame, name, self.z_mm.shape)

    def rgb_png(self) -> bytes:
        """The display image as a file of three colours, also if it is grey."""
        image = self.frame.channel(DISPLAY)
        if image.dtype != np.uint8 or image.shape[-2:] != self.z_mm.shape:
            found, size = f"{image.dtype} of shape {image.shape}", self.z_mm.shape
            raise Sim2RealError(f"{_where(self.frame)}: {DISPLAY} is {found}, not uint8 of the camera's size {size}.")
        if image.ndim == 3:
            return self.frame.read(DISPLAY)
        return encode(np.stack([image] * 3), self.frame.dataset.header.channels[DISPLAY])


def shared_camera(dataset: Dataset) -> Camera:
    """The camera of the first frame.

    Sim2RealError if the frames are said not to follow each other, or display or depth is missing, or a frame between
    the first and the last, or the camera.
    """
    if dataset.header.extra.get("sequence") is False:
        raise Sim2RealError(
            f"{dataset.folder}: its frames do not follow each other, and the format holds a sequence. Export with "
            "views.mode=fly_through, or with poses from a file (views.mode=file)."
        )
    for name in (DISPLAY, DEPTH):
        dataset.require_channel(name)
    for place, index in enumerate(dataset.indices):
        if index != place:
            raise Sim2RealError(
                f"{dataset.folder}: frame {place} is missing before frame {index}, and the format holds a sequence. "
                "Finish the export first: the same command goes on where it stopped."
            )
    return _camera(dataset.frame(0))


def views(dataset: Dataset, camera: Camera) -> Iterator[View]:
    """All frames; Sim2RealError if one is of another camera or size, or its pose is not rigid."""
    ray_z = camera.unproject(camera.pixel_centers())[..., 2]
    for index in dataset.indices:
        frame = dataset.frame(index)
        if _camera(frame) != camera:
            raise Sim2RealError(f"{_where(frame)}: its camera is not that of frame 0; the format has one for all.")
        yield View(frame, _world_from_camera(frame), _values(frame, DEPTH, ray_z.shape) * ray_z)


def frame_numbers(count: int) -> list[str]:
    """Four digits, or as many as keep the files of the frames in order when sorted by name."""
    digits = max(4, len(str(count - 1)))
    return [f"{place:0{digits}d}" for place in range(count)]


def numbers_line(numbers: np.ndarray, separator: str) -> str:
    """A line of text; twelve digits are 1e-9 mm at a metre."""
    return separator.join(f"{number:.12g}" for number in numbers) + "\n"


def camera_matrix(camera: PinholeCamera) -> np.ndarray:
    """K, 3×3, for positions counted from the centre of the top-left pixel."""
    matrix = camera.matrix
    matrix[:2, 2] -= PIXEL_CENTER_PX
    return matrix


def mask_png(mask: np.ndarray) -> bytes:
    """A PNG with 255 where `mask` (H, W) holds, 0 elsewhere."""
    return encode(mask.astype(np.uint8) * np.uint8(255), VALID_MASK)


def write_camera_json(path: Path, camera: Camera, poses: list[np.ndarray]) -> None:
    """Camera and poses as plain matrices, with their conventions."""
    parameters = camera.parameters
    for name in ("cx_px", "cy_px"):
        parameters[name] -= PIXEL_CENTER_PX
    content: dict[str, Any] = {
        "pixel_convention": "the centre of the top-left pixel is (0, 0)",
        "camera_frame": "x right, y down, z forward",
        "world_frame": "right-handed RAS, mm: x to the patient's right, y to the front, z to the head",
        "camera": parameters,
        "camera_formula": FORMULAS[camera.model],
    }
    if isinstance(camera, PinholeCamera):
        content["camera_matrix"] = camera_matrix(camera)
    numbers = frame_numbers(len(poses))
    content["poses"] = [{"frame": n, "world_from_camera": pose} for n, pose in zip(numbers, poses, strict=True)]
    path.write_bytes(to_json(content))


def provenance(dataset: Dataset) -> str:
    """Lines of a README: who made the frames, from what, under which licence, and in which look."""
    version = dataset.description.software.get("surgical-sim2real", "of unknown version")
    lines = [f"Made by surgical-sim2real {version}, simulator '{dataset.header.simulator}'."]
    for entry in dataset.header.inputs:
        known = (f"{key}: {entry[key]}" for key in ("name", "source", "license") if entry.get(key))
        lines.append(f"Input {entry.get('role', '')}: {', '.join(known)}")
    looks = dataset.header.extra.get("looks")
    if isinstance(looks, dict) and looks:
        first, *others = looks
        lines.append(f"Look of the pictures: {first}. Looks of the dataset left out: {', '.join(others) or 'none'}.")
    return "\n".join(lines)


def left_out(dataset: Dataset, written: set[str]) -> str:
    """The channels that a format has no place for, in words."""
    return ", ".join(name for name in dataset.header.channels if name not in written) or "none"


def _camera(frame: StoredFrame) -> Camera:
    entry = frame.parsed.camera
    if entry is None or entry.parameters is None:
        raise Sim2RealError(f"{_where(frame)}: has no camera parameters, which the format needs.")
    return camera_from_record(entry.parameters, f"{_where(frame)}: camera")


def _world_from_camera(frame: StoredFrame) -> np.ndarray:
    pose = np.array(frame.parsed.camera.camera_from_world)
    turn = pose[:3, :3]
    rigid = np.abs(turn.T @ turn - np.eye(3)).max() <= RIGID_TOLERANCE and np.linalg.det(turn) > 0
    if not rigid or pose[3].tolist() != [0, 0, 0, 1]:
        raise Sim2RealError(f"{_where(frame)}: camera_from_world is not a rotation and a shift.")
    return invert_rigid(pose)


def _values(frame: StoredFrame, name: str, size: tuple[int, ...]) -> np.ndarray:
    channel, (unit, pages) = frame.dataset.header.channels[name], IMAGES[name]
    stored = frame.channel(name)
    if channel.unit != unit or stored.shape != (*pages, *size):
        found = f"{stored.shape} in {channel.unit}"
        raise Sim2RealError(f"{_where(frame)}: {name} is {found}, not {(*pages, *size)} in {unit}.")
    if channel.invalid is None:
        return stored * channel.scale
    missing = (stored == channel.invalid).all(axis=0) if pages else stored == channel.invalid
    return np.where(missing, np.nan, stored * channel.scale)


def _where(frame: StoredFrame) -> str:
    return f"{frame.dataset.folder}: frame {frame.index}"
