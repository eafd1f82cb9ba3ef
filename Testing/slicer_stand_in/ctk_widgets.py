"""The module `ctk`: doubles of the CTK widgets that modules of ours use, with CTK's properties and signals."""

import types
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from .qt_rules import stands_for_native
from .ui_loader import CUSTOM_WIDGETS, custom_widget

QWidget = QtWidgets.QWidget


@custom_widget
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A titled section that folds away the widgets of its layout."""

    TITLE_PX = 24
    contentsCollapsed = Signal(bool)
    SIGNALS = types.MappingProxyType({"contentsCollapsed(bool)": "contentsCollapsed"})

    def __init__(self, text: str | QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent if type(text) is str else text)
        self._collapsed = False
        if type(text) is str:
            self.setText(text)
        self.setContentsMargins(0, self.TITLE_PX, 0, 0)
        self.connect("clicked()", lambda: self.setCollapsed(not self._collapsed))

    def setCollapsed(self, collapsed: bool) -> None:
        if collapsed != self._collapsed:
            self._collapsed = collapsed
            for child in self.children():
                if child.inherits("QWidget"):
                    child.setVisible(not collapsed)
            if self.layout() is not None:
                self.layout().setEnabled(not collapsed)  # it would hold its margins open
            self.setMinimumHeight(0)
            self.setMaximumHeight(self.TITLE_PX if collapsed else 16777215)
            self.contentsCollapsed(collapsed)
            self.update()

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)
    contentsFrameShape = Property(int, lambda self: 0, lambda self, shape: None)
    collapsedHeight = Property(int, lambda self: 0, lambda self, height: None)

    def sizeHint(self) -> QtCore.QSize:
        hint = QtCore.QSize(120, self.TITLE_PX)
        return hint if self._collapsed or self.layout() is None else hint.expandedTo(self.layout().totalSizeHint())

    minimumSizeHint = sizeHint

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        if event.added() and self._collapsed and event.child().inherits("QWidget"):
            event.child().setVisible(False)

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, self.TITLE_PX)
        option.text = ("▸ " if self._collapsed else "▾ ") + self.text
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)


@custom_widget
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose check mark folds it."""

    def __init__(self, title: str | QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent if type(title) is str else title)
        if type(title) is str:
            self.setTitle(title)
        self.setCheckable(True)
        self.connect("toggled(bool)", self._fold)

    def _fold(self, shown: bool) -> None:
        for child in self.children():
            if child.inherits("QWidget"):
                child.setVisible(shown)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.checked, setCollapsed)


class _NumberWidget(QWidget):
    """What the CTK widgets for one number have in common: a spin box, with a slider or without."""

    valueChanged = Signal(float)
    SIGNALS = types.MappingProxyType({"valueChanged(double)": "valueChanged"})
    SLOTS = ("setValue(double)",)
    has_slider = False
    MAXIMUM = 99.0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(Qt.Orientation.Horizontal) if self.has_slider else None
        self._box = QtWidgets.QDoubleSpinBox()
        self._box.setRange(0.0, self.MAXIMUM)
        self._tracking = True
        for part in filter(None, (self._slider, self._box)):
            layout.addWidget(part)
        self._box.connect("valueChanged(double)", self._box_changed)
        if self._slider is not None:
            self._slider.connect("valueChanged(int)", self._slider_moved)
            self._slider.connect("sliderReleased()", lambda: self._tracking or self.valueChanged(self._box.value))
            self._fit_slider()

    def _box_changed(self, value: float) -> None:
        self._fit_slider()
        if self._tracking or self._slider is None or not self._slider.isSliderDown():
            self.valueChanged(value)

    def _slider_moved(self, step: int) -> None:
        self._box.setValue(self._box.minimum + step * self._box.singleStep)

    def _fit_slider(self) -> None:
        if self._slider is not None:
            blocked = self._slider.blockSignals(True)
            span = self._box.maximum - self._box.minimum
            self._slider.setRange(0, min(round(span / (self._box.singleStep or 1.0)), 2**30))
            self._slider.setValue(round((self._box.value - self._box.minimum) / (self._box.singleStep or 1.0)))
            self._slider.blockSignals(blocked)

    def setValue(self, value: float) -> None:
        self._box.setValue(value)

    def setMinimum(self, value: float) -> None:
        self._box.setMinimum(value)
        self._fit_slider()

    def setMaximum(self, value: float) -> None:
        self._box.setMaximum(value)
        self._fit_slider()

    def setRange(self, minimum: float, maximum: float) -> None:
        self._box.setRange(minimum, maximum)
        self._fit_slider()

    def setSingleStep(self, step: float) -> None:
        self._box.setSingleStep(step)
        self._fit_slider()

    def setDecimals(self, count: int) -> None:
        self._box.setDecimals(count)

    def setSuffix(self, text: str) -> None:
        self._box.setSuffix(text)

    def setPrefix(self, text: str) -> None:
        self._box.setPrefix(text)

    value = Property(float, lambda self: self._box.value, setValue)
    minimum = Property(float, lambda self: self._box.minimum, setMinimum)
    maximum = Property(float, lambda self: self._box.maximum, setMaximum)
    singleStep = Property(float, lambda self: self._box.singleStep, setSingleStep)
    decimals = Property(int, lambda self: self._box.decimals, setDecimals)
    suffix = Property(str, lambda self: self._box.suffix, setSuffix)
    prefix = Property(str, lambda self: self._box.prefix, setPrefix)


@custom_widget
class ctkDoubleSpinBox(_NumberWidget):
    """A number."""


@custom_widget
class ctkSliderWidget(_NumberWidget):
    """A number with a slider; without `tracking` it reports when the slider is let go."""

    has_slider = True

    def setTracking(self, tracking: bool) -> None:
        self._tracking = tracking

    def setPageStep(self, step: float) -> None:
        self._slider.setPageStep(max(round(step / (self._box.singleStep or 1.0)), 1))

    tracking = Property(bool, lambda self: self._tracking, setTracking)
    pageStep = Property(float, lambda self: self._slider.pageStep * self._box.singleStep, setPageStep)


@custom_widget
class ctkRangeWidget(QWidget):
    """Two numbers, the lower never above the upper."""

    valuesChanged = Signal(float, float)
    SIGNALS = types.MappingProxyType({"valuesChanged(double,double)": "valuesChanged"})

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._boxes = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        for box in self._boxes:
            box.setRange(0.0, 99.0)
            layout.addWidget(box)
        self._boxes[1].setValue(99.0)
        self._boxes[0].connect("valueChanged(double)", lambda low: self.setValues(low, max(low, self._boxes[1].value)))
        self._boxes[1].connect("valueChanged(double)", lambda up: self.setValues(min(up, self._boxes[0].value), up))
        self._last = self._values()

    def _values(self) -> tuple[float, float]:
        return self._boxes[0].value, self._boxes[1].value

    def setValues(self, lower: float, upper: float) -> None:
        for box, value in zip(self._boxes, (min(lower, upper), max(lower, upper)), strict=True):
            blocked = box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(blocked)
        if self._values() != self._last:
            self._last = self._values()
            self.valuesChanged(*self._last)

    def setRange(self, minimum: float, maximum: float) -> None:
        for box in self._boxes:
            box.setRange(minimum, maximum)

    def _set_all(self, setter: str, value: object) -> None:
        for box in self._boxes:
            getattr(box, setter)(value)

    def setMinimum(self, value: float) -> None:
        self._set_all("setMinimum", value)

    def setMaximum(self, value: float) -> None:
        self._set_all("setMaximum", value)

    def setDecimals(self, count: int) -> None:
        self._set_all("setDecimals", count)

    def setSingleStep(self, step: float) -> None:
        self._set_all("setSingleStep", step)

    def setSuffix(self, text: str) -> None:
        self._set_all("setSuffix", text)

    def setMinimumValue(self, value: float) -> None:
        self._boxes[0].setValue(value)

    def setMaximumValue(self, value: float) -> None:
        self._boxes[1].setValue(value)

    minimumValue = Property(float, lambda self: self._boxes[0].value, setMinimumValue)
    maximumValue = Property(float, lambda self: self._boxes[1].value, setMaximumValue)
    minimum = Property(float, lambda self: self._boxes[0].minimum, setMinimum)
    maximum = Property(float, lambda self: self._boxes[0].maximum, setMaximum)
    decimals = Property(int, lambda self: self._boxes[0].decimals, setDecimals)
    singleStep = Property(float, lambda self: self._boxes[0].singleStep, setSingleStep)
    suffix = Property(str, lambda self: self._boxes[0].suffix, setSuffix)


@custom_widget
class ctkPathLineEdit(QWidget):
    """The path of a file or a folder, typed or browsed for."""

    currentPathChanged = Signal(str)
    SIGNALS = types.MappingProxyType({"currentPathChanged(QString)": "currentPathChanged"})
    Files, Dirs, Readable, Writable, Executable = 0x002, 0x001, 0x010, 0x020, 0x040

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._edit, self._browse = QtWidgets.QLineEdit(), QtWidgets.QToolButton()
        self._browse.setText("…")
        layout.addWidget(self._edit)
        layout.addWidget(self._browse)
        self._filters, self._names, self._settings, self._label = self.Files, (), "", ""
        self._edit.connect("textChanged(QString)", lambda text: self.currentPathChanged(text))
        self._browse.connect("clicked()", self.browse)

    def browse(self) -> None:
        dialog = QtWidgets.QFileDialog
        if self._filters & self.Dirs:
            chosen = dialog.getExistingDirectory(self)
        elif self._filters & self.Writable:
            chosen = dialog.getSaveFileName(self, self._label, self.currentPath, ";;".join(self._names))
        else:
            chosen = dialog.getOpenFileName(self, self._label, self.currentPath, ";;".join(self._names))
        if chosen:
            self.setCurrentPath(chosen)

    def setCurrentPath(self, path: str) -> None:
        if type(path) is not str:
            raise TypeError("setCurrentPath takes a str; Qt does not know pathlib")
        self._edit.setText(path)

    def addCurrentPathToHistory(self) -> None:
        """History is not kept here."""

    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath)
    filters = Property(int, lambda self: self._filters, lambda self, value: setattr(self, "_filters", value))
    nameFilters = Property(
        "QStringList", lambda self: list(self._names), lambda self, names: setattr(self, "_names", tuple(names))
    )
    settingKey = Property(str, lambda self: self._settings, lambda self, key: setattr(self, "_settings", key))
    label = Property(str, lambda self: self._label, lambda self, text: setattr(self, "_label", text))


@custom_widget
class ctkDirectoryButton(QWidget):
    """A button that shows a folder and browses for one."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)
    SIGNALS = types.MappingProxyType(
        {"directoryChanged(QString)": "directoryChanged", "directorySelected(QString)": "directorySelected"}
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._button = QtWidgets.QPushButton(str(Path.cwd()))
        layout.addWidget(self._button)
        self._button.connect("clicked()", self.browse)

    def browse(self) -> None:
        if chosen := QtWidgets.QFileDialog.getExistingDirectory(self, "", self.directory):
            self.directorySelected(chosen)
            self.setDirectory(chosen)

    def setDirectory(self, folder: str) -> None:
        if type(folder) is not str:
            raise TypeError("setDirectory takes a str; Qt does not know pathlib")
        if folder != self._button.text:
            self._button.setText(folder)
            self.directoryChanged(folder)

    directory = Property(str, lambda self: self._button.text, setDirectory)


@custom_widget
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box."""


@custom_widget
class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


@stands_for_native
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box; "do not show again" is not offered."""


def make_ctk_module() -> types.ModuleType:
    """The module that `import ctk` gives."""
    module = types.ModuleType("ctk", "The CTK widgets that modules of ours use.")
    for name, cls in {**CUSTOM_WIDGETS, "ctkMessageBox": ctkMessageBox}.items():
        if name.startswith("ctk"):
            setattr(module, name, cls)
    return module
