"""The first-person view: a small picture at once while the hand moves, a fine one when it rests."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.picture_pane import PicturePane

from ..endoscopy import PREVIEW_PX
from ..mrml.endoscope_nodes import pose_of
from ..mrml.result_nodes import show_preview
from ..mrml.views import ENDOSCOPE
from ..progressive import Refinement
from ..recipe import EndoscopyRecipe
from .colon_section import ColonSection
from .settings import chosen_picture

REST_MS, REST_PX = 250, 640
"""How long the hand must rest for a fine picture, and how wide that is at most."""


@dataclass(frozen=True)
class _Wanted:
    """What a picture was asked for with: another one is needed when one of these is other."""

    colon: Any
    recipe: EndoscopyRecipe
    pose: bytes


class LiveView:
    """Shows in the slice view "Endoscope" what the endoscope sees."""

    def __init__(self, panel: Panel, colon: ColonSection) -> None:
        self._panel, self._colon = panel, colon
        self._asked: _Wanted | None = None
        self._pane = PicturePane(panel, ENDOSCOPE)
        self._rest = qt.QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.connect("timeout()", lambda: self._request(fine=True))

    def update(self) -> None:
        """Ask for another picture where what is set, or where the endoscope stands, needs one."""
        parameters = self._panel.parameters
        endoscopy = self._colon.endoscopy
        if parameters is None or parameters.endoscope is None or endoscopy is None or not parameters.live:
            self._asked = None
            self._rest.stop()
            if parameters is not None and parameters.endoscope is not None and endoscopy is None:
                self._panel.ui.liveLabel.setText(_("Old: press Find centerline"))
            return
        pose = pose_of(parameters.endoscope)
        wanted = _Wanted(self._colon.keys, chosen_picture(parameters), pose.tobytes())
        if wanted != self._asked:
            self._asked = wanted
            self._request(fine=False)
            self._rest.start()

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self._rest.stop()
        self._asked = None
        self._pane.release()
        self._panel.worker.forget("live")

    def exit(self) -> None:
        """The user leaves the module."""
        self._rest.stop()
        self._panel.worker.forget("live")
        self._asked = None

    def _request(self, fine: bool) -> None:
        wanted, endoscopy = self._asked, self._colon.endoscopy
        if wanted is None or endoscopy is None:
            return
        recipe, pose = wanted.recipe, np.frombuffer(wanted.pose).reshape(4, 4)

        def compute() -> tuple[Refinement, Any, float]:
            begun = time.monotonic()
            picture = endoscopy.preview(recipe, pose, REST_PX if fine else PREVIEW_PX, fine)
            return picture, endoscopy.simulation(recipe).endoscope.camera, time.monotonic() - begun

        def answered(result: tuple[Refinement, Any, float]) -> None:
            parameters = self._panel.parameters
            if parameters is None or parameters.endoscope is None or self._asked is None:
                return
            picture, camera, seconds = result
            with self._panel.attempt():
                self._pane.show(show_preview(parameters.endoscope, picture.picture, camera, pose))
                if not fine:
                    self._panel.ui.liveLabel.setText(_("{ms} ms a picture").format(ms=round(1000.0 * seconds)))

        self._panel.worker.request("live", compute, answered, self._failed)

    def _failed(self, error: BaseException) -> None:
        self._asked = None
        self._panel.fail(error)
