"""The slice view L beside the 3D view, and how it follows a laparoscope that moves."""

import slicer

from Sim2RealLib.geometry import invert_rigid
from Sim2RealLib.mrml.slice_views import face_picture
from Sim2RealLib.mrml.transforms import to_array, to_vtk

from .frames import PICTURE_AT_MM, ras_from_pixels
from .preview import GeometryFrame

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


class LaparoscopeView:
    """Keeps the slice view on the picture: what the user zoomed and panned to stays where it is in it.

    The picture is shown whole at first, and where the view or the picture has another size.
    """

    def __init__(self) -> None:
        self._seen: GeometryFrame | None = None
        self._size: tuple[int, ...] = ()

    def forget(self) -> None:
        """Show the next picture whole."""
        self._seen = None

    def show(self, slice_node: "slicer.vtkMRMLSliceNode", seen: GeometryFrame) -> None:
        """Face the picture where its camera is now."""
        before, self._seen = self._seen, seen
        if before is None or before.camera != seen.camera or not self._fit(slice_node):
            self._face(slice_node)
            return
        camera_from_slice = invert_rigid(before.ras_from_camera) @ to_array(slice_node.GetSliceToRAS())
        camera_from_slice[2, 3] = PICTURE_AT_MM  # the mouse wheel would leave the plane
        modified = slice_node.StartModify()
        slice_node.GetSliceToRAS().DeepCopy(to_vtk(seen.ras_from_camera @ camera_from_slice))
        slice_node.UpdateMatrices()
        slice_node.EndModify(modified)

    def resized(self, slice_node: "slicer.vtkMRMLSliceNode") -> None:
        """The slice view may have another size: then show the picture whole."""
        if self._seen is not None and not self._fit(slice_node):
            self._face(slice_node)

    def _fit(self, slice_node: "slicer.vtkMRMLSliceNode") -> bool:
        return tuple(slice_node.GetDimensions()[:2]) == self._size

    def _face(self, slice_node: "slicer.vtkMRMLSliceNode") -> None:
        self._size, camera = tuple(slice_node.GetDimensions()[:2]), self._seen.camera
        face_picture(slice_node, ras_from_pixels(self._seen), camera.width_px, camera.height_px)
