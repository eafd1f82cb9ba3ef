"""The stand-in's application: its window and modules, keys, dialogs, sequences, and scenes that come and go."""

import importlib

import numpy as np
import pytest

MODULE = """
import qt
import slicer
import vtk
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

seen = []


@parameterNodeWrapper
class {name}ParameterNode:
    volume: slicer.vtkMRMLScalarVolumeNode
    points: slicer.vtkMRMLMarkupsFiducialNode
    count: int = 3


class {name}(ScriptedLoadableModule):
    pass


class {name}Widget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._node = None
        self._tag = None

    def setup(self):
        super().setup()
        seen.append("setup")
        self.logic = {name}Logic()
        ui = slicer.util.loadUI(self.resourcePath("UI/{name}.ui"))
        self.layout.addWidget(ui)
        self.ui = slicer.util.childWidgetVariables(ui)
        shared = slicer.util.loadUI({shared!r})
        self.ui.place.layout().addWidget(shared)
        self.shared = slicer.util.childWidgetVariables(shared)
        for each in (ui, shared):
            each.setMRMLScene(slicer.mrmlScene)
        scene = slicer.mrmlScene
        for event in ("StartCloseEvent", "EndCloseEvent", "StartImportEvent", "EndImportEvent"):
            self.addObserver(scene, getattr(scene, event), lambda *_, event=event: self.onScene(event))
        self.setParameterNode(self.logic.getParameterNode())

    def onScene(self, event):
        seen.append(event)
        self.setParameterNode(None if event == "StartCloseEvent" else self.logic.getParameterNode())

    def setParameterNode(self, node):
        if self._node:
            self._node.disconnectGui(self._tag)
        self._node = node
        if node:
            named = ((w.property("SlicerParameterName"), w) for w in vars(self.ui).values())
            bound = dict(pair for pair in named if pair[0])
            self._tag = node.connectParametersToGui(bound)

    def enter(self):
        seen.append("enter")

    def exit(self):
        seen.append("exit")

    def cleanup(self):
        seen.append("cleanup")
        self.setParameterNode(None)
        self.removeObservers()


class {name}Logic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return {name}ParameterNode(super().getParameterNode())
"""

SELECTOR = """
<widget class="qMRMLNodeComboBox" name="{name}">
 <property name="nodeTypes"><stringlist><string>{kind}</string></stringlist></property>
 <property name="noneEnabled"><bool>true</bool></property>
 <property name="SlicerParameterName" stdset="0"><string>{parameter}</string></property>
</widget>"""

UI = """
<ui version="4.0"><class>{top}</class><widget class="qMRMLWidget" name="{top}"><layout class="QVBoxLayout">
{items}</layout></widget><connections><connection><sender>{top}</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
<receiver>{selector}</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""


def write_module(folder, name: str):
    """`name`.py with a panel that has the shared section of another module's resources in it."""
    shared = folder / "Common/Resources/UI/Shared.ui"
    volume = SELECTOR.format(name="volumeSelector", kind="vtkMRMLScalarVolumeNode", parameter="volume")
    points = SELECTOR.format(name="pointsSelector", kind="vtkMRMLMarkupsFiducialNode", parameter="")
    place = '<widget class="QWidget" name="place"><layout class="QVBoxLayout" name="inside"/></widget>'
    count = (
        '<widget class="QSpinBox" name="countBox"><property name="SlicerParameterName" stdset="0">'
        "<string>count</string></property></widget>"
    )
    items = "".join(f"<item>{item}</item>" for item in (volume, count, place))
    files = {
        shared: UI.format(top="Shared", items=f"<item>{points}</item>", selector="pointsSelector"),
        folder / f"{name}/Resources/UI/{name}.ui": UI.format(top=name, items=items, selector="volumeSelector"),
        folder / f"{name}/{name}.py": MODULE.format(name=name, shared=str(shared)),
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / f"{name}/{name}.py"


def seen_by(name: str) -> list[str]:
    return importlib.import_module(name).seen


# ---- modules and the main window ----


def test_one_module_is_open_at_a_time(load_module, tmp_path):
    import slicer

    first = load_module(write_module(tmp_path, "First"))
    assert (slicer.util.selectedModule(), first.parent.visible) == ("First", True)
    second = load_module(write_module(tmp_path, "Second"))
    assert (slicer.util.selectedModule(), first.parent.visible, second.parent.visible) == ("Second", False, True)
    slicer.util.selectModule("First")
    assert seen_by("First") == ["setup", "enter", "exit", "enter"]
    assert seen_by("Second") == ["setup", "enter", "exit"]
    assert first.parent.window() is slicer.util.mainWindow()
    assert slicer.util.getModuleLogic("Second") is second.logic
    assert slicer.modules.second.widgetRepresentation().self() is second
    assert load_module(tmp_path / "First/First.py") is first


def test_a_panel_is_made_when_it_is_asked_for_and_not_entered(slicer_scene, tmp_path):
    from slicer_stand_in.scripted_module import load_scripted_module

    entry = load_scripted_module(write_module(tmp_path, "Third"))
    seen = seen_by("Third")
    assert seen == []
    import slicer

    assert slicer.util.getModuleLogic("Third").moduleName == "Third"
    assert seen == ["setup"]
    entry.close()
    assert seen == ["setup", "cleanup"]
    assert not hasattr(slicer.modules, "third")


def test_a_module_that_is_not_there_is_an_error(slicer_scene):
    import slicer

    from slicer_stand_in.error_log import take_errors

    slicer.util.selectModule("NoSuchModule")
    assert ["NoSuchModule" in message for message in take_errors()] == [True]


def test_a_panel_embeds_a_section_of_another_module(load_module, tmp_path):
    import slicer

    widget = load_module(write_module(tmp_path, "First"))
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    assert widget.shared.pointsSelector.window() is slicer.util.mainWindow()
    widget.shared.pointsSelector.setCurrentNode(points)
    assert widget.shared.pointsSelector.currentNode() is points


def test_without_a_main_window_a_module_still_works(load_module, tmp_path):
    import slicer

    slicer.app.setMainWindow(False)
    widget = load_module(write_module(tmp_path, "First"))
    assert (slicer.util.mainWindow(), slicer.app.layoutManager()) == (None, None)
    assert widget._node.count == 3
    slicer.util.errorDisplay("only logged")


def test_pytorch_utils_are_absent_as_without_their_extension(slicer_scene):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("PyTorchUtils")


# ---- scenes ----


def test_a_scene_is_saved_closed_and_loaded_twice_with_a_module_open(load_module, tmp_path):
    import slicer

    widget, bundle = load_module(write_module(tmp_path, "First")), str(tmp_path / "scene.mrb")
    seen = seen_by("First")
    widget._node.volume = slicer.util.addVolumeFromArray(np.full((2, 3, 4), 7, np.int16), name="CT")
    widget._node.points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Landmarks")
    widget._node.points.AddControlPoint(1, 2, 3)
    widget._node.count = 11
    for round_number in (1, 2):
        assert slicer.util.saveScene(bundle)
        seen.clear()
        slicer.mrmlScene.Clear(0)
        assert seen == ["StartCloseEvent", "EndCloseEvent"]
        assert (widget._node.volume, widget._node.points, widget._node.count) == (None, None, 3), round_number
        slicer.util.loadScene(bundle)
        assert seen[2:] == ["StartImportEvent", "EndImportEvent"]
        assert (widget._node.count, widget.ui.countBox.value) == (11, 11)
        assert widget.ui.volumeSelector.currentNode() is widget._node.volume
        assert (slicer.util.arrayFromVolume(widget._node.volume) == 7).all()
        assert tuple(widget._node.points.GetNthControlPointPositionWorld(0)) == (1, 2, 3)
        assert len(slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")) == 1


def test_the_layout_of_a_saved_scene_comes_back_with_its_views(slicer_scene, tmp_path):
    import slicer

    layouts = slicer.app.layoutManager()
    xml = '<layout type="horizontal"><item><view class="vtkMRMLSliceNode" singletontag="Saved"/></item></layout>'
    layouts.layoutLogic().GetLayoutNode().AddLayoutDescription(800, xml)
    layouts.setLayout(800)
    node = layouts.sliceWidget("Saved").mrmlSliceNode()
    node.GetSliceToRAS().SetElement(0, 0, 1)  # from the patient's right to the left
    node.UpdateMatrices()
    node.SetFieldOfView(50, 50, 1)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert layouts.layout == 800
    node = layouts.sliceWidget("Saved").mrmlSliceNode()
    assert (node.GetFieldOfView()[0], node.GetSliceToRAS().GetElement(0, 0)) == pytest.approx((50, 1))
    assert layouts.sliceWidget("Saved").sliceView().visible


def test_an_item_of_a_sequence_updates_its_proxies_and_the_views(slicer_scene):
    import slicer

    nodes = {
        "image": slicer.util.addVolumeFromArray(np.zeros((1, 20, 20), np.int16)),
        "pose": slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode"),
    }
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    sequences = {name: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name) for name in nodes}
    for item in range(3):
        slicer.util.arrayFromVolume(nodes["image"])[:] = 100 * item
        matrix = np.eye(4)
        matrix[0, 3] = item
        slicer.util.updateTransformMatrixFromArray(nodes["pose"], matrix)
        for name, node in nodes.items():
            sequences[name].SetDataNodeAtValue(node, str(item))
    for name, node in nodes.items():
        slicer.mrmlScene.RemoveNode(node)
        browser.AddSynchronizedSequenceNode(sequences[name])
    image, pose = (browser.GetProxyNode(sequences[name]) for name in nodes)
    image.GetDisplayNode().SetAutoWindowLevel(False)
    image.GetDisplayNode().SetWindowLevel(255, 127.5)
    red = slicer.app.layoutManager().sliceWidget("Red")
    red.sliceView()
    slicer.app.processEvents()
    slicer.util.setSliceViewerLayers(background=image, fit=True)
    shown = []
    for item in (0, 2, 1):
        browser.SetSelectedItemNumber(item)
        picture = red.sliceView().pixels()
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2, 0]
        shown.append((slicer.util.arrayFromVolume(image)[0, 0, 0], middle))
        assert slicer.util.arrayFromTransformMatrix(pose)[0, 3] == item
    assert shown == [(0, 0), (200, 200), (100, 100)]


# ---- keys and dialogs ----


def test_a_key_fires_its_shortcut_wherever_the_focus_is(slicer_scene):
    import qt
    import slicer

    from slicer_stand_in.gestures import press_key

    window, fired = slicer.util.mainWindow(), []
    shortcuts = [qt.QShortcut(qt.QKeySequence(keys), window) for keys in ("Ctrl+Left", "3")]
    assert shortcuts[0].connect("activated()", lambda: fired.append("Ctrl+Left"))
    assert shortcuts[1].connect("activated()", lambda: fired.append("3"))
    edit = qt.QLineEdit()
    slicer.util.mainWindow().statusBar().addWidget(edit)
    slicer.app.processEvents()
    press_key("Ctrl+Left")
    press_key("3", slicer.app.layoutManager().threeDWidget(0).threeDView())
    press_key("4")
    press_key("a", edit)
    assert fired == ["Ctrl+Left", "3"]
    assert edit.text == "a"
    shortcuts[0].enabled = False
    press_key("Ctrl+Left")
    assert fired == ["Ctrl+Left", "3"]
    for made in (*shortcuts, edit):
        made.deleteLater()


def test_message_boxes_of_slicer_util_are_answered_and_read(slicer_scene):
    import qt
    import slicer

    from slicer_stand_in import dialogs
    from slicer_stand_in.error_log import take_errors

    slicer.util.errorDisplay("It failed.", detailedText="at line 3")
    dialogs.press_next(qt.QMessageBox.Ok, qt.QMessageBox.No)
    assert slicer.util.confirmOkCancelDisplay("Install 2 GB?") is True
    assert slicer.util.confirmYesNoDisplay("Overwrite?") is False
    shown = [(message.text, message.details, message.answer) for message in dialogs.take_messages()]
    assert shown[0] == ("It failed.", "at line 3", None)
    assert shown[1:] == [("Install 2 GB?", "", qt.QMessageBox.Ok), ("Overwrite?", "", qt.QMessageBox.No)]
    assert slicer.util.confirmOkCancelDisplay("Unexpected?") is False
    assert ["Unexpected?" in message for message in take_errors()] == [True]
    dialogs.take_messages()
    slicer.app.setTestingEnabled(True)
    slicer.util.errorDisplay("only logged")
    with pytest.raises(NotImplementedError):
        qt.QMessageBox.question(None, "title", "text")


def test_what_a_test_leaves_unread_or_unasked_is_found_when_it_ends(slicer_scene):
    import qt
    import slicer

    from slicer_stand_in import dialogs

    slicer.util.infoDisplay("Done.")
    dialogs.press_next(qt.QMessageBox.Ok)
    dialogs.choose_next("/a")
    qt.QDesktopServices.openUrl(qt.QUrl("https://slicer.org"))
    left = dialogs.take_left_over()
    assert [len(items) for items in left.values()] == [1, 2, 1]
    assert not any(dialogs.take_left_over().values())


def test_file_dialogs_give_what_is_chosen_as_slicers_do(slicer_scene):
    import qt

    from slicer_stand_in import dialogs
    from slicer_stand_in.error_log import take_errors

    dialogs.choose_next("/data/a.yaml", ["/data/b", "/data/c"], "/data", "")
    assert qt.QFileDialog.getOpenFileName(None, "Open", "/", "*.yaml") == "/data/a.yaml"
    assert qt.QFileDialog.getOpenFileNames(None, "Open") == ("/data/b", "/data/c")
    assert qt.QFileDialog.getExistingDirectory() == "/data"
    assert qt.QFileDialog.getSaveFileName() == ""
    assert qt.QFileDialog.getSaveFileName() == ""
    assert ["choose_next" in message for message in take_errors()] == [True]


def test_pages_are_recorded_and_not_opened(slicer_scene):
    import qt
    import slicer

    from slicer_stand_in import dialogs
    from slicer_stand_in.gestures import click

    label = qt.QLabel('<a href="https://slicer.org">Slicer</a>')
    label.openExternalLinks = True
    slicer.util.mainWindow().statusBar().addWidget(label)
    slicer.app.processEvents()
    click(label, (10, label.height // 2))
    qt.QDesktopServices.openUrl(qt.QUrl("file:///data/report.html"))
    assert dialogs.take_urls() == ["https://slicer.org", "file:///data/report.html"]
    with pytest.raises(TypeError):
        qt.QDesktopServices.openUrl("https://slicer.org", "again")
    label.deleteLater()


def test_progress_tables_and_timers_are_qts_own(slicer_scene):
    import qt
    import slicer

    dialog = slicer.util.createProgressDialog(labelText="Working", maximum=10)
    dialog.value = 4
    assert (dialog.value, dialog.labelText, dialog.wasCanceled) == (4, "Working", False)
    dialog.cancel()
    assert dialog.wasCanceled
    dialog.deleteLater()
    table = qt.QTableWidget(2, 3)
    table.setItem(1, 2, qt.QTableWidgetItem("mm"))
    assert (table.rowCount, table.item(1, 2).text()) == (2, "mm")
    browser, ticks = qt.QTextBrowser(), []
    browser.setHtml("<b>bold</b>")
    assert browser.plainText == "bold"
    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", lambda: ticks.append(1) or (len(ticks) == 3 and timer.stop()))
    timer.start()
    for _ in range(10):
        slicer.app.processEvents()
    assert (len(ticks), timer.active) == (3, False)


def test_a_subclass_of_a_widget_with_its_own_size_is_shown(slicer_scene):
    import qt

    class Own(qt.QLabel):
        pass

    label = Own("text")
    label.show()
    assert label.visible
    assert label.sizeHint.width() > 5
    label.hide()
