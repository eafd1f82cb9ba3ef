"""The panel as a recipe, and a recipe in the panel."""

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mrml.inputs import InputFiles
from Sim2RealLib.mrml.markups import make_landmarks
from Sim2RealLib.mrml.node_copies import copied
from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.recipe_inputs import ReadInputs, add_inputs, read_inputs
from Sim2RealLib.panels.views import show_in_slices

from .. import simulator
from ..mrml.colon_inputs import input_section
from ..mrml.picture_nodes import CARD_MM
from ..recipe import EndoscopyRecipe, Input
from .colon_section import ColonSection
from .frame_view import FrameView
from .room import look_along, look_at, show_layout
from .settings import chosen_content, chosen_search, recipe_of, set_parameters, set_search

KEPT_INPUTS = ("source", "license")
"""Of the input of a loaded recipe: what the panel does not show."""


class EndoscopyRecipeSource:
    """`RecipeSource` of the shared dataset section."""

    simulator = simulator
    card_mm = 18.0
    """Within the colon, which is some 3 to 5 cm wide, where the picture itself lies beyond the body."""

    def __init__(self, panel: Panel, colon: ColonSection, frame: FrameView, sample: Any) -> None:
        self._panel, self._colon, self._frame, self._sample = panel, colon, frame, sample

    def missing(self) -> str:
        """A recipe enters a CT."""
        return "" if self._panel.parameters.ct is not None else _("Choose a CT first, or make a sample colon.")

    def recipe(self) -> Callable[[InputFiles], dict[str, Any]]:
        """All that is set in the panel; what it does not show is that of the recipe that was loaded."""
        parameters = self._panel.parameters
        if missing := self.missing():
            raise Sim2RealError(missing)
        loaded = recipe_of(parameters)
        of_input = loaded.model_dump(mode="json")["input"] if loaded is not None else {}
        kept = {name: of_input[name] for name in KEPT_INPUTS if of_input.get(name) is not None}
        content, search = chosen_content(parameters), chosen_search(parameters)
        ct, segmentation = copied(parameters.ct), parameters.segmentation and copied(parameters.segmentation)
        return lambda inputs: content | {"input": kept | input_section(inputs, ct, segmentation, search)}

    def apply_recipe(self, recipe: EndoscopyRecipe, done: Callable[[], None]) -> None:
        """Load the recipe's input into the scene and set the panel as it says."""
        section = recipe.input
        if section.mesh is not None:
            raise Sim2RealError(
                _("This recipe enters a mesh, {name}; the panel enters CTs. Run it with 'sim2real export'.").format(
                    name=section.mesh.name
                )
            )
        if section.anatomy is not None:
            self._set(recipe)
            self._sample(section.anatomy, done)
            return

        def read(inputs: ReadInputs) -> None:
            self._set(recipe)
            self._set_input(section, *add_inputs(slicer.mrmlScene, inputs))
            done()

        self._panel.run(_("Loading the inputs"), read_inputs(section), read)

    def show_layout(self) -> None:
        """Change to the layout with the view of pictures."""
        show_layout()

    def picture_distance_mm(self, _record: dict[str, Any]) -> float:
        """Stored pictures stand where those of the panel do."""
        return CARD_MM

    def picture_shown(self, picture: Any) -> None:
        """View F is the stored frame's until something else is chosen; the endoscope stays where the user put it."""
        if self._frame.leave():
            look_along(picture.ras_from_camera, self.card_mm)
        else:
            look_at((picture.ras_from_camera @ [0.0, 0.0, 0.5 * self.card_mm, 1.0])[:3])

    def _set(self, recipe: EndoscopyRecipe) -> None:
        parameters = self._panel.parameters
        modified = parameters.parameterNode.StartModify()
        set_parameters(parameters, recipe)
        set_search(parameters, recipe.input)
        parameters.parameterNode.EndModify(modified)

    def _set_input(self, section: Input, ct: Any, segmentation: Any) -> None:
        parameters = self._panel.parameters
        show_in_slices(ct)
        modified = parameters.parameterNode.StartModify()
        parameters.ct = ct
        parameters.segmentation = segmentation
        parameters.lumen = parameters.path = None
        ends = [np.array(point) for pair in section.bridges for point in pair]
        parameters.bridgePoints = _points(_("Bridges"), ends)
        parameters.excludedPoints = _points(_("Not colon"), [np.array(point) for point in section.exclude_ras])
        parameters.parameterNode.EndModify(modified)


def _points(name: str, positions: list[np.ndarray]) -> Any:
    if not positions:
        return None
    named = {str(number): position for number, position in enumerate(positions, start=1)}
    return make_landmarks(slicer.mrmlScene, named, name)
