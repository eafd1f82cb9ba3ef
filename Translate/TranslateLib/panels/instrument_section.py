"""The instruments: a table of them, controls and handles of the one that is selected, and trocars placed by a click."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from Sim2RealLib.panels.panel import Panel

from ..fulcrum import aim
from ..logic import add_tool, free_trocar
from ..mrml.anatomy import middle_of
from ..mrml.instruments import (
    LAPAROSCOPE,
    entry_of,
    follow_trocar,
    has_trocar,
    instrument_of,
    instruments_in,
    opens,
    place,
    pose_of,
    remove_instrument,
    remove_orphans,
    set_opening,
    set_trocar,
    settle,
    show_handles,
    trocars_of,
)
from ..mrml.trocars import make_trocars, move_trocar, trocar_names
from ..organs import LIVER

TOOLS = {"grasper": _("grasper"), "hook": _("hook"), "scissors": _("scissors")}
"""What users call the kinds of tools."""

KEYS = {
    "Alt+Left": ("pan_deg", 2.0),
    "Alt+Right": ("pan_deg", -2.0),
    "Alt+Up": ("tilt_deg", 2.0),
    "Alt+Down": ("tilt_deg", -2.0),
    "Alt+PgDown": ("insertion_mm", 5.0),
    "Alt+PgUp": ("insertion_mm", -5.0),
}


class InstrumentSection(VTKObservationMixin):
    """moved: called when something of the instruments may look different."""

    def __init__(self, panel: Panel, moved: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._panel, self._ui, self._moved = panel, panel.ui, moved
        self._selected_id, self._updating, self._placed = "", False, None
        self._keys: list[Any] = []
        ui = self._ui
        ui.toolKindBox.addItems(list(TOOLS.values()))
        self._say(())
        self._sliders = {
            "pan_deg": ui.panSlider,
            "tilt_deg": ui.tiltSlider,
            "roll_deg": ui.rollSlider,
            "insertion_mm": ui.insertionSlider,
        }
        self._position = (ui.rightBox, ui.anteriorBox, ui.superiorBox)
        ui.instrumentTable.connect("currentCellChanged(int,int,int,int)", self._row_chosen)
        ui.trocarBox.connect("activated(int)", lambda row: self._do(self._take_trocar, ui.trocarBox.itemData(row)))
        for field, slider in self._sliders.items():
            slider.connect("valueChanged(double)", lambda value, field=field: self._do(self._change, field, value))
        for box in self._position:
            box.connect("valueChanged(double)", lambda _value: self._do(self._take_position))
        ui.openingSlider.connect("valueChanged(double)", lambda value: self._do(self._open, value))
        ui.placeTrocarButton.connect("clicked(bool)", lambda: self._do(self._place_trocar, self._take_trocar))
        ui.addToolButton.connect("clicked(bool)", lambda: self._do(self._add_tool))
        ui.removeToolButton.connect("clicked(bool)", lambda: self._do(lambda: remove_instrument(self._selected())))
        ui.aimButton.connect("clicked(bool)", lambda: self._do(self._look_at_liver))

    def enter(self) -> None:
        """The keys move the selected instrument."""
        window = slicer.util.mainWindow()
        for keys, (field, step) in KEYS.items() if window is not None else ():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), window)
            shortcut.connect("activated()", lambda slider=self._sliders[field], step=step: _push(slider, step))
            self._keys.append(shortcut)

    def exit(self) -> None:
        """No keys, no handles, nothing to observe."""
        for shortcut in self._keys:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._keys.clear()
        self.removeObservers()
        for node in instruments_in(slicer.mrmlScene):
            show_handles(node, False)

    def update(self) -> None:
        """Show what is in the scene now."""
        if self._updating:
            return
        self._updating = True
        try:
            nodes, selected = instruments_in(slicer.mrmlScene), self._selected()
            if any([follow_trocar(node) for node in filter(has_trocar, nodes)]):
                self._moved()
            self._observe(nodes)
            self._fill_table(nodes, selected)
            self._fill_trocars(selected)
            for node in nodes:
                show_handles(node, node is selected and has_trocar(node) and self._panel.parameters.showHandles)
            self._show_selected(selected)
        finally:
            self._updating = False

    # ---- from the scene to the widgets ----

    def _selected(self) -> Any:
        nodes = instruments_in(slicer.mrmlScene)
        return next((node for node in nodes if node.GetID() == self._selected_id), nodes[0] if nodes else None)

    def _observe(self, nodes: list[Any]) -> None:
        self.removeObservers()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self._removed)
        for node in nodes:
            self.addObserver(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._instrument_moved)
        for trocars in {self._panel.parameters.trocars, *map(trocars_of, nodes)} - {None}:
            for event in (trocars.PointModifiedEvent, trocars.PointRemovedEvent):
                self.addObserver(trocars, event, self._trocars_moved)
            self.addObserver(trocars, trocars.PointPositionDefinedEvent, self._trocar_placed)
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._mode_changed)

    def _fill_table(self, nodes: list[Any], selected: Any) -> None:
        table = self._ui.instrumentTable
        table.setRowCount(len(nodes))
        for row, node in enumerate(nodes):
            trocar = trocar_names(trocars_of(node)).get(instrument_of(node).trocar, _("gone"))
            depth = f"{pose_of(node).insertion_mm:.0f} mm" if has_trocar(node) else "–"
            for column, text in enumerate((node.GetName(), trocar, depth)):
                table.setItem(row, column, qt.QTableWidgetItem(text))
            table.item(row, 0).setData(qt.Qt.UserRole, node.GetID())
            if node is selected:
                table.setCurrentCell(row, 0)

    def _fill_trocars(self, selected: Any) -> None:
        box = self._ui.trocarBox
        box.clear()
        for trocar, name in trocar_names(self._panel.parameters.trocars).items():
            box.addItem(name, trocar)
        own = selected is not None and trocars_of(selected) is self._panel.parameters.trocars
        box.setCurrentIndex(box.findData(instrument_of(selected).trocar) if own else -1)

    def _show_selected(self, selected: Any) -> None:
        """The controls of the selected instrument; what it cannot do is off."""
        ui, parameters = self._ui, self._panel.parameters
        instrument = instrument_of(selected) if selected is not None else None
        there = selected is not None and has_trocar(selected)
        for widget in (*self._sliders.values(), *self._position):
            widget.setEnabled(there)
        ui.aimButton.setEnabled(there and parameters.segmentation is not None)
        ui.openingSlider.setEnabled(instrument is not None and opens(instrument))
        ui.openingSlider.setValue(instrument.opening_deg if instrument is not None else 0.0)
        ui.removeToolButton.setEnabled(instrument is not None and instrument.kind != LAPAROSCOPE)
        for widget in (ui.addToolButton, ui.trocarBox, ui.placeTrocarButton):
            widget.setEnabled(parameters.laparoscope is not None)
        if there:
            for field, value in asdict(pose_of(selected)).items():
                self._sliders[field].setValue(value)
            for box, value in zip(self._position, entry_of(selected).tolist(), strict=True):
                box.setValue(value)

    # ---- from the user's hands to the scene ----

    def _do(self, action: Callable[..., Any], *arguments: Any) -> None:
        if self._updating or self._panel.parameters is None:
            return
        with self._panel.attempt():
            action(*arguments)
        self.update()
        self._moved()

    def _row_chosen(self, row: int) -> None:
        if not self._updating and row >= 0:
            self._selected_id = self._ui.instrumentTable.item(row, 0).data(qt.Qt.UserRole)
            self._say(())
            self.update()

    def _change(self, field: str, value: float) -> None:
        node = self._selected()
        place(node, replace(pose_of(node), **{field: value}))

    def _open(self, degrees: float) -> None:
        set_opening(self._selected(), degrees)

    def _take_position(self) -> None:
        node = self._selected()
        move_trocar(trocars_of(node), instrument_of(node).trocar, [box.value for box in self._position])

    def _take_trocar(self, trocar: str) -> None:
        set_trocar(self._selected(), self._trocars(), trocar)

    def _place_trocar(self, then: Callable[[str], None]) -> None:
        """Let the user click a point, and do something with the trocar that is there then."""
        self._placed = then
        logic = slicer.modules.markups.logic()
        logic.SetActiveList(self._trocars())
        logic.StartPlaceMode(False)
        self._panel.job_row.end(_("Click on the skin where the instrument enters; right click to leave it."))

    def _add_tool(self) -> None:
        kind = list(TOOLS)[self._ui.toolKindBox.currentIndex]

        def add(trocar: str) -> None:
            self._selected_id = add_tool(self._panel.parameters.laparoscope, kind, self._trocars(), trocar).GetID()

        free = free_trocar(self._trocars())
        if free is None:
            self._place_trocar(add)
        else:
            add(free)

    def _look_at_liver(self) -> None:
        node, target = self._selected(), middle_of(self._panel.parameters.segmentation, LIVER)
        instrument, depth = instrument_of(node), pose_of(node).insertion_mm
        bend = instrument.optics.tip_angle_deg if instrument.kind == LAPAROSCOPE else 0.0
        place(node, aim(entry_of(node), target, depth, bend))

    # ---- what happens in the scene ----

    def _instrument_moved(self, node: Any, _event: str) -> None:
        if self._updating:
            return
        self._updating = True  # it is moved once more
        try:
            with self._panel.attempt():
                self._say(settle(node) if has_trocar(node) else ())
        finally:
            self._updating = False
        self.update()
        self._moved()

    def _trocars_moved(self, _trocars: Any, _event: str) -> None:
        self.update()

    def _trocar_placed(self, _trocars: Any, _event: str) -> None:
        then, self._placed = self._placed, None
        if then is not None:
            self._panel.job_row.clear()
            self._do(then, list(trocar_names(self._trocars()))[-1])

    def _mode_changed(self, interaction: Any, _event: str) -> None:
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            qt.QTimer.singleShot(0, self._forget_placing)  # the click that places ends the mode first

    def _forget_placing(self) -> None:
        if self._placed is not None:
            self._placed = None
            self._panel.job_row.clear()

    def _removed(self, _scene: Any, _event: str) -> None:
        qt.QTimer.singleShot(0, self._tidy)  # not while the scene is at it

    def _tidy(self) -> None:
        if self._panel.parameters is not None:
            remove_orphans(slicer.mrmlScene)
            self.update()

    def _trocars(self) -> Any:
        parameters = self._panel.parameters
        if parameters.trocars is None:
            parameters.trocars = make_trocars(slicer.mrmlScene)
        return parameters.trocars

    def _say(self, problems: Iterable[str]) -> None:
        text = "; ".join(problems)
        self._ui.poseText.setText(_("Put back: {problems}.").format(problems=text) if text else "")
        self._ui.poseText.setVisible(bool(text))


def _push(slider: Any, step: float) -> None:
    if slider.enabled:
        slider.setValue(slider.value + step)
