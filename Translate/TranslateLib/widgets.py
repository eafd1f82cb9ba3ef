"""The panel of Translate."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.panels.panel import Panel, shared_ui
from Sim2RealLib.recipe import read_recipe, to_yaml, validate

from .logic import SceneSurfaces, build, describe, laparoscope_in, set_up, surfaces_of
from .mrml.anatomy import examine_segmentation, middle_of
from .mrml.instruments import instrument_of, set_optics, trocars_of
from .organs import LIVER, OrganFindings
from .panels.dataset_section import MachineOnlySection
from .panels.frame_section import FrameSection
from .panels.instrument_section import InstrumentSection
from .panels.sample import add_sample, sample_steps
from .scene import Laparoscope, LaparoscopicScene

YAML = "YAML (*.yaml *.yml)"


class TranslatePanel(Panel):
    """Binds Translate.ui to the parameter node; what the library cannot do yet is off, with the reason beside it."""

    def __init__(self, ui_path: str, parameter_node: Callable[[], Any]) -> None:
        super().__init__(ui_path, parameter_node, (shared_ui("DatasetSection.ui"),))
        self.frames = FrameSection(self)
        self.instruments = InstrumentSection(self, self.frames.changed)
        self.dataset = MachineOnlySection(self)
        self._segmentation: Any = None
        for button, action in (
            (self.ui.sampleButton, self.load_sample),
            (self.ui.setUpButton, self.set_up),
            (self.ui.saveSceneButton, self.ask_save),
            (self.ui.loadSceneButton, self.ask_load),
        ):
            button.connect("clicked(bool)", lambda _checked, action=action: self._do(action))

    def enter(self) -> None:
        super().enter()
        self.instruments.enter()

    def exit(self) -> None:
        self.instruments.exit()
        self.frames.forget()
        self._watch(None)
        super().exit()

    def cleanup(self) -> None:
        self.exit()
        self.frames.close()
        super().cleanup()

    def scene_closes(self) -> None:
        self.instruments.removeObservers()
        self.frames.forget()
        self._watch(None)

    def parameters_changed(self) -> None:
        if self.parameters is None:
            return
        parameters = self.parameters
        if parameters.laparoscope is None and (found := laparoscope_in(slicer.mrmlScene)) is not None:
            self._take(found)
            return
        self._watch(parameters.segmentation)
        laparoscope = parameters.laparoscope
        if laparoscope is not None and instrument_of(laparoscope).optics != self._optics():
            set_optics(laparoscope, self._optics())
            self.frames.changed()
        self.ui.sampleButton.setEnabled(not self.worker.busy)
        self.ui.setUpButton.setEnabled(parameters.segmentation is not None and not self.worker.busy)
        self.ui.saveSceneButton.setEnabled(laparoscope is not None)
        for section in (self.instruments, self.frames, self.dataset):
            section.update()

    def load_sample(self) -> None:
        """Load the sample abdomen, from the internet if it is not in Slicer's cache, and choose it as input."""

        def read(sample: tuple[Any, ...]) -> None:
            modified = self.parameters.parameterNode.StartModify()
            self.parameters.ct, self.parameters.segmentation = add_sample(*sample)
            self.parameters.parameterNode.EndModify(modified)

        self.run(_("Loading the sample abdomen"), sample_steps(), read)

    def set_up(self) -> None:
        """Show the anatomy, and make a laparoscope if there is none."""
        segmentation, ct = self.parameters.segmentation, self.parameters.ct

        def made(surfaces: SceneSurfaces) -> None:
            first = self.parameters.laparoscope is None
            _trocars, laparoscope = set_up(segmentation, ct, self.parameters.trocars, self._optics(), surfaces)
            self._take(laparoscope)
            if not self._entered:
                return
            self._show_findings()
            self.frames.show_soon(middle_of(segmentation, LIVER) if first else None)
            if first:
                self.job_row.end(
                    _("A first trocar lies where the gas would lift the wall to. Drag it, or place your own.")
                )

        self.run(_("Making surfaces"), surfaces_of(segmentation, ct), made)

    def ask_save(self) -> None:
        path = qt.QFileDialog.getSaveFileName(self.widget, _("Save scene"), "scene.yaml", YAML)
        if path:
            self.save(Path(path))

    def ask_load(self) -> None:
        path = qt.QFileDialog.getOpenFileName(self.widget, _("Load scene"), "", YAML)
        if path:
            self.load(Path(path))

    def save(self, path: Path) -> None:
        """Write laparoscope, trocars and tools into a file."""
        parameters = self.parameters
        described = describe(parameters.laparoscope, parameters.pneumoperitoneumMmhg)
        try:
            path.write_text(to_yaml(described, path.parent), "utf-8")
        except OSError as error:
            raise Sim2RealError(f"{path} cannot be written: {error.strerror}.") from error
        self.job_row.end(_("Saved {path}.").format(path=path))

    def load(self, path: Path) -> None:
        """Put laparoscope, trocars and tools as a file says."""
        described = validate(LaparoscopicScene, read_recipe(path), str(path))
        self.instruments.removeObservers()
        _trocars, laparoscope = build(slicer.mrmlScene, described, self.parameters.trocars)
        self.parameters.pneumoperitoneumMmhg = described.pneumoperitoneum_mmhg
        self._take(laparoscope)
        self.frames.changed()
        self.job_row.end(_("Loaded {path}.").format(path=path.name))

    def _take(self, laparoscope: Any) -> None:
        """Work with a laparoscope of the scene: the panel shows what it is."""
        parameters, optics = self.parameters, instrument_of(laparoscope).optics
        modified = parameters.parameterNode.StartModify()
        parameters.laparoscope, parameters.trocars = laparoscope, trocars_of(laparoscope)
        parameters.fieldOfViewDeg, parameters.tipAngle = optics.field_of_view_deg, f"{optics.tip_angle_deg}°"
        parameters.widthPx, parameters.heightPx = optics.width_px, optics.height_px
        parameters.parameterNode.EndModify(modified)

    def _optics(self) -> Laparoscope:
        parameters = self.parameters
        tip_angle_deg = int(parameters.tipAngle.rstrip("°"))
        return Laparoscope(parameters.fieldOfViewDeg, tip_angle_deg, parameters.widthPx, parameters.heightPx)

    def _watch(self, segmentation: Any) -> None:
        """Follow how a segmentation is shown and moved."""
        if segmentation is self._segmentation:
            return
        events = (
            slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        )
        for event in events:
            if self._segmentation is not None:
                self.removeObserver(self._segmentation, event, self._anatomy_changed)
            if segmentation is not None:
                self.addObserver(segmentation, event, self._anatomy_changed)
        self._segmentation = segmentation
        self._show_findings()
        self.frames.changed()

    def _anatomy_changed(self, _node: Any, _event: str) -> None:
        self.frames.changed()

    def _show_findings(self) -> None:
        self.ui.findingsText.setText("")
        if self._segmentation is not None:
            with self.attempt():
                self.ui.findingsText.setText(_in_words(examine_segmentation(self._segmentation)))

    def _do(self, action: Callable[[], None]) -> None:
        with self.attempt():
            action()


def _in_words(findings: OrganFindings) -> str:
    """Rich text: what is there, what is missing and what is doubtful, each on a line."""
    there = ", ".join(findings.found).replace("_", " ") or _("no organ that a laparoscope sees")
    lines = [("✓" if findings.usable else "✗", there), *(("✗", text) for text in findings.missing)]
    lines += [("?", text) for text in findings.doubts]
    return "<br>".join(f"{mark} {html.escape(text)}" for mark, text in lines)
