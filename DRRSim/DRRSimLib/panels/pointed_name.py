"""The name of the point under the pointer in the X-ray view: all names at once would hide the image and each other."""

from typing import Any

import slicer

from Sim2RealLib.panels.panel import Panel

from ..mrml.carm_nodes import is_carm
from ..mrml.point_nodes import show_name_near
from ..mrml.xray_view import VIEW

NEAR = 0.02
"""How far off a point the pointer may be, as a share of the view's width."""


class PointedName:
    """Follows the pointer."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        panel.addObserver(crosshair, crosshair.CursorPositionModifiedEvent, self._moved)

    def _moved(self, crosshair: Any, _event: str) -> None:
        parameters = self._panel.parameters
        if parameters is None or not is_carm(parameters.carm):
            return
        place, pixel = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
        slice_node = crosshair.GetCursorPositionXYZ(pixel)
        inside = crosshair.GetCursorPositionRAS(place) and slice_node is not None
        if inside and slice_node.GetSingletonTag() == VIEW and not parameters.showNames:
            show_name_near(parameters.carm, place, NEAR * slice_node.GetFieldOfView()[0])
        else:
            show_name_near(parameters.carm, place, 0.0)
