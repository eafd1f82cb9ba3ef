"""The colon in the scene: its lumen as a model, its centreline as a curve, and a generated colon as sample data."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from pydantic_core import to_jsonable_python
from vtk.util.numpy_support import numpy_to_vtk

from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mrml.generated_labels import hash_of_labels
from Sim2RealLib.mrml.inputs import hash_of_volume, mark_generated
from Sim2RealLib.mrml.markups import curve_points_of, make_curve
from Sim2RealLib.mrml.models import make_model, to_poly_data
from Sim2RealLib.mrml.segmentations import make_segmentation
from Sim2RealLib.mrml.subject_hierarchy import file_under
from Sim2RealLib.mrml.volumes import make_volume

from ..anatomy import Anatomy
from ..centerline import Centerline
from ..colon import ScannedColon
from ..colonography.midline import evenly_spaced
from ..recipe import GeneratedColon

SHOWN_HU = -1000.0, 400.0
"""Window of a colonography: gas is black, fluid that is tagged white."""

CONTROL_MM = 10.0
"""Way between the control points of a centreline's curve: few enough to be edited by hand."""

LUMEN_COLOR, LUMEN_OPACITY, FAINT_OPACITY = (0.93, 0.62, 0.55), 0.45, 0.08
PATH_COLOR = (0.10, 0.65, 0.35)

RADIUS = "Radius"
"""Name of the curve's measurement at its control points, as of centrelines made by SlicerVMTK."""

VIEW_ANGLE, VIEW_ANGLE_DEG = "Endoscopy.Path.ViewAngle", "110"
"""Attribute by which Slicer's module Endoscopy flies along the curve as wide as a colonoscope sees."""

Clearance = Callable[[np.ndarray], np.ndarray]


class SampleColon(NamedTuple):
    ct: "slicer.vtkMRMLScalarVolumeNode"
    segmentation: "slicer.vtkMRMLSegmentationNode"
    path: "slicer.vtkMRMLMarkupsCurveNode"


class ColonHashes(NamedTuple):
    """Of the voxels and the labels of a scan; see `mark_generated`."""

    ct: str
    labels: str


def hashes_of(scanned: ScannedColon, anatomy: Anatomy) -> ColonHashes:
    """What takes long of `make_sample_colon`; on any thread."""
    return ColonHashes(hash_of_volume(scanned.ct), hash_of_labels(scanned.labels, anatomy.classes))


def make_sample_colon(
    scene: "slicer.vtkMRMLScene", section: GeneratedColon, scanned: ScannedColon, anatomy: Anatomy, hashes: ColonHashes
) -> SampleColon:
    """A generated colon as nodes, in a folder of their own.

    Recipes name it by the section that generates it, as long as CT and segmentation are not changed.
    """
    name, content = f"Colon {section.seed}", to_jsonable_python(section)
    ct = make_volume(scene, scanned.ct, f"{name} CT")
    ct.GetDisplayNode().SetWindowLevelMinMax(*SHOWN_HU)
    segmentation = make_segmentation(scene, scanned.labels, anatomy.classes, f"{name} segmentation")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    path = make_path(scene, anatomy.centerline, f"{name} centerline")
    mark_generated(ct, content, hashes.ct)
    mark_generated(segmentation, content, hashes.labels)
    file_under(scene, name, ct, segmentation, path, provenance={"input": {"anatomy": content}})
    return SampleColon(ct, segmentation, path)


def make_lumen(scene: "slicer.vtkMRMLScene", wall: TriangleMesh, name: str) -> "slicer.vtkMRMLModelNode":
    """A new model of a lumen's wall, seen from within: what lies before it is not drawn, so that one looks into it."""
    node = make_model(scene, wall, name, LUMEN_COLOR, LUMEN_OPACITY)
    node.SetSelectable(False)
    node.GetDisplayNode().SetBackfaceCulling(True)  # its normals lead inwards
    show_lumen(node, wall)
    return node


def show_lumen(node: "slicer.vtkMRMLModelNode", wall: TriangleMesh) -> None:
    """Put another wall into a model, its normals inwards."""
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(to_poly_data(wall))
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    node.SetAndObservePolyData(normals.GetOutput())


def make_path(scene: "slicer.vtkMRMLScene", centerline: Centerline, name: str) -> "slicer.vtkMRMLMarkupsCurveNode":
    """A new curve along a centreline, for Slicer's module Endoscopy too; see `show_path`."""
    chosen = _control_points(centerline)
    node = make_curve(scene, centerline.points_ras[chosen], name)
    node.SetAttribute(VIEW_ANGLE, VIEW_ANGLE_DEG)
    display = node.GetDisplayNode()
    display.SetSelectedColor(PATH_COLOR)
    display.SetColor(PATH_COLOR)
    display.SetVisibility2D(False)
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    display.SetGlyphScale(1.0)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(2.0)
    display.SetLineThickness(0.6)
    _describe(node, centerline, chosen)
    return node


def show_path(node: "slicer.vtkMRMLMarkupsCurveNode", centerline: Centerline) -> None:
    """Lead a curve along another centreline: control points every 10 mm, the colon's segment as their description and
    the distance to the wall as the measurement Radius."""
    chosen = _control_points(centerline)
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(centerline.points_ras[chosen]), deep=True))
    node.SetControlPointPositionsWorld(points)
    _describe(node, centerline, chosen)


def centerline_of(node: "slicer.vtkMRMLMarkupsCurveNode", clearance: Clearance | None = None) -> Centerline:
    """Any curve as a centreline: a point each millimetre, its distance to the wall, and the segment that its control
    points tell, if all do. Sim2RealError as for `markups.curve_points_of`.

    clearance: distance (N,) in mm of RAS points (N, 3) to the wall; without it the radius is 0.
    """
    points = evenly_spaced(curve_points_of(node))
    count = node.GetNumberOfControlPoints()
    names = [node.GetNthControlPointDescription(number) for number in range(count)]
    segments: tuple[str, ...] = ()
    if all(names):
        control = np.array([node.GetNthControlPointPositionWorld(number) for number in range(count)])
        nearest = np.linalg.norm(points[:, None] - control[None], axis=2).argmin(axis=1)
        segments = tuple(names[number] for number in nearest)
    radius_mm = np.zeros(len(points)) if clearance is None else clearance(points)
    return Centerline(points, radius_mm, segments)


def _control_points(centerline: Centerline) -> np.ndarray:
    """The numbers of points about CONTROL_MM apart, both ends included."""
    count = max(2, round(float(centerline.arc_length_mm[-1]) / CONTROL_MM) + 1)
    return np.unique(np.linspace(0, len(centerline.points_ras) - 1, count).round().astype(int))


def _describe(node: "slicer.vtkMRMLMarkupsCurveNode", centerline: Centerline, chosen: np.ndarray) -> None:
    modified = node.StartModify()
    for number, point in enumerate(chosen):
        node.SetNthControlPointDescription(number, centerline.segments[point] if centerline.segments else "")
    radius = node.GetMeasurement(RADIUS)
    if radius is None:
        radius = slicer.vtkMRMLStaticMeasurement()
        radius.SetName(RADIUS)
        radius.SetUnits("mm")
        radius.SetPrintFormat("")  # it is of the points, not of the curve
        node.AddMeasurement(radius)
    values = numpy_to_vtk(np.ascontiguousarray(centerline.radius_mm[chosen], np.float64), deep=True)
    radius.SetControlPointValues(values)
    node.EndModify(modified)
