"""Nodes that belong to another: it refers to them by role, and they lie in its folder of the subject hierarchy."""

from collections.abc import Callable
from typing import Any

import slicer


def owned(owner: "slicer.vtkMRMLNode", role: str) -> Any:
    """The owner's node of a role; None if it was not made yet, or deleted."""
    return owner.GetNodeReference(role)


def own(
    owner: "slicer.vtkMRMLNode", role: str, make: Callable[["slicer.vtkMRMLScene", str], Any], name: str = ""
) -> Any:
    """The owner's node of a role; where there is none, `make(scene, name)` makes it.

    role: of the form ``Module.role``. name: what it is called after its owner's name; by default the role.
    """
    node = owned(owner, role)
    if node is None:
        node = make(owner.GetScene(), f"{owner.GetName()} {name or role.partition('.')[2]}")
        adopt(owner, role, node)
    return node


def adopt(owner: "slicer.vtkMRMLNode", role: str, node: Any) -> None:
    """Let a node belong to another."""
    owner.SetNodeReferenceID(role, node.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(owner.GetScene())
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(owner))
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():  # slicer-core files no nodes by itself
        hierarchy.CreateItem(folder, node)
    else:
        hierarchy.SetItemParent(item, folder)


def discard(node: Any) -> None:
    """Remove a node from the scene, and how it is displayed.

    Its item in the subject hierarchy goes first: slicer-core would leave it, and take it for that of the next node at
    the same address. Display nodes would stay behind too, and views go on to draw the points of a list without them.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    if item != hierarchy.GetInvalidItemID():
        hierarchy.RemoveItem(item, False)
    displays = [node.GetNthDisplayNode(number) for number in range(_display_count(node))]
    for each in (node, *filter(None, displays)):
        each.GetScene().RemoveNode(each)


def _display_count(node: Any) -> int:
    return node.GetNumberOfDisplayNodes() if node.IsA("vtkMRMLDisplayableNode") else 0
