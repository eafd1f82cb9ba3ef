"""The slice view L beside the 3D view, which shows what the laparoscope sees."""

import slicer

from Sim2RealLib.mrml.layouts import LAPAROSCOPE_VIEW as VIEW


def laparoscope_slice_node(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLSliceNode | None":
    """The slice view's node; None as long as the layout was never shown."""
    return scene.GetSingletonNode(VIEW, "vtkMRMLSliceNode")
