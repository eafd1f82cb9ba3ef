"""The sections at the end of every panel: recipe and dataset, and what this machine can do."""

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from ..errors import Sim2RealError
from ..job import Done
from .own_files import DATASETS, RECIPES, require_own
from .panel import Panel
from .picture_pane import PicturePane
from .requirements import install_torch, torch_problem

UI = "DatasetSection.ui"


class RecipeSource(Protocol):
    """What a module's panel offers to the section."""

    simulator: Any
    """The module `simulator` of its library: RECIPE, open_simulation, report_sections."""

    def missing(self) -> str:
        """What is to be done before there is a recipe, in words; empty where nothing is."""

    def recipe(self) -> Callable[[Any], dict[str, Any]]:
        """What is set in the panel now, to be made a recipe's content on the worker: a function of the `InputFiles`
        that say what the files of its nodes are called. Sim2RealError for what is missing."""

    def apply_recipe(self, recipe: Any, done: Callable[[], None]) -> None:
        """Set the panel up as a validated recipe says, by a job where its inputs need one; `done` is called then."""

    card_mm: float | None
    """How far before its camera the 3D view draws a stored picture; None where it is shown at its own place."""

    def show_layout(self) -> None:
        """Change to the module's layout, in which the view of pictures is."""

    def picture_distance_mm(self, record: dict[str, Any]) -> float:
        """How far from the camera a stored frame's picture lies."""

    def picture_shown(self, picture: Any) -> None:
        """A `StoredPicture` of an opened dataset is shown now: what else the module has to show of it."""


class DatasetSection:
    """Binds the widgets of DatasetSection.ui in a panel whose parameter node has `datasetFolder`."""

    def __init__(self, panel: Panel, source: RecipeSource, picture_view: str) -> None:
        self._panel, self._source = panel, source
        self._pane = PicturePane(panel, picture_view)
        self._opened: Any = None
        ui = panel.ui
        for button, action in (
            (ui.saveRecipeButton, self.ask_save),
            (ui.loadRecipeButton, self.ask_load),
            (ui.exportButton, self.export),
            (ui.openDatasetButton, self.open),
            (ui.openReportButton, self.open_report),
            (ui.examineButton, self.examine),
            (ui.installTorchButton, self.install_torch),
        ):
            button.connect("clicked(bool)", lambda _checked, action=action: self._do(action))
        self._tips = {button.objectName: button.toolTip for button in (ui.saveRecipeButton, ui.exportButton)}
        ui.frameSlider.connect("valueChanged(int)", self._show_frame)

    def update(self) -> None:
        """Enable what can be done now."""
        ui, free = self._panel.ui, not self._panel.worker.busy
        folder = self._folder()
        opened = self._opened is not None and self._opened.alive
        made = folder is not None and (folder / "dataset.json").exists()
        for button in (ui.loadRecipeButton, ui.examineButton):
            button.enabled = free
        missing = self._source.missing() if self._panel.parameters is not None else ""
        no_folder = "" if folder is not None else _("Choose a folder first.")
        for button, reason in ((ui.saveRecipeButton, missing), (ui.exportButton, missing or no_folder)):
            button.enabled = free and not reason
            button.setToolTip(reason or self._tips[button.objectName])
        ui.openDatasetButton.enabled = free and made
        ui.openReportButton.enabled = folder is not None and (folder / "report.html").exists()
        ui.installTorchButton.enabled = torch_problem() is not None
        ui.frameSlider.enabled = opened

    def ask_save(self) -> None:
        """Ask where, and write the recipe."""
        path = qt.QFileDialog.getSaveFileName(self._panel.widget, _("Save recipe"), "recipe.yaml", "YAML (*.yaml)")
        if path:
            self.save(Path(path))

    def ask_load(self) -> None:
        """Ask which, and set the panel up by a recipe."""
        path = qt.QFileDialog.getOpenFileName(self._panel.widget, _("Load recipe"), "", "YAML (*.yaml *.yml)")
        if path:
            self.load(Path(path))

    def save(self, path: Path) -> None:
        """Write the recipe to a file, and inputs that have no file into the folder ``inputs`` beside it."""
        steps = save_steps(self._recipe(), path)
        self._panel.run(_("Saving the recipe"), steps, lambda _none: self._say(_("Saved {path}.").format(path=path)))

    def load(self, path: Path) -> None:
        """Set the panel up as a recipe file says."""
        from ..recipe import read_recipe, validate

        content, model = read_recipe(path), self._source.simulator.RECIPE
        require_own(model, content.get("simulator"), path.name, RECIPES)
        recipe = validate(model, content, str(path))
        self._source.apply_recipe(recipe, lambda: self._say(_("Loaded {path}.").format(path=path.name)))

    def export(self) -> None:
        """Make the dataset of what is set in the panel, as `sim2real export` would."""
        folder = self._folder()
        simulator = self._source.simulator
        self._panel.run(
            _("Exporting"),
            export_steps(self._recipe(), simulator, folder, _("reading and preparing the inputs")),
            lambda count: self._say(_("{count} frames are in {folder}.").format(count=count, folder=folder)),
        )

    def open(self) -> None:
        """Show the frames of the folder as a sequence."""
        from ..dataset.reader import Dataset
        from ..mrml.dataset_frames import DatasetFrames, stored_pictures

        dataset = Dataset.open(self._folder())
        require_own(self._source.simulator.RECIPE, dataset.header.simulator, dataset.folder.name, DATASETS)
        frames = DatasetFrames(slicer.mrmlScene, dataset, self._source.card_mm)

        def opened(_none: None) -> None:
            count = frames.finish()
            self.leave()
            self._opened = frames
            self._source.show_layout()
            self._panel.ui.frameSlider.setRange(0, count - 1)
            self._show_frame(0)
            total = len(dataset)
            of_all = "" if count == total else _(" (of {total}, evenly chosen)").format(total=total)
            self._say(_("Showing {count} frames{of_all}.").format(count=count, of_all=of_all))

        steps = stored_pictures(dataset, self._source.picture_distance_mm)
        self._panel.run(_("Opening the dataset"), steps, opened, frames.add)

    def leave(self) -> None:
        """Something else is shown in place of an opened frame; moving the slider shows one again."""
        self._pane.release()
        if self._opened is not None and self._opened.alive:
            self._opened.hide()

    def open_report(self) -> None:
        """Show report.html in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._folder() / "report.html")))

    def examine(self) -> None:
        """Say what works on this machine."""
        from ..doctor import examine

        folder, remedy = Path(slicer.app.temporaryPath), torch_problem() or ""

        def steps() -> Iterator[Any]:
            findings = []
            for finding in examine(folder, remedy):
                findings.append(finding)
                yield Done(len(findings), 0, finding.name)
            return findings

        self._panel.run(_("Examining this machine"), steps(), self._show_findings)

    def install_torch(self) -> None:
        """Let the PyTorch extension install torch, or say how to get the extension."""
        try:
            install_torch()
        except ModuleNotFoundError:
            raise Sim2RealError(torch_problem()) from None
        self.update()

    def _show_findings(self, findings: list[Any]) -> None:
        marks = ["✓" if f.works else "✗" if f.needed else "–" for f in findings]
        lines = [
            f"{mark} <b>{html.escape(f.name)}</b>: {html.escape(f.detail)}"
            for mark, f in zip(marks, findings, strict=True)
        ]
        self._panel.ui.machineText.setText("<br>".join(lines))

    def _show_frame(self, number: int) -> None:
        if self._opened is None or not self._opened.alive:
            return
        picture = self._opened.select(number)
        self._panel.ui.frameLabel.setText(_("Frame {index}:").format(index=picture.index))
        self._pane.show(self._opened.picture_node)
        self._source.picture_shown(picture)

    def _recipe(self) -> Callable[[Any], Any]:
        """What makes the recipe of what is set now, of `InputFiles`, on the worker."""
        from ..recipe import validate

        content, recipe, panel = self._source.recipe(), self._source.simulator.RECIPE, _("this panel")
        return lambda inputs: validate(recipe, content(inputs), panel)

    def _folder(self) -> Path | None:
        parameters = self._panel.parameters
        path = str(parameters.datasetFolder) if parameters is not None else ""
        return Path(path) if path not in ("", ".") else None

    def _do(self, action: Any) -> None:
        with self._panel.attempt():
            action()

    def _say(self, text: str) -> None:
        self._panel.job_row.end(text)


def save_steps(recipe_of: Callable[[Any], Any], path: Path) -> Iterator[Done]:
    """The steps that write a recipe, and inputs that have no file beside it. Sim2RealError where that is refused."""
    from ..mrml.inputs import InputFiles
    from ..recipe import to_yaml

    inputs = InputFiles(path.parent)
    recipe = recipe_of(inputs)
    yield from inputs.write()
    try:
        path.write_text(to_yaml(recipe, path.parent), "utf-8")
    except OSError as error:
        raise Sim2RealError(
            _("{path} cannot be written: {reason}.").format(path=path, reason=error.strerror)
        ) from error


def export_steps(recipe_of: Callable[[Any], Any], simulator: Any, folder: Path, preparing: str) -> Iterator[Done]:
    """The steps of an export into a folder; returns how many frames are in it."""
    from ..dataset.reader import Dataset
    from ..dataset.writer import create_or_resume, require_own_or_empty
    from ..engine import open_backend
    from ..job import run_job
    from ..mrml.inputs import InputFiles
    from ..recipe import to_yaml
    from ..report import write_report

    yield Done(0, 0, preparing)
    require_own_or_empty(folder)
    inputs = InputFiles(folder)
    recipe = recipe_of(inputs)
    yield from inputs.write()
    simulation = simulator.open_simulation(recipe, open_backend())
    with create_or_resume(folder, simulation.header, to_yaml(recipe, folder)) as writer:
        for step in run_job(simulation, writer):
            yield Done(step.done, step.total)
    dataset = Dataset.open(folder)
    write_report(dataset, simulator.report_sections(dataset))
    return len(dataset)
