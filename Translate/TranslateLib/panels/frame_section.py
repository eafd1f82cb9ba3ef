"""The frame in the view L: the preview of the geometry, its translation over it, and whether the labels still hold."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from Sim2RealLib.job import Done
from Sim2RealLib.mrml.layouts import LAPAROSCOPE_LAYOUT
from Sim2RealLib.mrml.slice_views import PictureView
from Sim2RealLib.panels.layouts import show_layout
from Sim2RealLib.panels.panel import Panel

from ..logic import preview, show_translation
from ..mrml.frames import LABELS, PICTURE, TRANSLATION
from ..mrml.laparoscope_view import laparoscope_slice_node
from ..mrml.preview import GeometryFrame, GeometryPreview
from ..parameters import StyleSource
from ..translators import ImageStyle, RandomStyle, Style, Translation, ValidityFigure, read_style_image, registered

EYE_MM = np.array([-600.0, 1100.0, 350.0])
"""From the middle of the liver to who looks at the patient, RAS."""

REST_MS = 10
"""Moves that come within this time are drawn once."""


VERDICTS = {
    True: _("Accepted: the labels hold."),
    False: _("Refused: the labels do not hold."),
    None: _("Nothing could be measured."),
}


class FrameSection:
    """Draws when it is told of a change, if the preview is live."""

    def __init__(self, panel: Panel) -> None:
        self._panel, self._ui = panel, panel.ui
        self._drawer: GeometryPreview | None = None
        self._seen: GeometryFrame | None = None
        self._view = PictureView()
        self._translated, self._was_live = False, False
        self._offered: tuple[str, ...] | None = None
        self._look_at: np.ndarray | None = None
        self._timer = _timer(REST_MS, self._draw)
        self._resize, self._look = _timer(0, self._fit_view), _timer(0, self._look_at_patient)
        self._ui.drawButton.connect("clicked(bool)", self.show)
        self._ui.translateButton.connect("clicked(bool)", self._translate)
        self._show_verdict(None)

    def changed(self) -> None:
        """Something else is to be seen."""
        if self._panel.parameters is not None and self._panel.parameters.livePreview and self._can_draw():
            self._timer.start()

    def show(self) -> None:
        """Change to the layout with the view L, and draw; the picture is shown whole."""
        self._show_layout()
        self._draw()

    def show_soon(self, middle_ras: np.ndarray | None) -> None:
        """Change to the layout, and draw in an event of its own; let the 3D view look at a point if one is given."""
        self._show_layout()
        self._look_at = middle_ras
        self._look.start()
        self._timer.start()

    def update(self) -> None:
        """Enable what can be done, and show the layers as they are set."""
        ui, parameters = self._ui, self._panel.parameters
        self._offer_translators()
        translators = registered()
        if parameters.livePreview and not self._was_live:
            self.changed()
        self._was_live = parameters.livePreview
        ui.drawButton.setEnabled(self._can_draw())
        for widget in (ui.translatorBox, ui.styleBox, ui.translationOpacitySlider):
            widget.setEnabled(bool(translators))
        from_image = parameters.styleSource is StyleSource.IMAGE
        ui.seedBox.setEnabled(bool(translators) and not from_image)
        ui.styleImageEdit.setEnabled(bool(translators) and from_image)
        ui.translateButton.setEnabled(bool(translators) and self._seen is not None and not self._panel.worker.busy)
        ui.translateReason.setVisible(not translators)
        self._show_layers()

    def forget(self) -> None:
        """The scene loses its nodes."""
        self._stop()
        self._seen = None
        self._view.forget()
        self._show_verdict(None)

    def close(self) -> None:
        self._stop()
        if self._drawer is not None:
            self._drawer.close()
            self._drawer = None

    def _stop(self) -> None:
        for timer in (self._timer, self._resize, self._look):
            timer.stop()

    def _show_layout(self) -> None:
        self._view.forget()
        show_layout(LAPAROSCOPE_LAYOUT)

    def _look_at_patient(self) -> None:
        """Turn the 3D view to a point, from the patient's left front."""
        manager = slicer.app.layoutManager()
        if manager is not None and self._look_at is not None:
            camera = manager.threeDWidget(0).threeDView().cameraNode()
            camera.SetFocalPoint(*self._look_at)
            camera.SetPosition(*(self._look_at + EYE_MM))
            camera.SetViewUp(0.0, 0.0, 1.0)
            camera.ResetClippingRange()

    def _can_draw(self) -> bool:
        parameters = self._panel.parameters
        return parameters.segmentation is not None and parameters.laparoscope is not None

    def _draw(self) -> None:
        if self._panel.parameters is None or not self._can_draw():
            return
        with self._panel.attempt():
            self._drawer = self._drawer or GeometryPreview()
            self._seen = preview(self._drawer, self._panel.parameters.segmentation, self._panel.parameters.laparoscope)
            self._show_verdict(None)
            self.update()

    def _show_layers(self) -> None:
        parameters = self._panel.parameters
        slice_node = laparoscope_slice_node(slicer.mrmlScene)
        if slice_node is None or self._seen is None or parameters.laparoscope is None:
            return
        picture, labels, translation = map(parameters.laparoscope.GetNodeReference, (PICTURE, LABELS, TRANSLATION))
        if picture is None or labels is None:
            return
        self._view.show(slice_node, picture, labels, parameters.labelOpacity)
        composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node)
        composite.SetForegroundVolumeID(translation.GetID() if self._translated and translation is not None else None)
        composite.SetForegroundOpacity(parameters.translationOpacity)
        if not self._panel.hasObserver(slice_node, vtk.vtkCommand.ModifiedEvent, self._view_changed):
            self._panel.addObserver(slice_node, vtk.vtkCommand.ModifiedEvent, self._view_changed)

    def _view_changed(self, _slice_node: Any, _event: str) -> None:
        """Its size may be another one; Slicer sets its field of view after this."""
        self._resize.start()

    def _fit_view(self) -> None:
        slice_node = laparoscope_slice_node(slicer.mrmlScene)
        if slice_node is not None and self._view.resized(slice_node):
            self._show_layers()

    # ---- translation ----

    def _offer_translators(self) -> None:
        offered, box = tuple(registered()), self._ui.translatorBox
        if offered != self._offered:
            self._offered = offered
            box.clear()
            box.addItems(list(offered) or [_("none is installed")])

    def _translate(self) -> None:
        translator, seen = registered()[self._ui.translatorBox.currentText], self._seen
        laparoscope, style = self._panel.parameters.laparoscope, None
        with self._panel.attempt():
            style = self._style()
        if style is None:
            return

        def steps() -> Iterator[Done]:
            yield Done(0, 0, translator.name)
            return translator.translate(seen.picture, seen.labels, style)

        def done(translation: Translation) -> None:
            if laparoscope.GetScene() is None:
                return
            provenance = {"translator": translator.name, "style": repr(style), "of": "preview of the geometry"}
            show_translation(laparoscope, seen, translation, provenance)
            self._show_verdict(translation)

        self._panel.run(_("Translating"), steps(), done)

    def _style(self) -> Style:
        parameters = self._panel.parameters
        if parameters.styleSource is StyleSource.RANDOM:
            return RandomStyle(parameters.styleSeed)
        return ImageStyle(read_style_image(parameters.styleImage))

    def _show_verdict(self, translation: Translation | None) -> None:
        self._translated = translation is not None
        table, figures = self._ui.validityTable, () if translation is None else translation.figures
        table.setRowCount(len(figures))
        for row, figure in enumerate(figures):
            for column, text in enumerate(_in_words(figure)):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        if translation is None:
            self._ui.verdictText.setText(_("No translation of what the view shows."))
        else:
            self._ui.verdictText.setText(VERDICTS[translation.accepted])


def _timer(interval_ms: int, act: Callable[[], None]) -> Any:
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(interval_ms)
    timer.connect("timeout()", act)
    return timer


def _in_words(figure: ValidityFigure) -> tuple[str, str, str, str]:
    value = _("not measured") if figure.value is None else f"{figure.value:.3f}"
    verdict = {True: _("yes"), False: _("no"), None: "–"}[figure.accepted]
    return figure.name, value, f"{'≥' if figure.higher_is_better else '≤'} {figure.limit:g}", verdict
