"""`slicer.app.coreIOManager()`: reads and writes nodes and scenes for slicer.util, through slicer-core's logics."""

from collections.abc import Callable
from pathlib import Path

import slicer

_BY_SUFFIX = {
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
    ".seg.nrrd": "SegmentationFile",
    ".seg.nhdr": "SegmentationFile",
    ".seq.nrrd": "SequenceFile",
    ".seq.nhdr": "SequenceFile",
    ".mrk.json": "MarkupsFile",
    ".fcsv": "MarkupsFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".mat": "TransformFile",
    ".vtk": "ModelFile",
    ".vtp": "ModelFile",
    ".stl": "ModelFile",
    ".obj": "ModelFile",
    ".ply": "ModelFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".txt": "TextFile",
    ".json": "TextFile",
    ".xml": "TextFile",
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
    ".dcm": "VolumeFile",
    ".png": "VolumeFile",
    ".tif": "VolumeFile",
    ".tiff": "VolumeFile",
}
_LABELMAP, _CENTER, _SINGLE_FILE, _AUTO_WINDOW, _DISCARD_ORIENTATION = 1, 2, 4, 8, 16
"""Options of vtkSlicerVolumesLogic::AddArchetypeVolume."""


class CoreIOManager:
    """File types are those of Slicer's slicer.util: ``VolumeFile``, ``SegmentationFile``, …"""

    def __init__(self, scene: "slicer.vtkMRMLScene", application_logic: "slicer.vtkSlicerApplicationLogic") -> None:
        self._scene, self._application_logic = scene, application_logic
        self._readers: dict[str, Callable[[str, dict], list]] = {
            "SceneFile": self._read_scene,
            "VolumeFile": self._read_volume,
            "SegmentationFile": self._read_segmentation,
            "ModelFile": self._read_model,
            "MarkupsFile": self._read_markups,
            "TransformFile": self._read_transform,
            "SequenceFile": lambda path, given: self._read_with("vtkMRMLSequenceNode", path, given),
            "TableFile": lambda path, given: self._read_with("vtkMRMLTableNode", path, given),
            "TextFile": lambda path, given: self._read_with("vtkMRMLTextNode", path, given),
        }

    def fileType(self, filename: str) -> str:
        """The type by the longest suffix that is known; ``NoFile`` where none is."""
        name = Path(filename).name.lower()
        known = [suffix for suffix in _BY_SUFFIX if name.endswith(suffix)]
        return _BY_SUFFIX[max(known, key=len)] if known else "NoFile"

    def registeredFileReaderCount(self, file_type: str) -> int:
        return int(file_type in self._readers)

    def loadNodes(self, file_type: str, properties: dict, loaded: object = None, messages: object = None) -> bool:
        """Read a file into the scene; the nodes are added to the collection `loaded`."""
        path = properties["fileName"]
        if file_type not in self._readers or not Path(path).exists():
            return False
        nodes = self._readers[file_type](path, properties)
        for node in filter(None, nodes):
            if loaded is not None:
                loaded.AddItem(node)
        return all(node is not None for node in nodes)

    def _logic(self, name: str) -> object:
        return self._application_logic.GetModuleLogic(name)

    def _read_scene(self, path: str, properties: dict) -> list:
        clear = bool(properties.get("clear", False))
        if Path(path).suffix.lower() == ".mrb":
            done = self._scene.ReadFromMRB(path, clear)
        else:
            self._scene.SetURL(path)
            done = self._scene.Connect() if clear else self._scene.Import()
        return [] if done else [None]

    def _read_volume(self, path: str, properties: dict) -> list:
        names = {
            "labelmap": _LABELMAP,
            "center": _CENTER,
            "singleFile": _SINGLE_FILE,
            "discardOrientation": _DISCARD_ORIENTATION,
        }
        options = sum(bit for name, bit in names.items() if properties.get(name))
        options |= _AUTO_WINDOW if properties.get("autoWindowLevel", True) else 0
        node = self._logic("Volumes").AddArchetypeVolume(path, _name(path, properties), options)
        if node is not None and properties.get("show", True):
            selection = self._application_logic.GetSelectionNode()
            if node.IsA("vtkMRMLLabelMapVolumeNode"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            self._application_logic.PropagateVolumeSelection(1)
        return [node]

    def _read_segmentation(self, path: str, properties: dict) -> list:
        opaque = bool(properties.get("autoOpacities", True))
        return [self._logic("Segmentations").LoadSegmentationFromFile(path, opaque, _name(path, properties))]

    def _read_model(self, path: str, _properties: dict) -> list:
        return [self._logic("Models").AddModel(path)]

    def _read_markups(self, path: str, properties: dict) -> list:
        identifier = self._logic("Markups").LoadMarkups(path, _name(path, properties))
        return [self._scene.GetNodeByID(identifier.split(",")[0]) if identifier else None]

    def _read_transform(self, path: str, _properties: dict) -> list:
        return [self._logic("Transforms").AddTransform(path, self._scene)]

    def _read_with(self, node_class: str, path: str, properties: dict) -> list:
        node = self._scene.AddNewNodeByClass(node_class, _name(path, properties))
        node.AddDefaultStorageNode(path)
        if node.GetStorageNode().ReadData(node):
            return [node]
        self._scene.RemoveNode(node)
        return [None]

    def fileWriterFileType(self, node: "slicer.vtkMRMLStorableNode") -> str:
        return f"{node.GetNodeTagName()}File"

    def fileWriterExtensions(self, node: "slicer.vtkMRMLStorableNode") -> tuple[str, ...]:
        types = node.CreateDefaultStorageNode().GetSupportedWriteFileTypes()
        return tuple(types.GetValue(index) for index in range(types.GetNumberOfValues()))

    def extractKnownExtension(self, filename: str, _node: object) -> str:
        known = [suffix for suffix in _BY_SUFFIX if filename.lower().endswith(suffix)]
        return max(known, key=len, default=Path(filename).suffix)

    def saveNodes(self, file_type: str, properties: dict, messages: object = None) -> bool:
        """Write one node, or the scene."""
        path = str(properties["fileName"])
        if file_type == "SceneFile":
            return self._write_scene(path)
        node = self._scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(bool(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def _write_scene(self, path: str) -> bool:
        if path.lower().endswith(".mrb"):
            return bool(self._scene.WriteToMRB(path))
        if path.lower().endswith(".mrml"):
            self._scene.SetURL(path)
            return bool(self._scene.Commit())
        Path(path).mkdir(parents=True, exist_ok=True)
        return bool(self._scene.SaveSceneToSlicerDataBundleDirectory(path))


def _name(path: str, properties: dict) -> str:
    given = properties.get("name")
    if given:
        return given
    name = Path(path).name
    known = [suffix for suffix in _BY_SUFFIX if name.lower().endswith(suffix)]
    return name[: -len(max(known, key=len))] if known else Path(path).stem
