"""Check a dataset, on its own or against its inputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from Sim2RealLib.dataset.checks import Problem, check_dataset, header_differences
from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError

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
    checks, problems = [], []
    try:
        checks.append(simulator.frame_checks(dataset))
    except Sim2RealError as error:
        problems.append(Problem(str(folder), f"labels cannot be checked: {error}"))
    if against_input:
        simulation = open_recipe(load_recipe(folder / RECIPE_YAML, settings), backend)
        differences = list(header_differences(dataset, simulation.header))
        problems += differences
        if not differences:
            checks.append(simulator.input_checks(dataset, simulation))
    found = check_dataset(folder, lambda frame: (what for check in checks for what in check(frame)), on_frame)
    return [*problems, *found]
