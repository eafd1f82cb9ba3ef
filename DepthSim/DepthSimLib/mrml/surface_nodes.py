"""Surfaces seen in a picture, as models coloured by depth or by error."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from Sim2RealLib.mrml.models import make_model, to_poly_data

from ..depth.surface import SurfacePatch
from .colors import make_colors

VALUES = "mm"
"""Name of the point data by which a surface is coloured."""


def make_surface(
    scene: "slicer.vtkMRMLScene", patch: SurfacePatch, name: str, colormap: str
) -> "slicer.vtkMRMLModelNode":
    """A new model of a surface patch, in the colours of one of matplotlib's maps; `show_surface` fills it."""
    node = make_model(scene, patch.mesh, name)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(make_colors(scene, colormap).GetID())
    display.SetBackfaceCulling(False)
    display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
    return node


def show_surface(
    node: "slicer.vtkMRMLModelNode", patch: SurfacePatch, values: np.ndarray, shown: tuple[float, float]
) -> None:
    """Put a surface into a node, coloured by an image of values (H, W) from the lowest colour to the highest."""
    surface = to_poly_data(patch.mesh)
    at_vertices = numpy_to_vtk(np.nan_to_num(values.ravel()[patch.pixels]).astype(np.float32), deep=True)
    at_vertices.SetName(VALUES)
    surface.GetPointData().SetScalars(at_vertices)
    node.SetAndObservePolyData(surface)
    display = node.GetDisplayNode()
    display.SetActiveScalar(VALUES, vtk.vtkAssignAttribute.POINT_DATA)
    display.SetScalarVisibility(True)
    display.SetScalarRange(*shown)
