"""Whether a segmentation still is that of a generated anatomy."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Sim2RealError
from ..simulation import LabelClass
from ..volume import Volume
from .inputs import hash_of_volume
from .node_copies import NodeCopy
from .segmentations import SegmentationCopy, copy_of_labels, labels_in

TABLE = "totalsegmentator_v2"
"""Names of labels."""


def hash_of_labels(labels: Volume, classes: Sequence[LabelClass]) -> str:
    """SHA-256 of the segmentation that `make_segmentation` makes of labels on the grid of the CT; on any thread."""
    return _hash_of(copy_of_labels(labels, classes), labels)


def are_generated_labels(segmentation: NodeCopy, reference: Volume, anatomy: Mapping[str, Any]) -> bool:
    """Whether a segmentation was marked with this anatomy and has not been changed since."""
    try:
        mark = json.loads(segmentation.mark or "null")
        if not mark or mark["anatomy"] != dict(anatomy):
            return False
        return mark["sha256"] == _hash_of(segmentation.content, reference)
    except (ValueError, TypeError, KeyError, Sim2RealError):  # a scene of unknown origin, or nothing left of the labels
        return False


def _hash_of(segmentation: SegmentationCopy, reference: Volume) -> str:
    return hash_of_volume(labels_in(segmentation, reference, TABLE)[0].labels)
