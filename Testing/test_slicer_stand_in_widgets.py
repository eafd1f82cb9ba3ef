"""The doubles of the ctk and qMRML widgets, and every kind of widget bound to a parameter in both directions."""

from pathlib import Path
from typing import Annotated

import pytest


def seen_by(widget, signal: str) -> list:
    """What a signal carries from now on."""
    seen = []
    assert widget.connect(signal, lambda *values: seen.append(values if len(values) != 1 else values[0]))
    return seen


@pytest.fixture
def parameters(slicer_scene):
    import slicer
    from slicer.parameterNodeWrapper import (
        Decimals,
        Default,
        FloatRange,
        RangeBounds,
        SingleStep,
        WithinRange,
        parameterNodeWrapper,
    )

    @parameterNodeWrapper
    class Parameters:
        number: Annotated[float, WithinRange(-50, 200), Decimals(1), SingleStep(0.5)]
        count: Annotated[int, WithinRange(-5, 20), SingleStep(2)]
        flag: bool
        text: str
        path: Path
        window: Annotated[FloatRange, RangeBounds(-1000, 3000), Default(FloatRange(-100, 900))]
        node: slicer.vtkMRMLModelNode

    return Parameters(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))


BINDINGS = [
    ("qt.QSlider", "count", "value", "setValue", 4, 6),
    ("qt.QSpinBox", "count", "value", "setValue", 4, 6),
    ("qt.QDoubleSpinBox", "number", "value", "setValue", 120.5, -20.5),
    ("ctk.ctkDoubleSpinBox", "number", "value", "setValue", 120.5, -20.5),
    ("ctk.ctkSliderWidget", "number", "value", "setValue", 120.5, -20.5),
    ("slicer.qMRMLSliderWidget", "number", "value", "setValue", 120.5, -20.5),
    ("qt.QCheckBox", "flag", "checked", "setChecked", True, False),
    ("ctk.ctkCheckBox", "flag", "checked", "setChecked", True, False),
    ("qt.QPushButton", "flag", "checked", "setChecked", True, False),
    ("qt.QLineEdit", "text", "text", "setText", "one", "two"),
    ("qt.QTextEdit", "text", "plainText", "setPlainText", "one", "two"),
    ("qt.QPlainTextEdit", "text", "plainText", "setPlainText", "one", "two"),
    ("ctk.ctkPathLineEdit", "path", "currentPath", "setCurrentPath", "/a/b", "/c"),
    ("ctk.ctkDirectoryButton", "path", "directory", "setDirectory", "/a/b", "/c"),
]


@pytest.mark.parametrize(
    ("kind", "parameter", "read", "write", "first", "second"), BINDINGS, ids=lambda value: str(value)
)
def test_a_widget_follows_its_parameter_and_the_parameter_its_widget(
    parameters, kind, parameter, read, write, first, second
):
    import ctk
    import qt
    import slicer

    module, _, name = kind.partition(".")
    widget = getattr({"qt": qt, "ctk": ctk, "slicer": slicer}[module], name)()
    if name == "QPushButton":
        widget.checkable = True
    tag = parameters.connectParametersToGui({parameter: widget})
    as_stored = Path if parameter == "path" else lambda value: value
    setattr(parameters, parameter, as_stored(first))
    assert getattr(widget, read) == first
    getattr(widget, write)(second)
    assert getattr(parameters, parameter) == as_stored(second)
    parameters.disconnectGui(tag)
    getattr(widget, write)(first)
    assert getattr(parameters, parameter) == as_stored(second)


def test_annotations_set_the_limits_decimals_and_steps_of_widgets(parameters):
    import ctk
    import qt

    slider, box = ctk.ctkSliderWidget(), qt.QSpinBox()
    parameters.connectParametersToGui({"number": slider, "count": box})
    assert (slider.minimum, slider.maximum, slider.decimals, slider.singleStep) == (-50, 200, 1, 0.5)
    assert (box.minimum, box.maximum, box.singleStep) == (-5, 20, 2)


def test_a_range_is_shown_in_a_range_widget_and_a_label_shows_only(parameters):
    import ctk
    import qt
    from slicer.parameterNodeWrapper import FloatRange

    widget, label = ctk.ctkRangeWidget(), qt.QLabel()
    parameters.connectParametersToGui({"window": widget, "text": label})
    assert (widget.minimumValue, widget.maximumValue) == (-100, 900)
    parameters.window = FloatRange(0, 500)
    assert (widget.minimumValue, widget.maximumValue) == (0, 500)
    seen = seen_by(widget, "valuesChanged(double,double)")
    widget.setMinimumValue(700)  # beyond the upper end, which it takes along
    assert seen == [(700, 700)]
    assert parameters.window == FloatRange(700, 700)
    parameters.text = "shown"
    assert label.text == "shown"


def test_a_node_selector_follows_the_scene(parameters):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes, selector.noneEnabled = ["vtkMRMLModelNode"], True
    selector.setMRMLScene(slicer.mrmlScene)
    parameters.connectParametersToGui({"node": selector})
    seen = seen_by(selector, "currentNodeChanged(vtkMRMLNode*)")
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "bone")
    hidden = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "hidden")
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "text")
    assert model in selector.nodes()
    assert all(node.IsA("vtkMRMLModelNode") and not node.GetHideFromEditors() for node in selector.nodes())
    parameters.node = model
    assert seen == [model]
    assert (selector.currentNode(), selector.currentNodeID) == (model, model.GetID())
    slicer.mrmlScene.RemoveNode(model)
    assert (selector.currentNode(), parameters.node) == (None, None)
    assert seen == [model, None]


def test_a_user_creates_renames_and_deletes_nodes_in_a_selector(slicer_scene):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes, selector.noneEnabled, selector.baseName = ["vtkMRMLTextNode"], True, "Note"
    selector.setMRMLScene(slicer.mrmlScene)
    added = seen_by(selector, "nodeAddedByUser(vtkMRMLNode*)")
    combo = next(child for child in selector.children() if child.inherits("QComboBox"))

    def choose(text: str) -> None:
        combo.activated(next(index for index in range(combo.count) if combo.itemText(index).startswith(text)))

    choose("Create")
    assert [node.GetName() for node in added] == ["Note"]
    assert selector.currentNode() is added[0]
    added[0].SetName("Renamed")
    assert combo.currentText == "Renamed"
    choose("None")
    assert selector.currentNode() is None
    choose("Renamed")
    choose("Delete")
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLTextNode") is None


def test_a_selector_without_none_takes_the_first_node(slicer_scene):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLTextNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    assert selector.currentNode() is first


def test_a_segment_selector_lists_the_segments(slicer_scene):
    import slicer

    selector = slicer.qMRMLSegmentSelectorWidget()
    selector.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bone = node.GetSegmentation().AddEmptySegment("bone", "bone")
    selector.setCurrentNode(node)
    assert (selector.currentNode(), selector.currentSegmentID()) == (node, bone)
    skin = node.GetSegmentation().AddEmptySegment("skin", "skin")
    seen = seen_by(selector, "currentSegmentChanged(QString)")
    selector.setCurrentSegmentID(skin)
    assert seen == [skin]
    node.GetSegmentation().RemoveSegment(skin)
    assert selector.currentSegmentID() == bone


def test_a_section_folds_at_a_click(slicer_scene):
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton("Inputs")
    inner = qt.QLabel("inside")
    qt.QVBoxLayout(section).addWidget(inner)
    section.show()
    folded = seen_by(section, "contentsCollapsed(bool)")
    section.resize(200, 300)
    section.click()
    assert section.collapsed
    assert not inner.visible
    assert section.height < 50
    section.collapsed = False
    assert inner.visible
    assert folded == [True, False]
    section.hide()
    group = ctk.ctkCollapsibleGroupBox("More")
    label = qt.QLabel("inside")
    qt.QVBoxLayout(group).addWidget(label)
    group.show()
    group.collapsed = True
    assert not label.visible
    assert not group.checked
    group.hide()


def test_a_slider_without_tracking_reports_when_it_is_let_go(slicer_scene):
    import ctk

    slider = ctk.ctkSliderWidget()
    slider.maximum, slider.tracking = 100, False
    handle = next(child for child in slider.children() if child.inherits("QSlider"))
    seen = seen_by(slider, "valueChanged(double)")
    handle.setSliderDown(True)
    handle.setValue(30)
    assert seen == []
    handle.setSliderDown(False)
    assert seen == [30]
    assert slider.value == 30


def test_browsing_sets_the_path(slicer_scene, monkeypatch):
    import ctk
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", staticmethod(lambda *_: "/chosen"))
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", staticmethod(lambda *_: "/chosen/a.nrrd"))
    path, folder = ctk.ctkPathLineEdit(), ctk.ctkDirectoryButton()
    path.browse()
    folder.browse()
    assert (path.currentPath, folder.directory) == ("/chosen/a.nrrd", "/chosen")
    path.filters = ctk.ctkPathLineEdit.Dirs
    path.browse()
    assert path.currentPath == "/chosen"
    with pytest.raises(TypeError, match="pathlib"):
        path.setCurrentPath(Path("/a"))
