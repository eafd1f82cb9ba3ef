"""What input nodes hold, copied quickly on the thread that owns them, to be looked at on any other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from ..volume import Volume
from .markups import landmarks_of
from .segmentations import SegmentationCopy, copy_of_segmentation
from .volumes import copy_of_volume

GENERATED = "Sim2Real.Generated"
"""Attribute of nodes that hold a generated anatomy: the recipe's `input.anatomy`, and the hash of what they hold."""


@dataclass(frozen=True, eq=False)
class NodeCopy:
    """content: voxels, not checked yet; segments; or the positions (3,) of landmarks by name.

    file: that holds just what the node does; None if there is none. mark: what the attribute `GENERATED` says.
    """

    name: str
    content: Volume | SegmentationCopy | dict[str, np.ndarray]
    file: Path | None
    mark: str | None


def copied(node: "slicer.vtkMRMLDisplayableNode") -> NodeCopy:
    """A copy of a volume, a segmentation or a point list.

    Sim2RealError: nothing in it, another kind of node, a transform that is not linear, a sheared grid.
    """
    if node.IsA("vtkMRMLMarkupsNode"):
        content = landmarks_of(node)
    elif node.IsA("vtkMRMLSegmentationNode"):
        content = copy_of_segmentation(node)
    else:
        content = copy_of_volume(node)
    return NodeCopy(node.GetName(), content, _own_file(node), node.GetAttribute(GENERATED))


def _own_file(node: "slicer.vtkMRMLStorableNode") -> Path | None:
    storage = node.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    if not name or node.GetParentTransformNode() is not None or node.GetModifiedSinceRead():
        return None
    return Path(name).absolute() if Path(name).is_file() else None
