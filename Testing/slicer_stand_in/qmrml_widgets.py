"""Doubles of the qMRML widgets that modules of ours use; they stand in the namespace `slicer`."""

import types
from collections.abc import Callable, Sequence

import shiboken6
import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from .ctk_widgets import ctkSliderWidget
from .qt_rules import QObject
from .ui_loader import custom_widget

QWidget = QtWidgets.QWidget


class _Observers:
    """Observers of a widget, which end with it."""

    def __init__(self, widget: QWidget) -> None:
        self._widget, self._tags = widget, []
        tags = self._tags
        QObject.connect(widget, QtCore.SIGNAL("destroyed()"), lambda: _remove(tags))

    def add(self, observed: vtk.vtkObject, event: int, callback: Callable[[], None]) -> None:
        def call(*_: object) -> None:
            if shiboken6.isValid(self._widget):
                callback()

        self._tags.append((observed, observed.AddObserver(event, call)))

    def clear(self) -> None:
        _remove(self._tags)


def _remove(tags: list) -> None:
    while tags:
        observed, tag = tags.pop()
        observed.RemoveObserver(tag)


@custom_widget
class qMRMLWidget(QWidget):
    """A widget that knows a scene and passes it on by its signal, to what the .ui file connects to it."""

    mrmlSceneChanged = Signal(object)
    SIGNALS = types.MappingProxyType({"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"})
    SLOTS = ("setMRMLScene(vtkMRMLScene*)",)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self) -> object:
        return self._scene

    def setMRMLScene(self, scene: "slicer.vtkMRMLScene | None") -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged(scene)


@custom_widget
class qSlicerWidget(qMRMLWidget):
    """The base of Slicer's own widgets."""


@custom_widget
class qMRMLNodeComboBox(QWidget):
    """Chooses a node of the scene by type; can create, rename and delete nodes where that is enabled."""

    _nodeChanged = Signal(object)
    _chosenChanged = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    SIGNALS = types.MappingProxyType(
        {
            "currentNodeChanged(vtkMRMLNode*)": "_nodeChanged",
            "currentNodeChanged(bool)": "_chosenChanged",
            "currentNodeIDChanged(QString)": "currentNodeIDChanged",
            "nodeAdded(vtkMRMLNode*)": "nodeAdded",
            "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
        }
    )
    SLOTS = ("setMRMLScene(vtkMRMLScene*)", "setCurrentNode(vtkMRMLNode*)")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        layout.addWidget(self._combo)
        self._combo.connect("activated(int)", self._activated)
        self._scene, self._current, self._types, self._base = None, None, (), ""
        self._options = {"none": False, "add": True, "rename": False, "remove": True, "edit": False}
        self._options |= {"children": True, "hidden": False, "select": False}
        self._actions: list[tuple[str, Callable[[], None]]] = []
        self._attributes: list[tuple[str, str, str | None]] = []
        self._none_text = "None"
        self._scene_observers, self._node_observers = _Observers(self), _Observers(self)

    def mrmlScene(self) -> object:
        return self._scene

    def setMRMLScene(self, scene: "slicer.vtkMRMLScene | None") -> None:
        if scene is self._scene:
            return
        self._scene_observers.clear()
        self._scene = scene
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent):
                self._scene_observers.add(scene, event, self._refresh)
        self._refresh()

    def nodes(self) -> list:
        """The nodes that are offered, in the order of the scene."""
        types, attributes = self._types, self._attributes
        children, hidden = self._options["children"], self._options["hidden"]
        found = []
        for node in self._of_types(types) if self._scene else ():
            wanted = (children or node.GetClassName() in types) and all(
                node.GetNodeTagName() and (not node.IsA(kind) or node.GetAttribute(name) == value)
                for kind, name, value in attributes
            )
            if wanted and (hidden or not node.GetHideFromEditors()):
                found.append(node)
        return found

    def _of_types(self, types: Sequence[str]) -> list:
        """All nodes of the scene of some classes or of what is derived from them, in its order; Slicer's scene finds
        them, among hundreds, in no time."""
        found = []
        for kind in types:
            collection = self._scene.GetNodesByClass(kind)
            collection.UnRegister(self._scene)
            found += [node for node in collection if node not in found]
        order = self._scene.GetNodes()
        return sorted(found, key=order.IsItemPresent) if len(types) > 1 else found

    def nodeCount(self) -> int:
        return len(self.nodes())

    def _refresh(self) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = self.nodes()
        self._node_observers.clear()
        self._combo.clear()
        if self._options["none"]:
            self._combo.addItem(self._none_text, "")
        for node in nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
            self._node_observers.add(node, vtk.vtkCommand.ModifiedEvent, self._rename_items)
        self._add_actions()
        chosen = self._current if self._current in nodes else None
        if chosen is None and not self._options["none"] and nodes:
            chosen = nodes[0]
        self._choose(chosen)

    def _add_actions(self) -> None:
        kind = self._types[0].removeprefix("vtkMRML").removesuffix("Node") if self._types else "node"
        actions = {
            "add": (f"Create new {kind}", self._create),
            "rename": (f"Rename current {kind}", self._rename),
            "remove": (f"Delete current {kind}", self._delete),
        }
        self._actions = [actions[name] for name in actions if self._options[name]]
        for text, _ in self._actions:
            self._combo.addItem(text, "action")

    def _rename_items(self) -> None:
        for index in range(self._combo.count):
            node = self._scene.GetNodeByID(self._combo.itemData(index)) if self._combo.itemData(index) else None
            if node is not None and self._combo.itemText(index) != node.GetName():
                self._combo.setItemText(index, node.GetName())

    def _choose(self, node: "slicer.vtkMRMLNode | None") -> None:
        blocked = self._combo.blockSignals(True)
        identifier = node.GetID() if node is not None else ""
        self._combo.setCurrentIndex(self._combo.findData(identifier))
        self._combo.blockSignals(blocked)
        if node is not self._current:
            self._current = node
            self._nodeChanged(node)
            self._chosenChanged(node is not None)
            self.currentNodeIDChanged(identifier)

    def _activated(self, index: int) -> None:
        if self._combo.itemData(index) == "action":
            first = self._combo.count - len(self._actions)
            self._actions[index - first][1]()
            self._choose(self._current)
        else:
            self._choose(self._scene.GetNodeByID(self._combo.itemData(index)) if self._combo.itemData(index) else None)

    def _create(self) -> None:
        self._choose(node := self.addNode())
        self.nodeAddedByUser(node)

    def _rename(self) -> None:
        raise NotImplementedError("the dialog that renames a node")

    def _delete(self) -> None:
        if self._current is not None:
            self._scene.RemoveNode(self._current)

    def addNode(self, kind: str | None = None) -> "slicer.vtkMRMLNode":
        kind = kind or self._types[0]
        base = self._base or kind.removeprefix("vtkMRML").removesuffix("Node")
        node = self._scene.AddNewNodeByClass(kind, self._scene.GenerateUniqueName(base))
        self.nodeAdded(node)
        if self._options["select"]:
            self._choose(node)
        return node

    def addAttribute(self, kind: str, name: str, value: str | None = None) -> None:
        self._attributes.append((kind, name, value))
        self._refresh()

    def currentNode(self) -> "slicer.vtkMRMLNode | None":
        return self._current

    def setCurrentNode(self, node: "slicer.vtkMRMLNode | None") -> None:
        self._choose(node if node in self.nodes() else None)

    def setCurrentNodeID(self, identifier: str) -> None:
        self.setCurrentNode(self._scene.GetNodeByID(identifier) if self._scene and identifier else None)

    def setNodeTypes(self, kinds: list[str]) -> None:
        self._types = tuple(kinds)
        self._refresh()

    def _set_option(self, name: str, value: object) -> None:
        self._options[name] = value
        self._refresh()

    def _option(name: str) -> Property:
        return Property(bool, lambda self: self._options[name], lambda self, value: self._set_option(name, value))

    noneEnabled, addEnabled = _option("none"), _option("add")
    renameEnabled, removeEnabled, editEnabled = _option("rename"), _option("remove"), _option("edit")
    showChildNodeTypes, showHidden = _option("children"), _option("hidden")
    selectNodeUponCreation = _option("select")
    nodeTypes = Property("QStringList", lambda self: list(self._types), setNodeTypes)
    currentNodeID = Property(
        str, lambda self: self._current.GetID() if self._current is not None else "", setCurrentNodeID
    )
    baseName = Property(str, lambda self: self._base, lambda self, text: setattr(self, "_base", text))
    noneDisplay = Property(
        str, lambda self: self._none_text, lambda self, text: (setattr(self, "_none_text", text), self._refresh())[1]
    )


@custom_widget
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that could know units; here it knows the scene only."""

    SLOTS = ("setMRMLScene(vtkMRMLScene*)",)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene, self._quantity = None, ""

    def mrmlScene(self) -> object:
        return self._scene

    def setMRMLScene(self, scene: "slicer.vtkMRMLScene | None") -> None:
        self._scene = scene

    quantity = Property(str, lambda self: self._quantity, lambda self, text: setattr(self, "_quantity", text))


@custom_widget
class qMRMLSegmentSelectorWidget(QWidget):
    """Chooses a segment of a segmentation."""

    _nodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    SIGNALS = types.MappingProxyType(
        {"currentNodeChanged(vtkMRMLNode*)": "_nodeChanged", "currentSegmentChanged(QString)": "currentSegmentChanged"}
    )
    SLOTS = ("setMRMLScene(vtkMRMLScene*)", "setCurrentNode(vtkMRMLNode*)")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._nodes, self._segments = qMRMLNodeComboBox(), QtWidgets.QComboBox()
        self._nodes.noneEnabled, self._nodes.addEnabled, self._nodes.removeEnabled = True, False, False
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        layout.addWidget(self._nodes)
        layout.addWidget(self._segments)
        self._observers = _Observers(self)
        self._nodes.connect("currentNodeChanged(vtkMRMLNode*)", self._node_chosen)
        self._segments.connect("currentIndexChanged(int)", lambda: self.currentSegmentChanged(self.currentSegmentID()))

    def _node_chosen(self, node: "slicer.vtkMRMLSegmentationNode | None") -> None:
        self._observers.clear()
        if node is not None:
            for event in (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved):
                self._observers.add(node.GetSegmentation(), event, self._list_segments)
        self._list_segments()
        self._nodeChanged(node)

    def _list_segments(self) -> None:
        chosen, segmentation = self.currentSegmentID(), self.currentNode() and self.currentNode().GetSegmentation()
        self._segments.clear()
        for index in range(segmentation.GetNumberOfSegments() if segmentation else 0):
            self._segments.addItem(segmentation.GetNthSegment(index).GetName(), segmentation.GetNthSegmentID(index))
        self.setCurrentSegmentID(chosen)

    def mrmlScene(self) -> object:
        return self._nodes.mrmlScene()

    def setMRMLScene(self, scene: "slicer.vtkMRMLScene | None") -> None:
        self._nodes.setMRMLScene(scene)

    def currentNode(self) -> "slicer.vtkMRMLSegmentationNode | None":
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID

    def setCurrentNode(self, node: "slicer.vtkMRMLSegmentationNode | None") -> None:
        self._nodes.setCurrentNode(node)

    def currentSegmentID(self) -> str:
        return self._segments.itemData(self._segments.currentIndex) or ""

    def setCurrentSegmentID(self, identifier: str) -> None:
        if (index := self._segments.findData(identifier)) >= 0:
            self._segments.setCurrentIndex(index)

    segmentationNodeSelectorVisible = Property(
        bool, lambda self: not self._nodes.isHidden(), lambda self, shown: self._nodes.setVisible(shown)
    )


SLICER_WIDGETS = (
    qMRMLWidget,
    qSlicerWidget,
    qMRMLNodeComboBox,
    qMRMLSliderWidget,
    qMRMLSegmentSelectorWidget,
)
