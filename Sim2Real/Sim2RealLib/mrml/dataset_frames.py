"""The frames of a dataset as sequences in a scene: the picture of each, where it was taken, and the camera's place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from ..dataset.layout import DISPLAY
from ..dataset.reader import Dataset
from ..dataset.schema import CameraEntry
from ..errors import Sim2RealError
from ..geometry import transform_points
from ..job import Done
from .subject_hierarchy import file_under
from .transforms import set_matrix
from .volumes import show_image

MAX_BYTES = 10**9
"""Of pictures that are held in a scene; of a larger dataset every second, third, … frame is shown."""

CARD_HEIGHT = 0.8
"""Height of the picture as a share of its distance where the lens has no image plane: a card before the camera."""

FIELD_COLOR, FIELD_WIDTH_PX = (1.0, 0.85, 0.2), 2


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """One frame, read: its picture (H, W) or (H, W, 3) uint8, the pose of its camera, and its record."""

    index: int
    picture: np.ndarray
    ras_from_camera: np.ndarray
    ras_from_ijk: np.ndarray
    record: dict[str, Any]


def stored_pictures(dataset: Dataset, distance_mm: Callable[[dict[str, Any]], float]) -> Iterator[StoredPicture | Done]:
    """Read the pictures of a dataset, evenly chosen where all would take more than `MAX_BYTES`; touches no node.

    distance_mm: of the picture from the camera in the 3D view, by the frame's record.

    Sim2RealError: no frame yet, no channel `display`, a damaged frame.
    """
    dataset.require_channel(DISPLAY)
    if not len(dataset):
        raise Sim2RealError(f"{dataset.folder} holds no frame yet. Export some first.")
    first = dataset.frame(dataset.indices[0]).channel(DISPLAY)
    stride = max(1, -(-first.nbytes * len(dataset) // MAX_BYTES))
    chosen = dataset.indices[::stride]
    for done, index in enumerate(chosen, start=1):
        frame = dataset.frame(index)
        picture = _picture(frame.channel(DISPLAY))
        camera = frame.parsed.camera
        if camera is None:
            raise Sim2RealError(f"{dataset.folder}: frame {index} does not say where its camera is.")
        ras_from_camera = np.linalg.inv(np.array(camera.camera_from_world))
        camera_from_ijk = _camera_from_ijk(camera, distance_mm(frame.record))
        yield StoredPicture(index, picture, ras_from_camera, ras_from_camera @ camera_from_ijk, frame.record)
        yield Done(done, len(chosen))


class DatasetFrames:
    """The sequences of one dataset in a scene. `add` each picture, then `finish`; then `select`.

    The pictures are in sequences from the first on, but these in the scene at the end: an opening that is cancelled
    leaves nothing.

    card_mm: how far before the camera the 3D view draws the picture, on a card; None where it is seen at its place.
    """

    def __init__(self, scene: "slicer.vtkMRMLScene", dataset: Dataset, card_mm: float | None = None) -> None:
        self._scene, self._dataset, self._card_mm = scene, dataset, card_mm
        self._logic = _sequences_logic(scene)
        self._pictures: list[StoredPicture] = []
        self._sequences = tuple(self._sequence(f"{dataset.folder.name} {what}") for what in ("pictures", "camera"))
        self._browser: Any = None
        self._card: Any = None
        self._drawn: tuple[Any, ...] = ()
        self._hidden = False

    @property
    def alive(self) -> bool:
        """Whether the frames are in the scene still."""
        return self._browser is not None and self._browser.GetScene() is not None

    @property
    def picture_node(self) -> "slicer.vtkMRMLVolumeNode":
        """The picture that is selected."""
        return self._browser.GetProxyNode(self._browser.GetMasterSequenceNode())

    def add(self, picture: StoredPicture) -> None:
        """Put a picture and its pose into the sequences."""
        self._pictures.append(picture)
        image, pose = self._node(self._kind), self._node("vtkMRMLLinearTransformNode")
        show_image(image, picture.picture, picture.ras_from_ijk)
        set_matrix(pose, picture.ras_from_camera)
        for sequence, node in zip(self._sequences, (image, pose), strict=True):
            sequence.SetDataNodeAtValue(node, str(picture.index))

    def finish(self) -> int:
        """Put the sequences, their browser and what it shows into the scene; how many frames there are."""
        name, scene, made = self._dataset.folder.name, self._scene, self._sequences
        for sequence in made:
            scene.AddNode(sequence)
        self._browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name)
        for sequence in made:
            self._browser.AddSynchronizedSequenceNode(sequence)
        self._logic.UpdateProxyNodesFromSequences(self._browser)
        proxies = [self._browser.GetProxyNode(sequence) for sequence in made]
        proxies[0].CreateDefaultDisplayNodes()
        proxies[0].GetDisplayNode().SetAutoWindowLevel(False)
        if self._kind == "vtkMRMLScalarVolumeNode":
            proxies[0].GetDisplayNode().SetWindowLevelMinMax(0, 255)
        header = self._dataset.header
        provenance = {"dataset": name, "simulator": header.simulator, "inputs": [dict(each) for each in header.inputs]}
        field = self._make_field(f"{name} field of view", proxies[1])
        self._card = None if self._card_mm is None else self._make_card(f"{name} picture in 3D", proxies[1])
        file_under(scene, name, self._browser, *made, *proxies, field, provenance=provenance)
        self._drawn = tuple(node for node in (field, self._card) if node is not None)
        return len(self._pictures)

    def select(self, number: int) -> StoredPicture:
        """Show a frame: the nodes of the browser become its picture and pose."""
        if self._hidden:
            self._draw(True)
        self._browser.SetSelectedItemNumber(number)
        self._logic.UpdateProxyNodesFromSequences(self._browser)
        if self._card is not None and self._card.GetScene() is not None:
            self._card.GetDisplayNode().SetTextureImageDataConnection(self.picture_node.GetImageDataConnection())
        return self._pictures[number]

    def hide(self) -> None:
        """Draw nothing of the frames in the 3D view, until one is selected."""
        self._draw(False)

    def _draw(self, shown: bool) -> None:
        self._hidden = not shown
        for node in self._drawn:
            if node.GetScene() is not None:
                node.GetDisplayNode().SetVisibility(shown)

    def _make_field(self, name: str, camera: Any) -> "slicer.vtkMRMLModelNode":
        """Lines from the camera of the selected frame to its picture and around it, in the 3D view."""
        points, lines, surface = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
        points.InsertNextPoint(0.0, 0.0, 0.0)
        for corner in self._corners().tolist():
            points.InsertNextPoint(corner)
        for begin, end in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1)):
            lines.InsertNextCell(2, [begin, end])
        surface.SetPoints(points)
        surface.SetLines(lines)
        node = self._make_model(name, surface, camera)
        node.GetDisplayNode().SetColor(FIELD_COLOR)
        node.GetDisplayNode().SetLineWidth(FIELD_WIDTH_PX)
        return node

    def _make_card(self, name: str, camera: Any) -> "slicer.vtkMRMLModelNode":
        """The picture of the selected frame across its field of view, in its own colours; no part of a saved scene,
        for those keep no textures."""
        corners = self._corners()
        card = vtk.vtkPlaneSource()  # its texture begins at the origin, as the picture at its first row
        card.SetOrigin(corners[0])
        card.SetPoint1(corners[1])
        card.SetPoint2(corners[3])
        card.Update()
        node = self._make_model(name, card.GetOutput(), camera)
        display = node.GetDisplayNode()
        display.SetColor(1.0, 1.0, 1.0)
        display.SetLighting(False)
        display.SetBackfaceCulling(False)
        node.SetHideFromEditors(True)
        for part in (node, display):
            part.SetSaveWithScene(False)
        return node

    def _make_model(self, name: str, surface: vtk.vtkPolyData, camera: Any) -> "slicer.vtkMRMLModelNode":
        """A model that moves with the camera of the selected frame."""
        node = self._scene.AddNewNodeByClass("vtkMRMLModelNode", name)
        node.SetAndObservePolyData(surface)
        node.CreateDefaultDisplayNodes()
        node.SetAndObserveTransformNodeID(camera.GetID())
        node.SetSelectable(False)
        return node

    def _corners(self) -> np.ndarray:
        """The corners (4, 3) of the picture in the 3D view, in the camera frame, from the top left clockwise."""
        first = self._pictures[0]
        height, width = first.picture.shape[:2]
        edges = [(-0.5, -0.5, 0), (width - 0.5, -0.5, 0), (width - 0.5, height - 0.5, 0), (-0.5, height - 0.5, 0)]
        corners = transform_points(np.linalg.inv(first.ras_from_camera) @ first.ras_from_ijk, np.array(edges))
        return corners if self._card_mm is None else corners * (self._card_mm / corners[0, 2])

    @property
    def _kind(self) -> str:
        """The class of the pictures' nodes."""
        colored = self._pictures[0].picture.ndim == 3
        return "vtkMRMLVectorVolumeNode" if colored else "vtkMRMLScalarVolumeNode"

    def _node(self, kind: str) -> Any:
        """A new node that is not in the scene."""
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        return node

    def _sequence(self, name: str) -> Any:
        sequence = self._node("vtkMRMLSequenceNode")
        sequence.SetName(self._scene.GenerateUniqueName(name))
        sequence.SetIndexName("frame")
        sequence.SetIndexUnit("")
        sequence.SetIndexTypeFromString("numeric")
        return sequence


def _sequences_logic(scene: "slicer.vtkMRMLScene") -> "slicer.vtkSlicerSequencesLogic":
    """That of Slicer's module; without the application one of our own, which also registers the node classes."""
    if hasattr(slicer, "modules") and hasattr(slicer.modules, "sequences"):
        return slicer.modules.sequences.logic()
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    return logic


def _picture(stored: np.ndarray) -> np.ndarray:
    """A display image as it is shown: rows of pixels, colours last, 8 bits."""
    image = np.ascontiguousarray(np.moveaxis(stored, 0, -1)) if stored.ndim == 3 else stored
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)


def _camera_from_ijk(camera: CameraEntry, distance_mm: float) -> np.ndarray:
    """Where the pixels' centres lie in the camera frame: in the image plane of a pinhole, else on a card."""
    matrix = np.eye(4)
    if camera.matrix is None:
        scale = CARD_HEIGHT * distance_mm / camera.height_px
        scale_x, scale_y, middle_x, middle_y = scale, scale, camera.width_px / 2.0, camera.height_px / 2.0
    else:
        (focal_x, _, middle_x), (_, focal_y, middle_y), _ = camera.matrix
        scale_x, scale_y = distance_mm / focal_x, distance_mm / focal_y
    matrix[:2, :2] = np.diag([scale_x, scale_y])
    matrix[:3, 3] = [(0.5 - middle_x) * scale_x, (0.5 - middle_y) * scale_y, distance_mm]
    return matrix
