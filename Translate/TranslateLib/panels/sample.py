"""The sample abdomen, downloaded and read step by step."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from Sim2RealLib.download import download
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.label_table import classes_present
from Sim2RealLib.mrml.segmentations import labels_image, make_segmentation
from Sim2RealLib.mrml.volumes import make_volume
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct, read_labels

from ..mrml.anatomy import TABLE

NAME = "AbdomenPelvisCT"
"""Of the sample data that the module Sim2Real registers."""


def sample_steps() -> Iterator[Done]:
    """Steps that get the sample into Slicer's cache and read it; they return what `add_sample` takes."""
    from SampleData import SampleDataLogic

    source = SampleDataLogic().sourceForSampleName(NAME)
    folder = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())
    files = zip(source.uris, source.fileNames, source.checksums, strict=True)
    return _steps([(uri, folder / name, checksum.removeprefix("SHA256:")) for uri, name, checksum in files])


def add_sample(
    ct: Volume, labels: "slicer.vtkOrientedImageData", classes: Sequence[LabelClass]
) -> "tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode]":
    """The sample in the scene."""
    scene = slicer.mrmlScene
    return make_volume(scene, ct, NAME), make_segmentation(scene, labels, classes, "AbdomenPelvisLabels")


def _steps(files: list[tuple[str, Path, str]]) -> Iterator[Any]:
    yield Done(0, 0, _("downloading"))
    try:
        for file in files:
            yield from download(*file)
    except Sim2RealError as error:
        raise Sim2RealError(f"{error} " + _("A CT and a segmentation of your own can be chosen meanwhile.")) from error
    yield Done(0, 0, _("reading"))
    (_uri, ct_path, _sum), (_uri, labels_path, _sum) = files
    ct, _record = read_ct(ct_path)
    labels, _record = read_labels(labels_path, ct)
    classes = classes_present(labels, TABLE)
    return ct, labels_image(labels, classes), classes
