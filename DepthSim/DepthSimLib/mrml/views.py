"""The slice views beside the 3D view: "Endoscope" for what the camera sees now, "Frame" for a picture to look at."""

import numpy as np
import slicer

from Sim2RealLib.mrml.layouts import ENDOSCOPE_VIEW as ENDOSCOPE
from Sim2RealLib.mrml.layouts import FRAME_VIEW as FRAME
from Sim2RealLib.mrml.slice_views import show_layers

PLACE_MM = 120.0
"""Width of the CT that is shown around a place."""


def slice_node_of(scene: "slicer.vtkMRMLScene", view: str) -> "slicer.vtkMRMLSliceNode | None":
    """The node of one of the slice views; None as long as the layout was never shown."""
    return scene.GetSingletonNode(view, "vtkMRMLSliceNode")


def show_place(
    slice_node: "slicer.vtkMRMLSliceNode", ct: "slicer.vtkMRMLScalarVolumeNode", place_ras: np.ndarray
) -> None:
    """Show a CT around a place in a slice view, axially."""
    show_layers(slice_node, ct)
    slice_node.SetOrientation("Axial")
    width, height = slice_node.GetDimensions()[:2]
    slice_node.SetFieldOfView(PLACE_MM, PLACE_MM * height / max(width, 1), slice_node.GetFieldOfView()[2])
    slice_node.JumpSliceByCentering(*np.asarray(place_ras, float).tolist())


def show_whole(slice_node: "slicer.vtkMRMLSliceNode", ct: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Show a CT in a slice view as wide as it is, axially through its middle."""
    show_layers(slice_node, ct)
    slice_node.SetOrientation("Axial")
    bounds = np.zeros(6)
    ct.GetRASBounds(bounds)
    low, high = bounds[::2], bounds[1::2]
    shown_px = np.array(slice_node.GetDimensions()[:2], np.float64)
    field_mm = shown_px * np.max((high - low)[:2] / shown_px)
    slice_node.SetFieldOfView(*field_mm.tolist(), slice_node.GetFieldOfView()[2])
    slice_node.JumpSliceByCentering(*(0.5 * (low + high)).tolist())


def jump_other_views(scene: "slicer.vtkMRMLScene", place_ras: np.ndarray) -> None:
    """Move the slice views that show no pictures, such as Red, Green and Yellow, to a place."""
    nodes = scene.GetNodesByClass("vtkMRMLSliceNode")
    nodes.UnRegister(None)
    for node in (nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())):
        if node.GetSingletonTag() not in (ENDOSCOPE, FRAME):
            node.JumpSliceByCentering(*np.asarray(place_ras, float).tolist())
