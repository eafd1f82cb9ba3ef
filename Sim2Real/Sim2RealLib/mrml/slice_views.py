"""Slice views that face a picture."""

import numpy as np
import slicer

from .transforms import to_vtk

PICTURE_VIEWS = ("Xray", "Endoscope", "Frame", "Laparoscope")
"""Singleton tags of the modules' slice views that show pictures, and never what Slicer loads."""


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
