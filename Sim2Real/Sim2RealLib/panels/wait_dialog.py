"""Long work for what waits for it, such as Slicer's module Sample Data: on the worker, with a dialog that stops it."""

from collections.abc import Iterator
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from .job_row import JobRow
from .worker import returning, shared_worker

WIDTH_PX = 420


def wait_for(title: str, steps: Iterator[Any]) -> Any:
    """What steps of work return. Their `Done` values are shown; Slicer's window stays alive, behind the dialog.

    Raises what the steps raise, `Cancelled` when the user has stopped them, and RuntimeError while other work runs.
    """
    worker = shared_worker()
    if worker.busy:
        raise RuntimeError(_("Wait for what is running, or cancel it."))
    dialog, loop = qt.QDialog(slicer.util.mainWindow()), qt.QEventLoop()
    row = JobRow(worker.cancel)
    qt.QVBoxLayout(dialog).addWidget(row.widget)
    dialog.setWindowTitle(title)
    dialog.setMinimumWidth(WIDTH_PX)
    dialog.setModal(True)
    dialog.connect("rejected()", worker.cancel)
    returned: list[Any] = []
    errors: list[BaseException | None] = []

    def ended(error: BaseException | None) -> None:
        errors.append(error)
        loop.quit()

    row.begin(title)
    dialog.show()
    worker.start(returning(steps, returned), row.show, ended)
    loop.exec_()
    dialog.hide()
    dialog.deleteLater()
    if errors[0] is not None:
        raise errors[0]
    return returned[0]
