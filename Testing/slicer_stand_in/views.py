"""The 3D view and the slice views: real displayable managers, drawn off screen into Qt widgets.

A view renders by EGL (or what VTK_DEFAULT_OPENGL_WINDOW names) and paints the picture; the mouse events that Qt
delivers go to VTK's interactor. Handles are dragged by real Qt events, with an X server or without.
"""

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt

from .qt_rules import stands_for_native

QWidget = QtWidgets.QWidget
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLTransformsDisplayableManager3D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
)
SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
_BUTTONS = {
    Qt.MouseButton.LeftButton: "Left",
    Qt.MouseButton.MiddleButton: "Middle",
    Qt.MouseButton.RightButton: "Right",
}


def _register(factory: object, application_logic: object, names: tuple[str, ...]) -> object:
    factory.SetMRMLApplicationLogic(application_logic)
    for name in names:
        if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory


class View(QWidget):
    """A render window of VTK in a Qt widget."""

    def __init__(self, style: "slicer.vtkMRMLViewInteractorStyle", background: tuple[float, float, float]) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._renderer, self._window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self._renderer.SetBackground(*background)
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())  # Slicer's style is an observer beside it
        self._interactor.Initialize()
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._style, self._picture = style, QtGui.QImage()
        QWidget.resize(self, 320, 320)

    def _show_managers(self, factory: object, logic: object, node: "slicer.vtkMRMLAbstractViewNode") -> None:
        self._fit()
        self._group.SetRenderer(self._renderer)
        self._group.Initialize(factory, self._renderer)
        self._group.SetMRMLDisplayableNode(node)
        logic.SetDisplayableManagerGroup(self._group)
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)
        self._group.AddObserver(vtk.vtkCommand.UpdateEvent, lambda *_: self.scheduleRender())
        self.forceRender()

    def take_node(self, node: "slicer.vtkMRMLAbstractViewNode") -> None:
        """Show another node of the same name, as when a layout has come back after its node had been removed."""
        self._group.SetMRMLDisplayableNode(node)
        self._fit()
        self.scheduleRender()

    def renderWindow(self) -> vtk.vtkRenderWindow:
        return self._window

    def interactor(self) -> vtk.vtkRenderWindowInteractor:
        return self._interactor

    def interactorStyle(self) -> "slicer.vtkMRMLViewInteractorStyle":
        return self._style

    def displayableManagerByClassName(self, name: str) -> object:
        return self._group.GetDisplayableManagerByClassName(name)

    def scheduleRender(self) -> None:
        """Draw when the widget is painted next."""
        self._picture = None
        QWidget.update(self)

    def forceRender(self) -> None:
        """Draw at once."""
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        grabber.ShouldRerenderOff()
        grabber.Update()
        image = grabber.GetOutput()
        columns, rows, _ = image.GetDimensions()
        values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        self._pixels = np.ascontiguousarray(values.reshape(rows, columns, 3)[::-1])
        kind = QtGui.QImage.Format.Format_RGB888
        self._picture = QtGui.QImage(self._pixels.data, columns, rows, 3 * columns, kind)

    def pixels(self) -> np.ndarray:
        """Not in Slicer: what the view shows now, (rows, columns, 3) uint8, the top row first."""
        self.forceRender()
        return self._pixels.copy()

    def _fit(self) -> None:
        self._window.SetSize(QWidget.width(self), QWidget.height(self))
        self._interactor.SetSize(QWidget.width(self), QWidget.height(self))

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        if self._picture is None:
            self.forceRender()
        QtGui.QPainter(self).drawImage(0, 0, self._picture)

    def resizeEvent(self, _event: QtGui.QResizeEvent) -> None:
        self._fit()
        self.scheduleRender()

    def _tell(self, event: QtGui.QMouseEvent) -> None:
        pressed = event.modifiers()
        point = event.position()
        self._interactor.SetEventInformationFlipY(
            round(point.x()),
            round(point.y()),
            int(bool(pressed & Qt.KeyboardModifier.ControlModifier)),
            int(bool(pressed & Qt.KeyboardModifier.ShiftModifier)),
        )
        self._interactor.SetAltKey(int(bool(pressed & Qt.KeyboardModifier.AltModifier)))

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._tell(event)
        self._interactor.InvokeEvent(f"{_BUTTONS[event.button()]}ButtonPressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._tell(event)
        self._interactor.InvokeEvent(f"{_BUTTONS[event.button()]}ButtonReleaseEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._tell(event)
        self._interactor.InvokeEvent("MouseMoveEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        self._tell(event)
        forward = event.angleDelta().y() > 0
        self._interactor.InvokeEvent("MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")

    def enterEvent(self, event: QtGui.QEnterEvent) -> None:
        self._tell(event)
        self._interactor.InvokeEvent("EnterEvent")

    def leaveEvent(self, _event: QtCore.QEvent) -> None:
        self._interactor.InvokeEvent("LeaveEvent")


@stands_for_native
class qMRMLThreeDView(View):
    """A 3D view of the scene."""

    def __init__(self, application_logic: object, logic: object, node: "slicer.vtkMRMLViewNode") -> None:
        super().__init__(slicer.vtkMRMLThreeDViewInteractorStyle(), node.GetBackgroundColor())
        self._node = node
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self._show_managers(_register(factory, application_logic, THREE_D_MANAGERS), logic, node)

    def take_node(self, node: "slicer.vtkMRMLViewNode") -> None:
        self._node = node
        super().take_node(node)

    def mrmlViewNode(self) -> "slicer.vtkMRMLViewNode":
        return self._node

    def cameraNode(self) -> "slicer.vtkMRMLCameraNode":
        cameras = self.displayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        return cameras.GetCameraNode()

    def resetFocalPoint(self) -> None:
        """Look at the middle of what is shown."""
        self._renderer.ResetCamera()
        self.scheduleRender()

    def resetCamera(self) -> None:
        self.resetFocalPoint()


@stands_for_native
class qMRMLSliceView(View):
    """A slice through the scene."""

    def __init__(self, application_logic: object, logic: "slicer.vtkMRMLSliceLogic") -> None:
        super().__init__(slicer.vtkMRMLSliceViewInteractorStyle(), (0.0, 0.0, 0.0))
        self._logic = logic
        self._style.SetSliceLogic(logic)
        self._mapper, self._image = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._mapper.SetColorWindow(255.0)
        self._mapper.SetColorLevel(127.5)
        self._image.SetMapper(self._mapper)
        self._renderer.AddViewProp(self._image)
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.scheduleRender())
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._show_managers(_register(factory, application_logic, SLICE_MANAGERS), logic, logic.GetSliceNode())

    def mrmlSliceNode(self) -> "slicer.vtkMRMLSliceNode":
        return self._logic.GetSliceNode()

    def forceRender(self) -> None:
        image = self._logic.GetImageDataConnection()  # None without a volume
        self._mapper.SetInputConnection(image)
        self._image.SetVisibility(image is not None)
        super().forceRender()

    def _fit(self) -> None:
        super()._fit()
        self._logic.ResizeSliceNode(QWidget.width(self), QWidget.height(self))
