"""The slice views beside the 3D view: "Endoscope" for what the camera sees now, "Frame" for a picture to look at."""

import numpy as np
import slicer

from Sim2RealLib.mrml.slice_views import show_layers

ENDOSCOPE, FRAME = "Endoscope", "Frame"
"""Singleton tags of the slice views' nodes."""

LAYOUT = 7422
"""Number of the layout among Slicer's; those of Slicer itself are below 1000."""

LAYOUT_XML = f"""
<layout type="horizontal" split="true">
 <item splitSize="580"><view class="vtkMRMLViewNode" singletontag="1">
  <property name="viewlabel" action="default">1</property>
 </view></item>
 <item splitSize="420"><layout type="vertical" split="true">
  <item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{ENDOSCOPE}">
   <property name="orientation" action="default">Axial</property>
   <property name="viewlabel" action="default">E</property>
   <property name="viewcolor" action="default">#C06A5A</property>
  </view></item>
  <item splitSize="500"><view class="vtkMRMLSliceNode" singletontag="{FRAME}">
   <property name="orientation" action="default">Axial</property>
   <property name="viewlabel" action="default">F</property>
   <property name="viewcolor" action="default">#5A7FA8</property>
  </view></item>
 </layout></item>
</layout>"""

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
