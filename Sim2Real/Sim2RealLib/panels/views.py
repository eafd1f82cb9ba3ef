"""The views of Slicer's window: a CT in the slice views, and where the 3D view looks."""

from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from ..geometry import transform_points
from ..mrml.slice_views import show_in_slice_views
from ..mrml.transforms import world_from_node

AROUND = 1.1
"""How much farther off the 3D view looks than would just show everything."""


def show_in_slices(volume: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Show a volume in the slice views, as Slicer shows one that it loads; views of pictures keep theirs."""
    show_in_slice_views(slicer.app.applicationLogic(), volume)


def hide(*nodes: "slicer.vtkMRMLDisplayableNode | None") -> None:
    """Hide what others take the place of; it stays in the scene."""
    for node in nodes:
        if node is not None and node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(False)


def look_at(points_ras: np.ndarray, towards_viewer: np.ndarray) -> None:
    """Turn the first 3D view so that it shows points (N, 3) whole, from a direction (3,) that is not S or I."""
    view = first_3d_view()
    if view is None:
        return
    middle = 0.5 * (points_ras.min(axis=0) + points_ras.max(axis=0))
    away = towards_viewer / np.linalg.norm(towards_viewer)
    right = np.cross([0.0, 0.0, 1.0], away)
    right /= np.linalg.norm(right)
    across, upwards, nearer = np.stack([right, np.cross(away, right), away]) @ (points_ras - middle).T
    camera = view.cameraNode()
    half = np.tan(np.deg2rad(0.5 * camera.GetViewAngle()))  # of the view's height, at a distance of 1
    wide = half * view.width / max(view.height, 1)
    distance = AROUND * float(np.max(nearer + np.maximum(np.abs(upwards) / half, np.abs(across) / wide)))
    camera.SetFocalPoint(*middle.tolist())
    camera.SetPosition(*(middle + distance * away).tolist())
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.ResetClippingRange()


def points_of(*models: "slicer.vtkMRMLModelNode") -> np.ndarray:
    """The vertices (N, 3) of models, in the world."""
    return np.vstack(
        [
            transform_points(world_from_node(model), vtk_to_numpy(model.GetPolyData().GetPoints().GetData()))
            for model in models
        ]
    )


def first_3d_view() -> Any:
    """The widget `threeDView` of the first 3D view; None without one."""
    manager = slicer.app.layoutManager()
    if manager is None or not manager.threeDViewCount:
        return None
    return manager.threeDWidget(0).threeDView()
