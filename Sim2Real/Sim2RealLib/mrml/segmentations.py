"""Segmentation nodes and label map volumes as label maps, and back."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..errors import Sim2RealError
from ..label_table import LabelMap, Named, classes_by_name, classes_present, label_groups
from ..simulation import LabelClass
from ..volume import Volume
from ..volume_io import HIGHEST_LABEL, as_labels, label_ids, place_labels, resample_nearest
from .transforms import to_array, to_vtk, world_from_node
from .volumes import volume_of, volume_record

LOG = logging.getLogger("sim2real")

BINARY = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()


def labels_of(
    node: "slicer.vtkMRMLSegmentationNode | slicer.vtkMRMLLabelMapVolumeNode",
    reference: Volume,
    table: str | Path = "totalsegmentator_v2",
) -> tuple[LabelMap, dict[str, Any]]:
    """The labels of a segmentation or label map volume on the grid of `reference`, what they mean, and their record.

    Segments become classes by their names, or else by their IDs, which TotalSegmentator's extension sets to its own
    names; see `label_table.classes_by_name`. Where segments overlap, the later one in the list counts, as in Slicer's
    export to a label map. A label map volume's values become classes by their names in its colour table, where that is
    its own: one that is saved with the scene. Slicer's built-in tables say nothing about a map, so that with one of
    them values are ids of the `table`, as in a file. Each voxel takes the label that lies at its centre.

    The record is that of `volume_io.place_labels`; of a segmentation it has role, name, `resampled`, `lost_labels` and
    `overlapping_voxels`.
    Sim2RealError: nothing labelled inside the reference, a segmentation without a binary labelmap, values that are not
    labels or not named, a transform that is not linear, a sheared grid; for names as `classes_by_name`.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        return labels_in(copy_of_segmentation(node), reference, table)
    stored = volume_of(node)
    labels, record = place_labels(stored, volume_record("labels", stored), reference)
    colors = node.GetDisplayNode() and node.GetDisplayNode().GetColorNode()
    if not colors or not colors.GetSaveWithScene():
        return LabelMap(labels, classes_present(labels, table), label_groups(table)), record
    ids = label_ids(labels)
    classes, groups = classes_by_name(labels.name, [_named_in(colors, number, labels.name) for number in ids], table)
    return _renumbered(labels, dict(zip(ids, classes, strict=True)), groups), record


def mask_of(node: "slicer.vtkMRMLSegmentationNode") -> Volume:
    """1 where any segment is, uint8, on the grid that the segments have in common.

    Sim2RealError: no segments, no binary labelmap, a transform that is not linear, a sheared grid.
    """
    segmentation = _with_binary_labelmap(node)
    ids, ones = vtk.vtkStringArray(), vtk.vtkIntArray()
    for key in segmentation.GetSegmentIDs():
        ids.InsertNextValue(key)
        ones.InsertNextValue(1)
    merged, extent = slicer.vtkOrientedImageData(), slicer.vtkSegmentation.EXTENT_UNION_OF_SEGMENTS
    if not node.GenerateMergedLabelmapForAllSegments(merged, extent, None, ids, ones):
        raise Sim2RealError(f"{node.GetName()}: its segments cannot be merged into one mask.")
    return as_labels(_volume_of_image(merged, node))


def make_segmentation(
    scene: "slicer.vtkMRMLScene",
    labels: "Volume | slicer.vtkOrientedImageData",
    classes: Sequence[LabelClass],
    name: str,
    surfaces: Mapping[int, vtk.vtkPolyData] | None = None,
) -> "slicer.vtkMRMLSegmentationNode":
    """A new segmentation node with a segment for each class: its name, which is the segment's ID too, and its colour.

    labels: as `labels_image` takes them, or what it gives of them and the same classes. surfaces: of all classes, as
    Slicer would otherwise make them itself. The node is complete when the scene, and with it the views, get it.
    """
    image = labels_image(labels, classes) if isinstance(labels, Volume) else labels
    node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(scene.GetUniqueNameByString(name))
    segmentation, converter = node.GetSegmentation(), slicer.vtkSegmentationConverter
    segmentation.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(), converter.SerializeImageGeometry(image)
    )
    for entry in classes:
        segment = slicer.vtkSegment()
        segment.SetName(entry.name)
        segment.SetColor(*(part / 255.0 for part in entry.color))
        segment.SetLabelValue(entry.id)
        segment.AddRepresentation(BINARY, image)  # one image for all: a shared labelmap
        if surfaces is not None:
            segment.AddRepresentation(CLOSED_SURFACE, surfaces[entry.id])
        segmentation.AddSegment(segment, entry.name)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    return node


def labels_image(labels: Volume, classes: Sequence[LabelClass]) -> "slicer.vtkOrientedImageData":
    """Labels, integers from 0 to 65535, as a segmentation keeps them; values that are no class become 0. It is what
    takes long of `make_segmentation`, and may be done on any thread."""
    ids = [entry.id for entry in classes]
    kind = np.uint8 if max(ids, default=0) <= 255 else np.uint16  # as Slicer's own: half the memory
    values = _lookup(dict(zip(ids, ids, strict=True))).astype(kind)[labels.array]
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(labels.shape_ijk)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    image.SetImageToWorldMatrix(to_vtk(labels.ras_from_ijk))
    return image


@dataclass(frozen=True, eq=False)
class SegmentationCopy:
    """The segments of a node in their order, and its labelmaps, each with the rank, from 1, of its values' segments."""

    name: str
    segments: tuple[Named, ...]
    layers: tuple[tuple[Volume, Mapping[int, int]], ...]


def copy_of_segmentation(node: "slicer.vtkMRMLSegmentationNode") -> SegmentationCopy:
    """What `labels_in` needs of a node: the quick part, which has to be done where the node is.

    Sim2RealError: no segments, no binary labelmap, a transform that is not linear, a sheared grid.
    """
    segmentation = _with_binary_labelmap(node)
    keys = segmentation.GetSegmentIDs()
    parts = [segmentation.GetSegment(key) for key in keys]
    segments = tuple(
        Named(part.GetName() or "", _bytes(part.GetColor()), key) for key, part in zip(keys, parts, strict=True)
    )
    rank_of_key = {key: rank for rank, key in enumerate(keys, start=1)}
    layers = []
    for number in range(segmentation.GetNumberOfLayers()):
        image = segmentation.GetLayerDataObject(number, BINARY)
        if image.IsEmpty():
            continue
        in_layer = segmentation.GetSegmentIDsForLayer(number, BINARY)
        ranks = {segmentation.GetSegment(key).GetLabelValue(): rank_of_key[key] for key in in_layer}
        seen = _volume_of_image(image, node)
        layers.append((Volume(seen.array.copy(), seen.ras_from_ijk, seen.name), ranks))
    return SegmentationCopy(node.GetName(), segments, tuple(layers))


def copy_of_labels(labels: Volume, classes: Sequence[LabelClass]) -> SegmentationCopy:
    """What `copy_of_segmentation` gives of the node that `make_segmentation` makes."""
    segments = tuple(Named(entry.name, entry.color, entry.name) for entry in classes)
    rank_of = {entry.id: rank for rank, entry in enumerate(classes, start=1)}
    return SegmentationCopy(labels.name, segments, ((labels, rank_of),))


def labels_in(
    copy: SegmentationCopy, reference: Volume, table: str | Path = "totalsegmentator_v2"
) -> tuple[LabelMap, dict[str, Any]]:
    """What `labels_of` gives of the copy of a segmentation; on any thread."""
    name = copy.name
    classes, groups = classes_by_name(name, copy.segments, table)
    ranks = np.zeros(reference.array.shape, np.uint16)  # of the last segment at each voxel
    overlapping = np.zeros(ranks.shape, bool)
    stored, resampled = set(), False
    for voxels, rank_of in copy.layers:
        layer, lookup = as_labels(voxels), _lookup(rank_of)
        stored.update(lookup[list(label_ids(layer))].tolist())
        fits = layer.same_grid(reference)
        found = lookup[layer.array if fits else resample_nearest(layer, reference)]
        overlapping |= (ranks > 0) & (found > 0)
        resampled |= not fits
        np.maximum(ranks, found, out=ranks)
    ranked = Volume(ranks, reference.ras_from_ijk, name)
    present = label_ids(ranked)
    if not present:
        raise Sim2RealError(f"{name}: none of its segments lies inside {reference.name}. Is it a segmentation of it?")
    lost = [classes[rank - 1] for rank in sorted(stored - {0, *present})]
    if lost:
        LOG.warning("%s: too small, hidden or outside %s: %s.", name, reference.name, ", ".join(c.name for c in lost))
    if shared := int(np.count_nonzero(overlapping)):
        LOG.warning("%s: %d voxels are in several segments; the later one in the list counts.", name, shared)
    record = {"role": "labels", "name": name, "resampled": resampled, "lost_labels": [entry.id for entry in lost]}
    label_map = _renumbered(ranked, {rank: classes[rank - 1] for rank in present}, groups)
    return label_map, record | {"overlapping_voxels": shared}


def _renumbered(labels: Volume, class_of: Mapping[int, LabelClass], groups: Mapping[int, str]) -> LabelMap:
    """A map whose values, `class_of`'s keys, become the ids of the classes; these in the order of their ids."""
    lookup = _lookup({value: entry.id for value, entry in class_of.items()})
    classes = tuple(sorted(class_of.values(), key=lambda entry: entry.id))
    return LabelMap(as_labels(Volume(lookup[labels.array], labels.ras_from_ijk, labels.name)), classes, groups)


def _lookup(pairs: Mapping[int, int]) -> np.ndarray:
    """An array that gives for each key its value, 0 for all other labels."""
    array = np.zeros(HIGHEST_LABEL + 1, np.uint16)
    for key, value in pairs.items():
        if 0 < key <= HIGHEST_LABEL:
            array[key] = value
    return array


def _with_binary_labelmap(node: "slicer.vtkMRMLSegmentationNode") -> "slicer.vtkSegmentation":
    segmentation = node.GetSegmentation()
    if not segmentation.GetNumberOfSegments():
        raise Sim2RealError(f"{node.GetName()} has no segments.")
    if not segmentation.ContainsRepresentation(BINARY):
        raise Sim2RealError(f"{node.GetName()} has no binary labelmap. Create it in Slicer's module Segmentations.")
    return segmentation


def _volume_of_image(image: "slicer.vtkOrientedImageData", node: "slicer.vtkMRMLSegmentationNode") -> Volume:
    """The voxels of a labelmap inside its extent, which need not begin at 0, in the world."""
    matrix, first = vtk.vtkMatrix4x4(), np.eye(4)
    image.GetImageToWorldMatrix(matrix)
    first[:3, 3] = image.GetExtent()[::2]
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    return Volume(values, world_from_node(node) @ to_array(matrix) @ first, node.GetName())


def _named_in(colors: "slicer.vtkMRMLColorNode", number: int, map_name: str) -> Named:
    name, color = "", np.zeros(4)
    if number < colors.GetNumberOfColors():
        name = colors.GetColorName(number)
        colors.GetColor(number, color)
    if name in ("", "(none)"):
        raise Sim2RealError(f"{map_name}: its color table {colors.GetName()} does not name the value {number}.")
    return Named(name, _bytes(color[:3]))


def _bytes(color: Sequence[float]) -> tuple[int, int, int]:
    return tuple(round(255 * float(part)) for part in color)
