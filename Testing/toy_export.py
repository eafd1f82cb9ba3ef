"""Exporting the toy simulation, in this process or as a program that tests can kill."""

import json
import sys
from pathlib import Path

from Sim2RealLib.dataset.writer import DatasetWriter, create_or_resume
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Progress, run_job
from Sim2RealLib.recipe import to_yaml
from toy_simulation import ToyRecipe, ToySimulation, open_toy


def open_writer(folder: Path, recipe: ToyRecipe) -> DatasetWriter:
    return create_or_resume(folder, ToySimulation(recipe).header, to_yaml(recipe, folder))


def export(folder: Path, recipe: ToyRecipe | None = None, limit: int | None = None) -> list[Progress]:
    recipe = recipe or ToyRecipe()
    with open_writer(folder, recipe) as writer:
        return list(run_job(ToySimulation(recipe), writer, limit))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def export_distributed(folder: Path, recipe: ToyRecipe, workers: int) -> None:
    from Sim2RealLib.parallel import run_distributed  # takes longer to import than a serial test takes

    with open_writer(folder, recipe) as writer:
        for _ in run_distributed(open_toy, recipe.model_dump(mode="json"), writer, workers=workers):
            pass


if __name__ == "__main__":
    folder, recipe = Path(sys.argv[1]), ToyRecipe.model_validate(json.loads(sys.argv[2]))
    try:
        if len(sys.argv) > 3:
            export_distributed(folder, recipe, int(sys.argv[3]))
        else:
            export(folder, recipe)
    except Sim2RealError as error:
        sys.exit(str(error))
