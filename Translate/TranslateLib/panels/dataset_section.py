"""The sections at the end of the panel: recipes and datasets, which are still to come, and what this machine can do."""

import qt
from slicer.i18n import tr as _

from Sim2RealLib.panels.dataset_section import DatasetSection
from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.requirements import torch_problem

from ..mrml.laparoscope_view import VIEW

REASON = _(
    "Recipes and datasets of laparoscopy need its simulator, which the library does not have yet. "
    "Until then the scene itself can be saved above."
)


class MachineOnlySection(DatasetSection):
    """The shared sections, of which only that of the machine can be used; of the others `reason` says why not."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel, None, VIEW)
        ui = panel.ui
        self._off = (
            ui.saveRecipeButton,
            ui.loadRecipeButton,
            ui.datasetFolderEdit,
            ui.exportButton,
            ui.openDatasetButton,
            ui.openReportButton,
            ui.frameSlider,
        )
        self.reason = qt.QLabel(REASON)
        self.reason.wordWrap = True
        self.reason.setStyleSheet("font-style: italic")
        ui.datasetCollapsibleButton.layout().insertRow(0, self.reason)

    def update(self) -> None:
        """Enable what can be done now."""
        for widget in self._off:
            widget.enabled = False
        self._panel.ui.examineButton.enabled = not self._panel.worker.busy
        self._panel.ui.installTorchButton.enabled = torch_problem() is not None
