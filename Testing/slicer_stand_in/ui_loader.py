"""`qt.QUiLoader`: builds a widget from a .ui file, with the doubles for Slicer's custom widgets.

Stricter than the real one: a class that is not known, a property that its class does not have and a connection that
names an unknown signal or slot raise RuntimeError. Slicer prints a line and shows a plain QWidget.
"""

from xml.etree import ElementTree

import shiboken6
from PySide6 import QtCore, QtUiTools, QtWidgets

from .qt_rules import QObject, connect, new_attributes_ignored, normalized, stands_for_native

CUSTOM_WIDGETS: dict[str, type[QtWidgets.QWidget]] = {}
"""Doubles by the name that .ui files use; ctk_widgets and qmrml_widgets fill it."""

_kept: dict[int, list[QtWidgets.QWidget]] = {}
"""Python halves of the doubles by address of their top widget: Qt alone would let them go."""


def custom_widget(cls: type[QtWidgets.QWidget]) -> type[QtWidgets.QWidget]:
    """Let .ui files use this double."""
    CUSTOM_WIDGETS[cls.__name__] = stands_for_native(cls)
    return cls


@stands_for_native
class QUiLoader(QtUiTools.QUiLoader):
    """Loads .ui files as Slicer does: only `load(device[, parent])` is offered."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._made: list[QtWidgets.QWidget] = []
        self._unknown: list[str] = []

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = "") -> object:
        """Called by Qt for each widget of the file."""
        if class_name in CUSTOM_WIDGETS:
            widget = CUSTOM_WIDGETS[class_name](parent)
            QObject.setObjectName(widget, name)
        else:
            if class_name not in {*QtUiTools.QUiLoader.availableWidgets(self), "Line", "QWidget"}:
                self._unknown.append(class_name)
            widget = super().createWidget(class_name, parent, name)
        self._made.append(widget)
        return widget

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """The top widget of an open .ui file."""
        tree = ElementTree.fromstring(bytes(device.readAll()))
        connections = [
            {part: entry.findtext(part) for part in ("sender", "signal", "receiver", "slot")}
            for entry in tree.findall("connections/connection")
        ]
        if (listed := tree.find("connections")) is not None:
            tree.remove(listed)  # Qt knows neither signals nor slots of the doubles
        _number_enumerators(tree)
        self._made, self._unknown = [], []
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QBuffer.OpenModeFlag.ReadOnly)
        with new_attributes_ignored():
            widget = QtUiTools.QUiLoader.load(self, buffer, parent)
        if self._unknown:
            raise RuntimeError(f"The .ui file uses {', '.join(sorted(set(self._unknown)))}, which the loader lacks.")
        if widget is None:
            raise RuntimeError(f"The .ui file cannot be read: {QtUiTools.QUiLoader.errorString(self)}")
        self._keep(widget)
        _require_properties(tree, widget)
        for entry in connections:
            _connect(widget, **entry)
        return widget

    def _keep(self, widget: QtWidgets.QWidget) -> None:
        address = shiboken6.getCppPointer(widget)[0]
        _kept[address] = [*self._made, widget]
        QObject.connect(widget, QtCore.SIGNAL("destroyed()"), lambda: _kept.pop(address, None))


def _number_enumerators(tree: ElementTree.Element) -> None:
    """Enumerators of the doubles, such as ``ctkPathLineEdit::Dirs``, become the numbers that their properties hold."""
    for given in tree.iter("property"):
        for entry in (*given.findall("set"), *given.findall("enum")):
            names = [name.partition("::") for name in (entry.text or "").split("|")]
            if all(cls in CUSTOM_WIDGETS for cls, _, _ in names):
                entry.tag = "number"
                entry.text = str(sum(int(getattr(CUSTOM_WIDGETS[cls], name)) for cls, _, name in names))


def _child(top: QtWidgets.QWidget, name: str) -> QtWidgets.QWidget:
    child = top if QObject.objectName(top) == name else QObject.findChild(top, QObject, name)
    if child is None:
        raise RuntimeError(f"The .ui file connects '{name}', which is not in it.")
    return child


def _require_properties(tree: ElementTree.Element, top: QtWidgets.QWidget) -> None:
    for entry in tree.iter("widget"):
        name = entry.get("name", "")
        meta = QObject.metaObject(_child(top, name))
        if entry.get("class") in CUSTOM_WIDGETS:
            for given in entry.findall("property"):
                if given.get("stdset") != "0" and meta.indexOfProperty(given.get("name")) < 0:
                    raise RuntimeError(f"{entry.get('class')} '{name}' has no property '{given.get('name')}'.")


def _connect(top: QtWidgets.QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
    source, target = _child(top, sender), _child(top, receiver)
    name = slot.partition("(")[0]
    declared = [entry for cls in type(target).__mro__ for entry in cls.__dict__.get("SLOTS", ())]
    if normalized(slot) not in declared and QObject.metaObject(target).indexOfSlot(normalized(slot)) < 0:
        raise RuntimeError(f"The .ui file connects to '{slot}' of '{receiver}', which it does not have.")
    if not connect(source, signal, getattr(target, name)):
        raise RuntimeError(f"The .ui file connects '{signal}' of '{sender}', which it does not have.")
