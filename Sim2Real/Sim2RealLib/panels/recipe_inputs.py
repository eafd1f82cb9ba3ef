"""The inputs of a recipe that is loaded into a panel: read on the worker, put into the scene on the main thread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from ..job import Done
from ..label_table import read_label_map
from ..mrml.segmentations import labels_image, make_segmentation
from ..mrml.volumes import keep_file, make_volume
from ..simulation import LabelClass
from ..volume import Volume
from ..volume_io import VOLUME_SUFFIXES, read_ct


@dataclass(frozen=True, eq=False)
class ReadInputs:
    """The CT of `volume_path`, and the labels and classes of `labels_path` where there is one."""

    volume_path: Path
    ct: Volume
    labels_path: Path | None
    labels: "slicer.vtkOrientedImageData | None"
    classes: Sequence[LabelClass]


def read_inputs(section: Any) -> Iterator[Done]:
    """Read the CT and the labels of a recipe's `input`; returns `ReadInputs`."""
    yield Done(0, 0, section.volume.name)
    ct, _record = read_ct(section.volume)
    labels, classes = None, ()
    if section.labels is not None:
        yield Done(0, 0, section.labels.name)
        read, _record = read_label_map(section.labels, ct, section.label_table)
        labels, classes = labels_image(read.labels, read.classes), read.classes
    return ReadInputs(section.volume, ct, section.labels, labels, classes)


def add_inputs(
    scene: "slicer.vtkMRMLScene", inputs: ReadInputs
) -> "tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode | None]":
    """The CT and the segmentation as new nodes. The CT keeps its file, unless that is a DICOM folder or a scene's."""
    path = inputs.volume_path
    ct = make_volume(scene, inputs.ct, path.name)
    if path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES):
        keep_file(ct, path)
    if inputs.labels is None:
        return ct, None
    return ct, make_segmentation(scene, inputs.labels, inputs.classes, inputs.labels_path.name)
