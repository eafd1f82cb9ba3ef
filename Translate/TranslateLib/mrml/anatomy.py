"""The anatomy of a scene: the surfaces of a segmentation's organs, and the skin of a CT."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from Sim2RealLib.body import BODY_ABOVE_HU
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.label_table import Named, classes_by_name, label_classes
from Sim2RealLib.mrml.transforms import world_from_node
from Sim2RealLib.mrml.volumes import volume_record
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import as_ct, require_contrast

from ..organs import SEEN, OrganFindings, examine
from .preview import Part
from .segment_surfaces import CLOSED_SURFACE, placed

TABLE = "totalsegmentator_v2"

TOOL_PARTS = (Named("tool_shaft", (140, 148, 158)), Named("tool_tip", (204, 212, 222)))
"""Classes that every frame has beside the organs."""

SKIN_COLOR, SKIN_OPACITY = (0.88, 0.70, 0.60), 0.3
SKIN_SAMPLING_MM = 3.0
"""Of the CT, thinned to about this, for the skin: where trocars are placed it is smooth."""

EDGE_MM = 1e-3
"""A ray that passes the edge of a triangle by less hits it: between two triangles there is no gap."""
SKIN = "Translate.Skin"
"""Role of a CT's reference to its skin."""


def classes_of(
    segmentation: "slicer.vtkMRMLSegmentationNode",
) -> tuple[dict[str, LabelClass], dict[str, LabelClass]]:
    """The class of each segment, by segment ID, and of each part of tools, by its name.

    Sim2RealError for segments without a name or two of the same.
    """
    segments = segmentation.GetSegmentation()
    named = []
    for key in segments.GetSegmentIDs():
        segment = segments.GetSegment(key)
        named.append(Named(segment.GetName() or "", tuple(round(255 * part) for part in segment.GetColor()), key))
    classes, _groups = classes_by_name(segmentation.GetName(), [*named, *TOOL_PARTS], TABLE)
    count = len(named)
    parts = dict(zip((part.name for part in TOOL_PARTS), classes[count:], strict=True))
    return dict(zip(segments.GetSegmentIDs(), classes[:count], strict=True)), parts


def require_segments(
    segmentation: "slicer.vtkMRMLSegmentationNode",
) -> tuple[dict[str, LabelClass], dict[str, LabelClass]]:
    """`classes_of`; Sim2RealError without segments too."""
    organs, tools = classes_of(segmentation)
    if not organs:
        raise Sim2RealError(f"{segmentation.GetName()} has no segments of which Slicer can make surfaces.")
    return organs, tools


def show_organs(segmentation: "slicer.vtkMRMLSegmentationNode") -> None:
    """Show the surfaces of what a laparoscope sees: the organs of `organs.SEEN`, and segments that no table names."""
    organs, _tools = require_segments(segmentation)
    if not segmentation.CreateClosedSurfaceRepresentation():
        raise Sim2RealError(f"Slicer cannot make surfaces of the segments of {segmentation.GetName()}.")
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    modified = display.StartModify()
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    known = {entry.name for entry in label_classes(TABLE)}
    for key, entry in organs.items():
        display.SetSegmentVisibility(key, entry.name in SEEN or entry.name not in known)
    display.EndModify(modified)


def examine_segmentation(segmentation: "slicer.vtkMRMLSegmentationNode") -> OrganFindings:
    """What of a scene a segmentation holds; volumes are those of its surfaces, where it has them."""
    organs, _tools = classes_of(segmentation)
    return examine({entry.name: _volume_ml(segmentation, key) for key, entry in organs.items() if entry.name in SEEN})


def organ_parts(segmentation: "slicer.vtkMRMLSegmentationNode") -> list[Part]:
    """The surfaces of the segments that are shown; none where there are no surfaces yet."""
    world, display = world_from_node(segmentation), segmentation.GetDisplayNode()
    return [
        Part(entry.id, entry.color, surface, world)
        for key, entry in classes_of(segmentation)[0].items()
        if (surface := segmentation.GetClosedSurfaceInternalRepresentation(key)) is not None
        and (display is None or (display.GetVisibility() and display.GetSegmentVisibility(key)))
    ]


def middle_of(segmentation: "slicer.vtkMRMLSegmentationNode", organ: str) -> np.ndarray:
    """The middle of an organ's surface in the world, or of all where it is missing. Sim2RealError without surfaces."""
    keys = {entry.name: key for key, entry in classes_of(segmentation)[0].items()}
    wanted = [keys[organ]] if organ in keys else keys.values()
    box = vtk.vtkBoundingBox()
    for surface in filter(None, map(segmentation.GetClosedSurfaceInternalRepresentation, wanted)):
        box.AddBounds(surface.GetBounds())
    if not box.IsValid():
        raise Sim2RealError(f"{segmentation.GetName()} has no surface to look at. Set up the scene first.")
    middle = np.zeros(3)
    box.GetCenter(middle)
    return transform_points(world_from_node(segmentation), middle)


def skin_surface(volume: Volume) -> vtk.vtkPolyData:
    """The patient's skin in the world, made on any thread: the largest surface at −300 HU of a volume as it was read.

    Sim2RealError if nothing is so dense, or it is no CT.
    """
    ct, _record = as_ct(require_contrast(volume), volume_record("ct", volume))
    steps = np.maximum(1, np.round(SKIN_SAMPLING_MM / ct.spacing_mm).astype(int))
    thinned = np.ascontiguousarray(ct.array[:: steps[2], :: steps[1], :: steps[0]])
    image, contour, largest = vtk.vtkImageData(), vtk.vtkFlyingEdges3D(), vtk.vtkPolyDataConnectivityFilter()
    image.SetDimensions(thinned.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(thinned.ravel()))
    contour.SetInputData(image)
    contour.SetValue(0, BODY_ABOVE_HU)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    largest.SetInputConnection(contour.GetOutputPort())
    largest.SetExtractionModeToLargestRegion()
    surface = placed(largest, ct.ras_from_ijk @ np.diag([*steps, 1.0]))
    if not surface.GetNumberOfPolys():
        raise Sim2RealError(f"{ct.name} shows no skin: nothing in it is above {BODY_ABOVE_HU:g} HU.")
    return surface


def show_skin(ct: "slicer.vtkMRMLScalarVolumeNode", surface: vtk.vtkPolyData) -> "slicer.vtkMRMLModelNode":
    """A CT's skin as a new model."""
    skin = ct.GetScene().AddNewNodeByClass("vtkMRMLModelNode", f"Skin of {ct.GetName()}")
    skin.SetAndObservePolyData(surface)
    skin.CreateDefaultDisplayNodes()
    skin.GetDisplayNode().SetColor(SKIN_COLOR)
    skin.GetDisplayNode().SetOpacity(SKIN_OPACITY)
    ct.SetNodeReferenceID(SKIN, skin.GetID())
    return skin


def on_skin(skin: "slicer.vtkMRMLModelNode", inside_ras: np.ndarray, towards: np.ndarray) -> np.ndarray | None:
    """Where the ray from a point in a unit direction leaves the skin last, or None."""
    cells, points = vtk.vtkStaticCellLocator(), vtk.vtkPoints()
    cells.SetDataSet(skin.GetPolyData())
    cells.BuildLocator()
    cells.IntersectWithLine(inside_ras, inside_ras + 1000.0 * towards, EDGE_MM, points, None)
    hits = (np.array(points.GetPoint(number)) for number in range(points.GetNumberOfPoints()))
    return max(hits, key=lambda hit: float(hit @ towards), default=None)


def _volume_ml(segmentation: "slicer.vtkMRMLSegmentationNode", key: str) -> float:
    surface = segmentation.GetClosedSurfaceInternalRepresentation(key)
    if surface is None or not surface.GetNumberOfPolys():
        return float("nan")
    measured = vtk.vtkMassProperties()
    measured.SetInputData(surface)
    scale = abs(np.linalg.det(world_from_node(segmentation)[:3, :3]))
    return measured.GetVolume() * scale / 1000.0
