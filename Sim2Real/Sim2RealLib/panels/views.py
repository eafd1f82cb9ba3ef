"""The views of Slicer's window: the layout of a module, and a CT in the slice views."""

import slicer

from ..mrml.slice_views import show_in_slice_views


def show_layout(number: int, description: str) -> None:
    """Change to a layout, its description as XML; without a main window there is none to change."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    node = manager.layoutLogic().GetLayoutNode()
    if not node.IsLayoutDescription(number):
        node.AddLayoutDescription(number, description)
    manager.setLayout(number)


def show_in_slices(volume: "slicer.vtkMRMLScalarVolumeNode") -> None:
    """Show a volume in the slice views, as Slicer shows one that it loads; views of pictures keep theirs."""
    show_in_slice_views(slicer.app.applicationLogic(), volume)
