"""What nodes are in a recipe: the inputs, and the C-arm."""

from dataclasses import asdict
from typing import Any

import numpy as np
import slicer

from Sim2RealLib.mrml.generated_labels import TABLE, are_generated_labels
from Sim2RealLib.mrml.inputs import InputFiles, generated_anatomy
from Sim2RealLib.mrml.node_copies import NodeCopy
from Sim2RealLib.volume_io import require_finite

from ..acquisition.carm import DEVICES
from .carm_nodes import device_of, pose_of


def input_section(
    inputs: InputFiles, ct: NodeCopy, segmentation: NodeCopy | None, landmarks: NodeCopy | None
) -> dict[str, Any]:
    """`input` of a recipe: an anatomy where all three nodes still are what was generated, else files. On any thread."""
    volume = require_finite(ct.content)
    if segmentation is not None and landmarks is not None:
        anatomy = generated_anatomy(ct, landmarks)
        if anatomy is not None and are_generated_labels(segmentation, volume, anatomy):
            return {"anatomy": anatomy}
    section: dict[str, Any] = {"volume": str(inputs.volume(ct))}
    if segmentation is not None:
        path, table = inputs.labels(segmentation, volume, TABLE)
        section |= {"labels": str(path), "label_table": str(table)}
    if landmarks is not None:
        section["landmarks"] = str(inputs.landmarks(landmarks))
    return section


def carm_section(carm: "slicer.vtkMRMLLinearTransformNode") -> dict[str, Any]:
    """`carm` of a recipe: the device, by its name where it is a preset unchanged, and the isocentre."""
    device, isocenter = device_of(carm), np.round(pose_of(carm).isocenter_ras, 3)
    named = device.name if DEVICES.get(device.name) == device else asdict(device)
    return {"device": named, "isocenter_ras": isocenter.tolist()}
