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


def look_at(place_ras: np.ndarray) -> None:
    """Move the first 3D view to a place without turning it."""
    view = views.first_3d_view()
    if view is not None:
        camera = view.cameraNode()
        shift = np.asarray(place_ras) - np.array(camera.GetFocalPoint())
        camera.SetPosition(*(np.array(camera.GetPosition()) + shift).tolist())
        camera.SetFocalPoint(*np.asarray(place_ras, float).tolist())
