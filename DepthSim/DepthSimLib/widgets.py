"""The panel of DepthSim."""

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from Sim2RealLib.panels.dataset_section import DatasetSection
from Sim2RealLib.panels.input_watch import InputWatch
from Sim2RealLib.panels.panel import Panel, shared_ui
from Sim2RealLib.panels.views import hide, show_in_slices

from .colon import ColonScan
from .found_colon import FoundLumen
from .mrml.colon_inputs import keys_of
from .mrml.colon_nodes import PreparedColon, add_colon
from .mrml.views import FRAME
from .panels.colon_section import ColonSection
from .panels.endoscope_section import EndoscopeSection
from .panels.frame_view import FrameView
from .panels.live_view import LiveView
from .panels.prediction_section import PredictionSection
from .panels.recipe_source import EndoscopyRecipeSource
from .panels.rendering_section import RenderingSection
from .panels.sample import colon_steps
from .panels.settings import chosen_search
from .recipe import GeneratedColon


class DepthPanel(Panel):
    """Inputs, colon, endoscope, rendering, depth prediction, real frame and datasets; each a section of its own."""

    def __init__(self, ui_path: str, parameter_node: Callable[[], Any]) -> None:
        super().__init__(ui_path, parameter_node, (shared_ui("DatasetSection.ui"),))
        self.colon = ColonSection(self)
        self.live = LiveView(self, self.colon)
        self.endoscope = EndoscopeSection(self, self.colon, self.live.update)
        self.frame = FrameView(self, lambda: self.dataset.leave())
        self.rendering = RenderingSection(self, self.colon, self.frame)
        self.prediction = PredictionSection(self, self.rendering, self.frame)
        source = EndoscopyRecipeSource(self, self.colon, self.frame, self.make_sample)
        self.dataset = DatasetSection(self, source, FRAME)
        self.inputs = InputWatch(self, self.refresh)
        self._sections = (
            self.colon,
            self.endoscope,
            self.live,
            self.frame,
            self.rendering,
            self.prediction,
            self.dataset,
        )
        self.ui.sampleButton.connect("clicked(bool)", lambda _checked: self.make_sample(self._chosen_sample()))

    def enter(self) -> None:
        super().enter()
        self.endoscope.enter()

    def exit(self) -> None:
        self.endoscope.exit()
        self.live.exit()
        self.inputs.follow()
        super().exit()

    def parameters_changed(self) -> None:
        if self.parameters is not None:
            parameters = self.parameters
            points = parameters.bridgePoints, parameters.excludedPoints
            self.inputs.follow(parameters.ct, parameters.segmentation, *points)
            self.ui.sampleButton.enabled = not self.worker.busy
            self.update_each(*(section.update for section in self._sections))

    def scene_closes(self) -> None:
        self.inputs.follow()
        for section in (self.endoscope, self.live, self.frame, self.rendering, self.prediction, self.colon):
            section.forget()

    def make_sample(self, section: GeneratedColon, then: Callable[[], None] = lambda: None) -> None:
        """Make a colon and choose it as input; all of it is known, so that its lumen needs no search."""

        def made(prepared: PreparedColon) -> None:
            parameters = self.parameters
            hide(parameters.lumen, parameters.path, parameters.segmentation)
            sample = add_colon(slicer.mrmlScene, prepared)
            keys = keys_of(sample.ct, sample.segmentation, chosen_search(parameters))
            self.colon.keeper.learn(keys, FoundLumen(None, prepared.anatomy))
            show_in_slices(sample.ct)
            modified = parameters.parameterNode.StartModify()
            parameters.ct, parameters.segmentation, parameters.path = sample
            parameters.lumen = None
            parameters.parameterNode.EndModify(modified)
            self.colon.find_centerline(then)

        self.run(_("Making a colon"), colon_steps(section), made)

    def _chosen_sample(self) -> GeneratedColon:
        return GeneratedColon(
            seed=self.parameters.sampleSeed, scan=ColonScan(spacing_mm=self.parameters.sampleSpacingMm)
        )
