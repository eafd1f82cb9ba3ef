"""The stand-in for Slicer refuses what PythonQt refuses, and carries a scripted module as Slicer does.

What is asserted of Slicer's side is from its public documentation and PythonQt's sources, not from our code.
"""

import enum
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

TOY = """
from enum import Enum
from pathlib import Path
from typing import Annotated

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, parameterNodeWrapper, parameterPack, WithinRange
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Mode(Enum):
    FAST = 1
    FINE = 2

    def label(self):
        return self.name.capitalize()


@parameterPack
class Angles:
    primary: Annotated[float, WithinRange(-90, 90)]
    secondary: float


@parameterNodeWrapper
class ToyParameterNode:
    volume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(-100, 200)] = 10.0
    count: int = 3
    invert: bool = True
    mode: Mode = Mode.FINE
    preset: Annotated[str, Choice(["AP", "lateral"])] = "AP"
    comment: str
    folder: Path = Path("/tmp")
    angles: Angles


class Toy(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Toy")
        parent.categories = ["Simulation"]


class ToyWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._parameterNode = None
        self._tag = None

    def setup(self):
        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/Toy.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = ToyLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.setParameterNode(self.logic.getParameterNode())

    def cleanup(self):
        self.setParameterNode(None)
        self.removeObservers()

    def onStartClose(self, caller, event):
        self.setParameterNode(None)

    def onEndClose(self, caller, event):
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, node):
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._tag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
        self._parameterNode = node
        if node:
            named = ((w.property("SlicerParameterName"), w) for w in vars(self.ui).values())
            bound = dict(pair for pair in named if pair[0])
            self._tag = node.connectParametersToGui(bound)
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.checkCanApply)
            self.checkCanApply()

    def checkCanApply(self, caller=None, event=None):
        self.ui.applyButton.enabled = self._parameterNode.volume is not None

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Failed."), waitCursor=True):
            self.logic.process(self._parameterNode.volume, self._parameterNode.threshold)


class ToyLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return ToyParameterNode(super().getParameterNode())

    def process(self, volume, threshold):
        if threshold < 0:
            raise ValueError("threshold below zero")
        slicer.util.updateVolumeFromArray(volume, (slicer.util.arrayFromVolume(volume) > threshold).astype("uint8"))
"""


def toy_ui() -> str:
    """A panel with a widget for each parameter of the toy."""

    def widget(kind: str, name: str, parameter: str = "", extra: str = "") -> str:
        bound = f'<property name="SlicerParameterName" stdset="0"><string>{parameter}</string></property>'
        return f'<item><widget class="{kind}" name="{name}">{extra}{bound if parameter else ""}</widget></item>'

    types = (
        '<property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>'
        '<property name="noneEnabled"><bool>true</bool></property>'
    )
    inside = "".join(
        [
            widget("ctkSliderWidget", "thresholdSlider", "threshold"),
            widget("QSpinBox", "countBox", "count"),
            widget("QCheckBox", "invertBox", "invert"),
            widget("QComboBox", "modeBox", "mode"),
            widget("ctkComboBox", "presetBox", "preset"),
            widget("QLineEdit", "commentEdit", "comment"),
            widget("ctkPathLineEdit", "folderEdit", "folder"),
            widget("QDoubleSpinBox", "primaryBox", "angles.primary"),
            widget("ctkDoubleSpinBox", "secondaryBox", "angles.secondary"),
        ]
    )
    section = f'<layout class="QVBoxLayout" name="inner">{inside}</layout>'
    body = widget("qMRMLNodeComboBox", "volumeSelector", "volume", types)
    body += widget(
        "ctkCollapsibleButton", "section", "", f'<property name="text"><string>Inputs</string></property>{section}'
    )
    body += widget("QPushButton", "applyButton", "", '<property name="text"><string>Apply</string></property>')
    return (
        '<ui version="4.0"><class>Toy</class><widget class="qMRMLWidget" name="Toy">'
        f'<layout class="QVBoxLayout" name="all">'
        f"{body}</layout></widget><connections><connection><sender>Toy</sender><signal>mrmlSceneChanged(vtkMRMLScene*)"
        "</signal><receiver>volumeSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>"
        "</connections></ui>"
    )


@pytest.fixture
def toy(load_module, tmp_path):
    (tmp_path / "Toy/Resources/UI").mkdir(parents=True)
    (tmp_path / "Toy/Toy.py").write_text(TOY)
    (tmp_path / "Toy/Resources/UI/Toy.ui").write_text(toy_ui())
    return load_module(tmp_path / "Toy/Toy.py")


def errors() -> list[str]:
    from slicer_stand_in.error_log import take_errors

    return take_errors()


def load_ui(tmp_path: Path, text: str):
    import slicer

    (tmp_path / "some.ui").write_text(text)
    return slicer.util.loadUI(str(tmp_path / "some.ui"))


# ---- what PythonQt refuses ----


def test_properties_are_attributes_and_not_methods(slicer_scene):
    import qt

    button = qt.QPushButton("Apply")
    assert (button.text, button.enabled, button.checkable) == ("Apply", True, False)
    assert button.size.width() == button.width  # what is not a QObject keeps its methods
    with pytest.raises(TypeError, match="not callable"):
        button.text()
    button.text, button.name = "Cancel", "cancelButton"
    assert (button.text, button.objectName) == ("Cancel", "cancelButton")
    with pytest.raises(AttributeError, match="read-only"):
        button.width = 3
    with pytest.raises(ValueError, match="does not accept"):
        button.text = qt.QSize(1, 2)


def test_pure_qt_objects_take_no_new_attributes_and_python_subclasses_do(slicer_scene):
    import ctk
    import qt

    for widget in (qt.QPushButton(), qt.QTimer(), ctk.ctkSliderWidget()):
        with pytest.raises(AttributeError, match="not allowed"):
            widget.helper = 1
        widget.setProperty("SlicerParameterName", "a")
        assert widget.SlicerParameterName == "a"
        widget.SlicerParameterName = "b"
        assert widget.property("SlicerParameterName") == "b"

    class Own(qt.QPushButton):
        pass

    own = Own()
    own.helper = 1
    assert own.helper == 1


def test_keyword_arguments_are_refused(slicer_scene):
    import qt

    with pytest.raises(TypeError, match="keyword"):
        qt.QPushButton(text="Apply")
    with pytest.raises(TypeError, match="keyword"):
        qt.QVBoxLayout().addWidget(qt.QPushButton(), stretch=1)


def test_isinstance_holds_for_the_exact_class_and_python_subclasses(slicer_scene):
    import ctk
    import qt

    class Own(qt.QPushButton):
        pass

    assert isinstance(qt.QPushButton(), qt.QPushButton)
    assert isinstance(Own(), qt.QPushButton)
    assert isinstance(ctk.ctkSliderWidget(), ctk.ctkSliderWidget)
    for widget in (qt.QPushButton(), Own(), ctk.ctkSliderWidget()):
        assert not isinstance(widget, qt.QWidget)
        assert widget.inherits("QWidget")
    assert ctk.ctkSliderWidget().className() == "ctkSliderWidget"


def test_a_misspelt_signal_is_false_and_an_error(slicer_scene):
    import qt
    import slicer

    def slot() -> None:
        raise AssertionError

    for widget in (qt.QPushButton(), slicer.qMRMLNodeComboBox()):
        assert widget.connect("clicked(int)", slot) is False
        assert widget.disconnect("clickt()", slot) is False
        assert ["does not exist" in message for message in errors()] == [True, True]
    assert qt.QPushButton().connect("clicked()", "slot") is False
    assert len(errors()) == 1


def test_slots_get_as_many_arguments_as_they_name(slicer_scene):
    import qt

    seen = []

    class Receiver:
        def none(self):
            seen.append("none")

        def one(self, on):
            seen.append(on)

    receiver, button = Receiver(), qt.QPushButton()
    button.checkable = True
    button.connect("clicked(bool)", receiver.none)
    button.connect("clicked(bool)", receiver.one)
    button.clicked.connect(lambda *every: seen.append(every))
    button.click()
    assert seen == ["none", True, (True,)]
    assert button.disconnect("clicked(bool)", receiver.one) is True
    assert button.disconnect("clicked(bool)", receiver.one) is False
    button.clicked(False)  # emitted by calling it
    assert seen[3:] == ["none", (False,)]
    assert not hasattr(button.clicked, "emit")


def test_an_exception_in_a_slot_does_not_reach_the_caller_but_is_recorded(slicer_scene):
    import qt
    import slicer
    import vtk

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert ["ZeroDivisionError" in message for message in errors()] == [True]
    node = slicer.vtkMRMLScriptedModuleNode()
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: 1 / 0)
    node.Modified()
    assert ["ZeroDivisionError" in message for message in errors()] == [True]
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    slicer.app.processEvents()
    assert any("ZeroDivisionError" in message for message in errors())


def test_qt_is_one_flat_namespace_with_integers_for_enumerators(slicer_scene, monkeypatch):
    import qt
    from PySide6 import QtWidgets

    assert qt.QTimer and qt.QIcon and qt.QDialog
    assert int(qt.Qt.AlignLeft | qt.Qt.AlignTop) == 0x21
    label = qt.QLabel()
    label.alignment = qt.Qt.AlignCenter
    assert label.alignment == qt.Qt.AlignCenter
    assert hasattr(qt.QDialog, "exec_")
    for name in ("Signal", "Slot", "Property", "QtWidgets"):
        assert not hasattr(qt, name)
    with pytest.raises(NotImplementedError):
        qt.QInputDialog.getText(None, "title", "label")
    assert qt.QFileDialog is QtWidgets.QFileDialog
    splitter = qt.QSplitter()
    splitter.setSizes([1, 2])
    assert isinstance(splitter.sizes(), tuple)


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<widget class="qMRMLNoSuchWidget" name="a"/>', "qMRMLNoSuchWidget"),
        (
            '<widget class="ctkSliderWidget" name="a"><property name="maximun"><double>1</double></property></widget>',
            "maximun",
        ),
    ],
)
def test_a_ui_file_with_an_unknown_class_or_property_is_refused(slicer_scene, tmp_path, inside, said):
    with pytest.raises(RuntimeError, match=said):
        load_ui(tmp_path, f'<ui version="4.0"><widget class="QWidget" name="top">{inside}</widget></ui>')
    errors()


def test_a_ui_file_that_connects_what_is_not_there_is_refused(slicer_scene, tmp_path):
    for wrong in ("mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)", "volumeSelector"):
        with pytest.raises(RuntimeError, match="connects"):
            load_ui(tmp_path, toy_ui().replace(f">{wrong}<", f">{wrong.replace('M', 'N').replace('volume', 'x')}<"))
    errors()


# ---- a scripted module ----


def test_each_widget_shows_its_parameter_and_changes_it(toy):
    import slicer

    node, ui = toy._parameterNode, toy.ui
    mode = type(node.mode)
    volume = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16), name="CT")
    shown = {
        "thresholdSlider": ("value", "setValue", "threshold", (50.0, 60.0)),
        "countBox": ("value", "setValue", "count", (7, 8)),
        "invertBox": ("checked", "setChecked", "invert", (False, True)),
        "modeBox": ("currentText", "setCurrentText", "mode", (mode.FAST, mode.FINE)),
        "presetBox": ("currentText", "setCurrentText", "preset", ("lateral", "AP")),
        "commentEdit": ("text", "setText", "comment", ("one", "two")),
        "folderEdit": ("currentPath", "setCurrentPath", "folder", (Path("/a"), Path("/b"))),
    }
    for name, (read, write, parameter, (first, second)) in shown.items():
        as_shown = {Path: str, mode: lambda value: value.label()}.get(type(first), lambda value: value)
        as_shown = str if isinstance(first, Path) else as_shown
        setattr(node, parameter, first)
        assert getattr(getattr(ui, name), read) == as_shown(first), name
        getattr(getattr(ui, name), write)(as_shown(second))
        assert getattr(node, parameter) == second, name
    node.angles.primary = 30.0
    assert ui.primaryBox.value == 30.0
    ui.secondaryBox.setValue(12.0)
    assert node.angles.secondary == 12.0
    assert (ui.primaryBox.minimum, ui.primaryBox.maximum) == (-90, 90)
    node.volume = volume
    assert ui.volumeSelector.currentNode() is volume
    ui.volumeSelector.setCurrentNode(None)
    assert node.volume is None
    toy.setParameterNode(None)
    ui.countBox.setValue(99)
    assert toy.logic.getParameterNode().count == 8  # disconnected


def test_a_button_runs_the_logic_and_an_error_is_seen(toy):
    import slicer

    from slicer_stand_in import dialogs

    assert not toy.ui.applyButton.enabled
    volume = slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="CT")
    toy.ui.volumeSelector.setCurrentNode(volume)
    assert toy.ui.applyButton.enabled
    toy._parameterNode.threshold = 11.0
    toy.ui.applyButton.click()
    assert slicer.util.arrayFromVolume(volume).sum() == 12
    toy._parameterNode.threshold = -5.0
    toy.ui.applyButton.click()
    assert ["threshold below zero" in message for message in errors()] == [True]
    (message,) = dialogs.take_messages()
    assert message.text == "Failed.\n\nthreshold below zero"
    assert "ValueError" in message.details


def test_parameters_survive_a_saved_and_closed_scene(toy, tmp_path):
    import slicer

    node = toy._parameterNode
    node.volume = slicer.util.addVolumeFromArray(np.ones((2, 3, 4), np.int16), name="CT")
    node.count, node.mode, node.comment, node.angles.primary = 12, type(node.mode).FAST, "kept", -20.5
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert toy._parameterNode is not node
    assert (toy._parameterNode.count, toy._parameterNode.volume, toy.ui.countBox.value) == (3, None, 3)
    assert toy.ui.volumeSelector.nodeCount() == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    loaded = toy.logic.getParameterNode()
    assert (loaded.count, loaded.mode.name, loaded.comment, loaded.angles.primary) == (12, "FAST", "kept", -20.5)
    assert loaded.volume.GetName() == "CT"
    assert toy.ui.countBox.value == 12


def test_the_panel_can_be_photographed(toy, screenshot, tmp_path):
    import qt

    picture = qt.QImage(str(screenshot(toy.parent, tmp_path / "panel.png")))
    assert picture.width() >= 200
    assert len({picture.pixel(x, y) for x in range(0, picture.width(), 5) for y in range(0, picture.height(), 5)}) > 3


def test_a_module_is_registered_while_it_is_loaded(toy, tmp_path):
    import slicer

    assert (slicer.modules.toy.title, slicer.modules.toy.categories) == ("Toy", ["Simulation"])
    assert slicer.util.getModuleWidget("Toy") is toy
    assert slicer.util.getModuleLogic("Toy") is toy.logic
    assert slicer.util.modulePath("Toy") == str(tmp_path / "Toy/Toy.py")
    assert slicer.modules.ToyInstance.resourcePath("UI/Toy.ui") == toy.resourcePath("UI/Toy.ui")
    assert toy.resourcePath("UI/Toy.ui") == str(tmp_path / "Toy/Resources/UI/Toy.ui")
    nodes = toy.logic.getAllParameterNodes()
    assert [node.GetAttribute("ModuleName") for node in nodes] == ["Toy"]
    assert toy.logic.getParameterNode().parameterNode is nodes[0]


def test_a_module_that_is_closed_leaves_nothing_behind(slicer_scene):
    import slicer

    assert not hasattr(slicer.modules, "toy")
    assert not hasattr(slicer.modules, "ToyWidget")


def test_the_self_test_of_a_module_runs_all_its_tests(slicer_scene):
    import slicer

    ran = []

    class OwnTest(slicer.ScriptedLoadableModule.ScriptedLoadableModuleTest):
        def test_one(self):
            ran.append(1)

        def test_two(self):
            self.delayDisplay("two")
            ran.append(2)

    OwnTest().runTest()
    assert ran == [1, 2]


# ---- parameter nodes ----


class Colour(enum.Enum):
    RED = "#f00"
    BLUE = "#00f"


def test_parameters_have_their_types_defaults_and_limits(slicer_scene):
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, Validator, WithinRange, parameterNodeWrapper

    class Even(Validator):
        def validate(self, value):
            if value % 2:
                raise ValueError("odd")

    @parameterNodeWrapper
    class Parameters:
        plain: int
        even: Annotated[int, Even(), Minimum(0)] = 4
        colour: Colour
        view: Annotated[str, Choice(["AP", "PA"]), Default("PA")]
        size: tuple[int, float] = (1, 2.5)
        names: list[str]
        table: dict[str, list[int]]
        maybe: float | None
        volumes: list[slicer.vtkMRMLScalarVolumeNode]

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    found = Parameters(node)
    assert (found.plain, found.even, found.colour, found.view, found.size) == (0, 4, Colour.RED, "PA", (1, 2.5))
    assert (found.names, found.table, found.maybe, found.volumes) == ([], {}, None, [])
    found.table, found.names, found.maybe, found.colour = {"a": [1, 2]}, ["x", "ü"], 2, Colour.BLUE
    found.volumes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(2)]
    again = Parameters(node)
    assert (again.table, again.names, again.maybe, again.colour) == ({"a": [1, 2]}, ["x", "ü"], 2.0, Colour.BLUE)
    assert again.volumes == found.volumes
    assert node.GetParameter("colour") == "BLUE"  # by name, as Slicer
    for name, wrong in {"even": 3, "view": "lateral"}.items():
        with pytest.raises(ValueError):
            setattr(found, name, wrong)
    for name, wrong in {"plain": 1.5, "names": "x", "colour": "RED", "volumes": [node]}.items():
        with pytest.raises(TypeError):
            setattr(found, name, wrong)
    with pytest.raises(AttributeError):
        found.evan = 2
    with pytest.raises(ValueError):

        @parameterNodeWrapper
        class Wrong:
            value: Annotated[int, WithinRange(5, 9)]


def test_a_widget_that_cannot_show_its_parameter_is_refused(slicer_scene):
    import qt
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        text: str
        flag: bool

    found = Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    for name, widget in {"text": qt.QSpinBox(), "flag": qt.QPushButton(), "tex": qt.QLineEdit()}.items():
        with pytest.raises(ValueError):
            found.connectParametersToGui({name: widget})
