"""The demonstration: one small dataset a simulator, of generated anatomy."""

from Sim2RealLib.recipe import Recipe
from Sim2RealLib.resources import resource_path

from .simulators import load_recipe

DEMONSTRATIONS = {
    "drr": ("pelvis_drr", ("views.count=24", "input.anatomy.spacing_mm=1.5")),
    "endoscopy": (
        "colon_cinematic",
        ("views.count=8", "endoscope.scale=0.25", "input.anatomy.scan.spacing_mm=1.5", "rendering.looks=[normal]"),
    ),
}
"""Recipe and settings of each simulator's demonstration: small enough to be there in a minute on two cores."""


def demo_recipes() -> dict[str, Recipe]:
    """The recipe of each simulator's demonstration, by the name of its folder."""
    return {
        name: load_recipe(resource_path(f"Recipes/{recipe}.yaml"), settings)
        for name, (recipe, settings) in DEMONSTRATIONS.items()
    }
