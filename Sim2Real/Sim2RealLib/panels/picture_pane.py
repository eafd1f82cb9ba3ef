"""A slice view that shows one picture: whole at first and when the view is resized, else where the user moved it."""

from typing import Any

import qt
import slicer
import vtk

from ..mrml.slice_views import PictureView
from .panel import Panel


class PicturePane:
    """Shows pictures in the slice view of a singleton tag, as soon as its layout was shown."""

    def __init__(self, panel: Panel, tag: str) -> None:
        self._panel, self._tag = panel, tag
        self._view = PictureView()
        self._shown: tuple[Any, Any] | None = None
        self._observed: Any = None
        self._size: tuple[int, ...] = ()
        self._later = qt.QTimer()  # while a view is resized, its own idea of what to show comes last
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.connect("timeout()", self._draw)

    @property
    def slice_node(self) -> Any:
        """The view's node; None as long as the layout was never shown."""
        return slicer.mrmlScene.GetSingletonNode(self._tag, "vtkMRMLSliceNode")

    def show(self, picture: Any, labels: Any = None) -> None:
        """Show a volume of one slice, and labels over it."""
        self._shown = picture, labels
        self._observe(self.slice_node)
        self._draw()

    def refit(self) -> None:
        """Show the next picture whole."""
        self._view.forget()

    def release(self) -> None:
        """Leave the view to others."""
        self._shown = None
        self._later.stop()
        self._view.forget()
        self._observe(None)

    def _draw(self) -> None:
        node = self._observed
        if node is not None and self._shown is not None and self._shown[0].GetScene() is not None:
            self._size = tuple(node.GetDimensions()[:2])
            self._view.show(node, *self._shown)

    def _changed(self, node: Any, _event: str) -> None:
        if tuple(node.GetDimensions()[:2]) != self._size:
            self._later.start()

    def _observe(self, node: Any) -> None:
        if node is not self._observed:
            if self._observed is not None:
                self._panel.removeObserver(self._observed, vtk.vtkCommand.ModifiedEvent, self._changed)
            self._observed = node
            if node is not None:
                self._panel.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._changed)
