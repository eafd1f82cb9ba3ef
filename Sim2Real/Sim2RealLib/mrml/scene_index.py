"""What the scene of a .mrml holds, read from its XML without Slicer, and the part of it that one node needs.

Only that part goes to Slicer: the node and what its place and meaning depend on, of the few kinds in `CLASSES`.
Modules, views, and whatever else a scene may hold stay out of it.
"""

import xml.parsers.expat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

from ..errors import Sim2RealError
from .scene_storage import suffix_of

TRANSFORMS = {
    "LinearTransform": "vtkMRMLLinearTransformNode",
    "Transform": "vtkMRMLTransformNode",
    "BSplineTransform": "vtkMRMLBSplineTransformNode",
    "GridTransform": "vtkMRMLGridTransformNode",
}
STORAGES = {
    "VolumeArchetypeStorage": "vtkMRMLVolumeArchetypeStorageNode",
    "SegmentationStorage": "vtkMRMLSegmentationStorageNode",
    "MarkupsJsonStorage": "vtkMRMLMarkupsJsonStorageNode",
    "MarkupsFiducialStorage": "vtkMRMLMarkupsFiducialStorageNode",
    "ModelStorage": "vtkMRMLModelStorageNode",
    "TransformStorage": "vtkMRMLTransformStorageNode",
    "ColorTableStorage": "vtkMRMLColorTableStorageNode",
}
CLASSES = {
    "Volume": "vtkMRMLScalarVolumeNode",
    "LabelMapVolume": "vtkMRMLLabelMapVolumeNode",
    "LabelMapVolumeDisplay": "vtkMRMLLabelMapVolumeDisplayNode",
    "ColorTable": "vtkMRMLColorTableNode",
    "Segmentation": "vtkMRMLSegmentationNode",
    "MarkupsFiducial": "vtkMRMLMarkupsFiducialNode",
    "Model": "vtkMRMLModelNode",
    **TRANSFORMS,
    **STORAGES,
}
"""The only elements that are passed on, and the classes of their nodes."""

NO_FILE = ("LabelMapVolumeDisplay", *TRANSFORMS, *STORAGES)
"""Those that hold no data, or may have them in the scene itself."""

FORMATS = (
    *(".nrrd", ".seg.nrrd", ".nhdr", ".seg.nhdr", ".nii", ".nii.gz", ".mha", ".mhd"),
    *(".mrk.json", ".json", ".fcsv", ".vtk", ".vtp", ".stl", ".ply", ".obj"),
    *(".h5", ".hdf5", ".tfm", ".mat", ".txt", ".csv", ".ctbl"),
)
"""Suffixes of the files that are read."""

ROLES = ("transform", "storage", "display", "color")
KEPT = (
    *("matrixTransformToParent", "type", "SourceRepresentationName", "coordinateSystem"),
    *("centerImage", "UseOrientationFromFile", "forceRightHandedIJKCoordinateSystem"),
)
"""References and attributes that are passed on."""


@dataclass(frozen=True)
class Kind:
    """What an input may be: its name for people, and the elements."""

    name: str
    tags: tuple[str, ...]


VOLUME = Kind("volume", ("Volume",))
LABEL_VOLUME = Kind("label map volume", ("LabelMapVolume", "Volume"))
LABELS = Kind("segmentation or label map volume", ("Segmentation", "LabelMapVolume", "Volume"))
MASK = Kind("volume or segmentation", ("Volume", "LabelMapVolume", "Segmentation"))
POINTS = Kind("point list", ("MarkupsFiducial",))
MODEL = Kind("model", ("Model",))


@dataclass(frozen=True)
class Element:
    """A node of a scene as its XML has it."""

    tag: str
    attributes: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    def references(self, role: str) -> list[str]:
        """The ids of the nodes that it refers to in a role; Slicer 4 has an attribute for each role."""
        listed = [entry.partition(":") for entry in self.attributes.get("references", "").split(";")]
        found = [key for name, _, keys in listed if name.strip() == role for key in keys.split()]
        for attribute in (f"{role}NodeRef", f"{role}NodeID"):
            found += self.attributes.get(attribute, "").split()
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class SceneIndex:
    """The nodes of a scene. name: of its file. version: of the Slicer that wrote it."""

    name: str
    version: str
    elements: tuple[Element, ...]

    def find(self, node: str, kind: Kind) -> Element:
        """The node of that name and kind. Sim2RealError, with the names of those there are, for none or several."""
        shown = [e for e in self.elements if e.tag in kind.tags and e.attributes.get("hideFromEditors") != "true"]
        found = [element for element in shown if _plain(element.name) == _plain(node)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Sim2RealError(f"{self.name}: {len(found)} nodes are called '{node}'. Rename them in Slicer.")
        known = ", ".join(f"'{element.name}'" for element in shown) or "none"
        if not node:
            raise Sim2RealError(f"{self.name}: say which {kind.name} is meant, as in {self.name}#NAME; it has {known}.")
        raise Sim2RealError(f"{self.name} has no {kind.name} '{node}'; it has {known}.")

    def needed(self, element: Element) -> list[Element]:
        """A node and all that its place and meaning depend on: transforms, data, colours of a label map.

        Sim2RealError if any of it is missing, or of a kind that is not read here.
        """
        found, above = [element], element
        while parents := self._referenced(above, "transform", TRANSFORMS):
            above = parents[0]
            if above in found:
                raise Sim2RealError(f"{self.name}: the transforms above '{element.name}' go round in a circle.")
            found.append(above)
        if element.tag == "LabelMapVolume":
            displays = self._known(element.references("display"), ("LabelMapVolumeDisplay",))
            colors = [table for entry in displays for table in self._known(entry.references("color"), ("ColorTable",))]
            found += displays[:1] + colors[:1]
        storages = [self._referenced(entry, "storage", STORAGES)[:1] for entry in found]
        for entry, storage in zip(found, storages, strict=True):
            if not storage and entry.tag not in NO_FILE:
                raise Sim2RealError(f"{self.name}: '{entry.name}' has no data in a file. Save the scene again.")
        return found + [entry for storage in storages for entry in storage]

    def files(self, elements: Iterable[Element]) -> dict[str, str]:
        """The files of the storages among these elements, as the scene calls them, by the id of the storage.

        Sim2RealError for data in several files, an address, a format that is not read here.
        """
        return {entry.id: self._file_of(entry) for entry in elements if entry.tag in STORAGES}

    def _file_of(self, storage: Element) -> str:
        attributes = storage.attributes
        name = unquote(attributes.get("fileName", ""))
        if "://" in name or (attributes.get("uri") and not name):
            raise Sim2RealError(f"{self.name} refers to an address, {name or attributes['uri']}; only files are read.")
        files = {unquote(value) for key, value in attributes.items() if key.startswith("fileListMember")} | {name}
        if len(files) > 1:
            raise Sim2RealError(
                f"{self.name}: a volume is in {len(files)} files (DICOM slices?). Save the scene as a bundle (.mrb)."
            )
        if suffix_of(name) not in FORMATS:
            raise Sim2RealError(f"{self.name}: the format of {name or 'a node without a file'} is not read here.")
        return name

    def _referenced(self, element: Element, role: str, tags: Iterable[str]) -> list[Element]:
        """What an element refers to; Sim2RealError if that is missing or of another kind than these."""
        found = self._known(element.references(role), tags)
        if len(found) < len(element.references(role)):
            raise Sim2RealError(
                f"{self.name}: the {role} of '{element.name}' is missing or of a kind that is not read here. "
                "Open the scene in Slicer and save it again."
            )
        return found

    def _known(self, keys: Iterable[str], tags: Iterable[str]) -> list[Element]:
        return [entry for key in keys for entry in self.elements if entry.id == key and entry.tag in tags]


def parse_scene(name: str, text: bytes) -> SceneIndex:
    """The nodes of a .mrml. Sim2RealError for what is no XML of a scene; declarations of entities are refused."""
    elements, depth, version = [], 0, ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, version
        if depth == 0 and tag != "MRML":
            raise Sim2RealError(f"{name} is no scene of Slicer's: its XML is of <{tag:.40}>.")
        if depth == 0:
            version = attributes.get("version", "")
        if depth == 1:  # deeper ones are in scene views
            elements.append(Element(tag, attributes))
        depth += 1

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_declaration: object) -> None:
        raise Sim2RealError(f"{name} is no scene of Slicer's: it declares a document type.")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        parser.Parse(text, True)
    except xml.parsers.expat.ExpatError as error:
        raise Sim2RealError(f"{name} is no scene of Slicer's, or damaged: {error}.") from error
    return SceneIndex(name, version, tuple(elements))


def scene_of(index: SceneIndex, elements: Sequence[Element], files: Mapping[str, Path]) -> tuple[str, dict[str, str]]:
    """The text of a .mrml with these elements alone, and the new id of each by its old one.

    files: where the file of each storage is, by its id. Of an element no more is kept than what tells its data.
    """
    ids = {entry.id: f"{CLASSES[entry.tag]}{number}" for number, entry in enumerate(elements, start=1)}
    lines = []
    for entry in elements:
        roles = {role: [ids[key] for key in entry.references(role) if key in ids] for role in ROLES}
        attributes = {"id": ids[entry.id], "name": entry.name}
        attributes["references"] = "".join(f"{role}:{' '.join(keys)};" for role, keys in roles.items() if keys)
        attributes |= {key: entry.attributes[key] for key in KEPT if key in entry.attributes}
        if roles["color"]:
            attributes["colorNodeID"] = roles["color"][0]
        if entry.id in files:
            attributes["fileName"] = files[entry.id].as_posix().replace("%", "%25")
        lines.append(f"<{entry.tag} {' '.join(f'{k}={quoteattr(v)}' for k, v in attributes.items())}/>")
    body = "\n".join(lines)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<MRML version={quoteattr(index.version)}>\n{body}\n</MRML>\n', ids


def _plain(name: str) -> str:
    """A name as it is after it was part of a path, on any system."""
    return "/".join(part for part in name.strip().replace("\\", "/").split("/") if part not in ("", "."))
