"""What recipes call the inputs that lie in a scene: the file a node was loaded from, or a copy of the node.

A recipe holds files, so that what was set up by hand runs anywhere. A node that still is what its file holds is named
by it; any other (changed, transformed, drawn by hand) is copied into the folder ``inputs`` beside the recipe or inside
the dataset, under a name that holds its content's hash: a copy is made once and never overwritten.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from ..dataset.layout import INPUTS
from ..errors import Sim2RealError
from ..job import Done
from ..label_table import label_classes, table_text
from ..landmarks import write_landmarks
from ..volume import Volume
from ..volume_io import write_volume
from .markups import landmarks_of
from .segmentations import labels_of
from .volumes import volume_of

GENERATED = "Sim2Real.Generated"
"""Attribute of nodes that hold a generated anatomy: the recipe's `input.anatomy`, and the hash of what they hold."""

_HASH_DIGITS = 12
_VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


class InputFiles:
    """The input files of a recipe that is written into `folder`; nodes are read at once, files written by `write`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / INPUTS
        self._pending: dict[Path, Callable[[Path], None]] = {}

    def volume(self, node: "slicer.vtkMRMLScalarVolumeNode") -> Path:
        """The file of a scalar volume."""
        return _own_file(node, _VOLUME_SUFFIXES) or self.copy_of_volume(volume_of(node), node.GetName())

    def copy_of_volume(self, volume: Volume, name: str) -> Path:
        """A file of voxels that come from a node."""
        path = self._path(name, hash_of_volume(volume), ".nrrd")
        return self._later(path, lambda path: write_volume(path, volume))

    def landmarks(self, node: "slicer.vtkMRMLMarkupsFiducialNode") -> Path:
        """The file of a point list; Sim2RealError if none of its points is placed."""
        if own := _own_file(node, (".mrk.json", ".fcsv")):
            return own
        landmarks = landmarks_of(node)
        if not landmarks:
            raise Sim2RealError(f"{node.GetName()}: no landmark is placed yet. Place some, or choose no landmarks.")
        path = self._path(node.GetName(), hash_of_landmarks(landmarks), ".mrk.json")
        return self._later(path, lambda path: write_landmarks(path, landmarks))

    def labels(self, node: "slicer.vtkMRMLDisplayableNode", reference: Volume, table: str) -> tuple[Path, str | Path]:
        """The file of a segmentation or label map on the grid of `reference`, and the table that names its values: the
        shipped `table` where that names them all, else one of their own."""
        found, _record = labels_of(node, reference, table)
        path = self.copy_of_volume(found.labels, node.GetName())
        if set(found.classes) <= set(label_classes(table)):
            return path, table
        return path, self._text(f"{node.GetName()}_classes", table_text(found.classes, found.groups), ".csv")

    def write(self) -> Iterator[Done]:
        """Write the copies that are not there yet; touches no node."""
        for done, (path, write) in enumerate(self._pending.items()):
            yield Done(done, len(self._pending), path.name)
            if path.exists():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path)
            except OSError as error:
                raise Sim2RealError(f"{path} cannot be written: {error.strerror}.") from error

    def _text(self, name: str, text: str, suffix: str) -> Path:
        path = self._path(name, hashlib.sha256(text.encode()).hexdigest(), suffix)
        return self._later(path, lambda path: path.write_text(text, "utf-8", newline=""))

    def _path(self, name: str, digest: str, suffix: str) -> Path:
        safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "input"
        return self._folder / f"{safe[:60]}-{digest[:_HASH_DIGITS]}{suffix}"

    def _later(self, path: Path, write: Callable[[Path], None]) -> Path:
        self._pending[path] = write
        return path


def hash_of_volume(volume: Volume) -> str:
    """SHA-256 of voxels and their place; places that differ by less than a nanometre are the same."""
    digest = hashlib.sha256(f"{volume.array.dtype.str} {volume.array.shape} ".encode())
    digest.update(np.ascontiguousarray(volume.array))
    digest.update((np.round(volume.ras_from_ijk, 6) + 0.0).tobytes())
    return digest.hexdigest()


def hash_of_landmarks(landmarks: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names and positions, to a nanometre."""
    plain = {name: (np.round(position, 6) + 0.0).tolist() for name, position in landmarks.items()}
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def mark_generated(node: "slicer.vtkMRMLNode", anatomy: Mapping[str, Any]) -> None:
    """Remember that a node holds what `input.anatomy` of a recipe generates."""
    node.SetAttribute(GENERATED, json.dumps({"anatomy": dict(anatomy), "sha256": _hash_of(node)}))


def generated_anatomy(*nodes: "slicer.vtkMRMLNode") -> dict[str, Any] | None:
    """The `input.anatomy` that all of the nodes were generated by and still hold; None if they do not."""
    found = [_mark_of(node) for node in nodes]
    if not found or any(mark is None or mark != found[0] for mark in found):
        return None
    return found[0]


def _mark_of(node: "slicer.vtkMRMLNode") -> dict[str, Any] | None:
    """What `mark_generated` kept, if the node has not been changed since."""
    try:
        mark = json.loads(node.GetAttribute(GENERATED) or "null")
        return dict(mark["anatomy"]) if mark and mark["sha256"] == _hash_of(node) else None
    except (ValueError, TypeError, KeyError):  # a scene of unknown origin
        return None


def _hash_of(node: "slicer.vtkMRMLNode") -> str:
    if node.IsA("vtkMRMLMarkupsNode"):
        return hash_of_landmarks(landmarks_of(node))
    return hash_of_volume(volume_of(node))


def _own_file(node: "slicer.vtkMRMLStorableNode", suffixes: tuple[str, ...]) -> Path | None:
    """The file that holds just what the node does, if there is one and recipes read its kind."""
    storage = node.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    if not name or node.GetParentTransformNode() is not None or node.GetModifiedSinceRead():
        return None
    path = Path(name)
    return path.absolute() if path.name.lower().endswith(suffixes) and path.is_file() else None
