"""The layout with the 3D view and the X-ray side by side, and a first look at the C-arm in it."""

import numpy as np
import slicer

from Sim2RealLib.panels import views

from ..mrml.xray_view import LAYOUT, LAYOUT_XML

LOOK_FROM_MM = np.array([-2500.0, 1250.0, 1250.0])
"""From the isocentre: from the patient's left, where the C is open, a little from the front and from above."""


def show_layout() -> None:
    """Change to the layout."""
    views.show_layout(LAYOUT, LAYOUT_XML)


def look_at(isocenter_ras: np.ndarray) -> None:
    """Turn the first 3D view to the C-arm."""
    manager = slicer.app.layoutManager()
    if manager is None or not manager.threeDViewCount:
        return
    view = manager.threeDWidget(0).threeDView()
    camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view.mrmlViewNode())
    if camera is None:
        return
    camera.SetFocalPoint(isocenter_ras.tolist())
    camera.SetPosition((isocenter_ras + LOOK_FROM_MM).tolist())
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.ResetClippingRange()
