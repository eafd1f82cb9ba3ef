"""The layout with the 3D view and the X-ray side by side, and a first look at the C-arm in it."""

import numpy as np
import slicer

from Sim2RealLib.mrml.layouts import XRAY_LAYOUT
from Sim2RealLib.panels import layouts, views

from ..mrml.carm_nodes import parts_of

LOOK_FROM = np.array([-2.0, 1.0, 1.0])
"""The direction: from the patient's left, where the C is open, a little from the front and from above."""


def show_layout() -> None:
    """Change to the layout."""
    layouts.show_layout(XRAY_LAYOUT)


def look_at(carm: "slicer.vtkMRMLLinearTransformNode") -> None:
    """Turn the first 3D view to the whole C-arm."""
    views.look_at(views.points_of(*parts_of(carm).values()), LOOK_FROM)
