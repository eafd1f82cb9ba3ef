"""What is doubtful of a colon, as a list whose entries lead the views there."""

from collections.abc import Callable

import numpy as np
import slicer

from Sim2RealLib.panels.panel import Panel

from ..colonography.findings import Doubt
from ..mrml.views import FRAME, jump_other_views, show_place, slice_node_of
from ..parameters import CT
from .room import look_at


class DoubtList:
    """Binds the list and the buttons that answer a doubt."""

    def __init__(self, panel: Panel, bridge: Callable[[Doubt], None], leave_out: Callable[[Doubt], None]) -> None:
        self._panel = panel
        self._doubts: tuple[Doubt, ...] = ()
        ui = panel.ui
        ui.doubtsList.connect("currentRowChanged(int)", self._chosen)
        ui.bridgeButton.connect("clicked(bool)", lambda _checked: self._answer(bridge))
        ui.leaveOutButton.connect("clicked(bool)", lambda _checked: self._answer(leave_out))
        self._offer()

    def show(self, doubts: tuple[Doubt, ...]) -> None:
        """Show other doubts."""
        if doubts == self._doubts:
            return
        self._doubts = doubts
        entries = self._panel.ui.doubtsList
        blocked = entries.blockSignals(True)
        entries.clear()
        for doubt in doubts:
            entries.addItem(doubt.text)
        entries.setCurrentRow(-1)
        entries.blockSignals(blocked)
        self._offer()

    def forget(self) -> None:
        self.show(())

    @property
    def _current(self) -> Doubt | None:
        row = self._panel.ui.doubtsList.currentRow
        return self._doubts[row] if 0 <= row < len(self._doubts) else None

    def _chosen(self, _row: int) -> None:
        self._offer()
        doubt = self._current
        if doubt is not None and doubt.places_ras:
            self._go_to(np.mean(doubt.places_ras, axis=0))

    def _go_to(self, place_ras: np.ndarray) -> None:
        parameters = self._panel.parameters
        jump_other_views(slicer.mrmlScene, place_ras)
        look_at(place_ras)
        node = slice_node_of(slicer.mrmlScene, FRAME)
        if node is not None:
            parameters.shown = CT
            show_place(node, parameters.ct, place_ras)

    def _answer(self, answer: Callable[[Doubt], None]) -> None:
        with self._panel.attempt():
            if self._current is not None:
                answer(self._current)

    def _offer(self) -> None:
        ui, doubt = self._panel.ui, self._current
        for widget in (ui.doubtsList, ui.doubtsLabel):
            widget.setVisible(bool(self._doubts))
        for button, kind in ((ui.bridgeButton, "collapse"), (ui.leaveOutButton, "branch")):
            button.setVisible(any(each.kind in ("collapse", "branch") for each in self._doubts))
            button.enabled = doubt is not None and doubt.kind == kind
