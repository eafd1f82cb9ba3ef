"""The section "Depth prediction": what a model makes of the rendered picture, beside what is known to be there."""

import html
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from slicer.i18n import tr as _

from Sim2RealLib.mrml.owned_nodes import owned
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel

from .. import parameters as names
from ..depth.comparison import Comparison, compare
from ..depth.predictor import PREDICTORS, DepthScale
from ..mrml import result_nodes as results
from ..mrml.endoscope_nodes import is_endoscope
from ..mrml.picture_nodes import error_range_mm
from .frame_view import FrameView
from .rendering_section import Rendered, RenderingSection

FIGURES = (
    ("abs_rel", "abs rel", "{:.3f}"),
    ("sq_rel_mm", "sq rel", "{:.2f} mm"),
    ("rmse_mm", "RMSE", "{:.2f} mm"),
    ("rmse_log", "RMSE log", "{:.3f}"),
    ("mae_mm", "MAE", "{:.2f} mm"),
    ("median_rel", "median rel", "{:.3f}"),
    ("delta_1", "δ < 1.25", "{:.1%}"),
    ("delta_2", "δ < 1.25²", "{:.1%}"),
    ("delta_3", "δ < 1.25³", "{:.1%}"),
)
"""Fields of `DepthFigures`, what they are called and how they are written."""

NO_MODEL = _("No model is installed: this version comes without a trained model for depth.")

SCALED = {
    DepthScale.METRIC: _("in mm, as the model gave it"),
    DepthScale.UP_TO_SCALE: _("scaled by the medians"),
    DepthScale.UP_TO_SCALE_AND_SHIFT: _("scaled and shifted to the truth"),
    DepthScale.INVERSE_UP_TO_SCALE_AND_SHIFT: _("its inverse scaled and shifted to the truth"),
}


class PredictionSection:
    """Binds the section."""

    def __init__(self, panel: Panel, rendering: RenderingSection, frame: FrameView) -> None:
        self._panel, self._rendering, self._frame = panel, rendering, frame
        panel.ui.predictButton.connect("clicked(bool)", lambda _checked: self._do(self.predict))
        self.forget()

    def update(self) -> None:
        """Offer the predictors there are."""
        ui, parameters = self._panel.ui, self._panel.parameters
        offered = [predictor.name for predictor in PREDICTORS]
        if [ui.predictorCombo.itemText(number) for number in range(ui.predictorCombo.count)] != offered:
            ui.predictorCombo.clear()
            for name in offered:
                ui.predictorCombo.addItem(name)
        there = is_endoscope(parameters.endoscope)
        ui.predictorCombo.enabled = bool(offered)
        ui.predictButton.enabled = bool(offered) and there and not self._panel.worker.busy
        say(ui.predictorHint, "" if offered else NO_MODEL)
        ui.showPredictedBox.enabled = bool(offered)
        if there and (surface := owned(parameters.endoscope, results.PREDICTED_SURFACE)) is not None:
            surface.GetDisplayNode().SetVisibility(parameters.showPredicted)

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        say(self._panel.ui.figuresLabel, "")

    def predict(self) -> None:
        """Predict the depth of the picture of where the endoscope is now; render it first if that was not done."""
        predictor = PREDICTORS[self._panel.ui.predictorCombo.currentIndex]
        endoscope, known = self._panel.parameters.endoscope, self._rendering.current
        rendering = self._rendering.steps() if known is None else iter(())

        def steps() -> Iterator[Any]:
            rendered: Rendered = known if known is not None else (yield from rendering)
            sight = rendered.sight
            return rendered, compare(predictor, rendered.picture, sight.endoscope.camera, sight.truth.depth_mm)

        def predicted(result: tuple[Rendered, Comparison]) -> None:
            rendered, found = result
            results.show_prediction(endoscope, rendered.sight, predictor.name, found)
            say(self._panel.ui.figuresLabel, _in_words(found, predictor.scale))
            self._frame.choose(names.ERROR)

        self._panel.run(_("Predicting depth"), steps(), predicted, self._rendering.stepper(endoscope))

    def _do(self, action: Callable[[], None]) -> None:
        with self._panel.attempt():
            action()


def _in_words(found: Comparison, scale: DepthScale) -> str:
    """A table of the figures, three a row."""
    values = asdict(found.figures)
    cells = [
        f"<td>{html.escape(title)}&nbsp;</td><td><b>{form.format(values[name])}</b>&nbsp;&nbsp;</td>"
        for name, title, form in FIGURES
    ]
    rows = "".join(f"<tr>{''.join(cells[start : start + 3])}</tr>" for start in range(0, len(cells), 3))
    told = _("{pixels} pixels, {how}. Colors: blue {mm} mm too near, red {mm} mm too far.").format(
        pixels=found.figures.pixels, how=SCALED[scale], mm=f"{error_range_mm(found.error_mm):.1f}"
    )
    return f"<table>{rows}</table><small>{told}</small>"
