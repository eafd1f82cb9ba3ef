"""The slice view that shows the X-ray beside the 3D view."""

import slicer

VIEW = "Xray"
"""Singleton tag of the slice view's node."""

LAYOUT = 7421
"""Number of the layout among Slicer's; those of Slicer itself are below 1000."""

LAYOUT_XML = f"""
<layout type="horizontal" split="true">
 <item splitSize="550"><view class="vtkMRMLViewNode" singletontag="1">
  <property name="viewlabel" action="default">1</property>
 </view></item>
 <item splitSize="450"><layout type="vertical" split="true">
  <item splitSize="620"><view class="vtkMRMLSliceNode" singletontag="{VIEW}">
   <property name="orientation" action="default">Coronal</property>
   <property name="viewlabel" action="default">X</property>
   <property name="viewcolor" action="default">#5A7FA8</property>
  </view></item>
  <item splitSize="380"><view class="vtkMRMLSliceNode" singletontag="Red">
   <property name="orientation" action="default">Axial</property>
   <property name="viewlabel" action="default">R</property>
   <property name="viewcolor" action="default">#F34A33</property>
  </view></item>
 </layout></item>
</layout>"""


def xray_slice_node(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLSliceNode | None":
    """The slice view's node; None as long as the layout was never shown."""
    return scene.GetSingletonNode(VIEW, "vtkMRMLSliceNode")
