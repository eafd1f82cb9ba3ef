"""Results in the subject hierarchy, with where they come from."""

import json
from collections.abc import Mapping
from typing import Any

import slicer

PROVENANCE = "Sim2Real.Provenance"
"""The attribute, of nodes and of the folder, that holds the provenance as JSON; it is saved with the scene."""


def file_under(
    scene: "slicer.vtkMRMLScene", folder_name: str, *nodes: "slicer.vtkMRMLNode", provenance: Mapping[str, Any]
) -> int:
    """Put what one action made into a new folder of the subject hierarchy, and give the folder's item.

    provenance: plain JSON; the folder and each of the nodes keep it (see `provenance_of`).
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), hierarchy.GenerateUniqueItemName(folder_name))
    text = json.dumps(provenance, ensure_ascii=False, allow_nan=False)
    hierarchy.SetItemAttribute(folder, PROVENANCE, text)
    for node in nodes:
        node.SetAttribute(PROVENANCE, text)
        item = hierarchy.GetItemByDataNode(node)
        if item == hierarchy.GetInvalidItemID():  # slicer-core files no nodes by itself
            hierarchy.CreateItem(folder, node)
        else:
            hierarchy.SetItemParent(item, folder)
    return folder


def provenance_of(node: "slicer.vtkMRMLNode") -> dict[str, Any] | None:
    """What `file_under` keeps with a node; None of one it did not file."""
    text = node.GetAttribute(PROVENANCE)
    return None if text is None else json.loads(text)
