"""Check a dataset, on its own or against its inputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from Sim2RealLib.dataset.checks import Problem, check_dataset
from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset

from .simulators import load_recipe, open_recipe, simulator_named


def check_frames(
    folder: Path,
    against_input: bool,
    settings: Sequence[str],
    backend: str,
    on_frame: Callable[[int, int], None],
) -> list[Problem]:
    """Everything wrong with a dataset; with `against_input` its frames are also compared to what its recipe makes.

    settings: change that recipe, for inputs that lie elsewhere now; their checksums tell whether they are the same.
    """
    dataset = Dataset.open(folder)
    simulator = simulator_named(dataset.header.simulator, str(folder))
    checks = [simulator.frame_checks(dataset)]
    if against_input:
        simulation = open_recipe(load_recipe(folder / RECIPE_YAML, settings), backend)
        checks.append(simulator.input_checks(dataset, simulation))
    return list(check_dataset(folder, lambda frame: (what for check in checks for what in check(frame)), on_frame))
