"""C3VD, version 1: ``NNNN_color.png``, ``NNNN_depth.tiff``, … and ``pose.txt``, all in one folder.

Bobrow et al., Med. Image Anal. 90:102956, 2023; https://durrlab.github.io/C3VD describes the files. Where it and the
data differ, this follows the data: poses lie in ``pose.txt`` column after column. Values are rounded, not cut off, and
masks tell which are valid: of its own, the format cannot tell a clamped flow from none.
"""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from ..cameras import Camera
from ..dataset.codec import encode
from ..dataset.layout import DISPLAY
from ..dataset.reader import Dataset
from ..simulation import Channel
from .endoscopy import (
    DEPTH,
    FLOW,
    HIDDEN,
    NORMALS,
    View,
    frame_numbers,
    left_out,
    mask_png,
    numbers_line,
    provenance,
    shared_camera,
    views,
    write_camera_json,
)

MAX_DEPTH_MM = 100.0
MAX_FLOW_PX = 20.0
FULL_SCALE = 65535
DEPTH_TIFF = Channel("tif", "uint16", "mm", "depth along the optical axis", MAX_DEPTH_MM / FULL_SCALE)

README = """\
C3VD layout, version 1 (Bobrow et al., Medical Image Analysis 90:102956, 2023; https://durrlab.github.io/C3VD).
The frames are simulated; none of them is part of C3VD.
{provenance}

{count} frames of {width} x {height} px, {model} camera. Frame NNNN belongs to line NNNN of pose.txt, counted from 0.

NNNN_color.png        RGB, 8 bits.
NNNN_depth.tiff       z-depth, along the optical axis: value / 65535 * 100 mm. 0: nothing seen, or 90 degrees and more
                      from the axis; 65535: 100 mm and more. Neither is a measurement.
NNNN_depth_valid.png  255 where NNNN_depth.tiff is a measurement.
NNNN_normals.tiff     unit surface normal towards the camera, in the camera frame, (R, G, B) = (x, y, z):
                      value / 65535 * 2 - 1. (0, 0, 0): none.
NNNN_flow.tiff        from a pixel to the place of the same point in the frame before, R right, G down:
                      value / 65535 * 40 - 20 px, B is 0. (0, 0): none, since nothing is seen, the point was out of the
                      image{hidden} or moved by more than 20 px. Frame 0 has no flow.
NNNN_flow_valid.png   255 where NNNN_flow.tiff is a measurement.
NNNN_hidden.png       255 where the point was hidden or out of view in the frame before. This is not C3VD's
                      "occlusion", which marks what hides another face within 100 mm and is not in this dataset.
pose.txt              camera to world, 16 numbers a line, COLUMN after column: numbers 13 to 15 are the position in mm.
                      numpy: world_from_camera = np.reshape(numbers, (4, 4)).T, p_world = world_from_camera @ p_camera.
                      (C3VD's web page says row after row; its data and these are column after column.)
camera.json           camera and poses as plain matrices.

Camera frame: x right, y down, z forward. World: right-handed RAS, mm: x to the patient's right, y to the front,
z to the head.
Pixels: the centre of the top-left pixel is (0, 0), in all files, camera.json too. All values are rounded to nearest.
C3VD's coverage_mesh.obj is not here: this converter does not write it, whether or not the dataset counts coverage.
Not here either, since the dataset has none of it: occlusion{absent}.
Channels of the dataset without a place in this layout: {left_out}.

Of {seen} pixels that see a surface, {behind} are 90 degrees and more from the axis and {far} are 100 mm away or more,
so without a depth here. Of {flows} pixels seen in the frame before, {fast} moved by more than 20 px, so without a flow.
"""


def write_c3vd(dataset: Dataset, out: Path) -> Iterator[int]:
    """Sim2RealError if the dataset is not a sequence of one camera with display and depth."""
    camera = shared_camera(dataset)
    poses, counts = [], Counter()
    with open(out / "pose.txt", "w", encoding="ascii") as pose_file:
        for number, view in zip(frame_numbers(len(dataset)), views(dataset, camera), strict=True):
            for name, data in _files(view, camera, counts).items():
                (out / f"{number}_{name}").write_bytes(data)
            pose_file.write(numbers_line(view.world_from_camera.ravel(order="F"), ","))
            poses.append(view.world_from_camera)
            yield len(poses)
    write_camera_json(out / "camera.json", camera, poses)
    (out / "README.txt").write_text(_readme(dataset, camera, counts), encoding="utf-8")


def encode_depth(z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stored depth (H, W) uint16 and where it is valid; NaN is stored as 0."""
    share = np.nan_to_num(z_mm / MAX_DEPTH_MM, nan=0.0)
    stored = np.rint(np.clip(share, 0.0, 1.0) * FULL_SCALE).astype(np.uint16)
    return stored, (stored > 0) & (stored < FULL_SCALE)


def encode_normals(normals: np.ndarray) -> np.ndarray:
    """Stored normals (H, W, 3) uint16 of (3, H, W); NaN is stored as 0."""
    share = np.nan_to_num((np.moveaxis(normals, 0, -1) + 1.0) / 2.0, nan=0.0)
    return np.rint(np.clip(share, 0.0, 1.0) * FULL_SCALE).astype(np.uint16)


def encode_flow(flow_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stored flow (H, W, 3) uint16 of (2, H, W) and where it is valid; NaN and what is too fast is stored as 0."""
    slow = (np.abs(flow_px) <= MAX_FLOW_PX).all(axis=0)
    share = np.where(slow, flow_px + MAX_FLOW_PX, 0.0) / (2.0 * MAX_FLOW_PX)
    stored = np.zeros((*slow.shape, 3), np.uint16)
    stored[..., :2] = np.moveaxis(np.rint(share * FULL_SCALE), 0, -1)
    return stored, stored.any(axis=-1)


def _files(view: View, camera: Camera, counts: Counter) -> dict[str, bytes]:
    depth, depth_valid = encode_depth(view.z_mm)
    counts["seen"] += np.count_nonzero(np.isfinite(view.z_mm))
    counts["behind"] += np.count_nonzero((depth == 0) & np.isfinite(view.z_mm))
    counts["far"] += np.count_nonzero(depth == FULL_SCALE)
    files = {
        "color.png": view.rgb_png(),
        "depth.tiff": encode(depth, DEPTH_TIFF),
        "depth_valid.png": mask_png(depth_valid),
    }
    if (normals := view.values(NORMALS)) is not None:
        files["normals.tiff"] = _rgb_tiff(encode_normals(normals))
    if view.frame.index > 0 and (flow_px := view.values(FLOW)) is not None:
        flow_px = np.where(_seen_before(view, camera, flow_px), flow_px, np.nan)
        flow, flow_valid = encode_flow(flow_px)
        counts["flows"] += np.count_nonzero(np.isfinite(flow_px).all(axis=0))
        counts["fast"] += np.count_nonzero(np.isfinite(flow_px).all(axis=0) & ~flow_valid)
        files |= {"flow.tiff": _rgb_tiff(flow), "flow_valid.png": mask_png(flow_valid)}
    if HIDDEN in view.frame.dataset.header.channels:
        files["hidden.png"] = view.frame.read(HIDDEN)
    return files


def _seen_before(view: View, camera: Camera, flow_px: np.ndarray) -> np.ndarray:
    """Pixels (H, W) whose point was in the image one frame before and, as far as the dataset tells, not hidden."""
    in_view = camera.contains(camera.pixel_centers() + np.moveaxis(flow_px, 0, -1))
    hidden = view.values(HIDDEN)
    return in_view if hidden is None else in_view & (hidden == 0)


def _rgb_tiff(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    packing = {"compression": "zlib", "compressionargs": {"level": 1}}
    tifffile.imwrite(buffer, image, photometric="rgb", metadata=None, software=False, **packing)
    return buffer.getvalue()


def _readme(dataset: Dataset, camera: Camera, counts: Counter) -> str:
    optional = (NORMALS, FLOW, HIDDEN)
    absent = [name for name in optional if name not in dataset.header.channels]
    return README.format(
        provenance=provenance(dataset),
        count=len(dataset),
        width=camera.width_px,
        height=camera.height_px,
        model=camera.model,
        hidden=" (whether it was hidden is unknown)" if HIDDEN in absent else ", hidden",
        absent="".join(f", {name}" for name in absent),
        left_out=left_out(dataset, {DISPLAY, DEPTH, *optional}),
        **{name: counts[name] for name in ("seen", "behind", "far", "flows", "fast")},
    )
