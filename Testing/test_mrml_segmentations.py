"""Segmentations and label map volumes of Slicer's as label maps: names, numbers, overlaps, other grids."""

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points, translation
from Sim2RealLib.label_table import label_classes, label_groups
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from slicer_cases import OBLIQUE, TURN, add_segment, parents

WORLD_MM = 1e-4


def boxes(ras_from_ijk=OBLIQUE, shape=(8, 9, 10)):
    """Three boxes of labels 1, 2, 3; the second and third touch."""
    labels = np.zeros(shape, np.uint8)
    labels[1:3, 1:4, 1:5], labels[4:7, 2:6, 2:5], labels[4:7, 2:6, 5:8] = 1, 2, 3
    return Volume(labels, ras_from_ijk, "boxes")


NAMES = [
    LabelClass(1, "Femur Right", (250, 1, 2)),
    LabelClass(2, "guide wire", (0, 0, 255)),
    LabelClass(3, "sacrum", (1, 2, 3)),
]


def test_segments_become_the_classes_of_the_table_that_they_are_named_after(slicer_scene):
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation

    node = make_segmentation(slicer_scene, boxes(), NAMES, "bones")
    found, record = labels_of(node, boxes())
    table = {entry.name: entry for entry in label_classes("totalsegmentator_v2")}
    wire = LabelClass(118, "guide wire", (0, 0, 255))  # the table's ids run to 117
    assert found.classes == (table["sacrum"], table["femur_right"], wire)
    assert {number: found.groups.get(number) for number in (25, 76, 118)} == {25: "bone", 76: "bone", 118: None}
    expected = np.array([0, 76, 118, 25])[boxes().array]
    np.testing.assert_array_equal(found.labels.array, expected)
    assert record == {
        "role": "labels",
        "name": "bones",
        "resampled": False,
        "lost_labels": [],
        "overlapping_voxels": 0,
    }


def test_a_segment_named_for_people_is_known_by_its_id(slicer_scene):
    """TotalSegmentator's extension calls the segment with the ID femur_left "left femur"."""
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation

    node = make_segmentation(slicer_scene, boxes(), [LabelClass(2, "femur_left", (1, 1, 1))], "bones")
    node.GetSegmentation().GetSegment("femur_left").SetName("left femur")
    found, _ = labels_of(node, boxes())
    assert [entry.name for entry in found.classes] == ["femur_left"]
    node.GetSegmentation().GetSegment("femur_left").SetName("Sacrum")  # what it is called says more
    found, _ = labels_of(node, boxes())
    assert [entry.name for entry in found.classes] == ["sacrum"]


def test_a_table_of_ones_own_leaves_its_ids_to_its_names(slicer_scene, tmp_path):
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation

    (tmp_path / "own.csv").write_text("id,name,color,group\n1,sacrum,#102030,bone\n3,screw,#ffffff,organ\n")
    node = make_segmentation(slicer_scene, boxes(), NAMES, "bones")
    found, _ = labels_of(node, boxes(), tmp_path / "own.csv")
    assert [(entry.id, entry.name) for entry in found.classes] == [(1, "sacrum"), (2, "Femur Right"), (4, "guide wire")]
    assert dict(found.groups) == {1: "bone"}


def test_of_overlapping_segments_the_later_one_counts_as_in_slicers_export(slicer_scene):
    import slicer

    from Sim2RealLib.mrml.segmentations import labels_of
    from Sim2RealLib.mrml.volumes import make_volume, volume_of

    node = slicer_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "overlap")
    node.CreateDefaultDisplayNodes()
    grid = boxes()
    parts = np.zeros((3, *grid.array.shape), bool)
    parts[0, 1:6, 1:6, 1:6], parts[1, 3:7, 3:7, 3:7], parts[2, 5:8, 2:5, 5:9] = True, True, True
    for name, part in zip("abc", parts, strict=True):
        add_segment(node, name, part, OBLIQUE)
    assert node.GetSegmentation().GetNumberOfLayers() == 3
    found, record = labels_of(node, grid)
    exported = slicer_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "exported")
    like = make_volume(slicer_scene, grid, "like")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ExportVisibleSegmentsToLabelmapNode(node, exported, like)
    assert [entry.name for entry in found.classes] == ["a", "b", "c"]
    expected = volume_of(exported)
    at = np.argwhere(found.labels.array)
    np.testing.assert_array_equal(
        found.labels.array[tuple(at.T)] - 117,
        expected.nearest(transform_points(found.labels.ras_from_ijk, at[:, ::-1])),
    )
    assert record["overlapping_voxels"] == np.count_nonzero(parts.sum(axis=0) > 1)


def test_segments_on_other_grids_are_resampled_to_the_nearest_voxel_in_the_world(slicer_scene):
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation

    node = make_segmentation(slicer_scene, boxes(), NAMES, "bones")
    node.SetAndObserveTransformNodeID(parents(slicer_scene, translation([3.0, 0.0, 0.0]), TURN).GetID())
    reference = Volume(
        np.zeros((20, 20, 30), np.int16), translation([-40.0, -20.0, -10.0]) @ np.diag([2.0, 2.0, 2.0, 1.0]), "CT"
    )
    found, record = labels_of(node, reference)
    moved = boxes(translation([3.0, 0.0, 0.0]) @ TURN @ OBLIQUE)
    centers = transform_points(reference.ras_from_ijk, np.argwhere(reference.array == 0)[:, ::-1])
    expected = np.array([0, 76, 118, 25])[moved.nearest(centers)].reshape(reference.array.shape)
    assert expected.any()
    differing = np.count_nonzero(found.labels.array != expected)
    assert differing <= 2  # a centre just between two voxels may go to either
    assert record["resampled"]


def test_says_what_is_wrong_with_a_segmentation(slicer_scene):
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation

    nothing = slicer_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    with pytest.raises(Sim2RealError, match="nothing has no segments"):
        labels_of(nothing, boxes())
    twice = make_segmentation(
        slicer_scene, boxes(), [LabelClass(1, "sacrum", (1, 1, 1)), LabelClass(2, "Sacrum", (2, 2, 2))], "twice"
    )
    with pytest.raises(Sim2RealError, match="'sacrum' and 'Sacrum' are both the class sacrum"):
        labels_of(twice, boxes())
    apart = make_segmentation(slicer_scene, boxes(translation([500.0, 0.0, 0.0]) @ OBLIQUE), NAMES, "apart")
    with pytest.raises(Sim2RealError, match="none of its segments lies inside boxes"):
        labels_of(apart, boxes())
    apart.GetSegmentation().RemoveRepresentation("Binary labelmap")
    with pytest.raises(Sim2RealError, match="apart has no binary labelmap"):
        labels_of(apart, boxes())


def test_a_label_map_is_named_by_a_color_table_of_its_own_only(slicer_scene):
    import slicer

    from Sim2RealLib.mrml.segmentations import labels_of
    from Sim2RealLib.mrml.volumes import make_label_volume

    node = make_label_volume(slicer_scene, boxes(), NAMES, "map")
    found, _ = labels_of(node, boxes())
    assert [(entry.id, entry.name) for entry in found.classes] == [
        (25, "sacrum"),
        (76, "femur_right"),
        (118, "guide wire"),
    ]
    np.testing.assert_array_equal(found.labels.array, np.array([0, 76, 118, 25])[boxes().array])
    built_in = slicer.app.applicationLogic().GetColorLogic().GetDefaultLabelMapColorNodeID()
    node.GetDisplayNode().SetAndObserveColorNodeID(built_in)
    found, _ = labels_of(node, boxes())
    assert [(entry.id, entry.name) for entry in found.classes] == [
        (1, "spleen"),
        (2, "kidney_right"),
        (3, "kidney_left"),
    ]
    assert found.groups == label_groups("totalsegmentator_v2")
    unnamed = make_label_volume(slicer_scene, boxes(), NAMES[:2], "map")
    with pytest.raises(Sim2RealError, match="does not name the value 3"):
        labels_of(unnamed, boxes())


def test_slicer_keeps_a_made_segmentation_in_its_file(slicer_scene, tmp_path):
    import slicer

    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation, mask_of

    node = make_segmentation(slicer_scene, boxes(), NAMES, "bones")
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert slicer.util.saveNode(node, str(tmp_path / "bones.seg.nrrd"))
    again = slicer.util.loadSegmentation(str(tmp_path / "bones.seg.nrrd"))
    segments = [again.GetSegmentation().GetNthSegment(number) for number in range(3)]
    assert [segment.GetName() for segment in segments] == [entry.name for entry in NAMES]
    colors = [tuple(round(255 * part) for part in segment.GetColor()) for segment in segments]
    assert colors == [entry.color for entry in NAMES]
    for read in (lambda node: labels_of(node, boxes())[0].labels, mask_of):
        np.testing.assert_array_equal(read(again).array, read(node).array)
        np.testing.assert_allclose(read(again).ras_from_ijk, read(node).ras_from_ijk, atol=WORLD_MM)
    mask = mask_of(node)
    inside = transform_points(OBLIQUE, np.argwhere(boxes().array)[:, ::-1])
    assert mask.nearest(inside).all() and mask.array.sum() == len(inside)
