"""Who is imaged: a CT, a segmentation and landmarks of a scene as an anatomy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import vtk

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.label_table import label_groups
from Sim2RealLib.mrml.generated_labels import TABLE
from Sim2RealLib.mrml.markups import landmarks_of
from Sim2RealLib.mrml.segmentations import SegmentationCopy, copy_of_segmentation, labels_in
from Sim2RealLib.mrml.transforms import to_array, world_from_node
from Sim2RealLib.mrml.volumes import copy_of_volume, ct_in
from Sim2RealLib.volume import Volume

from ..anatomy import Anatomy, whole_hu


def anatomy_of(
    ct: "slicer.vtkMRMLScalarVolumeNode",
    segmentation: "slicer.vtkMRMLSegmentationNode | None" = None,
    landmarks: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
) -> Anatomy:
    """The anatomy that nodes hold, in world coordinates. Sim2RealError for what is wrong with a node."""
    placed = {} if landmarks is None else landmarks_of(landmarks)
    return anatomy_in(copy_of_volume(ct), None if segmentation is None else copy_of_segmentation(segmentation), placed)


def anatomy_in(ct: Volume, segmentation: SegmentationCopy | None, placed: Mapping[str, np.ndarray]) -> Anatomy:
    """The same of copies of the nodes and of landmarks' positions; on any thread."""
    hu, record = ct_in(ct)
    records, labels, classes, groups = [record], None, (), label_groups(TABLE)
    if segmentation is not None:
        label_map, record = labels_in(segmentation, hu, TABLE)
        records.append(record)
        labels, classes, groups = label_map.labels, label_map.classes, label_map.groups
    return Anatomy(whole_hu(hu), labels, classes, groups, placed, implants=(), inputs=tuple(records))


def state_of(
    ct: "slicer.vtkMRMLScalarVolumeNode", segmentation: "slicer.vtkMRMLSegmentationNode | None" = None
) -> tuple[Any, ...]:
    """Something that differs when the voxels of the nodes, or where they lie, are others: cheap to get and compare."""
    state: list[Any] = []
    for node in filter(None, (ct, segmentation)):
        state += [node.GetID(), *world_from_node(node).ravel().tolist()]
        if node.IsA("vtkMRMLSegmentationNode"):
            inner = node.GetSegmentation()
            binary = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
            layers = range(inner.GetNumberOfLayers(binary))
            state += [inner.GetLayerDataObject(number, binary).GetMTime() for number in layers]
            state += [inner.GetSegment(key).GetName() for key in inner.GetSegmentIDs()]
        else:
            matrix = vtk.vtkMatrix4x4()
            node.GetIJKToRASMatrix(matrix)
            state += [*to_array(matrix).ravel().tolist(), node.GetImageData() and node.GetImageData().GetMTime()]
    return tuple(state)


def middle_of(anatomy: Anatomy) -> np.ndarray:
    """Where the isocentre goes by itself, as in a recipe: the mean of the landmarks, or the middle of the body."""
    if anatomy.landmarks:
        return np.mean(list(anatomy.landmarks.values()), axis=0)
    return body_center_ras(anatomy.hu)
