"""Nodes that belong to a C-arm: its transform refers to them by role, and they lie in its folder."""

from typing import Any

import slicer


def owned(carm: "slicer.vtkMRMLLinearTransformNode", role: str) -> Any:
    """The C-arm's node of a role; None if it was not made yet, or deleted."""
    return carm.GetNodeReference(role)


def own(carm: "slicer.vtkMRMLLinearTransformNode", role: str, kind: str, name: str) -> tuple[Any, bool]:
    """The C-arm's node of a role, made where there is none, and whether it is new."""
    node = owned(carm, role)
    if node is not None:
        return node, False
    node = carm.GetScene().AddNewNodeByClass(kind, f"{carm.GetName()} {name}")
    adopt(carm, role, node)
    return node, True


def adopt(carm: "slicer.vtkMRMLLinearTransformNode", role: str, node: Any) -> None:
    """Let a node belong to a C-arm."""
    carm.SetNodeReferenceID(role, node.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(carm.GetScene())
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(carm))
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():  # slicer-core files no nodes by itself
        hierarchy.CreateItem(folder, node)
    else:
        hierarchy.SetItemParent(item, folder)


def remove(node: Any) -> None:
    """Remove a node from its scene, and from the subject hierarchy, where slicer-core would leave a dead item."""
    scene = node.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item != hierarchy.GetInvalidItemID():
        hierarchy.RemoveItem(item, False, False)
    scene.RemoveNode(node)
