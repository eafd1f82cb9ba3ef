"""Frames of the laparoscope in the scene: pictures and labels as volumes far before its lens, and translations."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer

from Sim2RealLib.mrml.subject_hierarchy import PROVENANCE
from Sim2RealLib.mrml.volumes import make_label_volume, show_image
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume

from .preview import GeometryFrame

PICTURE, LABELS, TRANSLATION = "Translate.Picture", "Translate.Labels", "Translate.Translation"
"""Roles of the laparoscope's references to what it shows."""
NAMES = {PICTURE: "Preview of the geometry", LABELS: "Preview labels", TRANSLATION: "Translation"}

PICTURE_AT_MM = 1000.0
"""From the pinhole: beyond the body, so that slice views draw no organ where they face the picture."""


def ras_from_pixels(seen: GeometryFrame) -> np.ndarray:
    """Where pixel (column c, row r) as voxel (c, r, 0) lies in the world: in the plane of the picture, 4×4."""
    camera, camera_from_ijk = seen.camera, np.eye(4)
    camera_from_ijk[0, [0, 3]] = np.array([1.0, 0.5 - camera.cx_px]) * PICTURE_AT_MM / camera.fx_px
    camera_from_ijk[1, [1, 3]] = np.array([1.0, 0.5 - camera.cy_px]) * PICTURE_AT_MM / camera.fy_px
    camera_from_ijk[2, 2:] = PICTURE_AT_MM / camera.fx_px, PICTURE_AT_MM
    return seen.ras_from_camera @ camera_from_ijk


def show_picture(
    laparoscope: "slicer.vtkMRMLLinearTransformNode",
    role: str,
    picture: np.ndarray,
    ras_from_ijk: np.ndarray,
    provenance: Mapping[str, Any],
) -> "slicer.vtkMRMLVectorVolumeNode":
    """Put a picture, (H, W, 3) uint8, into the laparoscope's volume of a role, which is made where there is none."""
    node = laparoscope.GetNodeReference(role)
    if node is None:
        node = laparoscope.GetScene().AddNewNodeByClass("vtkMRMLVectorVolumeNode", NAMES[role])
        _file_beside(laparoscope, role, node)
    show_image(node, picture, ras_from_ijk)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    node.SetAttribute(PROVENANCE, json.dumps(provenance))
    return node


def show_labels(
    laparoscope: "slicer.vtkMRMLLinearTransformNode",
    labels: np.ndarray,
    classes: Sequence[LabelClass],
    ras_from_ijk: np.ndarray,
    provenance: Mapping[str, Any],
) -> "slicer.vtkMRMLLabelMapVolumeNode":
    """Put labels, (H, W) uint16, into the laparoscope's label map, whose colour table names the classes."""
    node = laparoscope.GetNodeReference(LABELS)
    if node is None:
        volume = Volume(labels[None], ras_from_ijk)
        node = make_label_volume(laparoscope.GetScene(), volume, classes, NAMES[LABELS])
        _file_beside(laparoscope, LABELS, node)
    named = json.dumps([[entry.id, entry.name] for entry in classes])
    if node.GetAttribute(LABELS) != named:
        node.SetAttribute(LABELS, named)
        _name_colors(node.GetDisplayNode().GetColorNode(), classes)
    show_image(node, labels, ras_from_ijk)
    node.SetAttribute(PROVENANCE, json.dumps(provenance))
    return node


def _name_colors(colors: "slicer.vtkMRMLColorTableNode", classes: Sequence[LabelClass]) -> None:
    by_id = {entry.id: entry for entry in classes}
    colors.SetNumberOfColors(1 + max(by_id))
    for number in range(1, 1 + max(by_id)):
        entry = by_id.get(number)
        color = (0.0, 0.0, 0.0, 0.0) if entry is None else (*(part / 255.0 for part in entry.color), 1.0)
        colors.SetColor(number, "" if entry is None else entry.name, *color)


def _file_beside(laparoscope: "slicer.vtkMRMLLinearTransformNode", role: str, node: "slicer.vtkMRMLVolumeNode") -> None:
    """Give a volume to the laparoscope, in its folder of the subject hierarchy."""
    laparoscope.SetNodeReferenceID(role, node.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(laparoscope.GetScene())
    if own := hierarchy.GetItemByDataNode(laparoscope):
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(own))
