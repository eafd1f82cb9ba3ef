"""The slice view that shows the X-ray beside the 3D view, and how it follows a detector that moves."""

import slicer

from Sim2RealLib.geometry import invert_rigid
from Sim2RealLib.mrml.slice_views import face_picture, show_layers
from Sim2RealLib.mrml.transforms import to_array, to_vtk

from ..acquisition.carm import XrayView
from ..acquisition.detector_plane import detector_plane_ras, ras_from_pixels

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


class XrayView2D:
    """Keeps the slice view on the detector: what the user zoomed and panned to stays where it is in the image.

    The image is shown whole at first, and where the view has another size.
    """

    def __init__(self) -> None:
        self._view: XrayView | None = None
        self._size: tuple[int, ...] = ()

    def forget(self) -> None:
        """Show the next image whole."""
        self._view = None

    def show(
        self,
        slice_node: "slicer.vtkMRMLSliceNode",
        view: XrayView,
        image: "slicer.vtkMRMLScalarVolumeNode",
        outlines: "slicer.vtkMRMLLabelMapVolumeNode | None" = None,
        opacity: float = 1.0,
    ) -> None:
        """Show an image where its detector is now, with the outlines of masks over it."""
        before, self._view = self._view, view
        show_layers(slice_node, image, outlines)
        slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node).SetLabelOpacity(opacity)
        if before is None or not self._fit(slice_node):
            self._face(slice_node)
            return
        in_plane = invert_rigid(detector_plane_ras(before)) @ to_array(slice_node.GetSliceToRAS())
        in_plane[2, 3] = 0.0  # the mouse wheel would leave the plane
        modified = slice_node.StartModify()
        slice_node.GetSliceToRAS().DeepCopy(to_vtk(detector_plane_ras(view) @ in_plane))
        slice_node.UpdateMatrices()
        slice_node.EndModify(modified)

    def resized(self, slice_node: "slicer.vtkMRMLSliceNode") -> None:
        """The slice view may have another size: then show the image whole."""
        if self._view is not None and not self._fit(slice_node):
            self._face(slice_node)

    def _fit(self, slice_node: "slicer.vtkMRMLSliceNode") -> bool:
        return tuple(slice_node.GetDimensions()[:2]) == self._size

    def _face(self, slice_node: "slicer.vtkMRMLSliceNode") -> None:
        self._size, camera = tuple(slice_node.GetDimensions()[:2]), self._view.camera
        face_picture(slice_node, ras_from_pixels(self._view), camera.width_px, camera.height_px)
