"""The X-ray that follows the C-arm: a small one at once while the hand moves, the full one when it rests."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mrml.markups import landmarks_of
from Sim2RealLib.mrml.owned_nodes import owned
from Sim2RealLib.mrml.segmentations import copy_of_segmentation
from Sim2RealLib.mrml.slice_views import PictureView
from Sim2RealLib.mrml.volumes import copy_of_volume
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel

from ..acquisition.carm import CArmDevice, CArmPose
from ..anatomy import Anatomy, read_implants
from ..fluoroscope import PREVIEW_PX, REST_MS, Fluoroscope, XrayImage, with_quick_scatter
from ..frames.display import Window
from ..frames.frame_labels import landmark_records
from ..mrml.carm_nodes import device_of, is_carm
from ..mrml.film import apply_window, same_window, shown_window
from ..mrml.patient_nodes import anatomy_in, state_of
from ..mrml.point_nodes import LANDMARKS, show_landmarks, show_names
from ..mrml.xray_nodes import IMAGE, OUTLINES, show_outlines, show_xray
from ..mrml.xray_view import xray_slice_node
from ..recipe import Physics
from ..scene import build_patient, patient_steps
from ..tools.kinds import build_tools
from .pose_parameters import chosen_pose, recipe_of
from .room import show_layout
from .technique import (
    chosen_physics,
    chosen_polarity,
    chosen_window,
    fitted_window,
    set_window_parameters,
)

SLOW_S = 1.0
"""Images that are longer apart than this do not follow each other."""


@dataclass(frozen=True)
class _Taken:
    """What an image was asked for with: another one is needed when one of these is other."""

    patient: tuple[Any, ...]
    device: CArmDevice
    pose: CArmPose
    physics: Physics
    masks: bool


class XraySection:
    """Binds the section "X-ray" of the panel; `image` is the latest of the C-arm that the parameters name.

    shown: called when one is shown.
    """

    def __init__(self, panel: Panel, shown: Callable[[], None]) -> None:
        self._panel, self._shown = panel, shown
        self.image: XrayImage | None = None
        self._fluoroscope: Fluoroscope | None = None
        self._patient: tuple[Any, ...] | None = None
        self._problem: BaseException | None = None
        self._asked: _Taken | None = None
        self._answered_at = 0.0
        self._view = PictureView()
        self._observed: Any = None
        self._rest = qt.QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.connect("timeout()", lambda: self._do(self._rested))
        self._resize = qt.QTimer()
        self._resize.setSingleShot(True)
        self._resize.setInterval(0)
        self._resize.connect("timeout()", self._fit_view)
        panel.ui.takeButton.connect("clicked(bool)", lambda _checked: self._do(self.take))
        panel.ui.fitWindowButton.connect("clicked(bool)", lambda _checked: self._do(self.fit_window))
        panel.ui.layoutButton.connect("clicked(bool)", lambda _checked: self._do(self._show_layout))

    def update(self) -> None:
        """Show what is there as is set now, and ask for another image where that needs one."""
        parameters, ui = self._panel.parameters, self._panel.ui
        there = parameters.ct is not None and is_carm(parameters.carm)
        ui.takeButton.enabled = there
        ui.maskOpacitySlider.enabled = parameters.showMasks
        if not there:
            self.forget()
            say(ui.statusLabel, "")
            return
        self._present()
        if self._stopped:
            say(ui.statusLabel, _("The materials were not found; Take X-ray begins again."))
        wanted = self._wanted()
        if wanted == self._asked or not (parameters.live and self._ready(wanted)):
            return
        moved = self._asked is None or wanted.pose != self._asked.pose or wanted.device != self._asked.device
        self._asked = wanted
        if moved:
            self._request(wanted, preview=True)
        self._rest.start()

    def take(self) -> None:
        """Take the full image now, or as soon as the CT is prepared."""
        parameters = self._panel.parameters
        if parameters is None or parameters.ct is None or not is_carm(parameters.carm):
            return
        wanted = self._wanted()
        if self._stopped:
            self._patient = None
        if self._ready(wanted, then_take=True):
            self._asked = wanted
            if wanted.physics.scatter.estimator == "monte_carlo":
                self._follow(wanted)
            else:
                self._request(wanted, preview=False)

    def _rested(self) -> None:
        """Take the full image where the hand rests, with scatter that is there within seconds."""
        wanted = self._asked
        if wanted is None or self._fluoroscope is None:
            return
        if wanted.physics.scatter.estimator == "monte_carlo":
            wanted = replace(wanted, physics=with_quick_scatter(wanted.physics))
        self._request(wanted, preview=False)

    def show_landmarks(self) -> None:
        """Draw the landmarks where they are in the image that is shown."""
        parameters = self._panel.parameters
        if self.image is not None and is_carm(parameters.carm):
            landmarks = landmarks_of(parameters.landmarks) if parameters.landmarks is not None else {}
            show_landmarks(parameters.carm, self.image.view, landmark_records(self.image.view, landmarks, {}))
            self._show_overlays()

    def leave_view(self) -> None:
        """Something else is shown in the X-ray view; the next image, when the C-arm moves, takes it back."""
        self._rest.stop()
        self._view.forget()
        self.image = None
        slice_node = xray_slice_node(slicer.mrmlScene)
        if slice_node is not None:
            slice_node.SetSliceVisible(self._panel.parameters.showIn3D)

    def forget(self) -> None:
        """The scene is about to lose its nodes, or there is nothing to show."""
        self._rest.stop()
        self.image, self._fluoroscope, self._patient, self._asked, self._problem = None, None, None, None, None
        self._view.forget()
        self._observe(None)

    def fit_window(self) -> None:
        """Let the window be that of the image that is shown."""
        if self.image is not None:
            function = chosen_window(self._panel.parameters).function
            self._set_window(fitted_window(self.image.attenuation, function))

    def _wanted(self) -> _Taken:
        parameters = self._panel.parameters
        device = device_of(parameters.carm)
        return _Taken(
            state_of(parameters.ct, parameters.segmentation),
            device,
            chosen_pose(parameters, device),
            chosen_physics(parameters),
            parameters.showMasks and parameters.segmentation is not None,
        )

    def _ready(self, wanted: _Taken, then_take: bool = False) -> bool:
        """Whether the patient is on the backend; if not, the worker begins to put it there. What is wrong with the
        patient is raised as long as it stays the same."""
        state = (*wanted.patient, wanted.physics.materials)
        if state == self._patient:
            if self._problem is not None:
                raise self._problem
            return self._fluoroscope is not None
        parameters, materials = self._panel.parameters, wanted.physics.materials
        if materials.rule == "network" and self._panel.worker.busy:
            say(self._panel.ui.statusLabel, _("The materials are found when what is running has ended."))
            return False
        self._patient, self._fluoroscope, self._asked, self._problem = state, None, None, None
        try:
            ct, segmentation = copy_of_volume(parameters.ct), parameters.segmentation
            segments = None if segmentation is None else copy_of_segmentation(segmentation)
        except Sim2RealError as error:
            self._fails(error)
            raise
        recipe = recipe_of(parameters)
        implants, tools = ((), ()) if recipe is None else (recipe.input.implants, recipe.input.tools)
        say(self._panel.ui.statusLabel, _("Preparing the CT…"))

        def answered(fluoroscope: Fluoroscope) -> None:
            if self._patient == state:
                self._fluoroscope = fluoroscope
                say(self._panel.ui.statusLabel, "")
                if self._panel.parameters is not None:
                    self._do(self.take if then_take else self.update)

        def failed(error: BaseException) -> None:
            if self._patient == state:
                self._fails(error)
                self._panel.fail(error)

        def whole() -> Anatomy:
            implants_and_tools = {"implants": read_implants(implants)[0], "tools": build_tools(tools)[0]}
            return replace(anatomy_in(ct, segments, {}), **implants_and_tools)

        def steps() -> Iterator[Any]:
            return Fluoroscope((yield from patient_steps(whole(), materials, open_backend())))

        def compute() -> Fluoroscope:
            return Fluoroscope(build_patient(whole(), materials, open_backend()))

        if materials.rule == "network":
            self._panel.run(_("Finding the materials"), steps(), answered)
        else:
            self._panel.worker.request("patient", compute, answered, failed)
        return False

    @property
    def _stopped(self) -> bool:
        """Whether the network that was to find the materials has ended without."""
        by_network = self._patient is not None and self._patient[-1].rule == "network"
        return by_network and self._fluoroscope is None and self._problem is None and not self._panel.worker.busy

    def _fails(self, error: BaseException) -> None:
        self._problem = error
        say(self._panel.ui.statusLabel, _("There is no X-ray: see the message below."))

    def _follow(self, wanted: _Taken) -> None:
        """Follow photons for minutes, as a job."""
        fluoroscope, begun = self._fluoroscope, time.perf_counter()
        steps = fluoroscope.image_steps(wanted.device, wanted.pose, wanted.physics, wanted.masks)

        def answered(image: XrayImage) -> None:
            if fluoroscope is self._fluoroscope and wanted == self._asked:
                self._show(image, wanted, False, time.perf_counter() - begun)
            else:
                say(self._panel.ui.statusLabel, _("The view changed before the X-ray was there: take it again."))

        self._panel.run(_("Following photons"), steps, answered)

    def _request(self, wanted: _Taken, preview: bool) -> None:
        fluoroscope, carm = self._fluoroscope, self._panel.parameters.carm
        arguments = wanted.device, wanted.pose, wanted.physics

        def compute() -> tuple[XrayImage, float]:
            start = time.perf_counter()
            if preview:
                image = fluoroscope.preview(*arguments, PREVIEW_PX, wanted.masks)
            else:
                image = fluoroscope.image(*arguments, wanted.masks)
            return image, time.perf_counter() - start

        def answered(answer: tuple[XrayImage, float]) -> None:
            parameters = self._panel.parameters
            if fluoroscope is self._fluoroscope and parameters is not None and parameters.carm is carm:
                with self._panel.attempt():
                    self._show(answer[0], wanted, preview, answer[1])

        if preview:
            self._panel.worker.forget("xray")
        self._panel.worker.request("preview" if preview else "xray", compute, answered, self._panel.fail)

    def _show(self, image: XrayImage, taken: _Taken, preview: bool, seconds: float) -> None:
        parameters = self._panel.parameters
        self.image = image
        anatomy = self._fluoroscope.patient.anatomy
        if image.outlines is not None:
            show_outlines(parameters.carm, image, anatomy.classes)
        provenance = {
            "inputs": [dict(record) for record in anatomy.inputs],
            "physics": taken.physics.model_dump(mode="json"),
            "preview": preview,
        }
        node = show_xray(parameters.carm, image, chosen_window(parameters), chosen_polarity(parameters), provenance)
        self._observe(node.GetDisplayNode())
        self.show_landmarks()
        self._shown()
        self._say(image, taken, preview, seconds)

    def _present(self) -> None:
        """Show what was computed before as is set now."""
        parameters = self._panel.parameters
        node = owned(parameters.carm, IMAGE)
        if node is not None:
            apply_window(node, chosen_window(parameters), chosen_polarity(parameters))
        self._show_overlays()

    def _show_overlays(self) -> None:
        parameters = self._panel.parameters
        carm = parameters.carm
        if (points := owned(carm, LANDMARKS)) is not None:
            points.GetDisplayNode().SetVisibility(parameters.showLandmarks)
        show_names(carm, parameters.showNames)
        slice_node, node = xray_slice_node(slicer.mrmlScene), owned(carm, IMAGE)
        if slice_node is None or node is None or self.image is None:
            return
        outlines = owned(carm, OUTLINES) if self.image.outlines is not None and parameters.showMasks else None
        self._view.show(slice_node, node, outlines, parameters.maskOpacity)
        slice_node.SetSliceVisible(parameters.showIn3D)
        if not self._panel.hasObserver(slice_node, vtk.vtkCommand.ModifiedEvent, self._view_changed):
            self._panel.addObserver(slice_node, vtk.vtkCommand.ModifiedEvent, self._view_changed)

    def _view_changed(self, _slice_node: Any, _event: str) -> None:
        """Its size may be another one; Slicer sets its field of view after this."""
        self._resize.start()

    def _fit_view(self) -> None:
        slice_node = xray_slice_node(slicer.mrmlScene)
        if self.image is not None and slice_node is not None and self._view.resized(slice_node):
            self._show_overlays()

    def _window_changed(self, _display: Any, _event: str) -> None:
        """The user changed the window with the mouse, or in the module Volumes: the panel and exports follow."""
        parameters = self._panel.parameters
        node = owned(parameters.carm, IMAGE) if parameters is not None and parameters.carm is not None else None
        if node is not None:
            window = chosen_window(parameters)
            shown = shown_window(node, window.function)
            if not same_window(shown, window):
                self._set_window(shown)

    def _set_window(self, window: Window) -> None:
        node = self._panel.parameters.parameterNode
        modified = node.StartModify()
        set_window_parameters(self._panel.parameters, window)
        node.EndModify(modified)

    def _observe(self, display: Any) -> None:
        if display is self._observed:
            return
        if self._observed is not None:
            self._panel.removeObserver(self._observed, vtk.vtkCommand.ModifiedEvent, self._window_changed)
        self._observed = display
        if display is not None:
            self._panel.addObserver(display, vtk.vtkCommand.ModifiedEvent, self._window_changed)

    def _show_layout(self) -> None:
        show_layout()
        self._view.forget()
        self._show_overlays()

    def _say(self, image: XrayImage, taken: _Taken, preview: bool, seconds: float) -> None:
        now = time.monotonic()
        since, self._answered_at = now - self._answered_at, now
        rows, columns = image.attenuation.shape
        text = _("{columns} × {rows} pixels").format(columns=columns, rows=rows)
        if not preview:
            text += _(", computed in {ms} ms").format(ms=round(1000 * seconds))
        elif since < SLOW_S:
            text += _(", {rate} images a second").format(rate=f"{1 / since:.0f}")
        if taken.physics.scatter != self._asked.physics.scatter:
            text += _(", scatter smoothed (Take X-ray: photon by photon)")
        say(self._panel.ui.statusLabel, text)

    def _do(self, action: Any) -> None:
        with self._panel.attempt():
            action()
