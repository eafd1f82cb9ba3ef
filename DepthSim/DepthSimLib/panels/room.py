"""The layout with the 3D view, the endoscope's view and a picture beside it; and where the 3D view looks."""

import numpy as np
import slicer

from Sim2RealLib.mrml.layouts import ENDOSCOPE_LAYOUT
from Sim2RealLib.panels import layouts, views


def show_layout() -> None:
    """Change to the layout."""
    layouts.show_layout(ENDOSCOPE_LAYOUT)


def look_at_model(model: "slicer.vtkMRMLModelNode") -> None:
    """Turn the first 3D view to a model, from in front of the patient."""
    views.look_at(views.points_of(model), np.array([0.0, 1.0, 0.0]))


def look_along(ras_from_camera: np.ndarray, far_mm: float) -> None:
    """Turn the first 3D view to the way from a camera to a place before it, from behind and aside."""
    right, _down, forward, tip = ras_from_camera[:3].T
    around = tip + np.array([side * far_mm * right + far * forward for side in (-1, 1) for far in (0.0, far_mm)])
    views.look_at(around, 0.6 * right - forward)


def look_at(place_ras: np.ndarray) -> None:
    """Move the first 3D view to a place without turning it."""
    view = views.first_3d_view()
    if view is not None:
        camera = view.cameraNode()
        shift = np.asarray(place_ras) - np.array(camera.GetFocalPoint())
        camera.SetPosition(*(np.array(camera.GetPosition()) + shift).tolist())
        camera.SetFocalPoint(*np.asarray(place_ras, float).tolist())
