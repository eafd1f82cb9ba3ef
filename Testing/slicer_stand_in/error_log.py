"""What went wrong where Slicer would only print it: slots, Qt and VTK warnings, misspelt signals.

In Slicer an exception in a slot or an observer does not reach the caller. It is written to the console and the
program goes on, and so it is here; the test that caused it fails when it ends (see slicer_fixtures.py).
"""

import re
import sys
import traceback

from PySide6 import QtCore

_errors: list[str] = []
_HARMLESS = (
    r"This plugin does not support (propagateSizeHints|raise|grabbing|setting window)",  # Qt's offscreen platform
    r"QStandardPaths: (XDG_RUNTIME_DIR|wrong permissions)",
    r"bad X server connection",  # VTK looks for an X server before it takes EGL
    r"invalid orientation preset name: Reformat",  # slicer-core reads a slice that lies obliquely, and then its matrix
)


def record(message: str) -> None:
    """Note a message and print it."""
    if not any(re.search(pattern, message) for pattern in _HARMLESS):
        _errors.append(message)
        print(message, file=sys.__stderr__)


def record_exception(where: str) -> None:
    """Note the exception that is being handled."""
    record(f"{where}\n{traceback.format_exc()}")


def take_errors() -> list[str]:
    """The messages since the last call, which are forgotten: what a test that provokes an error asserts on."""
    taken, _errors[:] = list(_errors), []
    return taken


def _qt_message(kind: QtCore.QtMsgType, _context: object, message: str) -> None:
    if kind not in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg):
        record(f"Qt: {message}")


def _uncaught(kind: type[BaseException], error: BaseException, trace: object) -> None:
    record("uncaught\n" + "".join(traceback.format_exception(kind, error, trace)))


def catch_uncaught() -> None:
    """Record what Python prints of an exception nobody handles; a command line run in between has its own way."""
    sys.excepthook = _uncaught


def listen() -> None:
    """Record Qt's and VTK's warnings and errors, and exceptions in observers and virtual methods."""
    import vtk

    QtCore.qInstallMessageHandler(_qt_message)
    catch_uncaught()

    @vtk.calldata_type(vtk.VTK_STRING)
    def vtk_message(_window: object, event: str, text: str) -> None:
        record(f"VTK {event}: {text}")

    for event in ("ErrorEvent", "WarningEvent"):
        vtk.vtkOutputWindow.GetInstance().AddObserver(event, vtk_message)
