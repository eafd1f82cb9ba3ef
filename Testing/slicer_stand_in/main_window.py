"""`slicer.util.mainWindow()`: the panel of the selected module at the left, the views of the layout at the right."""

import types

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from . import error_log
from .qt_rules import stands_for_native

QWidget = QtWidgets.QWidget
SIZE_PX = (1280, 800)
PANEL_WIDTH_PX = 460


@stands_for_native
class qSlicerModuleSelectorToolBar(QtCore.QObject):
    """Which module the panel shows; there is no tool bar to see."""

    moduleSelected = Signal(str)
    SIGNALS = types.MappingProxyType({"moduleSelected(QString)": "moduleSelected"})

    def __init__(self, panel: QtWidgets.QScrollArea) -> None:
        super().__init__()
        self._panel, self._selected = panel, ""

    def selectModule(self, name: str) -> None:
        """Exit the module that is open, and enter another; a name that is not known is an error that is recorded."""
        if name and slicer.app.moduleManager().module(name) is None:
            error_log.record(f"selectModule: there is no module '{name}'")
        elif name != self._selected:
            self._tell("exit")
            self._panel.takeWidget()
            self._selected = name
            if (shown := self._representation()) is not None:
                self._panel.setWidget(shown)
                shown.show()
            self._tell("enter")
            self.moduleSelected(name)

    def _representation(self) -> QWidget | None:
        return slicer.app.moduleManager().module(self._selected).widgetRepresentation() if self._selected else None

    def _tell(self, what: str) -> None:
        if (shown := self._representation()) is not None:
            getattr(shown.self(), what)()

    selectedModule = Property(str, lambda self: self._selected)


@stands_for_native
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """Shown from the start, with nothing in it but the panel and the views."""

    def __init__(self, viewport: QWidget) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("Stand-in for 3D Slicer")
        self.setCentralWidget(viewport)
        panel = QtWidgets.QScrollArea()
        panel.setWidgetResizable(True)
        panel.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        dock = QtWidgets.QDockWidget(self)
        dock.setObjectName("PanelDockWidget")
        dock.setTitleBarWidget(QWidget())
        dock.setWidget(panel)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.resizeDocks([dock], [PANEL_WIDTH_PX], Qt.Orientation.Horizontal)
        self._selector = qSlicerModuleSelectorToolBar(panel)
        self.resize(*SIZE_PX)

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector
