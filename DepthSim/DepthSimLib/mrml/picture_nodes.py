"""What the camera sees, as volumes of one slice: picture, depth, normals, labels, all of the same pixels.

Pixel (column c, row r) is voxel (c, r, 0). Pictures stand in the world where they were taken: a pinhole's in its image
plane, those of other lenses, which have none, as a card across the line of sight. The pose is an attribute, too.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from Sim2RealLib.cameras import Camera, PinholeCamera
from Sim2RealLib.mrml.volumes import make_label_volume, show_image
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume

from .colors import make_colors

POSE = "DepthSim.RasFromCamera"
"""Attribute of pictures: the pose they were taken at, 4×4, JSON."""

CARD_MM, CARD_HEIGHT = 1500.0, 0.8
"""How far before the camera pictures stand, and how high they are as a share of that where the lens has no plane.

So far off they lie beyond the body: nothing of it, such as a segmentation, is drawn over them in slice views.
"""

UNKNOWN, UNKNOWN_ERROR = 0.0, -1e5
"""Depth, normals, and depth error in mm, where the picture shows nothing; depth as in datasets."""
LEAST_MM = 1e-3
"""Below this a depth is none."""

DEPTH_COLORS, ERROR_COLORS = "magma_r", "coolwarm"
"""As in the reports of datasets; errors diverge from 0."""


def picture_plane(camera: Camera, ras_from_camera: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """ras_from_ijk, 4×4, of a picture of (width, height) that a camera of the same proportions took at a pose."""
    scale = CARD_HEIGHT * CARD_MM / camera.height_px
    focal, middle = (CARD_MM / scale, CARD_MM / scale), (camera.width_px / 2.0, camera.height_px / 2.0)
    if isinstance(camera, PinholeCamera):
        focal, middle = (camera.fx_px, camera.fy_px), (camera.cx_px, camera.cy_px)
    plane = np.eye(4)
    for axis, (pixels, full) in enumerate(zip(size_px, (camera.width_px, camera.height_px), strict=True)):
        step = full / pixels
        plane[axis, axis] = step * CARD_MM / focal[axis]
        plane[axis, 3] = (0.5 * step - middle[axis]) * CARD_MM / focal[axis]
    plane[2, 3] = CARD_MM
    return ras_from_camera @ plane


def make_picture(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLVectorVolumeNode":
    """A new colour picture, still empty."""
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, 255.0)
    display.SetInterpolate(True)
    return node


def show_picture(
    node: "slicer.vtkMRMLVectorVolumeNode", picture: np.ndarray, camera: Camera, ras_from_camera: np.ndarray
) -> None:
    """Put a picture, uint8 (H, W, 3) or grey (H, W), perhaps of fewer pixels than the camera's, into a node."""
    colored = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    _show(node, np.ascontiguousarray(colored), camera, ras_from_camera)


def make_map(scene: "slicer.vtkMRMLScene", name: str, colormap: str) -> "slicer.vtkMRMLScalarVolumeNode":
    """A new volume for lengths in mm, still empty, shown in the colours of one of matplotlib's maps."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(make_colors(scene, colormap).GetID())
    display.SetAutoWindowLevel(False)
    display.SetInterpolate(False)
    return node


def show_depth(
    node: "slicer.vtkMRMLScalarVolumeNode", depth_mm: np.ndarray, camera: Camera, ras_from_camera: np.ndarray
) -> None:
    """Depth (H, W), mm, NaN where nothing is seen, which the node holds as UNKNOWN and does not show."""
    _show_map(node, depth_mm, UNKNOWN, (0.0, float(np.nanmax(depth_mm, initial=1.0))), camera, ras_from_camera)


def show_error(
    node: "slicer.vtkMRMLScalarVolumeNode", error_mm: np.ndarray, camera: Camera, ras_from_camera: np.ndarray
) -> None:
    """Prediction minus truth (H, W), mm, NaN where not known, which the node holds as UNKNOWN_ERROR and does not
    show."""
    largest = error_range_mm(error_mm)
    _show_map(node, error_mm, UNKNOWN_ERROR, (-largest, largest), camera, ras_from_camera)


def error_range_mm(error_mm: np.ndarray) -> float:
    """What the darkest colours of an error map stand for: what 98 % of the pixels stay below, at least 0.1 mm."""
    known = np.abs(error_mm[np.isfinite(error_mm)])
    return max(float(np.percentile(known, 98.0)) if known.size else 0.0, 0.1)


def make_normals(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLVectorVolumeNode":
    """A new volume for unit vectors, still empty, shown as red, green and blue from −1 to 1."""
    node = make_picture(scene, name)
    node.GetDisplayNode().SetWindowLevelMinMax(-1.0, 1.0)
    return node


def show_normals(
    node: "slicer.vtkMRMLVectorVolumeNode", normals: np.ndarray, camera: Camera, ras_from_camera: np.ndarray
) -> None:
    """Unit normals (H, W, 3) of the camera frame, NaN where nothing is seen, which the node holds as 0."""
    _show(node, np.nan_to_num(normals, nan=UNKNOWN).astype(np.float32), camera, ras_from_camera)


def make_labels(
    scene: "slicer.vtkMRMLScene", name: str, classes: Sequence[LabelClass]
) -> "slicer.vtkMRMLLabelMapVolumeNode":
    """A new label map with the names and colours of the classes."""
    empty = Volume(np.zeros((1, 1, 1), np.uint8), np.eye(4), name)
    return make_label_volume(scene, empty, classes, name)


def show_labels(
    node: "slicer.vtkMRMLLabelMapVolumeNode", labels: np.ndarray, camera: Camera, ras_from_camera: np.ndarray
) -> None:
    """Labels (H, W), uint8."""
    _show(node, np.ascontiguousarray(labels), camera, ras_from_camera)


def _show_map(
    node: Any,
    values: np.ndarray,
    unknown: float,
    shown: tuple[float, float],
    camera: Camera,
    ras_from_camera: np.ndarray,
) -> None:
    _show(node, np.nan_to_num(values, nan=unknown).astype(np.float32), camera, ras_from_camera)
    display = node.GetDisplayNode()
    display.SetWindowLevelMinMax(*shown)
    display.SetThreshold(unknown / 2.0 if unknown else LEAST_MM, 1e9)
    display.SetApplyThreshold(True)


def _show(node: Any, image: np.ndarray, camera: Camera, ras_from_camera: np.ndarray) -> None:
    show_image(node, image, picture_plane(camera, ras_from_camera, image.shape[1::-1]))
    node.SetAttribute(POSE, json.dumps(np.asarray(ras_from_camera).tolist()))
