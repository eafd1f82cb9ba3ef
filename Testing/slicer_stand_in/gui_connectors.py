"""Which widget shows which type of parameter, and the two-way connection between them.

The table is that of Slicer's page "GUI Connection". A widget that cannot show the type of its parameter is refused.
"""

import enum
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import vtk

from . import error_log, parameter_types
from .parameter_types import Choice, Decimals, Field, Maximum, Minimum, RangeBounds, SingleStep, WithinRange


@dataclass(frozen=True)
class Connector:
    """One widget: how its value is read and written, and the signal that says the user changed it."""

    widget: object
    signal: str | None
    read: Callable[[], object]
    write: Callable[[object], None]


def _checked(widget: object, _field: Field) -> Connector:
    if widget.inherits("QPushButton") and not widget.checkable:
        raise ValueError(f"push button '{widget.objectName}' must be checkable to show a bool")
    return Connector(widget, "toggled(bool)", lambda: widget.checked, lambda value: widget.setChecked(value))


def _fit_number(widget: object, field: Field) -> None:
    if bounds := field.annotation(WithinRange):
        widget.setMinimum(bounds.minimum)
        widget.setMaximum(bounds.maximum)
    if lowest := field.annotation(Minimum):
        widget.setMinimum(lowest.minimum)
    if highest := field.annotation(Maximum):
        widget.setMaximum(highest.maximum)
    if (decimals := field.annotation(Decimals)) and hasattr(widget, "decimals"):
        widget.setDecimals(decimals.value)
    if step := field.annotation(SingleStep):
        widget.setSingleStep(step.value)


def _number(signal: str) -> Callable[[object, Field], Connector]:
    def make(widget: object, field: Field) -> Connector:
        _fit_number(widget, field)
        return Connector(widget, signal, lambda: widget.value, lambda value: widget.setValue(value))

    return make


def _range(widget: object, field: Field) -> Connector:
    if bounds := field.annotation(RangeBounds):
        widget.setRange(bounds.minimum, bounds.maximum)
    if decimals := field.annotation(Decimals):
        widget.setDecimals(decimals.value)
    if step := field.annotation(SingleStep):
        widget.setSingleStep(step.value)
    return Connector(
        widget,
        "valuesChanged(double,double)",
        lambda: field.type(widget.minimumValue, widget.maximumValue),
        lambda value: widget.setValues(value.minimum, value.maximum),
    )


def _choice(widget: object, field: Field) -> Connector:
    if field.annotation(Choice) is None:
        raise ValueError(f"'{widget.objectName}' shows a parameter that has no Choice")
    return _items(widget, list(field.annotation(Choice).choices), str)


def _enumerators(widget: object, field: Field) -> Connector:
    return _items(widget, list(field.type), lambda entry: entry.label() if hasattr(entry, "label") else entry.name)


def _items(widget: object, values: list, label: Callable[[object], str]) -> Connector:
    blocked = widget.blockSignals(True)
    widget.clear()
    for value in values:
        widget.addItem(label(value))
    widget.blockSignals(blocked)
    return Connector(
        widget,
        "currentIndexChanged(int)",
        lambda: values[widget.currentIndex],
        lambda value: widget.setCurrentIndex(values.index(value)),
    )


def _text(widget: object, _field: Field) -> Connector:
    return Connector(widget, "textChanged(QString)", lambda: widget.text, _unless_equal(widget, "text", "setText"))


def _plain_text(widget: object, _field: Field) -> Connector:
    write = _unless_equal(widget, "plainText", "setPlainText")
    return Connector(widget, "textChanged()", lambda: widget.plainText, write)


def _label(widget: object, _field: Field) -> Connector:
    return Connector(widget, None, lambda: widget.text, lambda value: widget.setText(value))


def _unless_equal(widget: object, name: str, setter: str) -> Callable[[str], None]:
    """Setting a text that is there already would move the cursor."""
    return lambda value: getattr(widget, name) == value or getattr(widget, setter)(value)


def _path(name: str, signal: str, setter: str) -> Callable[[object, Field], Connector]:
    def make(widget: object, field: Field) -> Connector:
        def write(value: pathlib.PurePath) -> None:
            if field.type(getattr(widget, name)) != value:
                getattr(widget, setter)(str(value))

        return Connector(widget, signal, lambda: field.type(getattr(widget, name)), write)

    return make


def _node(widget: object, _field: Field) -> Connector:
    return Connector(
        widget,
        "currentNodeChanged(vtkMRMLNode*)",
        lambda: widget.currentNode(),
        lambda value: widget.setCurrentNode(value),
    )


_CONNECTORS: tuple[tuple[str, Callable[[object], bool], Callable[[object, Field], Connector]], ...] = (
    ("QCheckBox", lambda kind: kind is bool, _checked),
    ("QPushButton", lambda kind: kind is bool, _checked),
    ("QSlider", lambda kind: kind is int, _number("valueChanged(int)")),
    ("QSpinBox", lambda kind: kind is int, _number("valueChanged(int)")),
    ("QDoubleSpinBox", lambda kind: kind is float, _number("valueChanged(double)")),
    ("ctkSliderWidget", lambda kind: kind is float, _number("valueChanged(double)")),
    ("ctkDoubleSpinBox", lambda kind: kind is float, _number("valueChanged(double)")),
    ("qMRMLSliderWidget", lambda kind: kind is float, _number("valueChanged(double)")),
    ("ctkRangeWidget", lambda kind: getattr(kind, "__name__", "") == "FloatRange", _range),
    ("QComboBox", lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum), _enumerators),
    ("QComboBox", lambda kind: kind in (int, float, str, bool), _choice),
    ("QLineEdit", lambda kind: kind is str, _text),
    ("QTextEdit", lambda kind: kind is str, _plain_text),
    ("QPlainTextEdit", lambda kind: kind is str, _plain_text),
    ("QLabel", lambda kind: kind is str, _label),
    (
        "ctkPathLineEdit",
        lambda kind: isinstance(kind, type) and issubclass(kind, pathlib.PurePath),
        _path("currentPath", "currentPathChanged(QString)", "setCurrentPath"),
    ),
    (
        "ctkDirectoryButton",
        lambda kind: isinstance(kind, type) and issubclass(kind, pathlib.PurePath),
        _path("directory", "directoryChanged(QString)", "setDirectory"),
    ),
    ("qMRMLNodeComboBox", parameter_types.is_node, _node),
)


def connector_for(widget: object, field: Field) -> Connector:
    """The connector of a widget; ValueError where it cannot show the parameter."""
    for class_name, fits, make in _CONNECTORS:
        if widget.inherits(class_name) and fits(field.type):
            return make(widget, field)
    raise ValueError(f"{widget.className()} '{widget.objectName}' cannot show a parameter of type {field.type}")


class Connection:
    """Widgets bound to a wrapper, in both directions, until `close`."""

    def __init__(self, wrapper: object, connectors: list[tuple[str, Connector]]) -> None:
        self._wrapper, self._connectors, self._updating = wrapper, connectors, False
        self._slots: list[tuple[Connector, Callable]] = []
        self._show()
        for name, connector in connectors:
            if connector.signal:
                slot = self._slot(name, connector)
                if not connector.widget.connect(connector.signal, slot):
                    raise ValueError(f"'{connector.widget.objectName}' cannot be connected")
                self._slots.append((connector, slot))
        self._tag = wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show())

    def _slot(self, name: str, connector: Connector) -> Callable[[], None]:
        def store() -> None:
            if not self._updating:
                self._wrapper.setValue(name, connector.read())

        return store

    def _show(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for name, connector in self._connectors:
                connector.write(self._wrapper.getValue(name))
        except Exception:
            error_log.record_exception(f"showing parameter '{name}' in '{connector.widget.objectName}'")
        finally:
            self._updating = False

    def close(self) -> None:
        self._wrapper.RemoveObserver(self._tag)
        for connector, slot in self._slots:
            connector.widget.disconnect(connector.signal, slot)
