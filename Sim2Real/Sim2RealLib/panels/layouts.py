"""The modules' layouts in Slicer's window: known from its start, and shown again with the scenes saved with one."""

from typing import Any

import qt
import slicer

from ..mrml.layouts import LAYOUTS, describe_layouts

_followed: list[Any] = []


def follow_scenes() -> None:
    """Make the layouts known, and show what is in a scene when it has been loaded. Without a main window nothing is
    shown; a second call changes nothing."""
    if slicer.app.layoutManager() is None:
        return
    describe_layouts(_layout_node())
    if slicer.mrmlScene not in _followed:
        _followed.append(slicer.mrmlScene)
        slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, lambda _scene, _event: _loaded())


def show_layout(number: int) -> None:
    """Change to one of `LAYOUTS`; without a main window there is none to change."""
    if slicer.app.layoutManager() is not None:
        describe_layouts(_layout_node())
        slicer.app.layoutManager().setLayout(number)
        qt.QTimer.singleShot(0, _look_far_enough)


def _layout_node() -> "slicer.vtkMRMLLayoutNode":
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def _loaded() -> None:
    """Show the layout of a scene, and, once its views have taken what is in it, all that is before their cameras."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    if manager.layout in LAYOUTS:
        show_layout(manager.layout)
    else:
        qt.QTimer.singleShot(0, _look_far_enough)


def _look_far_enough() -> None:
    """A saved camera has no clipping range: what is far from it would be cut away."""
    manager = slicer.app.layoutManager()
    for index in range(manager.threeDViewCount):
        manager.threeDWidget(index).threeDView().cameraNode().ResetClippingRange()
