"""The demonstration: one small dataset a simulator, of generated anatomy."""

from Sim2RealLib.recipe import Recipe
from Sim2RealLib.resources import resource_path

from .simulators import load_recipe

DRR_SETTINGS = ("views.count=24", "input.anatomy.spacing_mm=1.5")


def demo_recipes() -> dict[str, Recipe]:
    """The recipe of each simulator's demonstration, by the name of its folder."""
    return {"drr": load_recipe(resource_path("Recipes/pelvis_drr.yaml"), DRR_SETTINGS)}
