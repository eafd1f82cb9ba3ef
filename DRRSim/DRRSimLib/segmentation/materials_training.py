"""`task: materials`: a V-Net learns air, soft tissue and bone on generated pelves."""

from Sim2RealLib.engine import Backend

from .section import MaterialsRecipe

RECIPE = MaterialsRecipe


def open_task(recipe: MaterialsRecipe, backend: Backend):
    """The recipe's `learning.training.LearningTask`. The phantoms are made without the backend."""
    from .materials_task import MaterialsTask

    return MaterialsTask(recipe)
