"""The layout with the 3D view, the endoscope's view and a picture beside it; and where the 3D view looks."""

import numpy as np
import slicer

from Sim2RealLib.panels import views

from ..mrml.views import LAYOUT, LAYOUT_XML

AROUND = 1.1
"""Size of what the 3D view shows of a model, by the model's own."""


def show_layout() -> None:
    """Change to the layout."""
    views.show_layout(LAYOUT, LAYOUT_XML)


def look_at_model(model: "slicer.vtkMRMLModelNode") -> None:
    """Turn the first 3D view to a model, from in front of the patient."""
    view = _first_view()
    if view is None:
        return
    bounds = np.zeros(6)
    model.GetRASBounds(bounds)
    low, high = bounds.reshape(3, 2).T
    middle, camera = 0.5 * (low + high), view.cameraNode()
    half_angle = np.deg2rad(0.5 * camera.GetViewAngle())
    away = 0.5 * max(high[2] - low[2], high[0] - low[0]) * AROUND / np.tan(half_angle) + 0.5 * (high[1] - low[1])
    camera.SetFocalPoint(*middle.tolist())
    camera.SetPosition(*(middle + np.array([0.0, away, 0.0])).tolist())
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.ResetClippingRange()


def look_at(place_ras: np.ndarray) -> None:
    """Move the first 3D view to a place without turning it."""
    view = _first_view()
    if view is not None:
        camera = view.cameraNode()
        shift = np.asarray(place_ras) - np.array(camera.GetFocalPoint())
        camera.SetPosition(*(np.array(camera.GetPosition()) + shift).tolist())
        camera.SetFocalPoint(*np.asarray(place_ras, float).tolist())


def _first_view() -> object | None:
    manager = slicer.app.layoutManager()
    if manager is None or not manager.threeDViewCount:
        return None
    return manager.threeDWidget(0).threeDView()
