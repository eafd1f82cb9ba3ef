"""Trocars: the points of a markups list, known by their IDs, which stay when points are renamed or removed."""

import numpy as np
import slicer
import vtk

from Sim2RealLib.errors import Sim2RealError

COLOR = (0.95, 0.75, 0.20)


def make_trocars(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLMarkupsFiducialNode":
    """A new list without points."""
    trocars = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", scene.GenerateUniqueName("Trocars"))
    trocars.SetControlPointLabelFormat("trocar %d")
    trocars.CreateDefaultDisplayNodes()
    trocars.GetDisplayNode().SetSelectedColor(COLOR)
    trocars.GetDisplayNode().SetOccludedVisibility(True)  # shafts pass through their trocars; both can be taken hold of
    return trocars


def add_trocar(trocars: "slicer.vtkMRMLMarkupsFiducialNode", ras: np.ndarray, name: str = "") -> str:
    """Place a trocar at a point of the world; its ID."""
    number = trocars.AddControlPointWorld(vtk.vtkVector3d(*np.asarray(ras, np.float64)))
    if name:
        trocars.SetNthControlPointLabel(number, name)
    return trocars.GetNthControlPointID(number)


def trocar_names(trocars: "slicer.vtkMRMLMarkupsFiducialNode | None") -> dict[str, str]:
    """The names of those that are placed, by ID, in their order."""
    numbers = range(trocars.GetNumberOfControlPoints() if trocars is not None else 0)
    placed = [number for number in numbers if _is_placed(trocars, number)]
    return {trocars.GetNthControlPointID(number): trocars.GetNthControlPointLabel(number) for number in placed}


def trocar_position(trocars: "slicer.vtkMRMLMarkupsFiducialNode | None", identifier: str) -> np.ndarray:
    """Where a trocar is in the world, (3,). Sim2RealError if it is not there."""
    position = np.zeros(3)
    trocars.GetNthControlPointPositionWorld(_number(trocars, identifier), position)
    return position


def move_trocar(trocars: "slicer.vtkMRMLMarkupsFiducialNode", identifier: str, ras: np.ndarray) -> None:
    """Put a trocar elsewhere in the world."""
    trocars.SetNthControlPointPositionWorld(_number(trocars, identifier), vtk.vtkVector3d(*ras))


def _number(trocars: "slicer.vtkMRMLMarkupsFiducialNode | None", identifier: str) -> int:
    number = trocars.GetNthControlPointIndexByID(identifier) if trocars is not None and identifier else -1
    if number < 0 or not _is_placed(trocars, number):
        raise Sim2RealError("The instrument's trocar is not there any more. Choose another, or place a new one.")
    return number


def _is_placed(trocars: "slicer.vtkMRMLMarkupsFiducialNode", number: int) -> bool:
    return trocars.GetNthControlPointPositionStatus(number) == slicer.vtkMRMLMarkupsNode.PositionDefined
