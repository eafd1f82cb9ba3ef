"""Inputs from scene files of Slicer's, ``case.mrb#CT``: read into a scene of their own, in world coordinates.

The one module of this package that the rest of the library reaches, and only for such a path (`scene_path`).
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from ..errors import Sim2RealError
from ..itk_io import silent_stderr
from ..label_table import LabelMap
from ..landmarks import named_positions, require_landmarks
from ..mesh import TriangleMesh
from ..provenance import input_record
from ..volume import Volume
from .markups import points_of
from .models import mesh_of
from .scene_index import (
    CLASSES,
    LABEL_VOLUME,
    LABELS,
    MASK,
    MODEL,
    POINTS,
    TRANSFORMS,
    VOLUME,
    Element,
    Kind,
    parse_scene,
    scene_of,
)
from .scene_storage import open_storage
from .segmentations import labels_of, mask_of
from .volumes import volume_of

KINDS = {"ct": VOLUME, "labels": LABELS, "landmarks": POINTS, "mesh": MODEL, "mask": MASK, "implant": MASK}
"""What a node has to be for each role. A segmentation is a mask where any of its segments is."""


def read_grid(scene: Path, node: str, role: str) -> tuple[Volume, dict[str, Any]]:
    """The voxels of a volume node and their provenance. Sim2RealError as for `volumes.volume_of` and `_loaded`."""
    kind = LABEL_VOLUME if role == "labels" else KINDS.get(role, VOLUME)
    with _loaded(scene, node, kind, role) as (found, record):
        return mask_of(found) if found.IsA("vtkMRMLSegmentationNode") else volume_of(found), record


def read_label_map(scene: Path, node: str, reference: Volume, table: str | Path) -> tuple[LabelMap, dict[str, Any]]:
    """As `segmentations.labels_of`, with provenance. Sim2RealError as there and for `_loaded`."""
    with _loaded(scene, node, KINDS["labels"], "labels") as (found, record):
        label_map, of_labels = labels_of(found, reference, table)
    return label_map, of_labels | record


def read_landmarks(scene: Path, node: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Positions (3,) by name of a point list, and its provenance. Sim2RealError as for `landmarks.read_landmarks` and
    `_loaded`."""
    with _loaded(scene, node, KINDS["landmarks"], "landmarks") as (found, record):
        return require_landmarks(record["name"], named_positions(record["name"], points_of(found))), record


def read_mesh(scene: Path, node: str) -> tuple[TriangleMesh, dict[str, Any]]:
    """The closed surface of a model and its provenance. Sim2RealError as for `models.mesh_of` and `_loaded`."""
    with _loaded(scene, node, KINDS["mesh"], "mesh") as (found, record):
        mesh = mesh_of(found)
    return mesh, record | {"space": "ras", "vertices": len(mesh.vertices_ras), "triangles": len(mesh.triangles)}


def require_node(scene: Path, node: str, role: str) -> None:
    """Sim2RealError as for `_loaded` if a scene does not have a node for a role of `KINDS`; its data are not read."""
    with open_storage(scene) as storage:
        index = parse_scene(scene.name, storage.scene_text())
        index.files(index.needed(index.find(node, KINDS[role])))


@contextmanager
def _loaded(scene: Path, node: str, kind: Kind, role: str) -> Iterator[tuple["slicer.vtkMRMLNode", dict[str, Any]]]:
    """A node of a scene file with its transforms, alone in a new scene, and its provenance.

    Sim2RealError: no scene, a damaged or unsafe one, no node of that name and kind or several, data that is missing,
    damaged, outside the scene's folder or in a format that is not read here.
    """
    with open_storage(scene) as storage, tempfile.TemporaryDirectory(prefix="sim2real-") as scratch:
        index = parse_scene(scene.name, storage.scene_text())
        element = index.find(node, kind)
        elements = index.needed(element)
        names = index.files(elements)
        paths = storage.place(list(names.values()), Path(scratch))
        text, ids = scene_of(index, elements, dict(zip(names, paths, strict=True)))
        part = Path(scratch) / "part.mrml"
        part.write_text(text, encoding="utf-8")
        private = _import(part, scene.name, elements, ids)
        found = private.GetNodeByID(ids[element.id])
        found.SetName(f"{scene.name}#{element.name}")
        inline = any(entry.tag in TRANSFORMS and not entry.references("storage") for entry in elements)
        record = input_record(role, scene, storage.sources(paths, inline))
        yield found, record | {"name": found.GetName()}


def _import(path: Path, scene_name: str, elements: Sequence[Element], ids: Mapping[str, str]) -> "slicer.vtkMRMLScene":
    """A scene of its own with the nodes in a .mrml and their data."""
    scene = slicer.vtkMRMLScene()
    for cls in {CLASSES[entry.tag] for entry in elements}:
        if not scene.IsNodeClassRegistered(cls):
            scene.RegisterNodeClass(getattr(slicer, cls)())
    scene.SetReadDataOnLoad(False)
    shown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.GlobalWarningDisplayOff()  # what goes wrong is said below
    try:
        with silent_stderr():
            scene.SetURL(str(path))
            scene.Import()
            scene.SetReadDataOnLoad(True)
            for entry in elements:
                for key in entry.references("storage")[:1]:
                    if not _read_data(scene.GetNodeByID(ids[entry.id]), scene.GetNodeByID(ids[key])):
                        raise Sim2RealError(
                            f"{scene_name}: the data of '{entry.name}' cannot be read: damaged or incomplete. "
                            "Save the scene again."
                        )
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(shown)
    return scene


def _read_data(node: "slicer.vtkMRMLStorableNode", storage: "slicer.vtkMRMLStorageNode") -> bool:
    """Whether the data of a node could be read from its file."""
    if node is None or storage is None:
        return False
    if node.IsA("vtkMRMLSegmentationNode"):  # Slicer's reader ends the process where ITK's has an error
        try:
            sitk.ReadImage(storage.GetFileName())
        except RuntimeError:
            return False
    return bool(storage.ReadData(node))
