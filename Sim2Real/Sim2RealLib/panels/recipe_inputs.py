"""The inputs of a recipe that is loaded into a panel."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import slicer

from ..job import Done
from ..label_table import read_label_map
from ..volume_io import read_ct

LOADED_BY_SLICER = (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd")
"""Volumes that keep their file in the scene."""


def loaded_volume(path: Path) -> Any:
    """The volume of a file as Slicer loads it, so that it keeps its file; None of a DICOM folder or a scene's node."""
    if not path.is_file() or not path.name.lower().endswith(LOADED_BY_SLICER):
        return None
    return slicer.util.loadVolume(str(path))


def read_inputs(section: Any, reference: Any) -> Iterator[Done]:
    """Read what Slicer did not load; returns the CT or None, and the label map or None.

    section: `input` of a recipe. reference: the CT that Slicer loaded; None if it did not.
    """
    yield Done(0, 0, section.volume.name)
    ct = read_ct(section.volume)[0] if reference is None else None
    labels = None
    if section.labels is not None:
        yield Done(0, 0, section.labels.name)
        labels = read_label_map(section.labels, reference if ct is None else ct, section.label_table)[0]
    return ct, labels
