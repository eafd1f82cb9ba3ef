"""The slice view "Frame": a rendered picture, its depth, normals or labels, a depth error, a real frame or the CT."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.mrml.owned_nodes import own, owned
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.picture_pane import PicturePane

from .. import parameters as names
from ..frames.real_frame import read_frame
from ..mrml import result_nodes as results
from ..mrml.endoscope_nodes import is_endoscope, pose_of
from ..mrml.picture_nodes import make_picture, show_picture
from ..mrml.views import FRAME, show_whole
from .room import show_layout

REAL_FRAME = "DepthSim.real frame"
"""Role of the endoscope's node."""

ROLES = {
    names.PICTURE: results.PICTURE,
    names.DEPTH: results.DEPTH,
    names.NORMALS: results.NORMALS,
    names.LABELS: results.PICTURE,
    names.ERROR: results.ERROR,
    names.REAL: REAL_FRAME,
}
"""Which of the endoscope's nodes is shown; labels lie over the picture."""


class FrameView:
    """Shows what the parameter `shown` says; the CT around the endoscope as long as that is not there.

    returns: called when the view is taken back after `leave`.
    """

    def __init__(self, panel: Panel, returns: Callable[[], None]) -> None:
        self._panel, self._returns = panel, returns
        self._pane = PicturePane(panel, FRAME)
        self._shown: str | None = None
        self._away = False
        self._ct: tuple[Any, Any] | None = None
        ui = panel.ui
        ui.layoutButton.connect("clicked(bool)", lambda _checked: self.show_layout())
        ui.openFrameButton.connect("clicked(bool)", lambda _checked: self._open())

    def update(self) -> None:
        """Show what is to be shown."""
        parameters, ui = self._panel.parameters, self._panel.ui
        ui.openFrameButton.enabled = parameters.endoscope is not None and str(parameters.realFrame) not in ("", ".")
        if parameters.shown != self._shown:
            self._come_back()
            self._shown = parameters.shown
            self._release()
        node = self._node()
        say(ui.shownLabel, "" if self._away or node is not None else _HOW[parameters.shown])
        if self._away:
            return
        if node is None:
            self._show_ct()
            return
        self._ct = None
        labels = owned(parameters.endoscope, results.LABELS) if parameters.shown == names.LABELS else None
        self._pane.show(node, labels)

    def choose(self, shown: str) -> None:
        """Show something else, or it anew."""
        self._come_back()
        self._panel.parameters.shown = shown
        self.update()

    def leave(self) -> bool:
        """Something else is shown in the view, until another thing or it anew is chosen; whether it was not before."""
        before, self._away = self._away, True
        self._release()
        say(self._panel.ui.shownLabel, "")
        return not before

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self._release()
        self._shown, self._away = None, False

    def _come_back(self) -> None:
        if self._away:
            self._away = False
            self._returns()

    def _release(self) -> None:
        self._pane.release()
        self._ct = None

    def _show_ct(self) -> None:
        """The CT, once: where the user moves it to it stays."""
        ct, endoscope, node = self._panel.parameters.ct, self._panel.parameters.endoscope, self._pane.slice_node
        if ct is None or node is None or (ct, endoscope) == self._ct:
            return
        self._release()
        self._ct = ct, endoscope
        show_whole(node, ct)
        if is_endoscope(endoscope):
            node.JumpSliceByOffsetting(*pose_of(endoscope)[:3, 3].tolist())

    def show_layout(self) -> None:
        """Show the layout with the two slice views, and the pictures whole."""
        show_layout()
        self._pane.refit()
        self._panel.parameters_changed()

    def open_frame(self, path: Path) -> None:
        """Show a picture of a file."""
        picture = read_frame(path)
        height, width = picture.shape[:2]
        camera = PinholeCamera(float(height), float(height), width / 2.0, height / 2.0, width, height)
        node = own(self._panel.parameters.endoscope, REAL_FRAME, make_picture)
        show_picture(node, picture, camera, np.eye(4))
        node.SetAttribute("Sim2Real.File", path.name)
        self.choose(names.REAL)

    def _open(self) -> None:
        with self._panel.attempt():
            self.open_frame(Path(self._panel.parameters.realFrame))

    def _node(self) -> Any:
        parameters = self._panel.parameters
        if parameters.endoscope is None or parameters.shown == names.CT:
            return None
        node = owned(parameters.endoscope, ROLES[parameters.shown])
        return node if node is not None and node.GetImageData() is not None else None


_HOW = {
    names.PICTURE: _("Press Render."),
    names.DEPTH: _("Press Depth and labels."),
    names.NORMALS: _("Press Depth and labels."),
    names.LABELS: _("Press Render."),
    names.ERROR: _("Predict the depth first."),
    names.REAL: _("Open a frame below."),
    names.CT: "",
}
"""What to do for what is not there yet."""
