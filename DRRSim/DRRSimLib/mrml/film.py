"""The greys of an X-ray image in Slicer, which are those of the exported picture (`frames.display.to_display`).

The node holds −ln(I / I₀), its display a window, which the user may change with the mouse, over a table of greys. A
sigmoid window never ends; the table covers it to 2 % and 98 %.
"""

import numpy as np
import slicer

from ..frames.display import Polarity, VoiFunction, Window, to_display

FILM = "DRRSim.Film"
"""Attribute of a colour table: what kind of window it is for."""

GREYS = 256
BEYOND = {VoiFunction.LINEAR: 0.0, VoiFunction.SIGMOID: 0.5}
"""How far the table goes on past either end of the window, in widths of the window."""

SAME = 1e-3
"""Ends of windows that differ by less are the same."""


def apply_window(image: "slicer.vtkMRMLScalarVolumeNode", window: Window, polarity: Polarity) -> None:
    """Show an image of −ln(I / I₀) through a window."""
    display = image.GetDisplayNode()
    table = _table(image.GetScene(), window.function, polarity)
    beyond = BEYOND[window.function] * (window.high - window.low)
    low, high = window.low - beyond, window.high + beyond
    modified = display.StartModify()
    display.SetAutoWindowLevel(False)
    if max(abs(display.GetWindowLevelMin() - low), abs(display.GetWindowLevelMax() - high)) > SAME:
        display.SetWindowLevelMinMax(low, high)
    display.SetAndObserveColorNodeID(table.GetID())
    display.EndModify(modified)


def shown_window(image: "slicer.vtkMRMLScalarVolumeNode", function: VoiFunction) -> Window:
    """The window through which an image is shown, of the kind that was applied last."""
    display = image.GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    beyond = BEYOND[function] * (high - low) / (1.0 + 2.0 * BEYOND[function])
    return Window(low + beyond, high - beyond, function)


def same_window(first: Window, second: Window) -> bool:
    """Whether two windows cannot be told apart."""
    return first.function is second.function and max(abs(first.low - second.low), abs(first.high - second.high)) < SAME


def _table(scene: "slicer.vtkMRMLScene", function: VoiFunction, polarity: Polarity) -> "slicer.vtkMRMLColorTableNode":
    """The table of greys of a kind of window, made when it is first needed."""
    kind = f"{function} {polarity}"
    nodes = scene.GetNodesByClass("vtkMRMLColorTableNode")
    nodes.UnRegister(None)
    for number in range(nodes.GetNumberOfItems()):
        if nodes.GetItemAsObject(number).GetAttribute(FILM) == kind:
            return nodes.GetItemAsObject(number)
    places = np.linspace(-BEYOND[function], 1.0 + BEYOND[function], GREYS)
    greys = to_display(places, Window(0.0, 1.0, function), polarity, 8) / 255.0
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", f"X-ray film, {kind.replace('_', ' ')}")
    node.SetAttribute(FILM, kind)
    node.SetTypeToUser()
    node.SetNumberOfColors(GREYS)
    for number, grey in enumerate(greys.tolist()):
        node.SetColor(number, f"{places[number]:.3f}", grey, grey, grey, 1.0)
    return node
