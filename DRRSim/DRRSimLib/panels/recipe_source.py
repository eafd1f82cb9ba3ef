"""The panel as a recipe, and a recipe in the panel."""

from collections.abc import Callable, Iterator
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import FloatRange

from Sim2RealLib.dataset.schema import validated
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.landmarks import read_landmarks
from Sim2RealLib.mrml.inputs import InputFiles
from Sim2RealLib.mrml.markups import make_landmarks
from Sim2RealLib.mrml.node_copies import copied
from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.recipe_inputs import ReadInputs, add_inputs, read_inputs
from Sim2RealLib.panels.views import show_in_slices

from .. import simulator
from ..acquisition.carm import DEVICES, CArmDevice
from ..frame_record import DrrRecord
from ..mrml.carm_nodes import is_carm
from ..mrml.pelvis_nodes import add_pelvis
from ..mrml.recipe_nodes import carm_section, input_section
from ..recipe import DrrRecipe, Input
from .carm_section import CArmSection
from .pose_parameters import recipe_of, set_device_parameters
from .room import show_layout
from .sample import pelvis_steps
from .stored_frame import look_at_frame, show_stored_landmarks
from .technique import chosen_display, chosen_physics, set_technique_parameters
from .xray_section import XraySection

KEPT_INPUTS = ("implants", "tools", "source", "license")
"""Of the input of a loaded recipe: what the panel does not show."""


class DrrRecipeSource:
    """`RecipeSource` of the shared dataset section."""

    simulator = simulator
    card_mm = None

    def __init__(self, panel: Panel, carm: CArmSection, xray: XraySection) -> None:
        self._panel, self._carm, self._xray = panel, carm, xray

    def missing(self) -> str:
        """A recipe images a CT with a C-arm."""
        parameters = self._panel.parameters
        there = parameters.ct is not None and is_carm(parameters.carm)
        return "" if there else _("Choose a CT first, or make a sample pelvis.")

    def recipe(self) -> Callable[[InputFiles], dict[str, Any]]:
        """All that is set in the panel; what it does not show is that of the recipe that was loaded."""
        parameters = self._panel.parameters
        if missing := self.missing():
            raise Sim2RealError(missing)
        loaded = recipe_of(parameters)
        content = loaded.model_dump(mode="json") if loaded is not None else {"simulator": "drr"}
        views, output = content.get("views", {}), content.get("output", {})
        kept = {key: value for key, value in content.get("input", {}).items() if key in KEPT_INPUTS}
        nodes = parameters.ct, parameters.segmentation, parameters.landmarks
        copies = [node and copied(node) for node in nodes]
        primary, secondary = parameters.primaryRangeDeg, parameters.secondaryRangeDeg
        jitter = {"in_plane_deg": parameters.inPlaneJitterDeg, "isocenter_mm": parameters.isocenterJitterMm}
        content |= {
            "seed": parameters.seed,
            "carm": carm_section(parameters.carm),
            "views": views
            | {
                "count": parameters.count,
                "sampler": parameters.sampler,
                "primary_range_deg": [primary.minimum, primary.maximum],
                "secondary_range_deg": [secondary.minimum, secondary.maximum],
                "in_plane_deg": parameters.inPlaneDeg,
                "jitter": views.get("jitter", {}) | jitter,
            },
            "physics": chosen_physics(parameters).model_dump(mode="json"),
            "output": output | {"display": output.get("display", {}) | chosen_display(parameters)},
        }
        return lambda inputs: content | {"input": kept | input_section(inputs, *copies)}

    def apply_recipe(self, recipe: DrrRecipe, done: Callable[[], None]) -> None:
        """Load the recipe's inputs into the scene and set the panel as it says."""
        device = recipe.carm.device
        device = device if isinstance(device, CArmDevice) else DEVICES.get(device)
        if device is None:
            raise Sim2RealError(
                _("This recipe images with a biplane, {name}; the panel has one C-arm. Run it with 'sim2real export'.")
                .format(name=recipe.carm.device)
            )  # fmt: skip
        section = recipe.input

        def loaded(ct: Any, segmentation: Any, landmarks: Any) -> None:
            self._set(recipe, device, ct, segmentation, landmarks)
            done()

        if section.volume is None:
            anatomy = section.anatomy
            self._panel.run(
                _("Making a pelvis"),
                pelvis_steps(anatomy),
                lambda made: loaded(*add_pelvis(slicer.mrmlScene, made)),
            )
            return
        self._panel.run(
            _("Loading the inputs"),
            _input_steps(section),
            lambda read: loaded(*_input_nodes(section, *read)),
        )

    def show_layout(self) -> None:
        """Change to the layout with the view of pictures."""
        show_layout()

    def picture_distance_mm(self, record: dict[str, Any]) -> float:
        """A stored image is shown on its detector."""
        return _parsed(record).carm.source_to_detector_mm

    def picture_shown(self, picture: Any) -> None:
        """The views are a stored frame's until the C-arm moves; the C-arm stays where the user put it, unseen."""
        record = _parsed(picture.record)
        self._xray.leave_view()
        if self._carm.step_aside():
            look_at_frame(record)
        show_stored_landmarks(self._panel.parameters.carm, record)

    def _set(self, recipe: DrrRecipe, device: CArmDevice, ct: Any, segmentation: Any, landmarks: Any) -> None:
        parameters, views = self._panel.parameters, recipe.views
        show_in_slices(ct)
        modified = parameters.parameterNode.StartModify()
        parameters.recipe = recipe.model_dump_json()
        parameters.ct, parameters.segmentation, parameters.landmarks = ct, segmentation, landmarks
        set_device_parameters(parameters, device)
        set_technique_parameters(parameters, recipe.physics, recipe.output.display)
        parameters.primaryDeg = sum(views.primary_range_deg) / 2.0
        parameters.secondaryDeg = sum(views.secondary_range_deg) / 2.0
        parameters.inPlaneDeg = (views.in_plane_deg + 180.0) % 360.0 - 180.0
        parameters.primaryRangeDeg = FloatRange(*views.primary_range_deg)
        parameters.secondaryRangeDeg = FloatRange(*views.secondary_range_deg)
        parameters.inPlaneJitterDeg = views.jitter.in_plane_deg
        parameters.isocenterJitterMm = views.jitter.isocenter_mm
        parameters.count, parameters.sampler, parameters.seed = views.count, views.sampler.value, recipe.seed
        parameters.parameterNode.EndModify(modified)
        self._carm.center_as(recipe.carm.isocenter_ras)


def _parsed(record: dict[str, Any]) -> DrrRecord:
    return validated(DrrRecord, record, _("this dataset"))


def _input_steps(section: Input) -> Iterator[Done]:
    """Read what the recipe names; returns the inputs, and the landmarks or None."""
    inputs = yield from read_inputs(section)
    return inputs, None if section.landmarks is None else read_landmarks(section.landmarks)[0]


def _input_nodes(section: Input, inputs: ReadInputs, landmarks: Any) -> tuple[Any, Any, Any]:
    scene = slicer.mrmlScene
    points = None if landmarks is None else make_landmarks(scene, landmarks, section.landmarks.name)
    return *add_inputs(scene, inputs), points
