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
from ..volume_io import VOLUME_SUFFIXES, require_finite, write_volume
from .node_copies import GENERATED, NodeCopy
from .segmentations import labels_in

_HASH_DIGITS = 12


class InputFiles:
    """The input files of a recipe that is written into `folder`, of copies of nodes; `write` writes them. It may all be
    done on another thread than that of the nodes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / INPUTS
        self._pending: dict[Path, Callable[[Path], None]] = {}

    def volume(self, volume: NodeCopy) -> Path:
        """The file of a scalar volume. Sim2RealError for values that are NaN or infinite."""
        own = _own_file(volume, VOLUME_SUFFIXES)
        return own or self._copy_of_volume(require_finite(volume.content), volume.name)

    def landmarks(self, points: NodeCopy) -> Path:
        """The file of a point list; Sim2RealError if none of its points is placed."""
        if own := _own_file(points, (".mrk.json", ".fcsv")):
            return own
        landmarks = points.content
        if not landmarks:
            raise Sim2RealError(f"{points.name}: no landmark is placed yet. Place some, or choose no landmarks.")
        path = self._path(points.name, hash_of_landmarks(landmarks), ".mrk.json")
        return self._later(path, lambda path: write_landmarks(path, landmarks))

    def labels(self, segmentation: NodeCopy, reference: Volume, table: str) -> tuple[Path, str | Path]:
        """The file of a segmentation on the grid of `reference`, and the table that names its values: the shipped
        `table` where that names them all, else one of their own."""
        found, _record = labels_in(segmentation.content, reference, table)
        path = self._copy_of_volume(found.labels, segmentation.name)
        if set(found.classes) <= set(label_classes(table)):
            return path, table
        return path, self._text(f"{segmentation.name}_classes", table_text(found.classes, found.groups), ".csv")

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

    def _copy_of_volume(self, volume: Volume, name: str) -> Path:
        path = self._path(name, hash_of_volume(volume), ".nrrd")
        return self._later(path, lambda path: write_volume(path, volume))

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


def mark_generated(node: "slicer.vtkMRMLNode", anatomy: Mapping[str, Any], sha256: str) -> None:
    """Remember that a node holds what `input.anatomy` of a recipe generates.

    sha256: of what it holds by `hash_of_volume`, `hash_of_landmarks` or `generated_labels.hash_of_labels`; large
    volumes are hashed on another thread than the node's.
    """
    node.SetAttribute(GENERATED, json.dumps({"anatomy": dict(anatomy), "sha256": sha256}))


def generated_anatomy(*copies: NodeCopy) -> dict[str, Any] | None:
    """The `input.anatomy` that all of the nodes were generated by and still hold; None if they do not."""
    found = [_mark_of(copy) for copy in copies]
    if not found or any(mark is None or mark != found[0] for mark in found):
        return None
    return found[0]


def _mark_of(copy: NodeCopy) -> dict[str, Any] | None:
    """What `mark_generated` kept, if the node has not been changed since."""
    try:
        mark = json.loads(copy.mark or "null")
        return dict(mark["anatomy"]) if mark and mark["sha256"] == _hash_of(copy) else None
    except (ValueError, TypeError, KeyError):  # a scene of unknown origin
        return None


def _hash_of(copy: NodeCopy) -> str:
    return hash_of_volume(copy.content) if isinstance(copy.content, Volume) else hash_of_landmarks(copy.content)


def _own_file(copy: NodeCopy, suffixes: tuple[str, ...]) -> Path | None:
    """The file that holds just what the node does, if recipes read its kind."""
    return copy.file if copy.file is not None and copy.file.name.lower().endswith(suffixes) else None
