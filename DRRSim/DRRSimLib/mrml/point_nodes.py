"""Points drawn on a C-arm's X-ray image: landmarks as they project, and what a detector found."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from Sim2RealLib.mrml.owned_nodes import own, owned

from ..acquisition.carm import XrayView
from ..acquisition.detector_plane import detector_points_ras
from ..detection.detector import Detection

LANDMARKS, DETECTIONS, NAME = "DRRSim.Landmarks", "DRRSim.Detections", "DRRSim.PointedName"
"""Roles of the C-arm's references."""

VISIBLE_COLOR, HIDDEN_COLOR, DETECTED_COLOR = (0.35, 0.95, 0.55), (0.62, 0.64, 0.68), (1.0, 0.55, 0.15)
GLYPH_PERCENT, TEXT_PERCENT, NAME_PERCENT = 1.5, 2.0, 3.0
"""Size of points, of their names, and of a single name, as a share of the view."""


def show_landmarks(
    carm: "slicer.vtkMRMLLinearTransformNode", view: XrayView, records: Mapping[str, Mapping[str, Any]]
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """Landmarks where they are in the image; those that it does not show are grey and say why.

    records: as `frames.frame_labels.landmark_records` makes them. One behind the source has no place.
    """
    shown = {name: record for name, record in records.items() if not record["behind_source"]}
    node = own(carm, LANDMARKS, _make_points, "X-ray landmarks")
    _set_points(
        node,
        [name + _reason(record) for name, record in shown.items()],
        _on_detector(view, [record["position_px"] for record in shown.values()]),
        [record["visible"] for record in shown.values()],
    )
    return node


def show_detections(
    carm: "slicer.vtkMRMLLinearTransformNode", view: XrayView, detections: Mapping[str, Detection]
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """What a detector found, in the image, with its confidence."""
    node = own(carm, DETECTIONS, _make_points, "X-ray detections")
    node.GetDisplayNode().SetSelectedColor(DETECTED_COLOR)
    node.GetDisplayNode().SetGlyphTypeFromString("CrossDot2D")
    labels = [f"{name} {found.confidence:.2f}" for name, found in detections.items()]
    positions = _on_detector(view, [found.position_px for found in detections.values()])
    _set_points(node, labels, positions, [True] * len(labels))
    return node


def show_names(carm: "slicer.vtkMRMLLinearTransformNode", shown: bool) -> None:
    """Show or hide the names of all points."""
    for role in (LANDMARKS, DETECTIONS):
        if (node := owned(carm, role)) is not None:
            node.GetDisplayNode().SetPointLabelsVisibility(shown)


def show_name_near(carm: "slicer.vtkMRMLLinearTransformNode", place_ras: Sequence[float], within_mm: float) -> None:
    """Name the point that lies nearest to a place, of those that are shown within a distance; else none."""
    nodes = [node for role in (DETECTIONS, LANDMARKS) if (node := owned(carm, role)) and _is_shown(node)]
    found = [
        (float(np.linalg.norm(np.subtract(node.GetNthControlPointPosition(number), place_ras))), node, number)
        for node in nodes
        for number in range(node.GetNumberOfControlPoints())
    ]
    distance_mm, node, number = min(found, key=lambda entry: entry[0], default=(np.inf, None, 0))
    if distance_mm >= within_mm:
        if (name := owned(carm, NAME)) is not None:
            name.GetDisplayNode().SetVisibility(False)
        return
    name = own(carm, NAME, _make_points, "X-ray name")
    display = name.GetDisplayNode()
    display.SetPointLabelsVisibility(True)
    display.SetTextScale(NAME_PERCENT)
    position = np.array([node.GetNthControlPointPosition(number)])
    _set_points(name, [node.GetNthControlPointLabel(number)], position, [True])
    display.SetVisibility(True)


def _is_shown(node: "slicer.vtkMRMLMarkupsFiducialNode") -> bool:
    return bool(node.GetDisplayNode().GetVisibility())


def _make_points(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLMarkupsFiducialNode":
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.CreateDefaultDisplayNodes()
    node.SetLocked(True)
    display = node.GetDisplayNode()
    display.SetSelectedColor(VISIBLE_COLOR)
    display.SetColor(HIDDEN_COLOR)
    display.SetGlyphScale(GLYPH_PERCENT)
    display.SetTextScale(TEXT_PERCENT)
    display.SetPointLabelsVisibility(False)
    display.SetVisibility3D(False)
    return node


def _set_points(
    node: "slicer.vtkMRMLMarkupsFiducialNode", labels: Sequence[str], points_ras: np.ndarray, selected: Sequence[bool]
) -> None:
    """Give a list these points; those that it has are moved."""
    modified = node.StartModify()
    while node.GetNumberOfControlPoints() > len(labels):
        node.RemoveNthControlPoint(node.GetNumberOfControlPoints() - 1)
    for number, (label, point, is_selected) in enumerate(zip(labels, points_ras.tolist(), selected, strict=True)):
        if number == node.GetNumberOfControlPoints():
            node.AddControlPoint(vtk.vtkVector3d(*point), label)
        node.SetNthControlPointPosition(number, point)
        node.SetNthControlPointLabel(number, label)
        node.SetNthControlPointSelected(number, is_selected)
    node.EndModify(modified)


def _on_detector(view: XrayView, positions_px: Sequence[Sequence[float]]) -> np.ndarray:
    return detector_points_ras(view, np.array(positions_px, dtype=np.float64).reshape(-1, 2))


def _reason(record: Mapping[str, Any]) -> str:
    if record["visible"]:
        return ""
    return " (collimated)" if record["collimated"] else " (outside)"
