"""Which simulators there are, and how the commands reach them."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from Sim2RealLib.convert.conversion import Writer
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.engine import Backend, drjit_problem, open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import Recipe, apply_settings, read_recipe, validate
from Sim2RealLib.simulation import Simulation

from .scene_inputs import inputs_from_scene

LIBRARIES = {"drr": "DRRSimLib", "endoscopy": "DepthSimLib"}
"""The package of each simulator, by the name that recipes give it."""


class Simulator(Protocol):
    """What the module `simulator` of a simulator's package offers."""

    RECIPE: type[Recipe]
    FORMATS: Mapping[str, Writer]
    """What its datasets convert to beside `Sim2RealLib.convert.FORMATS`."""

    def open_simulation(self, recipe: Recipe, backend: Backend) -> Simulation:
        """Load a recipe's inputs and make them ready."""

    def frame_checks(self, dataset: Dataset) -> Callable[[StoredFrame], Iterable[str]]:
        """What to look for in a frame beyond what every dataset has."""

    def input_checks(self, dataset: Dataset, simulation: Simulation) -> Callable[[StoredFrame], Iterable[str]]:
        """What to look for in a frame when the recipe's inputs are at hand."""

    def report_sections(self, dataset: Dataset) -> Iterator[Any]:
        """What the report shows beyond what every dataset's does."""


def simulator_named(name: Any, source: str) -> Simulator:
    """The simulator that a recipe or dataset names; Sim2RealError, saying where, if there is none of that name, or if
    Dr.Jit cannot be loaded."""
    if name not in LIBRARIES:
        raise Sim2RealError(f"{source}: simulator is {name!r}; it must be one of {', '.join(LIBRARIES)}.")
    if problem := drjit_problem():
        raise Sim2RealError(problem)
    return importlib.import_module(f"{LIBRARIES[name]}.simulator")


def load_recipe(path: Path | str, settings: Sequence[str] = (), scene: Path | None = None) -> Recipe:
    """The recipe in a file with settings applied, validated by its simulator's model.

    scene: a file of Slicer's whose nodes the recipe's inputs name (see `scene_inputs`).
    """
    content = apply_settings(read_recipe(path), settings)
    if scene is not None:
        content = inputs_from_scene(content, scene)
    return validate(simulator_named(content.get("simulator"), str(path)).RECIPE, content, str(path))


def open_recipe(recipe: Recipe, backend_name: str) -> Simulation:
    """A recipe made ready on a backend."""
    return simulator_named(recipe.simulator, "the recipe").open_simulation(recipe, open_backend(backend_name))


def open_job(job: dict[str, Any]) -> Simulation:
    """`open_recipe` for worker processes: `job` holds the backend's name and the recipe as plain data."""
    content = job["recipe"]
    model = simulator_named(content["simulator"], "the recipe").RECIPE
    return open_recipe(validate(model, content, "the recipe"), job["backend"])
