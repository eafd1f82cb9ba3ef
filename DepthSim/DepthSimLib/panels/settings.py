"""What is set in the panel as sections of a recipe, and back."""

import json
from typing import Any

from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate

from ..endoscope.presets import ENDOSCOPES
from ..endoscopy import OF_PICTURES
from ..mrml.colon_inputs import pairs_of, positions_of, whole_pairs_of
from ..parameters import CINEMATIC, FROM_RECIPE, PLANS, SYNTHETIC
from ..recipe import OF_PATHS, EndoscopyRecipe, Input, Tip


def recipe_of(parameters: Any) -> EndoscopyRecipe | None:
    """The recipe that was loaded last. Sim2RealError if a scene of unknown origin holds something else."""
    if not parameters.recipe:
        return None
    try:
        content = json.loads(parameters.recipe)
    except ValueError as error:
        raise Sim2RealError(_("The recipe in this scene is damaged; load one again.")) from error
    return validate(EndoscopyRecipe, content, _("the recipe in this scene"))


def chosen_search(parameters: Any) -> dict[str, Any]:
    """How the lumen is found: fields of a recipe's `input`. Sim2RealError if a bridge has but one point."""
    return known_search(parameters) | {"bridges": pairs_of(parameters.bridgePoints)}


def known_search(parameters: Any) -> dict[str, Any]:
    """The same without a bridge of which but one point is placed."""
    loaded = recipe_of(parameters)
    return {
        "patient_position": parameters.patientPosition,
        "fluid_above_hu": parameters.fluidAboveHu if parameters.findFluid else None,
        "bridges": whole_pairs_of(parameters.bridgePoints),
        "bridge_up_to_mm": parameters.bridgeUpToMm,
        "exclude_ras": positions_of(parameters.excludedPoints),
        "ends_ras": loaded.input.ends_ras if loaded is not None else None,
    }


def chosen_tip(parameters: Any) -> Tip:
    """The endoscope. Sim2RealError if it is to be a recipe's, and none was loaded."""
    scale = parameters.scalePercent / 100.0
    if parameters.device in ENDOSCOPES:
        return Tip(device=parameters.device, scale=scale)
    return _loaded(parameters).endoscope.model_copy(update={"scale": scale})


def chosen_content(parameters: Any) -> dict[str, Any]:
    """All that is set but the input, as a recipe's content; what the panel does not show is that of the recipe that was
    loaded. Sim2RealError for what is to be a recipe's, and none was loaded."""
    loaded = recipe_of(parameters)
    content = loaded.model_dump(mode="json") if loaded is not None else {"simulator": "endoscopy"}
    content.pop("input", None)
    content |= {
        "seed": parameters.seed,
        "endoscope": chosen_tip(parameters).model_dump(mode="json"),
        "rendering": _rendering(parameters, content.get("rendering", {})),
        "views": _views(parameters, content.get("views", {})),
    }
    if parameters.mode == SYNTHETIC and "output" in content:  # which has no noise of paths
        output = content["output"]
        channels = [name for name in output["channels"] if name != "noisy_radiance"]
        content["output"] = output | {"channels": channels}
    return content


def chosen_picture(parameters: Any) -> EndoscopyRecipe:
    """The recipe of single pictures: endoscope, rendering and sensor as they are set."""
    content = chosen_content(parameters)
    kept = {name: content[name] for name in OF_PICTURES if name in content}
    return validate(EndoscopyRecipe, {"simulator": "endoscopy", **kept}, _("this panel"))


def set_parameters(parameters: Any, recipe: EndoscopyRecipe) -> None:
    """Let the parameters be those of a recipe, all but its input."""
    tip, rendering, views = recipe.endoscope, recipe.rendering, recipe.views
    parameters.recipe = recipe.model_dump_json()
    plain = isinstance(tip.device, str) and Tip(device=tip.device, scale=tip.scale) == tip
    parameters.device = tip.device if plain else FROM_RECIPE
    parameters.scalePercent = min(max(100.0 * tip.scale, 2.0), 200.0)
    parameters.mode = rendering.mode
    named = len(rendering.looks) == 1 and isinstance(rendering.looks[0], str)
    parameters.look = rendering.looks[0] if named else FROM_RECIPE
    if rendering.mode == CINEMATIC:
        parameters.samples = min(rendering.samples, 4096)
    plans = {mode: name for name, mode in PLANS.items()}
    parameters.plan = plans.get(views.mode, FROM_RECIPE)
    parameters.count = views.count or 1
    parameters.marginMm = min(max(views.min_wall_mm, 0.5), 15.0)
    parameters.seed = min(recipe.seed, 2**31 - 1)


def set_search(parameters: Any, section: Input) -> None:
    """Let the parameters be those of a recipe's input, all but its points."""
    parameters.patientPosition = section.patient_position.value
    parameters.findFluid = section.fluid_above_hu is not None
    if section.fluid_above_hu is not None:
        parameters.fluidAboveHu = min(max(section.fluid_above_hu, 50.0), 1500.0)
    parameters.bridgeUpToMm = min(section.bridge_up_to_mm, 100.0)


def _rendering(parameters: Any, loaded: dict[str, Any]) -> dict[str, Any]:
    chosen = dict(loaded)
    if parameters.mode == SYNTHETIC:
        chosen = {name: value for name, value in loaded.items() if name not in OF_PATHS}
    else:
        chosen["samples"] = parameters.samples
    looks = [parameters.look]
    if parameters.look == FROM_RECIPE:
        looks = _loaded(parameters).model_dump(mode="json")["rendering"]["looks"]
    return chosen | {"mode": parameters.mode, "looks": looks}


def _views(parameters: Any, loaded: dict[str, Any]) -> dict[str, Any]:
    """The plan; its numbers beyond what the panel shows only where the recipe that was loaded has the same plan."""
    if parameters.plan == FROM_RECIPE:
        return _loaded(parameters).model_dump(mode="json")["views"] | {"count": parameters.count}
    mode = PLANS[parameters.plan]
    same = loaded if loaded.get("mode") == mode else {}
    return same | {"mode": mode, "count": parameters.count, "min_wall_mm": parameters.marginMm}


def _loaded(parameters: Any) -> EndoscopyRecipe:
    loaded = recipe_of(parameters)
    if loaded is None:
        raise Sim2RealError(_("No recipe is loaded that something could be as in; choose another entry."))
    return loaded
