"""The command `sim2real`."""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from Sim2RealLib.errors import Sim2RealError

from .bench import BENCHMARKS, run_benchmark

app = typer.Typer(
    help="CT into labelled training data for interventional imaging.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models = typer.Typer(help="Models that come with the extension.", no_args_is_help=True)
app.add_typer(models, name="models")

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

INTERRUPTED = 130
"""Exit code of what Ctrl-C stopped, as shells give it: 128 + SIGINT."""

DatasetFolder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a dataset.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change the recipe, e.g. views.count=20.")
]
BackendName = Annotated[str, typer.Option("--backend", help="auto, cuda, metal or llvm.")]


@app.callback()
def options(
    verbose: Annotated[bool, typer.Option("--verbose", help="Show where an error came from.")] = False,
) -> None:
    logging.getLogger("sim2real").addHandler(RichHandler(console=errors, show_time=False, show_path=False))
    _State.verbose = verbose


class _State:
    verbose = False


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the demonstration's datasets.")] = Path("demo"),
    backend: BackendName = "auto",
) -> None:
    """Make a small dataset of generated anatomy with every simulator."""
    from .demo import demo_recipes

    for name, recipe in demo_recipes().items():
        _export(recipe, out / name, backend)


@app.command()
def export(
    recipe: Annotated[Path, typer.Argument(help="A recipe, for example Resources/Recipes/pelvis_drr.yaml.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the dataset; an unfinished one of the same recipe is continued.")
    ],
    settings: Settings = None,
    scene: Annotated[
        Path | None,
        typer.Option(help="A scene of Slicer's, .mrb or .mrml; the recipe's inputs are then names of its nodes."),
    ] = None,
    backend: BackendName = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after the first frames of the recipe's count.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes on this machine.")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A running Dask scheduler.")] = None,
) -> None:
    """Make the dataset that a recipe describes."""
    if workers is not None and scheduler is not None:
        raise typer.BadParameter("--workers starts processes here, --scheduler uses those of a cluster: give one.")
    from .simulators import load_recipe

    _export(load_recipe(recipe, settings or (), scene), out, backend, limit, workers, scheduler)


def _export(recipe, out, backend, limit=None, workers=None, scheduler=None) -> None:
    from .export import export_dataset

    try:
        with _progress() as progress:
            bar = progress.add_task("Preparing", total=None)
            for step in export_dataset(recipe, out, backend, limit, workers, scheduler):
                progress.update(bar, description="Frames", completed=step.done, total=step.total)
        _report(out)
    except (KeyboardInterrupt, RuntimeError) as error:
        _stopped(error)
    console.print(f"[green]✓[/] {escape(str(out))}: open {escape(str(out / 'report.html'))}", soft_wrap=True)


def _stopped(error: BaseException) -> NoReturn:
    """End after Ctrl-C, and raise any other error again."""
    if not _is_interruption(error):
        raise error
    errors.print("Stopped. What is finished is kept; the same command goes on from there.")
    raise typer.Exit(INTERRUPTED) from None


def _is_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what ended it: Dr.Jit turns one that meets it tracing a loop into a RuntimeError."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _is_interruption(error.__cause__))


@app.command()
def check(
    folder: DatasetFolder,
    against_input: Annotated[bool, typer.Option("--input", help="Also against the source volume.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="With --input: where an input lies now.")
    ] = None,
    backend: BackendName = "auto",
) -> None:
    """Look for anything wrong in a dataset: files, checksums, ranges, labels against geometry."""
    from .check import check_frames

    with _progress() as progress:
        bar = progress.add_task("Checking", total=None)
        problems = check_frames(
            folder,
            against_input,
            settings or (),
            backend,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )
    for problem in problems:
        console.print(f"[red]✗[/] {escape(str(problem))}", soft_wrap=True)
    if problems:
        raise Sim2RealError(f"{folder}: {len(problems)} problem{'s' if len(problems) > 1 else ''} found.")
    console.print(f"[green]✓[/] {escape(str(folder))} is complete and sound.", soft_wrap=True)


@app.command()
def report(folder: DatasetFolder) -> None:
    """Write report.html: what is in a dataset, on one page."""
    console.print(f"[green]✓[/] {escape(str(_report(folder)))}", soft_wrap=True)


def _report(folder: Path) -> Path:
    from Sim2RealLib.dataset.reader import Dataset
    from Sim2RealLib.report import write_report

    from .simulators import simulator_named

    dataset = Dataset.open(folder)
    sections = simulator_named(dataset.header.simulator, str(folder)).report_sections(dataset)
    return write_report(dataset, sections)


@app.command()
def convert(
    folder: DatasetFolder,
    to: Annotated[str, typer.Option(metavar="FORMAT", help="c3vd, coco, dicom, hdf5, simcol or webdataset.")],
    out: Annotated[Path, typer.Option(help="Folder for the result; must not exist or be empty.")],
) -> None:
    """Write a dataset in a format that others read."""
    from Sim2RealLib.dataset.reader import Dataset

    from .convert import convert_frames

    dataset = Dataset.open(folder)
    if len(dataset) < dataset.header.frame_count:
        total = dataset.header.frame_count
        errors.print(f"{escape(str(folder))} is not finished: {len(dataset)} of {total} frames.", soft_wrap=True)
    with _progress() as progress:
        bar = progress.add_task("Converting", total=None)
        for done, total in convert_frames(folder, to, out):
            progress.update(bar, completed=done, total=total)
    console.print(f"[green]✓[/] {escape(str(out))}", soft_wrap=True)


@app.command()
def reconstruct(
    folder: DatasetFolder,
    out: Annotated[Path, typer.Option(help="File for the volume: .nii.gz, .nrrd or .mha.")],
    spacing: Annotated[
        float | None, typer.Option(min=0.01, metavar="MM", help="Voxel size; a pixel at the isocentre if left out.")
    ] = None,
    size: Annotated[
        tuple[int, int, int] | None,
        typer.Option(min=1, metavar="I J K", help="Voxels about the isocentre; all that is seen if left out."),
    ] = None,
) -> None:
    """Make a cone-beam CT of X-ray frames that are a sweep."""
    from DRRSimLib.conebeam.volume_of_dataset import reconstruct_dataset
    from Sim2RealLib.volume_io import require_written_suffix, write_volume

    require_written_suffix(out)
    with console.status("Reconstructing"):
        write_volume(out, reconstruct_dataset(folder, spacing, size))
    console.print(f"[green]✓[/] {escape(str(out))}", soft_wrap=True)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe with a task, for example Resources/Recipes/scatter.yaml.")],
    out: Annotated[
        Path, typer.Option(help="Folder for examples, checkpoint and weights; a training of the same recipe goes on.")
    ],
    settings: Settings = None,
    backend: BackendName = "auto",
) -> None:
    """Train the network that a recipe describes, on examples that it makes first."""
    from .train import load_training_recipe, train_network

    try:
        with _progress() as progress:
            bar = progress.add_task("Preparing", total=None)
            for step in train_network(load_training_recipe(recipe, settings or ()), out, backend):
                progress.update(bar, description=step.doing, completed=step.done, total=step.total or None)
    except (KeyboardInterrupt, RuntimeError) as error:
        _stopped(error)
    for name, value in json.loads((out / "result.json").read_text("utf-8"))["test"].items():
        console.print(f"{name}: {value:.4g}", soft_wrap=True)
    console.print(f"[green]✓[/] {escape(str(out / 'model.safetensors'))}", soft_wrap=True)


@app.command()
def doctor() -> None:
    """Say what works on this machine and what to install."""
    from Sim2RealLib.doctor import examine

    missing = []
    for finding in examine(Path.cwd()):
        mark = "[green]✓[/]" if finding.works else "[red]✗[/]" if finding.needed else "[yellow]–[/]"
        console.print(f"{mark} [bold]{finding.name}[/]: {escape(finding.detail)}", soft_wrap=True)
        if finding.needed and not finding.works:
            missing.append(finding.name)
    if missing:
        raise Sim2RealError(f"Exports do not run here yet: {', '.join(missing)}.")


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}.")],
    data: Annotated[Path | None, typer.Option(help="Folder of real CT data, for benchmarks that use it.")] = None,
) -> None:
    """Run a benchmark of Docs/benchmarks on this machine."""
    console.print(run_benchmark(name, data), soft_wrap=True)


@models.command("list")
def list_models() -> None:
    """Show the models, what they were trained on and what was measured."""
    from Sim2RealLib.models import list_models

    cards = list_models()
    if not cards:
        console.print("This version comes with no trained models.")
        return
    table = Table("id", "task", "title", "licence", "MB")
    for card in cards:
        table.add_row(card.id, card.task, card.title, card.licence, f"{card.size_bytes / 1e6:.1f}")
    console.print(table)
    for card in cards:
        console.print(f"\n[bold]{card.id}[/], trained on {card.trained_on}.")
        for metric in card.metrics:
            console.print(f"- {metric.name}: {metric.value:g} {metric.unit} ({metric.measured_on})")
        console.print(f"Limits: {card.limits}")


@models.command("verify")
def verify_models() -> None:
    """Check that the weights of every model are there and whole."""
    from Sim2RealLib.models import damaged_models, list_models

    if damaged := damaged_models():
        raise Sim2RealError(f"Missing or damaged: {', '.join(damaged)}. Install SurgicalSim2Real again.")
    console.print(f"[green]✓[/] {len(list_models())} models are whole.")


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_interactive)


def main() -> None:
    """Entry point: errors meant for the user are one line, and the exit code is 0 only if the whole job was done."""
    try:
        app()
    except Sim2RealError as error:
        if _State.verbose:
            raise
        errors.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
