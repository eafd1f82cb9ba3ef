"""The section "Endoscope": its controls follow its transform, and the transform follows them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from Sim2RealLib.geometry import rotation
from Sim2RealLib.panels.panel import Panel

from ..endoscope.room import KeptPlace
from ..mrml.endoscope_nodes import (
    BEAMS,
    BODY,
    FIELD,
    is_endoscope,
    make_endoscope,
    place,
    pose_of,
    set_tip,
    show_handles,
    show_parts,
    tip_of,
    tip_surfaces,
)
from ..recipe import Tip
from .colon_section import ColonSection
from .path_walk import PathWalk
from .settings import chosen_tip

STEP_MM, TURN_DEG = 5.0, 5.0

SAME_MM = 1e-6
"""An endoscope that moved by less has not moved."""

START_MM = 30.0
"""Where on the path a new endoscope stands."""

KEYS = {
    "Alt+Up": ("advance", STEP_MM),
    "Alt+Down": ("advance", -STEP_MM),
    "Alt+Left": ("turn", (0.0, -1.0, 0.0)),
    "Alt+Right": ("turn", (0.0, 1.0, 0.0)),
    "Alt+PgUp": ("turn", (1.0, 0.0, 0.0)),
    "Alt+PgDown": ("turn", (-1.0, 0.0, 0.0)),
    "Alt+,": ("turn", (0.0, 0.0, -1.0)),
    "Alt+.": ("turn", (0.0, 0.0, 1.0)),
}
"""Keys and what they do; axes of turns are those of the camera: x right, y down, z forward."""

BUTTONS = {
    "advanceButton": "Alt+Up",
    "withdrawButton": "Alt+Down",
    "turnLeftButton": "Alt+Left",
    "turnRightButton": "Alt+Right",
    "tiltUpButton": "Alt+PgUp",
    "tiltDownButton": "Alt+PgDown",
    "rollLeftButton": "Alt+,",
    "rollRightButton": "Alt+.",
}


class EndoscopeSection:
    """Binds the section to the transform that its parameters name. moved: called when it stands elsewhere."""

    def __init__(self, panel: Panel, colon: ColonSection, moved: Callable[[], None]) -> None:
        self._panel, self._colon, self._tell = panel, colon, moved
        self._walk = PathWalk()
        self._observed: Any = None
        self._applying = False
        self._position_mm: float | None = None
        self._kept_place: KeptPlace | None = None
        self._kept_by: Any = None
        self._shortcuts: list[Any] = []
        ui = panel.ui
        for name, keys in BUTTONS.items():
            button = getattr(ui, name)
            button.setToolTip(_("{what} Key: {keys}.").format(what=button.toolTip, keys=keys))
            button.connect("clicked(bool)", lambda _checked, keys=keys: self._act(keys))
        ui.lookAheadButton.connect("clicked(bool)", lambda _checked: self._do(self.look_ahead))

    @property
    def endoscope(self) -> Any:
        """The transform; None as long as there is none."""
        parameters = self._panel.parameters
        node = parameters.endoscope if parameters is not None else None
        return node if is_endoscope(node) else None

    def enter(self) -> None:
        """Let the keys work."""
        window = slicer.util.mainWindow()
        for keys in KEYS if window is not None else ():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
            shortcut.connect("activated()", lambda keys=keys: self._act(keys))
            self._shortcuts.append(shortcut)

    def exit(self) -> None:
        """Take the keys back, and stop to follow the transform."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts.clear()
        self._observe(None)

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self._observe(None)
        self._walk.take(None)
        self._position_mm, self._kept_place = None, None

    def update(self) -> None:
        """Let the endoscope be what is set; make one where there is a path and none yet."""
        parameters, ui = self._panel.parameters, self._panel.ui
        on_path = self._walk.take(parameters.path)
        if self.endoscope is None and on_path:
            self._make()
            return
        there = self.endoscope is not None
        self._observe(self.endoscope)
        for widget in (ui.positionSlider, ui.lookAheadButton, ui.advanceButton, ui.withdrawButton):
            widget.enabled = there and on_path
        for name in set(BUTTONS) - {"advanceButton", "withdrawButton"}:
            getattr(ui, name).enabled = there
        ui.marginSlider.enabled = parameters.keepOut
        if not there:
            ui.endoscopeLabel.setText(_("Find the centerline first, or choose a path."))
            return
        tip = chosen_tip(parameters)
        if tip_of(self.endoscope) != tip:
            set_tip(self.endoscope, tip)
        camera = tip.built().camera
        ui.sizeLabel.setText(_("{width} × {height} pixels").format(width=camera.width_px, height=camera.height_px))
        for parts, shown in (
            (BODY, parameters.showModel),
            (FIELD, parameters.showField),
            (BEAMS, parameters.showLights),
        ):
            show_parts(self.endoscope, parts, shown)
        show_handles(self.endoscope, parameters.showHandles)
        if on_path:
            self._follow_slider()
        self._settle()

    def look_ahead(self) -> None:
        """Put the endoscope back on the path, looking along it."""
        if self.endoscope is not None and self._position_mm is not None:
            self._walk.turn = np.eye(3)
            self._place(self._walk.pose(self._position_mm))

    def advance(self, by_mm: float) -> None:
        """Go along the path, towards the cecum where it is positive."""
        if self._position_mm is not None:
            self._panel.parameters.pathPositionMm = float(np.clip(self._position_mm + by_mm, 0.0, self._walk.length_mm))

    def turn(self, axis: tuple[float, float, float]) -> None:
        """Turn the endoscope about an axis of its camera."""
        if self.endoscope is not None:
            self._place(pose_of(self.endoscope) @ rotation(np.array(axis), TURN_DEG))

    def _make(self) -> None:
        tip = chosen_tip(self._panel.parameters)
        self._panel.worker.request(
            "endoscope", lambda: tip_surfaces(tip), lambda surfaces: self._add(tip, surfaces), self._panel.fail
        )

    def _add(self, tip: Tip, surfaces: Mapping[str, Any]) -> None:
        """Put an endoscope on the path, if there is one still and no endoscope."""
        parameters = self._panel.parameters
        if parameters is None or self.endoscope is not None or not self._walk.take(parameters.path):
            return
        with self._panel.attempt(), self._applied():
            endoscope = make_endoscope(slicer.mrmlScene, tip, surfaces)
            position = min(START_MM, 0.5 * self._walk.length_mm)
            self._walk.turn = np.eye(3)
            place(endoscope, self._walk.pose(position))
            self._position_mm = position
            with self._modified():
                parameters.pathPositionMm = position
                parameters.endoscope = endoscope
        self._panel.parameters_changed()
        self._tell()

    def _follow_slider(self) -> None:
        """Move along the path where the slider, a key or a script has changed the position."""
        parameters, slider = self._panel.parameters, self._panel.ui.positionSlider
        if abs(slider.maximum - self._walk.length_mm) > 0.05:
            with self._applied():
                slider.maximum = round(self._walk.length_mm, 1)
        if self._position_mm is None:  # a scene was loaded: what it holds is right
            self._told_where(pose_of(self.endoscope))
        elif abs(parameters.pathPositionMm - self._position_mm) > 0.05 and not self._applying:
            self._position_mm = min(parameters.pathPositionMm, self._walk.length_mm)
            pose = self._walk.pose(self._position_mm)
            with self._applied():
                place(self.endoscope, self._kept(pose))
            self._tell()

    def _moved(self, _transform: Any, _event: str) -> None:
        """The transform was moved by something else than this panel."""
        if not self._applying and self.endoscope is not None:
            with self._panel.attempt():
                self._settle()
                self._tell()

    def _place(self, pose: np.ndarray) -> None:
        with self._applied():
            place(self.endoscope, pose)
        self._settle()
        self._tell()

    def _settle(self) -> None:
        """Keep the endoscope out of tissue, and let the controls say where it is."""
        with self._applied():
            pose = pose_of(self.endoscope)
            kept = self._kept(pose)
            if kept is not pose:
                place(self.endoscope, kept)
            self._told_where(kept)

    def _kept(self, pose: np.ndarray) -> np.ndarray:
        """The pose, or the one that the wall leaves of it."""
        endoscopy, parameters = self._colon.endoscopy, self._panel.parameters
        if endoscopy is None or not parameters.keepOut:
            self._kept_place, self._kept_by = None, None
            return pose
        by = endoscopy, parameters.marginMm
        last = self._kept_place
        if last is not None and by == self._kept_by and np.allclose(pose[:3, 3], last.position_ras, atol=SAME_MM):
            return pose
        kept = endoscopy.kept_clear(pose[:3, 3], parameters.marginMm, None if last is None else last.position_ras)
        self._kept_place, self._kept_by = kept, by
        if not kept.moved:
            return pose
        moved = pose.copy()
        moved[:3, 3] = kept.position_ras
        return moved

    def _told_where(self, pose: np.ndarray) -> None:
        """Set slider and text by the pose."""
        parameters, told = self._panel.parameters, []
        if self._walk.take(parameters.path):
            position = self._walk.nearest_mm(pose[:3, 3])
            if self._position_mm is None or abs(position - self._position_mm) > 1.0:
                self._position_mm = position
                parameters.pathPositionMm = min(position, 5000.0)
            self._walk.remember(pose, self._position_mm)
            told.append(_("{mm} mm along the path").format(mm=round(self._position_mm)))
            if segment := self._walk.segment_at(self._position_mm):
                told.append(segment)
        endoscopy = self._colon.endoscopy
        if endoscopy is not None:
            clearance = float(endoscopy.anatomy.clearance(pose[None, :3, 3])[0])
            wall = _("{mm} mm from the wall") if clearance > 0.0 else _("in tissue")
            told.append(wall.format(mm=f"{clearance:.1f}"))
            if self._kept_place is not None and self._kept_place.moved:
                told.append(_("held by the wall"))
        self._panel.ui.endoscopeLabel.setText(" · ".join(told))

    def _observe(self, endoscope: Any) -> None:
        if endoscope is self._observed:
            return
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        if self._observed is not None:
            self._panel.removeObserver(self._observed, event, self._moved)
        self._observed = endoscope
        if endoscope is not None:
            self._panel.addObserver(endoscope, event, self._moved)

    @contextmanager
    def _applied(self) -> Iterator[None]:
        """What is done inside is the panel's own doing."""
        before, self._applying = self._applying, True
        try:
            yield
        finally:
            self._applying = before

    @contextmanager
    def _modified(self) -> Iterator[None]:
        node = self._panel.parameters.parameterNode
        modified = node.StartModify()
        try:
            yield
        finally:
            node.EndModify(modified)

    def _act(self, keys: str) -> None:
        action, amount = KEYS[keys]
        self._do(lambda: getattr(self, action)(amount))

    def _do(self, action: Callable[[], None]) -> None:
        with self._panel.attempt():
            action()
