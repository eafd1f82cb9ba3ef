"""The section "Rendering": a picture that is refined step by step, and the depth, normals, labels and surface in it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.mrml.owned_nodes import owned
from Sim2RealLib.panels.panel import Panel

from .. import parameters as names
from ..endoscopy import Endoscopy, Sight
from ..mrml import result_nodes as results
from ..mrml.colon_nodes import FAINT_OPACITY, LUMEN_OPACITY
from ..mrml.endoscope_nodes import is_endoscope, pose_of
from ..progressive import Refinement
from ..recipe import EndoscopyRecipe
from .colon_section import ColonSection
from .frame_view import FrameView
from .settings import chosen_picture


@dataclass(frozen=True, eq=False)
class Rendered:
    """A finished picture, and what it was made with."""

    colon: Any
    recipe: EndoscopyRecipe
    picture: np.ndarray
    sight: Sight


class RenderingSection:
    """Binds the section."""

    def __init__(self, panel: Panel, colon: ColonSection, frame: FrameView) -> None:
        self._panel, self._colon, self._frame = panel, colon, frame
        self._finished: Rendered | None = None
        self._thinned: Any = None
        ui = panel.ui
        ui.renderButton.connect("clicked(bool)", lambda _checked: self._do(self.render))
        ui.stopButton.connect("clicked(bool)", lambda _checked: panel.worker.cancel())
        ui.truthButton.connect("clicked(bool)", lambda _checked: self._do(self.measure))
        self._rendering = False

    @property
    def current(self) -> Rendered | None:
        """The latest finished picture, if it is of where the endoscope is now, as is set now."""
        keys, finished = self._colon.keys, self._finished
        if finished is None or keys is None or finished.colon != keys.pictures:
            return None
        _endoscope, recipe, pose = self._view()
        same_pose = np.allclose(finished.sight.ras_from_camera, pose, atol=1e-6)
        return finished if finished.recipe == recipe and same_pose else None

    def update(self) -> None:
        """Offer what can be done, and show the surface if it is to be shown."""
        parameters, ui = self._panel.parameters, self._panel.ui
        free = not self._panel.worker.busy
        self._rendering &= not free
        ready = parameters.ct is not None and is_endoscope(parameters.endoscope)
        for button in (ui.renderButton, ui.truthButton):
            button.enabled = free and ready
        ui.stopButton.enabled = self._rendering
        ui.samplesBox.enabled = parameters.mode == names.CINEMATIC
        if ready and (surface := owned(parameters.endoscope, results.SURFACE)) is not None:
            surface.GetDisplayNode().SetVisibility(parameters.showSurface)
        self._thin_out_lumen()

    def _thin_out_lumen(self) -> None:
        """Let the lumen be faint while surfaces are shown, which lie in it: the one would flicker through the other."""
        parameters = self._panel.parameters
        shown = self._surfaces_shown()
        thinned, self._thinned = self._thinned, parameters.lumen if shown else None
        if parameters.lumen is not None and self._thinned is not thinned:
            parameters.lumen.GetDisplayNode().SetOpacity(FAINT_OPACITY if shown else LUMEN_OPACITY)

    def _surfaces_shown(self) -> bool:
        endoscope = self._panel.parameters.endoscope
        roles = (results.SURFACE, results.PREDICTED_SURFACE) if is_endoscope(endoscope) else ()
        return any((node := owned(endoscope, role)) and bool(node.GetDisplayNode().GetVisibility()) for role in roles)

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self._finished, self._thinned = None, None

    def render(self) -> None:
        """Refine the picture of where the endoscope is now."""
        steps, stepped = self.steps(), self.stepper(self._panel.parameters.endoscope)
        self._rendering = True
        self._panel.run(_("Rendering"), steps, lambda _rendered: None, stepped)

    def measure(self) -> None:
        """Make depth, normals, labels and surface of where the endoscope is now."""
        endoscope, recipe, pose = self._view()
        entering = self._colon.entering()

        def steps() -> Iterator[Any]:
            endoscopy = yield from entering
            return endoscopy.sight(recipe, pose)

        def found(sight: Sight) -> None:
            self._show_truth(endoscope, sight)
            shown = self._panel.parameters.shown
            self._frame.choose(shown if shown in (names.DEPTH, names.NORMALS) else names.DEPTH)

        self._panel.run(_("Measuring"), steps(), found)

    def steps(self) -> Iterator[Any]:
        """Steps that render where the endoscope is now; Sim2RealError if there is nothing to render.

        They yield its `Sight` and each `Refinement`, and return what is `Rendered`.
        """
        _endoscope, recipe, pose = self._view()
        keys, entering = self._colon.keys, self._colon.entering()

        def steps() -> Iterator[Any]:
            endoscopy: Endoscopy = yield from entering
            yield (sight := endoscopy.sight(recipe, pose))
            for picture in endoscopy.refine(recipe, pose):
                yield picture
                yield _progress(picture, recipe)
            self._finished = Rendered(keys.pictures, recipe, picture.picture, sight)
            return self._finished

        return steps()

    def stepper(self, endoscope: Any) -> Callable[[Any], None]:
        """What shows the yields of `steps`."""
        latest: list[Sight] = []

        def stepped(value: Any) -> None:
            if endoscope.GetScene() is None:  # it was deleted meanwhile
                return
            with self._panel.attempt():
                if isinstance(value, Sight):
                    latest.append(value)
                    self._show_truth(endoscope, value)
                elif isinstance(value, Refinement):
                    results.show_picture(endoscope, value.picture, latest[-1])
                    if value.samples == 0:
                        shown = self._panel.parameters.shown
                        self._frame.choose(shown if shown == names.LABELS else names.PICTURE)
                    else:
                        self._frame.update()

        return stepped

    def _view(self) -> tuple[Any, EndoscopyRecipe, np.ndarray]:
        parameters = self._panel.parameters
        if not is_endoscope(parameters.endoscope):
            raise Sim2RealError(_("There is no endoscope yet. Find the centerline first, or choose a path."))
        return parameters.endoscope, chosen_picture(parameters), pose_of(parameters.endoscope)

    def _show_truth(self, endoscope: Any, sight: Sight) -> None:
        results.show_truth(endoscope, sight)
        surface = results.show_true_surface(endoscope, sight)
        surface.GetDisplayNode().SetVisibility(self._panel.parameters.showSurface)

    def _do(self, action: Callable[[], None]) -> None:
        with self._panel.attempt():
            action()


def _progress(picture: Refinement, recipe: EndoscopyRecipe) -> Done:
    samples = recipe.rendering.samples if recipe.rendering.mode == names.CINEMATIC else 0
    if not samples or picture.share == 0.0:
        return Done(0, 0, _("coarse picture"))
    return Done(picture.samples, samples, _("samples"))
