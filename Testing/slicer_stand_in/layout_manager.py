"""`slicer.app.layoutManager()`: the views that the scene's layout asks for, arranged as its description says.

Which view nodes there are is decided by slicer-core's vtkMRMLLayoutLogic; here each gets its widget. A widget outlives
its node, for VTK's windows cannot be had back, and takes the next one of the same name.
"""

import types
from collections.abc import Iterator
from xml.etree import ElementTree

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from .qt_rules import stands_for_native
from .view_widgets import ViewWidget, qMRMLSliceWidget, qMRMLThreeDWidget

QWidget = QtWidgets.QWidget
GAP_PX = 2
STANDARD_VIEWS = ("vtkMRMLSliceNodeRed", "vtkMRMLSliceNodeGreen", "vtkMRMLSliceNodeYellow", "vtkMRMLViewNode1")


@stands_for_native
class qMRMLLayoutManager(QtCore.QObject):
    """The widgets of the scene's view nodes, in `viewport`."""

    layoutChanged = Signal(int)
    SIGNALS = types.MappingProxyType({"layoutChanged(int)": "layoutChanged"})

    def __init__(self, scene: "slicer.vtkMRMLScene", application_logic: "slicer.vtkSlicerApplicationLogic") -> None:
        super().__init__()
        self._scene, self._application_logic = scene, application_logic
        self._widgets: dict[str, ViewWidget] = {}
        self._viewport, self._store = QWidget(), QWidget()
        QtWidgets.QVBoxLayout(self._viewport).setContentsMargins(0, 0, 0, 0)
        self._shown, self._root = None, None

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def node_added(_scene: object, _event: str, node: "slicer.vtkMRMLNode") -> None:
            self._node_added(node)

        scene.AddObserver(scene.NodeAddedEvent, node_added)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(scene)
        self._node().AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._arrange())
        self.reset()

    def _node(self) -> "slicer.vtkMRMLLayoutNode":
        return self._logic.GetLayoutNode()

    # ---- view nodes and their widgets ----

    def _node_added(self, node: "slicer.vtkMRMLNode") -> None:
        kinds = {
            "vtkMRMLSliceNode": (qMRMLSliceWidget, self._application_logic.GetSliceLogics()),
            "vtkMRMLViewNode": (qMRMLThreeDWidget, self._application_logic.GetViewLogics()),
        }
        if node.GetClassName() in kinds:
            kind, logics = kinds[node.GetClassName()]
            if node.GetID() not in self._widgets:
                self._widgets[node.GetID()] = kind(self._scene, self._application_logic, node)
                self._widgets[node.GetID()].setParent(self._store)
            self._widgets[node.GetID()].take_node(node, logics)

    def _there(self, kind: type[ViewWidget]) -> list[ViewWidget]:
        """The widgets of one kind whose nodes are in the scene, in the order in which they were made."""
        return [
            widget
            for identifier, widget in self._widgets.items()
            if type(widget) is kind and self._scene.GetNodeByID(identifier) is not None
        ]

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        widgets = self._there(qMRMLThreeDWidget)
        return widgets[index] if 0 <= index < len(widgets) else None

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        found = (entry for entry in self._there(qMRMLSliceWidget) if entry.mrmlSliceNode().GetLayoutName() == name)
        return next(found, None)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(entry.mrmlSliceNode().GetLayoutName() for entry in self._there(qMRMLSliceWidget))

    def mrmlSliceLogics(self) -> vtk.vtkCollection:
        return self._application_logic.GetSliceLogics()

    def resetThreeDViews(self) -> None:
        for widget in self._there(qMRMLThreeDWidget):
            widget.threeDView().resetFocalPoint()

    def resetSliceViews(self) -> None:
        for widget in self._there(qMRMLSliceWidget):
            widget.fitSliceToBackground()

    # ---- the layout ----

    def layoutLogic(self) -> "slicer.vtkMRMLLayoutLogic":
        return self._logic

    def viewport(self) -> QWidget:
        return self._viewport

    def setLayout(self, layout: int) -> None:
        self._node().SetViewArrangement(layout)

    def _arrange(self) -> None:
        wanted = self._node().GetViewArrangement(), self._node().GetCurrentLayoutDescription()
        if wanted == self._shown:
            return
        self._shown = wanted
        for widget in self._widgets.values():
            widget.setParent(self._store)
        if self._root is not None:
            self._root.setParent(None)
            self._root.deleteLater()
        self._root = self._arranged(ElementTree.fromstring(wanted[1])) if wanted[1] else QWidget()
        self._viewport.layout().addWidget(self._root)
        self._root.show()
        self.layoutChanged(wanted[0])

    def _arranged(self, element: ElementTree.Element) -> QWidget:
        """The widget of a ``layout`` or ``view`` element."""
        if element.tag == "view":
            identifier = f"{element.get('class')}{element.get('singletontag')}"
            widget = self._widgets.get(identifier) or QtWidgets.QLabel(f"{identifier} is not drawn by the stand-in")
            widget.setVisible(True)
            return widget
        kind = element.get("type", "horizontal")
        if kind not in _CONTAINERS or element.find("item[@multiple]") is not None:
            raise NotImplementedError(f"a layout of type '{kind}', or with multiple items")
        items = element.findall("item")
        return _CONTAINERS[kind](element, [(item, self._arranged(item[0])) for item in items])

    def shown_widgets(self) -> Iterator[ViewWidget]:
        """Not in Slicer: the widgets of the views that the current layout has."""
        return (widget for widget in self._widgets.values() if widget.parent() is not self._store)

    def reset(self) -> None:
        """Not in Slicer: four views that are not drawn until they are asked for, and none of a module's own."""
        self._node().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for identifier, widget in self._widgets.items():
            widget.rest()
            if identifier not in STANDARD_VIEWS and (node := self._scene.GetNodeByID(identifier)) is not None:
                self._remove(node)

    def _remove(self, node: "slicer.vtkMRMLAbstractViewNode") -> None:
        for logics in (self._application_logic.GetSliceLogics(), self._application_logic.GetViewLogics()):
            logics.RemoveItem(self._widgets[node.GetID()].logic())
        for camera in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
            if camera.GetLayoutName() == node.GetLayoutName():
                self._scene.RemoveNode(camera)
        self._scene.RemoveNode(node)

    layout = Property(int, lambda self: self._node().GetViewArrangement(), setLayout)
    threeDViewCount = Property(int, lambda self: len(self._there(qMRMLThreeDWidget)))
    tableViewCount = Property(int, lambda self: 0)
    plotViewCount = Property(int, lambda self: 0)


def _in_a_row(element: ElementTree.Element, parts: list[tuple[ElementTree.Element, QWidget]]) -> QWidget:
    across = element.get("type", "horizontal") == "horizontal"
    if element.get("split") == "true":
        box = QtWidgets.QSplitter(Qt.Orientation.Horizontal if across else Qt.Orientation.Vertical)
        for _, widget in parts:
            box.addWidget(widget)
        box.setSizes([int(item.get("splitSize", 500)) for item, _ in parts])
        return box
    box = QWidget()
    layout = QtWidgets.QHBoxLayout(box) if across else QtWidgets.QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP_PX)
    for _, widget in parts:
        layout.addWidget(widget, 1)
    return box


def _in_a_grid(_element: ElementTree.Element, parts: list[tuple[ElementTree.Element, QWidget]]) -> QWidget:
    box = QWidget()
    layout = QtWidgets.QGridLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GAP_PX)
    for item, widget in parts:
        row, column = int(item.get("row", 0)), int(item.get("column", 0))
        layout.addWidget(widget, row, column, int(item.get("rowspan", 1)), int(item.get("colspan", 1)))
        layout.setRowStretch(row, 1)
        layout.setColumnStretch(column, 1)
    return box


def _in_tabs(_element: ElementTree.Element, parts: list[tuple[ElementTree.Element, QWidget]]) -> QWidget:
    box = QtWidgets.QTabWidget()
    for item, widget in parts:
        box.addTab(widget, item.get("name", item[0].get("singletontag", "")))
    return box


_CONTAINERS = {"horizontal": _in_a_row, "vertical": _in_a_row, "grid": _in_a_grid, "tab": _in_tabs}
