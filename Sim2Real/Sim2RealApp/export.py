"""From a recipe to its dataset, here or on many processes."""

from collections.abc import Iterator
from pathlib import Path

from Sim2RealLib.dataset.writer import create_or_resume
from Sim2RealLib.engine import set_thread_count
from Sim2RealLib.job import Progress, run_job
from Sim2RealLib.parallel import run_distributed
from Sim2RealLib.recipe import Recipe, to_yaml

from .simulators import open_job, open_recipe


def export_dataset(
    recipe: Recipe,
    out: Path,
    backend: str = "auto",
    limit: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
) -> Iterator[Progress]:
    """Make the frames of `recipe` that `out` does not hold yet; yields after each one.

    workers: so many processes on this machine; scheduler: the address of a Dask scheduler; neither: this process.
    """
    simulation = open_recipe(recipe, backend)
    with create_or_resume(out, simulation.header, to_yaml(recipe, out)) as writer:
        if workers is None and scheduler is None:
            yield from run_job(simulation, writer, limit)
            return
        job = {"recipe": recipe.model_dump(mode="json"), "backend": simulation.header.extra["backend"]}
        yield from run_distributed(
            open_job, job, writer, limit, workers=workers, scheduler=scheduler, initialize_worker=set_thread_count
        )
