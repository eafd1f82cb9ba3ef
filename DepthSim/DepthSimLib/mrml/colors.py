"""Colour tables of the scene, made from matplotlib's colour maps."""

import slicer
from matplotlib import colormaps

STEPS = 256
NAMES = {"magma_r": "Depth (magma)", "coolwarm": "Depth error (cool to warm)"}
"""What the tables are called in Slicer."""

_TABLE = "DepthSim.Colors"


def make_colors(scene: "slicer.vtkMRMLScene", colormap: str) -> "slicer.vtkMRMLColorTableNode":
    """The table of a colour map in this scene; made where it is not there yet."""
    tables = scene.GetNodesByClass("vtkMRMLColorTableNode")
    tables.UnRegister(None)
    for number in range(tables.GetNumberOfItems()):
        if tables.GetItemAsObject(number).GetAttribute(_TABLE) == colormap:
            return tables.GetItemAsObject(number)
    table = scene.AddNewNodeByClass("vtkMRMLColorTableNode", NAMES[colormap])
    table.SetAttribute(_TABLE, colormap)
    table.SetTypeToUser()
    table.SetNumberOfColors(STEPS)
    modified = table.StartModify()
    for number in range(STEPS):
        table.SetColor(number, *colormaps[colormap](number / (STEPS - 1)))
    table.EndModify(modified)
    return table
