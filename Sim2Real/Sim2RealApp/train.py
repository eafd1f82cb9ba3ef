"""From a recipe to a trained network."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from Sim2RealLib.engine import Backend, drjit_problem, open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.learning.recipe import TrainingRecipe
from Sim2RealLib.recipe import apply_settings, read_recipe, to_yaml, validate

TASKS = {"scatter": "DRRSimLib.scatter.scatter_training", "materials": "DRRSimLib.segmentation.materials_training"}
"""The module of each task, by the name that recipes give it."""

TORCH_DEVICES = {"cuda": "cuda", "metal": "mps", "llvm": "cpu"}
"""Where torch runs, by the backend that makes the examples."""


class TaskModule(Protocol):
    """What the module of a task offers."""

    RECIPE: type[TrainingRecipe]

    def open_task(self, recipe: TrainingRecipe, backend: Backend) -> Any:
        """The recipe's `learning.training.LearningTask`."""


def load_training_recipe(path: Path | str, settings: Sequence[str] = ()) -> TrainingRecipe:
    """The recipe in a file with settings applied, validated by its task's model."""
    content = apply_settings(read_recipe(path), settings)
    return validate(_module(content.get("task"), str(path)).RECIPE, content, str(path))


def train_network(recipe: TrainingRecipe, out: Path, backend_name: str = "auto") -> Iterator[Done]:
    """Train the recipe's network into a folder; see `learning.training.train`."""
    try:
        from Sim2RealLib.learning.training import Training, train
    except ImportError as error:
        raise Sim2RealError(
            f"Training needs PyTorch and MONAI ({error}): pip install 'surgical-sim2real[learn]'."
        ) from error
    backend = open_backend(backend_name)
    task = _module(recipe.task, "the recipe").open_task(recipe, backend)
    training = Training(task, recipe.optimization, recipe.seed, TORCH_DEVICES[backend.name])
    return train(training, to_yaml(recipe, out), out)


def _module(name: Any, source: str) -> TaskModule:
    if name not in TASKS:
        raise Sim2RealError(f"{source}: task is {name!r}; it must be one of {', '.join(TASKS)}.")
    if problem := drjit_problem():
        raise Sim2RealError(problem)
    return importlib.import_module(TASKS[name])
