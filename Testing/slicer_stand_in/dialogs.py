"""What a user would see and do outside the panel: message boxes, file dialogs, pages opened in the browser.

None of them waits for anybody here. A test says beforehand what is pressed and chosen, and takes what was shown. It
fails when it ends if it has not taken a message, not answered a question, or given answers that nobody asked for.
"""

from collections import deque
from dataclasses import dataclass

from PySide6 import QtCore, QtGui, QtWidgets

from . import error_log

QMessageBox = QtWidgets.QMessageBox


@dataclass(frozen=True)
class Message:
    """A message box that was shown."""

    text: str
    details: str
    answer: int | None
    """The button that `press_next` pressed; None where there was nothing to choose."""


_messages: list[Message] = []
_urls: list[str] = []
_presses: deque[int] = deque()
_choices: deque[str | list[str]] = deque()


def press_next(*buttons: int) -> None:
    """The answers to the next questions, such as ``qt.QMessageBox.Ok``, in their order."""
    _presses.extend(buttons)


def choose_next(*paths: str | list[str]) -> None:
    """What the next file dialogs give, in their order: a path, a list for getOpenFileNames, "" where cancelled."""
    _choices.extend(paths)


def take_messages() -> list[Message]:
    """The message boxes since the last call, questions among them, which are forgotten."""
    taken, _messages[:] = list(_messages), []
    return taken


def take_urls() -> list[str]:
    """What was opened by QDesktopServices or a link since the last call, and is forgotten."""
    taken, _urls[:] = list(_urls), []
    return taken


def take_left_over() -> dict[str, list]:
    """What a test should not leave behind, which is forgotten."""
    left = {
        "messages that were not taken": [message for message in take_messages() if message.answer is None],
        "answers that nobody asked for": [*_presses, *_choices],
        "pages that were opened": take_urls(),
    }
    _presses.clear()
    _choices.clear()
    return left


def _show(box: QMessageBox) -> int:
    """In place of `QMessageBox.exec`: the only button there is, or the next answer."""
    text, buttons = QMessageBox.text(box), int(QMessageBox.standardButtons(box)) or int(QMessageBox.StandardButton.Ok)
    is_question = buttons & (buttons - 1) != 0
    pressed = buttons
    if is_question and _presses and _presses[0] & buttons:
        pressed = int(_presses.popleft())
    elif is_question:
        error_log.record(f"no answer to the question '{text}': dialogs.press_next says what is pressed")
        pressed = int(QMessageBox.StandardButton.Cancel)
    _messages.append(Message(text, QMessageBox.detailedText(box), pressed if is_question else None))
    return pressed


def _chosen(*_arguments: object) -> str | tuple[str, ...]:
    """In place of QFileDialog's static functions."""
    if not _choices:
        error_log.record("no choice for a file dialog: dialogs.choose_next says what is chosen")
        return ""
    choice = _choices.popleft()
    return choice if type(choice) is str else tuple(choice)


class _Browser(QtCore.QObject):
    """Receives what QDesktopServices opens."""

    @QtCore.Slot(QtCore.QUrl)
    def open(self, url: QtCore.QUrl) -> None:
        _urls.append(url.toString())


_browser = _Browser()


def take_over() -> None:
    """Let Qt's message boxes, file dialogs and desktop services end here."""
    QMessageBox.exec = QMessageBox.exec_ = _show
    for name in ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(_chosen))
    for scheme in ("http", "https", "file", "mailto"):
        QtGui.QDesktopServices.setUrlHandler(scheme, _browser, "open")
