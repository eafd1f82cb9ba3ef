"""The widgets of a layout: a view under a bar in its colour, drawn from the moment somebody asks for it."""

import slicer
import vtk
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Qt

from .qt_rules import stands_for_native
from .views import View, qMRMLSliceView, qMRMLThreeDView

QWidget = QtWidgets.QWidget
NO_LIMIT_PX = 16777215
"""QWIDGETSIZE_MAX of Qt."""


class _Controller(QtWidgets.QLabel):
    """The bar above a view, in its colour and with its label."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(18)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def show_node(self, node: "slicer.vtkMRMLAbstractViewNode") -> None:
        colour = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        self.setStyleSheet(f"background: {colour.name()}; color: black; font-weight: bold")
        self.setText(node.GetLayoutLabel())


class ViewWidget(QWidget):
    """A view under its controller."""

    def __init__(self, application_logic: object, logic: "slicer.vtkMRMLAbstractLogic") -> None:
        super().__init__()
        self._application_logic, self._logic = application_logic, logic
        self._view: View | None = None
        self._controller = _Controller()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addStretch(0)

    def logic(self) -> "slicer.vtkMRMLAbstractLogic":
        return self._logic

    def take_node(self, node: "slicer.vtkMRMLAbstractViewNode", logics: vtk.vtkCollection) -> None:
        """Show a node of this widget's name; `logics` are those of the application for views of its kind."""
        self._node = node
        if not logics.IsItemPresent(self._logic):
            logics.AddItem(self._logic)
        self._controller.show_node(node)
        if self._view is not None:
            self._view.take_node(node)

    def view(self) -> View:
        """The view, which is drawn from now on."""
        if self._view is None:
            self._view = self._make_view()
            self.layout().insertWidget(1, self._view, 1)
        self._view.show()
        return self._view

    def rest(self) -> None:
        """Draw no more until somebody asks for the view again."""
        if self._view is not None:
            self._view.hide()
            self._view.setMinimumSize(0, 0)
            self._view.setMaximumSize(NO_LIMIT_PX, NO_LIMIT_PX)


@stands_for_native
class qMRMLThreeDWidget(ViewWidget):
    """`layoutManager().threeDWidget(0)`."""

    def __init__(self, scene: object, application_logic: object, node: "slicer.vtkMRMLViewNode") -> None:
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetName(node.GetLayoutName())  # by which it finds its node in the scene
        logic.SetMRMLScene(scene)
        super().__init__(application_logic, logic)

    def _make_view(self) -> qMRMLThreeDView:
        return qMRMLThreeDView(self._application_logic, self._logic, self._node)

    def threeDView(self) -> qMRMLThreeDView:
        return self.view()

    def threeDController(self) -> QWidget:
        return self._controller

    def viewLogic(self) -> "slicer.vtkMRMLViewLogic":
        return self._logic

    def mrmlViewNode(self) -> "slicer.vtkMRMLViewNode":
        return self._node


@stands_for_native
class qMRMLSliceWidget(ViewWidget):
    """`layoutManager().sliceWidget("Red")`."""

    def __init__(self, scene: object, application_logic: object, _node: "slicer.vtkMRMLSliceNode") -> None:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
        super().__init__(application_logic, logic)

    def take_node(self, node: "slicer.vtkMRMLSliceNode", logics: vtk.vtkCollection) -> None:
        self._logic.SetSliceNode(node)
        super().take_node(node, logics)

    def _make_view(self) -> qMRMLSliceView:
        return qMRMLSliceView(self._application_logic, self._logic)

    def sliceView(self) -> qMRMLSliceView:
        return self.view()

    def sliceController(self) -> QWidget:
        return self._controller

    def sliceLogic(self) -> "slicer.vtkMRMLSliceLogic":
        return self._logic

    def mrmlSliceNode(self) -> "slicer.vtkMRMLSliceNode":
        return self._node

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()
