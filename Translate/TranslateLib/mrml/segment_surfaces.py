"""Surfaces of segments as Slicer makes them, but on any thread: what is read of a node, computed, and given back.

VTK lets go of Python's lock while a filter updates; Slicer's own conversion does not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from Sim2RealLib.geometry import translation
from Sim2RealLib.job import Done
from Sim2RealLib.mrml.transforms import to_array, to_vtk

CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
BINARY = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()

ITERATIONS, PASS_BAND = 40, 0.01
"""Of the smoothing by a windowed sinc (Taubin, Zhang and Golub, ECCV 1996): what Slicer's factor of 0.5 stands for."""


@dataclass(frozen=True, eq=False)
class Labelmap:
    """A copy of a binary labelmap, (K, J, I), in the segmentation's frame, and the value and name of its segments."""

    array: np.ndarray
    node_from_ijk: np.ndarray
    values: Mapping[str, int]
    names: Mapping[str, str]


def state_of(segmentation: "slicer.vtkMRMLSegmentationNode") -> tuple[Any, ...]:
    """Something that differs when the segments, or the voxels of their labelmaps, are others."""
    inner = segmentation.GetSegmentation()
    layers = range(inner.GetNumberOfLayers(BINARY))
    return (*inner.GetSegmentIDs(), *(inner.GetLayerDataObject(number, BINARY).GetMTime() for number in layers))


def labelmaps_without_surfaces(segmentation: "slicer.vtkMRMLSegmentationNode") -> tuple[Labelmap, ...]:
    """What `surface_steps` needs; nothing where there are surfaces already, or no binary labelmaps."""
    inner = segmentation.GetSegmentation()
    if inner.ContainsRepresentation(CLOSED_SURFACE) or not inner.ContainsRepresentation(BINARY):
        return ()
    return tuple(_copied(inner, number) for number in range(inner.GetNumberOfLayers(BINARY)))


def surface_steps(labelmaps: tuple[Labelmap, ...]) -> Iterator[Done]:
    """Make the surface of each segment, in the segmentation's frame; returns them by segment ID."""
    made, total = {}, sum(len(labelmap.values) for labelmap in labelmaps)
    for labelmap in labelmaps:
        windows = ndimage.find_objects(labelmap.array)
        for key, value in labelmap.values.items():
            yield Done(len(made), total, labelmap.names[key])
            window = windows[value - 1] if 0 < value <= len(windows) else None
            made[key] = vtk.vtkPolyData() if window is None else _surface(labelmap, value, window)
    return made


def give_surfaces(segmentation: "slicer.vtkMRMLSegmentationNode", surfaces: Mapping[str, vtk.vtkPolyData]) -> None:
    """Add surfaces, by segment ID, to the segments; the views hear of it once."""
    modified = segmentation.StartModify()
    for key, surface in surfaces.items():
        segmentation.GetSegmentation().GetSegment(key).AddRepresentation(CLOSED_SURFACE, surface)
    segmentation.EndModify(modified)


def _copied(inner: "slicer.vtkSegmentation", layer: int) -> Labelmap:
    image, matrix = inner.GetLayerDataObject(layer, BINARY), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    array = np.zeros((1, 1, 1), np.uint8)
    if not image.IsEmpty():
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).copy()
    segments = {key: inner.GetSegment(key) for key in inner.GetSegmentIDsForLayer(layer, BINARY)}
    return Labelmap(
        array,
        to_array(matrix) @ translation(np.array(image.GetExtent()[::2], np.float64)),
        {key: segment.GetLabelValue() for key, segment in segments.items()},
        {key: segment.GetName() for key, segment in segments.items()},
    )


def _surface(labelmap: Labelmap, value: int, window: tuple[slice, ...]) -> vtk.vtkPolyData:
    """The smoothed surface half way between a value's voxels and all others, normals outwards."""
    mask = np.pad(labelmap.array[window] == value, 1).astype(np.uint8)
    first_ijk = np.array([part.start for part in window][::-1], np.float64) - 1.0
    image, contour, smooth = vtk.vtkImageData(), vtk.vtkFlyingEdges3D(), vtk.vtkWindowedSincPolyDataFilter()
    image.SetDimensions(mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(mask.ravel()))
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(ITERATIONS)
    smooth.SetPassBand(PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    return placed(smooth, labelmap.node_from_ijk @ translation(first_ijk))


def placed(surface: vtk.vtkAlgorithm, b_from_a: np.ndarray) -> vtk.vtkPolyData:
    """What a filter makes, with normals, moved by a matrix; one that mirrors leaves the outside outside."""
    transform, moved = vtk.vtkTransform(), vtk.vtkTransformPolyDataFilter()
    turned, normals = vtk.vtkReverseSense(), vtk.vtkPolyDataNormals()
    transform.SetMatrix(to_vtk(b_from_a))
    moved.SetTransform(transform)
    moved.SetInputConnection(surface.GetOutputPort())
    turned.SetInputConnection(moved.GetOutputPort())
    mirrors = np.linalg.det(b_from_a[:3, :3]) < 0
    normals.SetInputConnection((turned if mirrors else moved).GetOutputPort())
    normals.ConsistencyOff()
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()
