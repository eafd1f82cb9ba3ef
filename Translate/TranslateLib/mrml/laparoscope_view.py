"""The slice view L beside the 3D view, which shows what the laparoscope sees."""

import slicer

VIEW = "Laparoscope"
"""Singleton tag of the slice view's node."""

LAYOUT = 7423
"""Number of the layout among Slicer's; those of Slicer itself are below 1000."""

LAYOUT_XML = f"""
<layout type="horizontal" split="true">
 <item splitSize="550"><view class="vtkMRMLViewNode" singletontag="1">
  <property name="viewlabel" action="default">1</property>
 </view></item>
 <item splitSize="450"><view class="vtkMRMLSliceNode" singletontag="{VIEW}">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">L</property>
  <property name="viewcolor" action="default">#C98B6B</property>
 </view></item>
</layout>"""


def laparoscope_slice_node(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLSliceNode | None":
    """The slice view's node; None as long as the layout was never shown."""
    return scene.GetSingletonNode(VIEW, "vtkMRMLSliceNode")
