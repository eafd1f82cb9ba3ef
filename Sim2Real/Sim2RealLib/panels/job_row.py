"""What is running, how far it is, how long it will take, and a button that stops it; or what went wrong."""

import time
from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ..job import Done

STEPS = 1000
"""Of the progress bar."""


class JobRow:
    """One row of a panel. `widget` is hidden while there is nothing to say."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self.widget = qt.QWidget()
        self._text, self._bar, self._cancel = qt.QLabel(), qt.QProgressBar(), qt.QPushButton(_("Cancel"))
        self._text.objectName, self._cancel.objectName = "jobText", "jobCancelButton"
        self._bar.objectName = "jobProgressBar"
        self._text.wordWrap = True
        self._text.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        column, row = qt.QVBoxLayout(self.widget), qt.QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._bar)
        row.addWidget(self._cancel)
        column.addWidget(self._text)
        column.addLayout(row)
        self._cancel.connect("clicked(bool)", lambda _checked: self._stop(cancel))
        self._title = ""
        self._started, self._first, self._total = 0.0, 0, 0
        self._is_error = False
        self.clear()

    @property
    def text(self) -> str:
        """What the row says."""
        return self._text.text

    def begin(self, title: str) -> None:
        """A job has begun; how much there is to do is not known yet."""
        self._title, self._total = title, 0
        self._say(title + "…", error=False)
        self._bar.setRange(0, 0)
        self._cancel.enabled = True
        self._running(True)

    def show(self, progress: Done) -> None:
        """How far the job is. Time left is what the steps took on average since their number is known."""
        if not self._cancel.enabled:
            return
        text = f"{self._title}: {progress.doing}" if progress.doing else self._title
        if progress.total:
            if progress.total != self._total:  # what was done before tells nothing of these steps
                self._started, self._first, self._total = time.monotonic(), progress.done, progress.total
            self._bar.setRange(0, STEPS)
            self._bar.setValue(STEPS * progress.done // progress.total)
            text += _(", {done} of {total}").format(done=progress.done, total=progress.total)
            if self._first < progress.done < progress.total:
                each = (time.monotonic() - self._started) / (progress.done - self._first)
                text += _(", {time} left").format(time=in_words(each * (progress.total - progress.done)))
        self._say(text, error=False)

    def end(self, message: str = "", error: bool = False) -> None:
        """The job has ended: what to say of it, and whether it went wrong."""
        self._running(False)
        self._say(message, error)

    def clear(self) -> None:
        """Say nothing."""
        self.end()

    def clear_error(self) -> None:
        """Take an error back: its cause may be gone."""
        if self._is_error:
            self.clear()

    def _stop(self, cancel: Callable[[], None]) -> None:
        self._cancel.enabled = False
        self._say(_("{title}: stopping after this step…").format(title=self._title), error=False)
        cancel()

    def _say(self, text: str, error: bool) -> None:
        self._is_error = error
        self._text.setText(text)
        self._text.setStyleSheet("color: #c0392b;" if error else "")
        self.widget.setVisible(bool(text))

    def _running(self, running: bool) -> None:
        self._bar.setVisible(running)
        self._cancel.setVisible(running)


def in_words(seconds: float) -> str:
    """A duration, rounded: 40 s, 3 min, 2.5 h."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
