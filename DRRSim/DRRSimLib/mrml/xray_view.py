"""The slice view that shows the X-ray beside the 3D view."""

import slicer

from Sim2RealLib.mrml.layouts import XRAY_VIEW as VIEW


def xray_slice_node(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLSliceNode | None":
    """The slice view's node; None as long as the layout was never shown."""
    return scene.GetSingletonNode(VIEW, "vtkMRMLSliceNode")
