"""Nodes that belong to an endoscope: its transform refers to them by role, and they lie in its folder."""

from collections.abc import Callable
from typing import Any

import slicer


def owned(endoscope: "slicer.vtkMRMLLinearTransformNode", role: str) -> Any:
    """The endoscope's node of a role; None if it was not made yet, or deleted."""
    return endoscope.GetNodeReference(_reference(role))


def own(
    endoscope: "slicer.vtkMRMLLinearTransformNode", role: str, make: Callable[["slicer.vtkMRMLScene", str], Any]
) -> Any:
    """The endoscope's node of a role; where there is none, `make(scene, name)` makes it."""
    node = owned(endoscope, role)
    if node is None:
        node = make(endoscope.GetScene(), f"{endoscope.GetName()} {role}")
        adopt(endoscope, role, node)
    return node


def adopt(endoscope: "slicer.vtkMRMLLinearTransformNode", role: str, node: Any) -> None:
    """Let a node belong to an endoscope."""
    endoscope.SetNodeReferenceID(_reference(role), node.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(endoscope.GetScene())
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(endoscope))
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():  # slicer-core files no nodes by itself
        hierarchy.CreateItem(folder, node)
    else:
        hierarchy.SetItemParent(item, folder)


def discard(node: Any) -> None:
    """Remove a node from the scene.

    Its item in the subject hierarchy goes first: slicer-core would leave it, and take it for that of the next node at
    the same address.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    if item != hierarchy.GetInvalidItemID():
        hierarchy.RemoveItem(item, False)
    node.GetScene().RemoveNode(node)


def _reference(role: str) -> str:
    return f"DepthSim.{role}"
