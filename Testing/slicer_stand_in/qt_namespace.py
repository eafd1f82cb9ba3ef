"""The module `qt`: all of Qt in one flat namespace, by PythonQt's rules (qt_rules.py)."""

import types
from collections.abc import Callable

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

from . import dialogs, qt_rules
from .ui_loader import QUiLoader

_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
_PYSIDE_ONLY = {"Signal", "Slot", "Property", "SIGNAL", "SLOT", "ClassInfo", "QEnum", "QFlag"}
"""Names that `qt` of Slicer does not have, or has had with crashes: modules of ours do without."""

_INPUTS = ("getText", "getInt", "getDouble", "getItem", "getMultiLineText")
_MESSAGES = ("information", "question", "warning", "critical", "about")


class _Qt(types.ModuleType):
    """Looks names up in Qt's modules."""

    QUiLoader = QUiLoader

    def __getattr__(self, name: str) -> object:
        if name not in _PYSIDE_ONLY and not name.startswith("_"):
            for module in _MODULES:
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module 'qt' has no attribute '{name}'")


def _single_shot(function: Callable) -> staticmethod:
    """The slot of QTimer.singleShot, whose exception PySide6 would raise in whatever runs the events."""
    return staticmethod(
        lambda delay_ms, *slot: function(delay_ms, *slot[:-1], qt_rules.adapted(slot[-1], 0, "QTimer.singleShot"))
    )


def _refused(name: str, instead: str) -> staticmethod:
    def refuse(*_arguments: object) -> None:
        raise NotImplementedError(f"{name} is not offered: {instead}")

    return staticmethod(refuse)


def make_qt_module() -> types.ModuleType:
    """The module that `import qt` gives; what differs in the results of Qt's static functions is put right."""
    for module in _MODULES:
        qt_rules.apply_to(module)
    for name in _INPUTS:
        setattr(QtWidgets.QInputDialog, name, _refused(f"QInputDialog.{name}", "it answers differently in Slicer"))
    for name in _MESSAGES:
        setattr(QtWidgets.QMessageBox, name, _refused(f"QMessageBox.{name}", "slicer.util has message boxes"))
    QtCore.QTimer.singleShot = _single_shot(QtCore.QTimer.singleShot)
    for cls in (QtWidgets.QDialog, QtWidgets.QMenu, QtCore.QEventLoop, QtCore.QCoreApplication):
        cls.exec_ = cls.exec
    dialogs.take_over()
    return _Qt("qt", "Qt's classes as Slicer's Python sees them.")
