"""The slice views beside the 3D view: "Endoscope" for what the camera sees now, "Frame" for a picture to look at."""

import numpy as np
import slicer
import vtk

from Sim2RealLib.geometry import invert_rigid
from Sim2RealLib.mrml.slice_views import face_picture, show_layers
from Sim2RealLib.mrml.transforms import to_array, to_vtk

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

LABEL_OPACITY = 0.5

PLACE_MM = 120.0
"""Width of the CT that is shown around a place."""


def slice_node_of(scene: "slicer.vtkMRMLScene", view: str) -> "slicer.vtkMRMLSliceNode | None":
    """The node of one of the slice views; None as long as the layout was never shown."""
    return scene.GetSingletonNode(view, "vtkMRMLSliceNode")


class PictureView:
    """Keeps a slice view on pictures that move with the camera: what the user zoomed and panned to stays where it is.

    A picture is shown whole at first, and where the view or the picture has another size.
    """

    def __init__(self) -> None:
        self._plane: np.ndarray | None = None
        self._size: tuple[int, ...] = ()

    def forget(self) -> None:
        """Show the next picture whole."""
        self._plane = None

    def show(
        self,
        slice_node: "slicer.vtkMRMLSliceNode",
        picture: "slicer.vtkMRMLVolumeNode",
        labels: "slicer.vtkMRMLLabelMapVolumeNode | None" = None,
    ) -> None:
        """Show a picture of one slice, and labels over it, upright and as the camera saw it."""
        show_layers(slice_node, picture, labels)
        slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node).SetLabelOpacity(LABEL_OPACITY)
        matrix = vtk.vtkMatrix4x4()
        picture.GetIJKToRASMatrix(matrix)
        ras_from_ijk = to_array(matrix)
        width, height, _ = picture.GetImageData().GetDimensions()
        plane, extent_mm = _plane(ras_from_ijk, width, height)
        size = (*slice_node.GetDimensions()[:2], *np.round(extent_mm, 3).tolist())
        before, size_before = self._plane, self._size
        self._plane, self._size = plane, size
        if before is None or size != size_before:
            face_picture(slice_node, ras_from_ijk, width, height)
            return
        in_plane = invert_rigid(before) @ to_array(slice_node.GetSliceToRAS())
        in_plane[2, 3] = 0.0  # the mouse wheel would leave the plane
        modified = slice_node.StartModify()
        slice_node.GetSliceToRAS().DeepCopy(to_vtk(plane @ in_plane))
        slice_node.UpdateMatrices()
        slice_node.EndModify(modified)


def show_place(
    slice_node: "slicer.vtkMRMLSliceNode", ct: "slicer.vtkMRMLScalarVolumeNode", place_ras: np.ndarray
) -> None:
    """Show a CT around a place in a slice view, axially."""
    show_layers(slice_node, ct)
    slice_node.SetOrientation("Axial")
    width, height = slice_node.GetDimensions()[:2]
    slice_node.SetFieldOfView(PLACE_MM, PLACE_MM * height / max(width, 1), slice_node.GetFieldOfView()[2])
    slice_node.JumpSliceByCentering(*np.asarray(place_ras, float).tolist())


def jump_other_views(scene: "slicer.vtkMRMLScene", place_ras: np.ndarray) -> None:
    """Move the slice views that show no pictures, such as Red, Green and Yellow, to a place."""
    nodes = scene.GetNodesByClass("vtkMRMLSliceNode")
    nodes.UnRegister(None)
    for node in (nodes.GetItemAsObject(number) for number in range(nodes.GetNumberOfItems())):
        if node.GetSingletonTag() not in (ENDOSCOPE, FRAME):
            node.JumpSliceByCentering(*np.asarray(place_ras, float).tolist())


def _plane(ras_from_ijk: np.ndarray, width_px: int, height_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The plane of a picture, rigid 4×4: its middle, right and down; and its extent along these, mm."""
    steps_mm = np.linalg.norm(ras_from_ijk[:3, :2], axis=0)
    plane = np.eye(4)
    plane[:3, :2] = ras_from_ijk[:3, :2] / steps_mm
    plane[:3, 2] = np.cross(plane[:3, 0], plane[:3, 1])
    plane[:3, 3] = (ras_from_ijk @ [(width_px - 1) / 2.0, (height_px - 1) / 2.0, 0.0, 1.0])[:3]
    return plane, steps_mm * (width_px, height_px)
