"""The C-arm's controls, which follow its transform, and the transform, which follows them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.mrml.markups import landmarks_of
from Sim2RealLib.mrml.volumes import copy_of_volume, ct_in
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel

from ..acquisition.carm import CArmDevice, CArmPose, clamp_angles, limit_problems
from ..acquisition.presets import STANDARD_VIEWS
from ..mrml.carm_nodes import (
    device_of,
    is_carm,
    make_carm,
    place,
    pose_of,
    set_device,
    show_handles,
    show_parts,
)
from ..mrml.patient_nodes import state_of
from .pose_parameters import (
    chosen_device,
    chosen_pose,
    preset_device,
    same_pose,
    set_device_parameters,
    set_pose_parameters,
)
from .room import look_at, show_layout

VIEW_BUTTONS = (
    ("apButton", "ap"),
    ("inletButton", "inlet"),
    ("outletButton", "outlet"),
    ("lateralRightButton", "lateral_right"),
    ("obturatorRightButton", "obturator_right"),
    ("iliacRightButton", "iliac_right"),
    ("lateralLeftButton", "lateral_left"),
    ("obturatorLeftButton", "obturator_left"),
    ("iliacLeftButton", "iliac_left"),
)
"""Buttons and their standard views; the keys are Alt+1 to Alt+9 in this order."""

CONTROLS = (
    *("primarySlider", "secondarySlider", "inPlaneSlider", "sourceToDetectorSlider", "sourceToIsocenterSlider"),
    *("isocenterRBox", "isocenterABox", "isocenterSBox", "centerOnCtButton", "showModelBox", "showHandlesBox"),
)
"""Widgets that need a CT and a C-arm."""

STEP_DEG = 5.0
ARROWS = {
    "Alt+Left": (-STEP_DEG, 0.0),
    "Alt+Right": (STEP_DEG, 0.0),
    "Alt+Up": (0.0, STEP_DEG),
    "Alt+Down": (0.0, -STEP_DEG),
}
"""Keys and what they add to the primary and the secondary angle."""


class CArmSection:
    """Binds the section "C-arm" of the panel to the transform node that its parameters name."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._observed: Any = None
        self._applying = self._aside = False
        self._making = qt.QTimer()  # an event of its own, for samples come in one that is long enough
        self._making.setSingleShot(True)
        self._making.setInterval(0)
        self._making.connect("timeout()", lambda: self._do(self._make_at_landmarks))
        self._sought: tuple[Any, ...] | None = None
        self._problem: BaseException | None = None
        self._said_of: CArmPose | None = None
        self._shortcuts: list[Any] = []
        ui = panel.ui
        for number, (name, view) in enumerate(VIEW_BUTTONS, start=1):
            button = getattr(ui, name)
            button.setToolTip(_("{what} Key: Alt+{number}.").format(what=button.toolTip, number=number))
            button.connect("clicked(bool)", lambda _checked, view=view: self._do(self.go_to, view))
        say(ui.limitsLabel, "")
        ui.centerOnCtButton.connect("clicked(bool)", lambda _checked: self._do(self.center_on_ct))
        ui.centerOnLandmarksButton.connect("clicked(bool)", lambda _checked: self._do(self.center_on_landmarks))

    @property
    def carm(self) -> Any:
        """The C-arm's transform; None as long as there is none."""
        parameters = self._panel.parameters
        node = parameters.carm if parameters is not None else None
        return node if is_carm(node) else None

    def enter(self) -> None:
        """Let the keys work."""
        window = slicer.util.mainWindow()
        if window is None:
            return
        views = {f"Alt+{number}": (self.go_to, view) for number, (_name, view) in enumerate(VIEW_BUTTONS, start=1)}
        for keys, (action, *arguments) in (views | {keys: (self.turn, *by) for keys, by in ARROWS.items()}).items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
            shortcut.connect("activated()", lambda act=action, given=arguments: self._do(act, *given))
            self._shortcuts.append(shortcut)

    def exit(self) -> None:
        """Take the keys back, and stop to follow the transform."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts.clear()
        self._observe(None)

    def update(self) -> None:
        """Let the C-arm be what is set; make one where there is a CT and none yet."""
        parameters, ui = self._panel.parameters, self._panel.ui
        there = self.carm is not None and parameters.ct is not None
        if self.carm is not self._observed:
            self._observe(self.carm)
            self._sought = None
            if self.carm is not None:  # it may have been moved while nobody looked
                with self._panel.attempt(), self._modified():
                    set_pose_parameters(parameters, pose_of(self.carm))
        for widget in CONTROLS:
            getattr(ui, widget).enabled = there
        ui.centerOnLandmarksButton.enabled = there and parameters.landmarks is not None
        if not there:
            for name, _view in VIEW_BUTTONS:
                getattr(ui, name).enabled = False
            ui.anglesLabel.setText(_("Choose a CT, or make a sample pelvis"))
            if parameters.ct is None:
                self._sought = None
            elif self.carm is None:
                self._make()
            return
        with self._applied():
            device = self._applied_device()
            self._fit_controls(device)
            pose = chosen_pose(parameters, device)
            if problems := limit_problems(device, pose):
                pose = clamp_angles(device, pose)
                self._say(problems, pose)
                set_pose_parameters(parameters, pose)
            elif self._said_of is not None and not same_pose(pose, self._said_of):
                self._say([], pose)
            if not same_pose(pose, pose_of(self.carm)):
                place(self.carm, pose)
            self._show()
        ui.anglesLabel.setText(f"<b>{pose.words}</b>")

    def step_aside(self) -> bool:
        """Hide the C-arm, since a stored frame is shown that it did not take; whether it was there before."""
        before, self._aside = self._aside, True
        self._show()
        return not before

    def step_back(self) -> None:
        """Show the C-arm as is set, since its own X-ray is shown."""
        if self._aside:
            self._aside = False
            self._show()

    def _show(self) -> None:
        if self.carm is not None:
            show_parts(self.carm, self._panel.parameters.showModel and not self._aside)
            show_handles(self.carm, self._panel.parameters.showHandles and not self._aside)

    def go_to(self, view: str) -> None:
        """Turn the C-arm to a standard view."""
        standard = STANDARD_VIEWS[view]
        self._set(lambda pose: replace(pose, primary_deg=standard.primary_deg, secondary_deg=standard.secondary_deg))

    def turn(self, primary_deg: float, secondary_deg: float) -> None:
        """Turn the C-arm by angles."""
        self._set(
            lambda pose: replace(
                pose, primary_deg=pose.primary_deg + primary_deg, secondary_deg=pose.secondary_deg + secondary_deg
            )
        )

    def center_on_ct(self) -> None:
        """Put the isocentre into the middle of the body."""
        self._find_body(self._move_to)

    def center_on_landmarks(self) -> None:
        """Put the isocentre between the landmarks that are placed."""
        landmarks = landmarks_of(self._panel.parameters.landmarks)
        if not landmarks:
            raise Sim2RealError(_("No landmark is placed yet."))
        self._move_to(np.mean(list(landmarks.values()), axis=0).tolist())

    def _move_to(self, isocenter_ras: list[float]) -> None:
        if self.carm is None:
            self._make_at(isocenter_ras)
        self._set(lambda pose: replace(pose, isocenter_ras=tuple(isocenter_ras)))

    def center_as(self, isocenter_ras: tuple[float, float, float] | None) -> None:
        """Put the isocentre where a recipe has it, or where it goes by itself."""
        parameters = self._panel.parameters
        if isocenter_ras is not None:
            self._move_to(list(isocenter_ras))
        elif parameters.landmarks is not None and landmarks_of(parameters.landmarks):
            self.center_on_landmarks()
        else:
            self.center_on_ct()

    def _make(self) -> None:
        """A C-arm about the landmarks, or about the body as soon as it is found; the body of a CT is sought once.

        What is wrong with a CT is raised as long as it stays the same.
        """
        parameters = self._panel.parameters
        state = state_of(parameters.ct)
        if self._sought == state:
            if self._problem is not None:
                raise self._problem
            return
        self._sought, self._problem = state, None
        landmarks = landmarks_of(parameters.landmarks) if parameters.landmarks is not None else {}
        if landmarks:
            self._making.start()
        else:
            self._find_body(self._make_at)

    def _make_at_landmarks(self) -> None:
        parameters = self._panel.parameters
        landmarks = landmarks_of(parameters.landmarks) if parameters is not None and parameters.landmarks else {}
        if landmarks:
            self._make_at(np.mean(list(landmarks.values()), axis=0).tolist())
        else:  # the panel was left, or they were taken away
            self._sought = None

    def _make_at(self, isocenter_ras: list[float]) -> None:
        parameters = self._panel.parameters
        if self.carm is not None:
            return
        device = chosen_device(parameters)
        pose = replace(chosen_pose(parameters, device), isocenter_ras=tuple(isocenter_ras))
        carm = make_carm(slicer.mrmlScene, device, clamp_angles(device, pose))
        show_layout()
        look_at(carm)
        with self._modified():
            set_pose_parameters(parameters, pose)
            parameters.carm = carm

    def _find_body(self, found: Any) -> None:
        """Compute the middle of the body on the worker; what comes too late for this CT counts nothing."""
        ct = self._panel.parameters.ct
        if ct is None:
            raise Sim2RealError(_("Choose a CT first."))
        try:
            voxels = copy_of_volume(ct)
        except Sim2RealError as error:
            self._problem = error
            raise

        def answered(isocenter_ras: np.ndarray) -> None:
            parameters = self._panel.parameters
            if parameters is not None and parameters.ct is ct:
                self._do(found, isocenter_ras.tolist())

        def failed(error: BaseException) -> None:
            parameters = self._panel.parameters
            if parameters is not None and parameters.ct is ct:
                self._problem = error
                self._panel.fail(error)

        self._panel.worker.request("isocenter", lambda: body_center_ras(ct_in(voxels)[0]), answered, failed)

    def _set(self, change: Any) -> None:
        """Change the pose; what the device cannot reach is said and left."""
        carm, parameters = self.carm, self._panel.parameters
        if carm is None:
            return
        device = device_of(carm)
        pose = change(chosen_pose(parameters, device))
        reached = clamp_angles(device, pose)
        self._say(limit_problems(device, pose), reached)
        with self._modified():
            set_pose_parameters(parameters, reached)

    def _applied_device(self) -> CArmDevice:
        """Give the C-arm the device that is chosen; distances that cannot be are said and put back."""
        parameters, carm = self._panel.parameters, self.carm
        before = device_of(carm)
        if parameters.distancesOf != parameters.device:
            set_device_parameters(parameters, preset_device(parameters))
        try:
            device = chosen_device(parameters)
        except Sim2RealError as error:
            self._say([str(error)], pose_of(carm))
            set_device_parameters(parameters, before)
            return before
        if device != before:
            pose = pose_of(carm)
            set_device(carm, device)
            place(carm, replace(pose, source_to_isocenter_mm=device.source_to_isocenter_mm))
        return device

    def _fit_controls(self, device: CArmDevice) -> None:
        ui = self._panel.ui
        for slider, (low, high) in (
            (ui.primarySlider, device.primary_range_deg),
            (ui.secondarySlider, device.secondary_range_deg),
        ):
            if (slider.minimum, slider.maximum) != (low, high):
                slider.setRange(low, high)
        for name, view in VIEW_BUTTONS:
            standard = STANDARD_VIEWS[view]
            (low, high), (caudal, cranial) = device.primary_range_deg, device.secondary_range_deg
            reached = low <= standard.primary_deg <= high and caudal <= standard.secondary_deg <= cranial
            getattr(ui, name).enabled = reached

    def _moved(self, _transform: Any, _event: str) -> None:
        """The transform was moved by something else than this panel."""
        if not self._applying and self.carm is not None:
            with self._panel.attempt(), self._modified():
                set_pose_parameters(self._panel.parameters, pose_of(self.carm))

    def _say(self, problems: list[str], pose: CArmPose) -> None:
        """Say what could not be done, until the C-arm leaves the pose that it has instead."""
        self._said_of = pose if problems else None
        text = " ".join(f"{problem[0].upper()}{problem[1:].rstrip('.')}." for problem in problems)
        say(self._panel.ui.limitsLabel, text)

    @contextmanager
    def _applied(self) -> Iterator[None]:
        """While the panel itself moves the transform, that is no news to it."""
        before, self._applying = self._applying, True
        try:
            yield
        finally:
            self._applying = before

    @contextmanager
    def _modified(self) -> Iterator[None]:
        """Several parameters change at once."""
        node = self._panel.parameters.parameterNode
        modified = node.StartModify()
        try:
            yield
        finally:
            node.EndModify(modified)

    def _observe(self, carm: Any) -> None:
        event = slicer.vtkMRMLTransformNode.TransformModifiedEvent
        if self._observed is not None:
            self._panel.removeObserver(self._observed, event, self._moved)
        self._observed = carm
        if carm is not None:
            self._panel.addObserver(carm, event, self._moved)

    def _do(self, action: Any, *arguments: Any) -> None:
        with self._panel.attempt():
            action(*arguments)
