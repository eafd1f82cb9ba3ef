"""Whether a segmentation still is that of a generated anatomy."""

import json
from collections.abc import Mapping
from typing import Any

import slicer

from ..errors import Sim2RealError
from ..volume import Volume
from .inputs import GENERATED, hash_of_volume
from .segmentations import labels_of

TABLE = "totalsegmentator_v2"
"""Names of labels."""


def mark_generated_labels(
    segmentation: "slicer.vtkMRMLSegmentationNode", reference: Volume, anatomy: Mapping[str, Any]
) -> None:
    """Remember that a segmentation holds the labels of what `input.anatomy` of a recipe generates."""
    mark = {"anatomy": dict(anatomy), "sha256": _hash_of(segmentation, reference)}
    segmentation.SetAttribute(GENERATED, json.dumps(mark))


def are_generated_labels(
    segmentation: "slicer.vtkMRMLSegmentationNode", reference: Volume, anatomy: Mapping[str, Any]
) -> bool:
    """Whether a segmentation was marked with this anatomy and has not been changed since."""
    try:
        mark = json.loads(segmentation.GetAttribute(GENERATED) or "null")
        if not mark or mark["anatomy"] != dict(anatomy):
            return False
        return mark["sha256"] == _hash_of(segmentation, reference)
    except (ValueError, TypeError, KeyError, Sim2RealError):  # a scene of unknown origin, or nothing left of the labels
        return False


def _hash_of(segmentation: "slicer.vtkMRMLSegmentationNode", reference: Volume) -> str:
    return hash_of_volume(labels_of(segmentation, reference, TABLE)[0].labels)
