"""What a detector finds in the X-ray: in the image, as rays in the 3D view, and as points where rays of views meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mrml.markups import landmarks_of
from Sim2RealLib.mrml.owned_nodes import owned
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel

from ..detection.detector import DETECTORS, Detection, pixel_errors
from ..detection.triangulation import Ray, Triangulation, back_project, triangulate
from ..fluoroscope import XrayImage
from ..mrml.carm_nodes import is_carm
from ..mrml.point_nodes import show_detections, show_names
from ..mrml.space_nodes import POINTS, RAYS, show_rays, show_triangulated
from .xray_section import XraySection


@dataclass(frozen=True, eq=False)
class _Found:
    """What was found in one image."""

    image: XrayImage
    detections: Mapping[str, Detection]

    def rays(self) -> dict[str, Ray]:
        return {name: back_project(self.image.view, found.position_px) for name, found in self.detections.items()}


class DetectionSection:
    """Binds the section "Detections" of the panel."""

    def __init__(self, panel: Panel, xray: XraySection) -> None:
        self._panel, self._xray = panel, xray
        self._current: _Found | None = None
        self._kept: list[_Found] = []
        self._points: Mapping[str, Triangulation] = {}
        ui = panel.ui
        ui.errorTable.verticalHeader().hide()
        ui.errorTable.setTextElideMode(qt.Qt.ElideMiddle)  # the side, at the end of a name, stays
        columns = ui.errorTable.horizontalHeader()
        columns.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        columns.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for button, action in (
            (ui.detectButton, self.detect),
            (ui.addViewButton, self.add_view),
            (ui.clearViewsButton, self.clear),
            (ui.triangulateButton, self.triangulate),
        ):
            button.connect("clicked(bool)", lambda _checked, action=action: self._do(action))

    def update(self) -> None:
        """Offer the detectors there are, and what can be done with what was found."""
        ui, there = self._panel.ui, is_carm(self._panel.parameters.carm)
        titles = [detector.title for detector in DETECTORS]
        if [ui.detectorCombo.itemText(number) for number in range(ui.detectorCombo.count)] != titles:
            ui.detectorCombo.clear()
            for title in titles:
                ui.detectorCombo.addItem(title)
        ui.detectorCombo.enabled = bool(titles)
        missing = _("No detector is installed: this version comes without a trained model for landmarks.")
        say(ui.detectorHintLabel, "" if titles else missing)
        if self._current is not None and self._xray.image is not self._current.image:
            self._forget_current()
        ui.detectButton.enabled = bool(titles) and there and self._xray.image is not None
        ui.addViewButton.enabled = self._current is not None and self._current not in self._kept
        ui.clearViewsButton.enabled = bool(self._kept)
        ui.triangulateButton.enabled = len(self._views()) > 1
        if there and (rays := owned(self._panel.parameters.carm, RAYS)) is not None:
            rays.GetDisplayNode().SetVisibility(self._panel.parameters.showRays)
        if there and (points := owned(self._panel.parameters.carm, POINTS)) is not None:
            points.GetDisplayNode().SetPointLabelsVisibility(self._panel.parameters.showNames)
        angles = ", ".join(found.image.pose.words for found in self._kept)
        say(ui.viewsLabel, _("Views: {angles}").format(angles=angles) if self._kept else "")

    def detect(self) -> None:
        """Find landmarks in the image that is shown."""
        image, carm = self._xray.image, self._panel.parameters.carm
        detector = DETECTORS[self._panel.ui.detectorCombo.currentIndex]

        def answered(detections: Mapping[str, Detection]) -> None:
            parameters = self._panel.parameters
            if parameters is None or parameters.carm is not carm or self._xray.image is not image:
                return
            with self._panel.attempt():
                self._current, self._points = _Found(image, detections), {}
                show_detections(carm, image.view, detections)
                show_names(carm, parameters.showNames)
                self._show_rays()
                self._fill_table()
                self.update()

        self._panel.worker.request(
            "detect", lambda: detector.detect(image.attenuation, image.device.pixel_mm), answered, self._panel.fail
        )

    def add_view(self) -> None:
        """Keep what was found, to be met by the rays of another view."""
        self._kept.append(self._current)
        self.update()

    def clear(self) -> None:
        """Forget the views that were kept."""
        self._kept.clear()
        self._points = {}
        self._show_rays()
        self._fill_table()
        self.update()

    def triangulate(self) -> None:
        """Find the point of each landmark that two or more views have found."""
        rays: dict[str, list[Ray]] = {}
        for found in self._views():
            for name, ray in found.rays().items():
                rays.setdefault(name, []).append(ray)
        several = {name: given for name, given in rays.items() if len(given) > 1}
        if not several:
            raise Sim2RealError(_("No landmark was found in two views."))
        self._points = {name: triangulate(given) for name, given in several.items()}
        show_triangulated(self._panel.parameters.carm, self._points)
        self._fill_table()

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self._current, self._points = None, {}
        self._kept.clear()
        self._panel.ui.errorTable.setRowCount(0)

    def _views(self) -> list[_Found]:
        """The views that were kept, and the current one."""
        return [*self._kept, *([self._current] if self._current and self._current not in self._kept else [])]

    def _forget_current(self) -> None:
        """Another image is shown: what was found in the one before is not in it."""
        self._current = None
        carm = self._panel.parameters.carm
        if is_carm(carm) and self._xray.image is not None:
            show_detections(carm, self._xray.image.view, {})
            self._show_rays()

    def _show_rays(self) -> None:
        carm = self._panel.parameters.carm
        if is_carm(carm):
            show_rays(carm, [ray for found in self._views() for ray in found.rays().values()])

    def _fill_table(self) -> None:
        """A row a landmark that was found: how sure, and how far off where the truth is known."""
        landmarks = self._panel.parameters.landmarks
        truth = {} if landmarks is None else landmarks_of(landmarks)
        detections = self._current.detections if self._current else {}
        errors_px = {}
        if self._current:
            view = self._current.image.view
            errors_px = pixel_errors(detections, {name: view.project(position) for name, position in truth.items()})
        table, names = self._panel.ui.errorTable, list(dict.fromkeys((*detections, *self._points)))
        table.setRowCount(len(names))
        for row, name in enumerate(names):
            found, point = detections.get(name), self._points.get(name)
            off = np.linalg.norm(point.position_ras - truth[name]) if point and name in truth else None
            cells = (
                name,
                _number(found and found.confidence, 2),
                _number(errors_px.get(name), 1),
                _number(point and max(point.residuals_mm), 1),
                _number(off, 1),
            )
            for column, text in enumerate(cells):
                table.setItem(row, column, qt.QTableWidgetItem(text))
            table.item(row, 0).setToolTip(name)

    def _do(self, action: Any) -> None:
        with self._panel.attempt():
            action()


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
