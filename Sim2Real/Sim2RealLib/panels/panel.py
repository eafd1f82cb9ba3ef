"""What the panels of the three modules have in common: a .ui bound to the typed parameter node, and jobs with a row."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..errors import Sim2RealError
from ..job import Done
from .job_row import JobRow
from .worker import Cancelled, returning, shared_worker


class Panel(VTKObservationMixin):
    """Base of a module's panel.

    ui_path: the .ui file. parameter_node: makes or finds the wrapped parameter node of the scene.
    sections: .ui files whose widgets go to the panel's end, such as the dataset section; their widgets are in `ui` too.
    """

    def __init__(self, ui_path: str, parameter_node: Callable[[], Any], sections: tuple[str, ...] = ()) -> None:
        VTKObservationMixin.__init__(self)
        self.widget = slicer.util.loadUI(ui_path)
        for section in sections:
            self.widget.layout().addWidget(slicer.util.loadUI(section))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.worker = shared_worker()
        self.job_row = JobRow(self.worker.cancel)
        self.widget.layout().addWidget(self.job_row.widget)
        self.parameters: Any = None
        self._parameter_node, self._gui_tag = parameter_node, None
        self._entered = self._running = self._refreshing = False
        named = ((widget, widget.property("SlicerParameterName")) for widget in vars(self.ui).values())
        self._bound = {name: widget for widget, name in named if name}
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._scene_closes)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._scene_changed)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._scene_changed)

    def parameters_changed(self) -> None:
        """A parameter has another value, or the scene another parameter node; for subclasses.

        What is wrong with the parameters is raised every time, for what the panel says of it is taken back before.
        """

    def refresh(self) -> None:
        """Follow what has changed, and say what is wrong now instead of what was before."""
        outermost, self._refreshing = not self._refreshing, True
        try:
            if outermost:
                self.job_row.clear_error()
            with self.attempt():
                self.parameters_changed()
        finally:
            self._refreshing = not outermost

    def scene_closes(self) -> None:
        """The scene is about to lose its nodes; for subclasses that keep some."""

    def enter(self) -> None:
        """The user opens the module."""
        if not self._entered:
            self._entered = True
            self.worker.listeners.append(self._job_changed)
            self._connect(self._parameter_node())
            if self.worker.busy:
                self._job_changed()

    def exit(self) -> None:
        """The user leaves the module; a job goes on, and what it ends with is still taken."""
        if self._entered:
            self._entered = False
            self.worker.listeners.remove(self._job_changed)
            self._disconnect()

    def cleanup(self) -> None:
        """The panel goes, and with it its job."""
        self.exit()
        self.parameters = None
        self.removeObservers()
        if self._running or not self.worker.busy:
            self.worker.close()

    def run(
        self,
        title: str,
        steps: Iterator[Any],
        done: Callable[[Any], None],
        stepped: Callable[[Any], None] | None = None,
    ) -> None:
        """Run a generator on the worker, shown in the panel's row.

        `Done` values it yields are shown as progress, others given to `stepped`; `done` gets what it returns, also
        after the user has left the module. The panel hears of the start and the end by `parameters_changed`.
        """
        if self.worker.busy:
            self.job_row.end(_("Wait for what is running, or cancel it."), error=True)
            return
        returned: list[Any] = []

        def ended(error: BaseException | None) -> None:
            self._running = False
            self.job_row.clear()
            if self.parameters is None:  # the scene or the panel is gone
                return
            if isinstance(error, Cancelled):
                self.job_row.end(_("{title}: stopped.").format(title=title))
            elif error is not None:
                self.fail(error)
            else:
                with self.attempt():
                    done(returned[0])

        def show(value: Any) -> None:
            if isinstance(value, Done):
                self.job_row.show(value)
            elif stepped is not None:
                stepped(value)

        self._running = True
        self.job_row.begin(title)
        self.worker.start(returning(steps, returned), show, ended)

    def update_each(self, *updates: Callable[[], None]) -> None:
        """Run the updates of a panel's sections; what goes wrong in one is said, and the others run all the same."""
        for update in updates:
            if self.parameters is not None:  # one of them may have closed the scene
                with self.attempt():
                    update()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Say what goes wrong inside in the panel's row."""
        try:
            yield
        except Exception as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Say an error in the panel's row; one that is not meant for users goes to Slicer's log with its origin."""
        if isinstance(error, Sim2RealError):
            self.job_row.end(str(error), error=True)
            return
        logging.error("".join(traceback.format_exception(error)))
        message = _("{kind}: {error} (more in the application log)").format(kind=type(error).__name__, error=error)
        self.job_row.end(message, error=True)

    def _scene_closes(self, _scene: object, _event: str) -> None:
        if self._running:
            self.worker.cancel()
        else:
            self.job_row.clear()
        self._disconnect()
        self.parameters = None
        self.scene_closes()

    def _scene_changed(self, _scene: object, _event: str) -> None:
        if self._entered:
            self._disconnect()
            self._connect(self._parameter_node())

    def _connect(self, parameters: Any) -> None:
        self.parameters = parameters
        self._gui_tag = parameters.connectParametersToGui(self._bound)
        self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._parameters_modified)
        self.refresh()

    def _disconnect(self) -> None:
        if self._gui_tag is not None:
            self.parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self.parameters, vtk.vtkCommand.ModifiedEvent, self._parameters_modified)
            self._gui_tag = None

    def _job_changed(self) -> None:
        """A job has begun or ended, of this panel or of another module's."""
        if self.parameters is None:
            return
        if not self._running and self.worker.busy:
            self.job_row.end(_("Another module is computing; wait for it, or cancel it there."))
        elif not self._running and self.job_row.text.startswith(_("Another module is computing")):
            self.job_row.clear()
        with self.attempt():
            self.parameters_changed()

    def _parameters_modified(self, _node: object, _event: str) -> None:
        if not slicer.mrmlScene.IsImporting():  # nodes have no data yet; the end of it is told
            self.refresh()


def shared_ui(name: str) -> str:
    """The path of a .ui file that the modules share."""
    return str(Path(slicer.modules.sim2real.path).parent / "Resources" / "UI" / name)
