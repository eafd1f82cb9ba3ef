"""Slice views that face a picture."""

import numpy as np
import slicer
import vtk

from ..geometry import invert_rigid
from .layouts import ENDOSCOPE_VIEW, FRAME_VIEW, LAPAROSCOPE_VIEW, XRAY_VIEW
from .transforms import to_array, to_vtk

PICTURE_VIEWS = (XRAY_VIEW, ENDOSCOPE_VIEW, FRAME_VIEW, LAPAROSCOPE_VIEW)
"""Singleton tags of the modules' slice views that show pictures, and never what Slicer loads."""

LABEL_OPACITY = 0.5

SAME = 0.01
"""Share by which the extents of pictures may differ that are small and full ones of the same field."""


def face_picture(
    slice_node: "slicer.vtkMRMLSliceNode", ras_from_ijk: np.ndarray, width_px: int, height_px: int
) -> None:
    """Turn and zoom a slice view so that it shows a picture of one slice whole, upright and as its viewer sees it.

    Pixel (column c, row r) of the picture is voxel (c, r, 0), rows run downwards.
    """
    right, down = ras_from_ijk[:3, 0], ras_from_ijk[:3, 1]
    size_mm = np.array([np.linalg.norm(right) * width_px, np.linalg.norm(down) * height_px])
    right, up = right / np.linalg.norm(right), -down / np.linalg.norm(down)
    ras_from_slice = np.eye(4)
    ras_from_slice[:3, :3] = np.stack([right, up, np.cross(right, up)], axis=1)
    middle = np.array([(width_px - 1) / 2.0, (height_px - 1) / 2.0, 0.0, 1.0])
    ras_from_slice[:3, 3] = (ras_from_ijk @ middle)[:3]
    shown_px = np.array(slice_node.GetDimensions()[:2], np.float64)
    scale = np.max(size_mm / shown_px)
    modified = slice_node.StartModify()
    slice_node.GetSliceToRAS().DeepCopy(to_vtk(ras_from_slice))
    slice_node.UpdateMatrices()
    slice_node.SetFieldOfView(*(shown_px * scale).tolist(), slice_node.GetFieldOfView()[2])
    slice_node.EndModify(modified)


def show_layers(
    slice_node: "slicer.vtkMRMLSliceNode",
    background: "slicer.vtkMRMLVolumeNode",
    label: "slicer.vtkMRMLLabelMapVolumeNode | None" = None,
) -> None:
    """Show a picture, and labels over it, in a slice view, which Slicer then gives no volume that it loads."""
    composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node)
    composite.SetDoPropagateVolumeSelection(False)
    composite.SetBackgroundVolumeID(background.GetID())
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None if label is None else label.GetID())


def show_in_slice_views(
    application_logic: "slicer.vtkMRMLApplicationLogic", volume: "slicer.vtkMRMLVolumeNode"
) -> None:
    """Show a volume whole in all slice views but `PICTURE_VIEWS`: choose it as Slicer's active volume."""
    for tag in PICTURE_VIEWS:
        node = volume.GetScene().GetSingletonNode(tag, "vtkMRMLSliceNode")
        if node is not None:
            slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(node).SetDoPropagateVolumeSelection(False)
    application_logic.GetSelectionNode().SetActiveVolumeID(volume.GetID())
    application_logic.PropagateVolumeSelection(1)


class PictureView:
    """Keeps a slice view on pictures that move with the camera: what the user zoomed and panned to stays where it is.

    A picture is shown whole at first, and where the view or the picture has another size.
    """

    def __init__(self) -> None:
        self._plane: np.ndarray | None = None
        self._extent_mm = np.zeros(2)
        self._size: tuple[int, ...] = ()

    def forget(self) -> None:
        """Show the next picture whole."""
        self._plane = None

    def resized(self, slice_node: "slicer.vtkMRMLSliceNode") -> bool:
        """Whether the slice view has another size than when a picture was shown in it."""
        return _size(slice_node) != self._size

    def show(
        self,
        slice_node: "slicer.vtkMRMLSliceNode",
        picture: "slicer.vtkMRMLVolumeNode",
        labels: "slicer.vtkMRMLLabelMapVolumeNode | None" = None,
        opacity: float = LABEL_OPACITY,
    ) -> None:
        """Show a picture of one slice, and labels over it, upright and as the camera saw it."""
        show_layers(slice_node, picture, labels)
        slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node).SetLabelOpacity(opacity)
        matrix = vtk.vtkMatrix4x4()
        picture.GetIJKToRASMatrix(matrix)
        ras_from_ijk = to_array(matrix)
        width, height, _ = picture.GetImageData().GetDimensions()
        plane, extent_mm = _plane(ras_from_ijk, width, height)
        before, same = self._plane, not self.resized(slice_node) and np.allclose(extent_mm, self._extent_mm, rtol=SAME)
        self._plane, self._extent_mm, self._size = plane, extent_mm, _size(slice_node)
        if before is None or not same:
            face_picture(slice_node, ras_from_ijk, width, height)
            return
        in_plane = invert_rigid(before) @ to_array(slice_node.GetSliceToRAS())
        in_plane[2, 3] = 0.0  # the mouse wheel would leave the plane
        modified = slice_node.StartModify()
        slice_node.GetSliceToRAS().DeepCopy(to_vtk(plane @ in_plane))
        slice_node.UpdateMatrices()
        slice_node.EndModify(modified)


def _size(slice_node: "slicer.vtkMRMLSliceNode") -> tuple[int, ...]:
    return tuple(slice_node.GetDimensions()[:2])


def _plane(ras_from_ijk: np.ndarray, width_px: int, height_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The plane of a picture, rigid 4×4: its middle, right and down; and its extent along these, mm."""
    steps_mm = np.linalg.norm(ras_from_ijk[:3, :2], axis=0)
    plane = np.eye(4)
    plane[:3, :2] = ras_from_ijk[:3, :2] / steps_mm
    plane[:3, 2] = np.cross(plane[:3, 0], plane[:3, 1])
    plane[:3, 3] = (ras_from_ijk @ [(width_px - 1) / 2.0, (height_px - 1) / 2.0, 0.0, 1.0])[:3]
    return plane, steps_mm * (width_px, height_px)
