"""Point lists and curves."""

from collections.abc import Iterator, Mapping

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import Sim2RealError
from ..geometry import transform_points
from ..landmarks import Point, named_positions
from .transforms import world_from_node


def landmarks_of(node: "slicer.vtkMRMLMarkupsFiducialNode") -> dict[str, np.ndarray]:
    """World positions (3,) of the points that are placed, by name; nothing where none is.

    Sim2RealError: another kind of markup, an empty or repeated name, an implausible position, a transform that is not
    linear.
    """
    return named_positions(node.GetName(), (entry for entry in points_of(node) if entry[1][2]))


def points_of(node: "slicer.vtkMRMLMarkupsFiducialNode") -> Iterator[tuple[np.ndarray, Point]]:
    """Every point of a list, placed or not, with its transform to the world, as `landmarks.named_positions` takes them.

    Sim2RealError as for `landmarks_of`.
    """
    if not node.IsA("vtkMRMLMarkupsFiducialNode"):
        raise Sim2RealError(f"{node.GetName()} is a markup of type {node.GetMarkupType()}; a point list is needed.")
    world = world_from_node(node)
    for number in range(node.GetNumberOfControlPoints()):
        position = list(node.GetNthControlPointPosition(number))
        placed = node.GetNthControlPointPositionStatus(number) == slicer.vtkMRMLMarkupsNode.PositionDefined
        yield world, (node.GetNthControlPointLabel(number), position, placed)


def make_landmarks(
    scene: "slicer.vtkMRMLScene", landmarks: Mapping[str, np.ndarray], name: str
) -> "slicer.vtkMRMLMarkupsFiducialNode":
    """A new point list of positions (3,) by name."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.CreateDefaultDisplayNodes()
    modified = node.StartModify()
    for label, position in landmarks.items():
        node.AddControlPoint(vtk.vtkVector3d(*position), label)
    node.EndModify(modified)
    return node


def curve_points_of(node: "slicer.vtkMRMLMarkupsCurveNode") -> np.ndarray:
    """Points (N, 3) along a curve as it is drawn, in the world, from its first control point to its last.

    Sim2RealError: fewer than two control points placed, a transform that is not linear.
    """
    points = node.GetCurvePoints()
    if points is None or points.GetNumberOfPoints() < 2:
        raise Sim2RealError(f"{node.GetName()} is no curve yet: place at least two points.")
    return transform_points(world_from_node(node), vtk_to_numpy(points.GetData()))


def make_curve(scene: "slicer.vtkMRMLScene", points_ras: np.ndarray, name: str) -> "slicer.vtkMRMLMarkupsCurveNode":
    """A new curve, a spline as Slicer draws it by default, through control points (N, 3).

    Editing needs few of them: a centreline point every 10 mm or so.
    """
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", name)
    node.CreateDefaultDisplayNodes()
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(points_ras, np.float64), deep=True))
    node.SetControlPointPositionsWorld(points)
    return node
