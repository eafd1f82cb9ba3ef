"""Slicer's nodes from and to plain data: in the world, under transforms, as Slicer itself has them in files."""

import subprocess
import sys

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points, translation
from Sim2RealLib.landmarks import read_landmarks
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mesh_io import read_mesh
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_ct
from slicer_cases import CUBE, OBLIQUE, TURN, parents, warp

GRIDS = {"oblique": OBLIQUE, "left-handed": OBLIQUE @ np.diag([-1.0, 1.0, 1.0, 1.0])}
WORLD_MM = 1e-4
"""VTK's transforms and Slicer's files keep double precision; landmarks and voxels lie within ±100 mm here."""


def to_world_by_vtk(node, point):
    """Where Slicer's own transform takes a point of a node."""
    import vtk

    transform = vtk.vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformToWorld(transform)
    return np.array(transform.TransformPoint(point))


def hu_with_a_bright_voxel(ras_from_ijk, at_kji=(3, 1, 4)):
    array = np.full((5, 6, 7), -1000, np.int16)
    array[at_kji] = 900
    return Volume(array, ras_from_ijk, "CT")


@pytest.mark.parametrize("grid", GRIDS)
def test_a_bright_voxel_lies_where_slicer_puts_it_under_its_transforms(slicer_scene, grid):
    from Sim2RealLib.mrml.volumes import make_volume, volume_of

    node = make_volume(slicer_scene, hu_with_a_bright_voxel(GRIDS[grid]), "CT")
    mirrored = np.diag([1.0, -1.0, 1.0, 1.0]) @ translation([4.0, 5.0, 6.0])
    node.SetAndObserveTransformNodeID(parents(slicer_scene, mirrored, TURN).GetID())
    volume = volume_of(node)
    (bright,) = np.argwhere(volume.array == 900)
    center = transform_points(volume.ras_from_ijk, bright[::-1])
    local = transform_points(GRIDS[grid], [4, 1, 3])
    np.testing.assert_allclose(center, to_world_by_vtk(node, local), atol=WORLD_MM)
    np.testing.assert_allclose(center, transform_points(mirrored @ TURN @ GRIDS[grid], [4, 1, 3]), atol=WORLD_MM)


def test_a_volume_is_a_copy_and_follows_the_transform(slicer_scene):
    from Sim2RealLib.mrml.transforms import matrix_of, set_matrix, world_from_node
    from Sim2RealLib.mrml.volumes import make_volume, volume_of

    node = make_volume(slicer_scene, hu_with_a_bright_voxel(OBLIQUE), "CT")
    move = parents(slicer_scene, np.eye(4))
    node.SetAndObserveTransformNodeID(move.GetID())
    volume_of(node).array[:] = 0
    assert volume_of(node).array.max() == 900
    set_matrix(move, TURN)
    np.testing.assert_array_equal(matrix_of(move), TURN)
    np.testing.assert_array_equal(world_from_node(move), np.eye(4))
    np.testing.assert_array_equal(world_from_node(node), TURN)


def test_what_is_under_a_transform_that_is_not_linear_is_refused(slicer_scene):
    from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks
    from Sim2RealLib.mrml.models import make_model, mesh_of
    from Sim2RealLib.mrml.segmentations import labels_of, make_segmentation
    from Sim2RealLib.mrml.transforms import matrix_of
    from Sim2RealLib.mrml.volumes import make_volume, volume_of

    volume = hu_with_a_bright_voxel(OBLIQUE)
    segments = Volume((volume.array > 0).astype(np.uint8), OBLIQUE)
    warped, below = warp(slicer_scene), parents(slicer_scene, TURN)
    below.SetAndObserveTransformNodeID(warped.GetID())
    for node, read in [
        (make_volume(slicer_scene, volume, "CT"), volume_of),
        (make_landmarks(slicer_scene, {"tip": np.zeros(3)}, "points"), landmarks_of),
        (make_model(slicer_scene, CUBE, "cube"), mesh_of),
        (
            make_segmentation(slicer_scene, segments, [LabelClass(1, "nail", (9, 9, 9))], "nails"),
            lambda node: labels_of(node, volume),
        ),
    ]:
        node.SetAndObserveTransformNodeID(below.GetID())
        with pytest.raises(Sim2RealError, match=f"{node.GetName()} lies under a transform that is not linear. Harden"):
            read(node)
    with pytest.raises(Sim2RealError, match="not a linear transform"):
        matrix_of(warped)


@pytest.mark.parametrize("grid", GRIDS)
def test_slicer_writes_a_made_volume_as_our_reader_reads_it(slicer_scene, grid, tmp_path):
    import slicer

    from Sim2RealLib.mrml.volumes import ct_of, make_volume

    hu = hu_with_a_bright_voxel(GRIDS[grid])
    hu.array[0, 0, :3] = -3024  # a scanner's padding
    node = make_volume(slicer_scene, hu, "CT")
    assert slicer.util.saveNode(node, str(tmp_path / "ct.nrrd"))
    from_file, file_record = read_ct(tmp_path / "ct.nrrd")
    from_node, record = ct_of(node)
    np.testing.assert_array_equal(from_node.array, from_file.array)
    np.testing.assert_allclose(from_node.ras_from_ijk, from_file.ras_from_ijk, atol=WORLD_MM)
    np.testing.assert_array_equal(from_node.ras_from_ijk, GRIDS[grid])
    assert record["raised_to_lowest_hu"] == file_record["raised_to_lowest_hu"] == 3
    assert record["shape_ijk"] == [7, 6, 5] and (record["role"], record["name"]) == ("ct", "CT")


def test_refuses_what_is_no_scalar_volume(slicer_scene):
    from Sim2RealLib.mrml.volumes import ct_of, make_volume, show_image, volume_of

    empty = slicer_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(Sim2RealError, match="empty holds no voxels"):
        volume_of(empty)
    color = slicer_scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    show_image(color, np.zeros((4, 5, 3), np.uint8), np.eye(4))
    with pytest.raises(Sim2RealError, match="photo has 3 values a voxel"):
        volume_of(color)
    sheared = make_volume(slicer_scene, hu_with_a_bright_voxel(OBLIQUE), "tilted")
    shear = np.eye(4)
    shear[0, 1] = 0.2
    sheared.SetAndObserveTransformNodeID(parents(slicer_scene, shear).GetID())
    with pytest.raises(Sim2RealError, match="tilted: the voxel grid is sheared"):
        volume_of(sheared)
    holes = make_volume(slicer_scene, Volume(np.array([[[1.0, np.nan]]], np.float32), np.eye(4)), "holes")
    with pytest.raises(Sim2RealError, match="holes: 1 voxels are NaN"):
        volume_of(holes)
    raw = make_volume(slicer_scene, Volume(np.arange(8, dtype=np.uint16).reshape(2, 2, 2), np.eye(4)), "raw")
    with pytest.raises(Sim2RealError, match="raw: its values, 0 to 7, are not Hounsfield units"):
        ct_of(raw)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_a_picture_is_replaced_in_place_and_its_window_stays(slicer_scene, shape):
    from vtk.util.numpy_support import vtk_to_numpy

    from Sim2RealLib.mrml.volumes import show_image

    kind = "vtkMRMLScalarVolumeNode" if len(shape) == 2 else "vtkMRMLVectorVolumeNode"
    node = slicer_scene.AddNewNodeByClass(kind, "view")
    first = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    show_image(node, first, OBLIQUE)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(17, 4)
    image, events = node.GetImageData(), []
    node.AddObserver(node.ImageDataModifiedEvent, lambda *_: events.append("image"))
    show_image(node, 200 - first, OBLIQUE)
    assert node.GetImageData() is image and events
    assert (node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) == (17, 4)
    for column, row in [(0, 0), (5, 3), (2, 1)]:
        stored = [
            image.GetScalarComponentAsFloat(column, row, 0, part) for part in range(image.GetNumberOfScalarComponents())
        ]
        assert stored == np.atleast_1d(200 - first[row, column]).tolist()
    show_image(node, first[:, :2].astype(np.uint16), TURN)
    assert node.GetImageData().GetDimensions() == (2, 4, 1)
    assert vtk_to_numpy(node.GetImageData().GetPointData().GetScalars()).dtype == np.uint16


POINTS = {"left hip": np.array([10.5, -20.25, 30.0]), "σ": np.array([-1.0, 2.0, -3.0])}


def test_landmarks_are_those_in_the_file_that_slicer_writes(slicer_scene, tmp_path):
    import slicer

    from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks

    node = make_landmarks(slicer_scene, POINTS, "points")
    assert slicer.util.saveNode(node, str(tmp_path / "points.mrk.json"))
    from_file, _ = read_landmarks(tmp_path / "points.mrk.json")
    for found in (from_file, landmarks_of(node)):
        assert list(found) == list(POINTS)
        np.testing.assert_allclose(list(found.values()), list(POINTS.values()), atol=WORLD_MM)
    node.SetAndObserveTransformNodeID(parents(slicer_scene, translation([0, 0, 9.0]), TURN).GetID())
    world = np.zeros(3)
    node.GetNthControlPointPositionWorld(0, world)
    np.testing.assert_allclose(landmarks_of(node)["left hip"], world, atol=WORLD_MM)


def test_points_not_placed_are_left_out_and_repeated_names_refused(slicer_scene):
    from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks

    node = make_landmarks(slicer_scene, POINTS, "points")
    node.UnsetNthControlPointPosition(0)
    assert list(landmarks_of(node)) == ["σ"]
    node.SetNthControlPointLabel(1, "")
    with pytest.raises(Sim2RealError, match="points: a landmark has no name"):
        landmarks_of(node)
    twice = make_landmarks(slicer_scene, POINTS, "twice")
    twice.SetNthControlPointLabel(1, "left hip")
    with pytest.raises(Sim2RealError, match="two landmarks are named 'left hip'"):
        landmarks_of(twice)
    line = slicer_scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "ruler")
    with pytest.raises(Sim2RealError, match="ruler is a markup of type Line"):
        landmarks_of(line)


def test_a_curve_runs_through_its_points(slicer_scene):
    from Sim2RealLib.mrml.markups import curve_points_of, make_curve

    angle = np.linspace(0.0, np.pi, 13)
    arc = 50.0 * np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=1)
    node = make_curve(slicer_scene, arc, "path")
    node.SetAndObserveTransformNodeID(parents(slicer_scene, TURN).GetID())
    points = curve_points_of(node)
    distances = np.linalg.norm(points[:, None] - transform_points(TURN, arc), axis=2)
    assert distances.min(axis=0).max() < 1e-3  # every control point is on it
    chord_error = 50.0 * (1.0 - np.cos(angle[1] / 2.0))
    assert np.abs(np.linalg.norm(points, axis=1) - 50.0).max() < 0.6 * chord_error  # rounder than straight pieces
    np.testing.assert_allclose(points[[0, -1]], transform_points(TURN, arc[[0, -1]]), atol=1e-3)
    with pytest.raises(Sim2RealError, match="empty is no curve yet"):
        curve_points_of(slicer_scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "empty"))


@pytest.mark.parametrize("suffix", ["stl", "ply", "obj"])
def test_a_model_is_the_surface_in_the_file_that_slicer_writes(slicer_scene, suffix, tmp_path):
    import slicer

    from Sim2RealLib.mrml.models import make_model, mesh_of

    node = make_model(slicer_scene, CUBE, "cube", (0.5, 0.25, 1.0), 0.5)
    assert slicer.util.saveNode(node, str(tmp_path / f"cube.{suffix}"))
    from_file, _ = read_mesh(tmp_path / f"cube.{suffix}")
    found = mesh_of(node)
    for mesh in (from_file, found):
        assert mesh.is_watertight() and volume_mm3(mesh) == pytest.approx(1000.0)
    order = np.lexsort(found.vertices_ras.T), np.lexsort(from_file.vertices_ras.T)
    np.testing.assert_allclose(found.vertices_ras[order[0]], from_file.vertices_ras[order[1]], atol=WORLD_MM)
    assert node.GetDisplayNode().GetColor() == (0.5, 0.25, 1.0) and node.GetDisplayNode().GetOpacity() == 0.5


def volume_mm3(mesh):
    """By the divergence theorem; positive if the triangles turn outwards."""
    a, b, c = np.moveaxis(mesh.vertices_ras.astype(np.float64)[mesh.triangles], 1, 0)
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def test_a_mirrored_model_still_has_its_outside_outside(slicer_scene):
    from Sim2RealLib.mrml.models import make_model, mesh_of

    node = make_model(slicer_scene, CUBE, "cube")
    node.SetAndObserveTransformNodeID(parents(slicer_scene, TURN @ np.diag([1.0, -1.0, 1.0, 1.0])).GetID())
    mesh = mesh_of(node)
    assert volume_mm3(mesh) == pytest.approx(1000.0)
    corner = to_world_by_vtk(node, (10.0, 10.0, 0.0))
    assert np.linalg.norm(mesh.vertices_ras - corner, axis=1).min() < WORLD_MM


def test_polygons_become_triangles_and_open_models_are_refused(slicer_scene):
    import vtk

    from Sim2RealLib.mrml.models import make_model, mesh_of

    box = vtk.vtkCubeSource()  # of six quads, with the corners of each of its own
    box.SetXLength(10.0), box.SetYLength(20.0), box.SetZLength(5.0)
    box.Update()
    node = make_model(slicer_scene, CUBE, "box")
    node.SetAndObservePolyData(box.GetOutput())
    mesh = mesh_of(node)
    assert (mesh.vertices_ras.shape, mesh.triangles.shape) == ((8, 3), (12, 3))
    assert volume_mm3(mesh) == pytest.approx(1000.0)
    opened = make_model(slicer_scene, TriangleMesh(CUBE.vertices_ras, CUBE.triangles[1:]), "opened")
    with pytest.raises(Sim2RealError, match="opened is not closed: 3 of its 18 edges"):
        mesh_of(opened)
    broken = make_model(slicer_scene, TriangleMesh(CUBE.vertices_ras[:5], CUBE.triangles), "broken")
    with pytest.raises(Sim2RealError, match="broken: a triangle has a vertex that is not in the model"):
        mesh_of(broken)
    with pytest.raises(Sim2RealError, match="bare holds no surface"):
        mesh_of(slicer_scene.AddNewNodeByClass("vtkMRMLModelNode", "bare"))


def test_results_and_where_they_come_from_survive_saving(slicer_scene, tmp_path):
    import slicer

    from Sim2RealLib.mrml.markups import make_landmarks
    from Sim2RealLib.mrml.models import make_model
    from Sim2RealLib.mrml.subject_hierarchy import PROVENANCE, file_under, provenance_of

    nodes = make_model(slicer_scene, CUBE, "cube"), make_landmarks(slicer_scene, POINTS, "points")
    made_by = {"simulator": "drr", "views": {"count": 3}, "Überschrift": ["<&\"'>", None, 1.5]}
    file_under(slicer_scene, "X-ray", *nodes, provenance=made_by)
    file_under(slicer_scene, "X-ray", provenance={})
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer_scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer_scene)
    for name in ("cube", "points"):
        node = slicer_scene.GetFirstNodeByName(name)
        assert provenance_of(node) == made_by
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        assert hierarchy.GetItemName(folder) == "X-ray"
        assert hierarchy.GetItemAttribute(folder, PROVENANCE) == node.GetAttribute(PROVENANCE)
    assert hierarchy.GetItemByName("X-ray_1") or hierarchy.GetItemByName("X-ray 1")
    assert provenance_of(slicer_scene.AddNewNodeByClass("vtkMRMLTextNode", "other")) is None


WITHOUT_AN_APPLICATION = """
import numpy as np, slicer
from Sim2RealLib.mrml import markups, models, segmentations, subject_hierarchy, volumes
from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume
assert not hasattr(slicer, "mrmlScene") and not hasattr(slicer, "app")
scene = slicer.vtkMRMLScene()
box = np.zeros((5, 6, 7), np.uint8); box[1:4, 1:5, 1:6] = 1
nail = [LabelClass(1, "nail", (1, 2, 3))]
volume = Volume(box, np.diag([1.0, 2.0, 3.0, 1.0]), "box")
made = volumes.make_volume(scene, volume, "v"), segmentations.make_segmentation(scene, volume, nail, "s")
assert volumes.volume_of(made[0]).array.sum() == segmentations.mask_of(made[1]).array.sum() == 60
assert segmentations.labels_of(made[1], volume)[0].classes[0].name == "nail"
assert segmentations.labels_of(volumes.make_label_volume(scene, volume, nail, "m"), volume)[0].classes[0].id == 118
assert len(markups.landmarks_of(markups.make_landmarks(scene, {"a": np.zeros(3)}, "p"))) == 1
assert len(markups.curve_points_of(markups.make_curve(scene, np.eye(3), "c"))) > 3
subject_hierarchy.file_under(scene, "all", *made, provenance={})
print("done")
"""


def test_all_of_it_works_on_slicer_core_without_an_application():
    run = subprocess.run([sys.executable, "-c", WITHOUT_AN_APPLICATION], capture_output=True, text=True, timeout=60)
    assert run.stdout.endswith("done\n"), run.stderr
    assert "Error" not in run.stderr and "ERR" not in run.stderr, run.stderr
