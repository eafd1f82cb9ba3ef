"""Tells a panel that what its input nodes hold, or where they lie, has changed, which no parameter says."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk

from .panel import Panel

REST_MS = 150
"""How long nodes must rest: a transform that is dragged, or a brush, changes them many times a second."""


class InputWatch:
    """changed: called once for changes that follow each other quickly."""

    def __init__(self, panel: Panel, changed: Callable[[], None]) -> None:
        self._panel = panel
        self._nodes: list[Any] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.connect("timeout()", changed)

    @property
    def waiting(self) -> bool:
        """Whether a change has not been told yet."""
        return self._timer.active

    def follow(self, *nodes: Any) -> None:
        """Listen to these nodes, None among them or not, and to no others any more."""
        wanted = [node for node in nodes if node is not None]
        for node in self._nodes:
            if node not in wanted:
                for event in _events(node):
                    self._panel.removeObserver(node, event, self._changed)
        for node in wanted:
            if node not in self._nodes:
                for event in _events(node):
                    self._panel.addObserver(node, event, self._changed)
        self._nodes = wanted
        if not wanted:
            self._timer.stop()

    def _changed(self, _node: Any, _event: str) -> None:
        self._timer.start()


def _events(node: Any) -> tuple[int, ...]:
    """What a node says when its content or its place in the world is another."""
    events = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
    if node.IsA("vtkMRMLSegmentationNode"):
        inner = slicer.vtkSegmentation
        return (
            *events,
            inner.SourceRepresentationModified,
            inner.RepresentationModified,
            inner.SegmentAdded,
            inner.SegmentRemoved,
            inner.SegmentModified,
        )
    if node.IsA("vtkMRMLMarkupsNode"):
        markups = slicer.vtkMRMLMarkupsNode
        return (*events, markups.PointModifiedEvent, markups.PointRemovedEvent, markups.PointPositionDefinedEvent)
    return (*events, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)
