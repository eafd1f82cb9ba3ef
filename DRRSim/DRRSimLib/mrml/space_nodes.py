"""Detections in the 3D view: the rays that they stand for, and the points where rays of several views meet."""

from collections.abc import Iterable, Mapping

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from Sim2RealLib.mrml.owned_nodes import own

from ..detection.triangulation import Ray, Triangulation
from .point_nodes import TEXT_PERCENT

RAYS, POINTS = "DRRSim.Rays", "DRRSim.TriangulatedPoints"
"""Roles of the C-arm's references."""

RAY_COLOR, POINT_COLOR = (1.0, 0.55, 0.15), (1.0, 0.25, 0.85)
RAY_WIDTH_PX = 2


def show_rays(carm: "slicer.vtkMRMLLinearTransformNode", rays: Iterable[Ray]) -> "slicer.vtkMRMLModelNode":
    """Lines from the focal spots to the detections on the detectors."""
    ends = np.array([[ray.source_ras, ray.detector_ras] for ray in rays], dtype=np.float64).reshape(-1, 3)
    points, lines, surface = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetData(numpy_to_vtk(ends, deep=True))
    for number in range(len(ends) // 2):
        lines.InsertNextCell(2, [2 * number, 2 * number + 1])
    surface.SetPoints(points)
    surface.SetLines(lines)
    node = own(carm, RAYS, _make_rays, "detection rays")
    node.SetAndObservePolyData(surface)
    return node


def show_triangulated(
    carm: "slicer.vtkMRMLLinearTransformNode", found: Mapping[str, Triangulation]
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """Triangulated points by the names of their landmarks."""
    node = own(carm, POINTS, _make_points, "triangulated landmarks")
    modified = node.StartModify()
    node.RemoveAllControlPoints()
    for name, point in found.items():
        node.AddControlPoint(vtk.vtkVector3d(*point.position_ras), name)
    node.EndModify(modified)
    return node


def _make_rays(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLModelNode":
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetColor(RAY_COLOR)
    node.GetDisplayNode().SetLineWidth(RAY_WIDTH_PX)
    node.GetDisplayNode().SetLighting(False)
    node.SetSelectable(False)
    return node


def _make_points(scene: "slicer.vtkMRMLScene", name: str) -> "slicer.vtkMRMLMarkupsFiducialNode":
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetSelectedColor(POINT_COLOR)
    node.GetDisplayNode().SetTextScale(TEXT_PERCENT)
    node.GetDisplayNode().SetPointLabelsVisibility(False)
    node.SetLocked(True)
    return node
