"""Translate's nodes without Qt: a scene set up, instruments moved, what the laparoscope sees, saved and loaded."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from laparoscopy_scenes import BALLS, GALLBLADDER, LIVER, PHANTOM, SKIN_MM, add_abdomen, add_ct
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.mrml.subject_hierarchy import provenance_of
from Sim2RealLib.mrml.transforms import set_matrix, to_array
from TranslateLib.fulcrum import FulcrumPose

WORLD_MM = 1e-6
"""Transforms hold doubles."""
SURFACE_MM = 5.0
"""Slicer smooths surfaces of voxels of 5 mm."""


@pytest.fixture
def logic(slicer_scene):
    from TranslateLib import logic

    return logic


@pytest.fixture
def drawer():
    from TranslateLib.mrml.preview import GeometryPreview

    drawer = GeometryPreview()
    yield drawer
    drawer.close()


def in_world(node):
    """The matrix that Slicer has for a transform, up to the world."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToWorld(matrix)
    return to_array(matrix)


def moved_by(scene, matrix):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "move")
    set_matrix(node, matrix)
    return node


def ids(segmentation):
    """Of every class that a frame can have, by name."""
    from TranslateLib.mrml.anatomy import classes_of

    organs, tools = classes_of(segmentation)
    return {entry.name: entry.id for entry in (*organs.values(), *tools.values())}


TILTED = translation([30.0, -20.0, 10.0]) @ rotation(np.array([0.6, 0.0, 0.8]), 25.0)


def test_a_scene_is_set_up_with_the_liver_in_sight(logic, slicer_scene, drawer):
    segmentation, ct = add_abdomen(slicer_scene), add_ct(slicer_scene)
    trocars, laparoscope = logic.set_up(segmentation, ct)
    from TranslateLib.mrml.instruments import camera_of, entry_of, pose_of

    entry = entry_of(laparoscope)
    assert np.hypot(*(entry - [0.0, logic.LIFT_MM, 0.0])[:2]) == pytest.approx(SKIN_MM, abs=SURFACE_MM)
    camera = in_world(camera_of(laparoscope))
    seen = transform_points(np.linalg.inv(camera), np.array(BALLS[LIVER][0]))
    assert seen[:2] == pytest.approx([0, 0], abs=SURFACE_MM)
    assert pose_of(laparoscope).insertion_mm == pytest.approx(logic.INSERTION_MM)
    frame = logic.preview(drawer, segmentation, laparoscope)
    assert (frame.labels == LIVER.id).mean() > 0.2
    display = segmentation.GetDisplayNode()
    assert [display.GetSegmentVisibility(entry.name) for entry in BALLS] == [True, True, False]
    assert provenance_of(laparoscope)["segmentation"] == "Abdomen"
    again = logic.set_up(segmentation, ct, trocars)
    assert again == (trocars, laparoscope)
    assert slicer_scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 1
    assert len([name for name in names(slicer_scene) if name.startswith("Skin")]) == 1


def names(scene):
    nodes = scene.GetNodes()
    return [nodes.GetItemAsObject(number).GetName() or "" for number in range(nodes.GetNumberOfItems())]


def test_findings_name_organs_and_measure_them(logic, slicer_scene):
    from TranslateLib.mrml.anatomy import examine_segmentation, show_organs

    segmentation = add_abdomen(slicer_scene)
    assert examine_segmentation(segmentation).found == ("liver", "gallbladder")
    show_organs(segmentation)
    assert examine_segmentation(segmentation).doubts == ()
    segmentation.SetAndObserveTransformNodeID(moved_by(slicer_scene, np.diag([0.5, 0.5, 0.5, 1.0])).GetID())
    (doubt, other) = examine_segmentation(segmentation).doubts
    volume = 4 / 3 * np.pi * 60.0**3 / 1000 / 8  # half as wide
    assert float(doubt.split()[2]) == pytest.approx(volume, rel=0.1)  # smoothing
    assert doubt.startswith("liver")
    assert other.startswith("gallbladder")


def test_segments_that_no_table_names_are_seen_too(logic, slicer_scene, drawer):
    balls = {LIVER: BALLS[LIVER], PHANTOM: ((20.0, 75.0, 20.0), 12.0)}
    segmentation = add_abdomen(slicer_scene, balls)
    _trocars, laparoscope = logic.set_up(segmentation)
    seen = logic.preview(drawer, segmentation, laparoscope)
    assert ids(segmentation)["cotton swab"] in np.unique(seen.labels)


def test_what_cannot_be_a_scene_is_refused(logic, slicer_scene):
    empty = slicer_scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    with pytest.raises(Sim2RealError, match="nothing has no segments"):
        logic.set_up(empty)
    segmentation = add_abdomen(slicer_scene)
    air = add_ct(slicer_scene)
    import slicer

    slicer.util.arrayFromVolume(air)[:] = -1000
    slicer.util.arrayFromVolume(air)[0, 0, 0] = -900
    with pytest.raises(Sim2RealError, match="shows no skin"):
        logic.set_up(segmentation, air)


def test_inputs_and_instruments_may_lie_under_transforms(logic, slicer_scene, drawer):
    """The same picture of a patient who is moved, with the instruments, by one transform or another."""
    segmentation = add_abdomen(slicer_scene)
    trocars, laparoscope = logic.set_up(segmentation)
    before = logic.preview(drawer, segmentation, laparoscope)
    move = moved_by(slicer_scene, TILTED)
    for node in (segmentation, trocars, laparoscope):
        node.SetAndObserveTransformNodeID(move.GetID())
    after = logic.preview(drawer, segmentation, laparoscope)
    assert after.ras_from_camera == pytest.approx(TILTED @ before.ras_from_camera, abs=WORLD_MM)
    assert (after.labels == before.labels).mean() > 0.995  # rounding at outlines
    from TranslateLib.mrml.instruments import pose_of, settle

    assert settle(laparoscope) == ()
    assert in_world(laparoscope)[:3, 3] == pytest.approx((TILTED @ before.ras_from_camera)[:3, 3], abs=1e-3)
    assert pose_of(laparoscope).insertion_mm == pytest.approx(logic.INSERTION_MM, abs=1e-3)


def test_an_instrument_that_is_moved_is_put_into_its_trocar(logic, slicer_scene):
    from TranslateLib.mrml.instruments import entry_of, settle

    _trocars, laparoscope = logic.set_up(add_abdomen(slicer_scene))
    entry, frame = entry_of(laparoscope), in_world(laparoscope)
    set_matrix(laparoscope, translation([25.0, 5.0, -30.0]) @ frame)
    assert settle(laparoscope) == ()
    settled = in_world(laparoscope)
    assert settled[:3, 3] == pytest.approx(frame[:3, 3] + [25.0, 5.0, -30.0], abs=WORLD_MM)
    off = entry - settled[:3, 3]
    assert np.cross(off, settled[:3, 2]) == pytest.approx(np.zeros(3), abs=WORLD_MM)
    center = laparoscope.GetCenterOfTransformation()
    assert transform_points(settled, np.array(center)) == pytest.approx(
        entry, abs=WORLD_MM
    )  # handles turn it about the trocar
    set_matrix(laparoscope, frame @ translation([0.0, 0.0, 400.0]))
    assert settle(laparoscope) == ("insertion 470 mm is beyond 250 mm",)
    assert np.linalg.norm(in_world(laparoscope)[:3, 3] - entry) == pytest.approx(250.0)


def test_an_instrument_goes_with_its_trocar(logic, slicer_scene):
    from TranslateLib.mrml.instruments import entry_of, follow_trocar, pose_of, set_trocar
    from TranslateLib.mrml.trocars import add_trocar, move_trocar, trocar_names

    trocars, laparoscope = logic.set_up(add_abdomen(slicer_scene))
    before, pose = in_world(laparoscope), pose_of(laparoscope)
    step = np.array([40.0, -15.0, 20.0])
    (first,) = trocar_names(trocars)
    move_trocar(trocars, first, entry_of(laparoscope) + step)
    follow_trocar(laparoscope)
    assert in_world(laparoscope) == pytest.approx(translation(step) @ before, abs=WORLD_MM)
    other = add_trocar(trocars, np.array([-60.0, 130.0, 0.0]))
    set_trocar(laparoscope, trocars, other)
    assert entry_of(laparoscope) == pytest.approx([-60.0, 130.0, 0.0])
    found = pose_of(laparoscope)
    for field in ("pan_deg", "tilt_deg", "roll_deg", "insertion_mm"):
        assert getattr(found, field) == pytest.approx(getattr(pose, field), abs=1e-6)
    with pytest.raises(Sim2RealError, match="trocar is not there"):
        set_trocar(laparoscope, trocars, "none such")


def test_tools_are_seen_with_labels_of_their_own(logic, slicer_scene, drawer):
    from TranslateLib.mrml.instruments import instrument_of, remove_instrument, set_opening
    from TranslateLib.mrml.trocars import add_trocar

    segmentation = add_abdomen(slicer_scene)
    trocars, laparoscope = logic.set_up(segmentation)
    assert logic.free_trocar(trocars) is None
    trocar = add_trocar(trocars, np.array([90.0, 120.0, 10.0]))
    assert logic.free_trocar(trocars) == trocar
    grasper = logic.add_tool(laparoscope, "grasper", trocars, trocar)
    assert logic.free_trocar(trocars) is None
    set_opening(grasper, 30.0)
    seen = logic.preview(drawer, segmentation, laparoscope)
    assert {ids(segmentation)["tool_shaft"], ids(segmentation)["tool_tip"]} <= set(np.unique(seen.labels))
    # its tip points to where the middle of the picture looks
    tip = transform_points(np.linalg.inv(seen.ras_from_camera), in_world(grasper)[:3, 3])
    assert tip == pytest.approx([0, 0, logic.BEFORE_CAMERA_MM], abs=1e-3)
    hook = logic.add_tool(laparoscope, "hook", trocars, trocar)
    with pytest.raises(Sim2RealError, match="does not open"):
        set_opening(hook, 10.0)
    remove_instrument(hook)
    remove_instrument(grasper)
    assert not [name for name in names(slicer_scene) if "rasper" in name or "ook" in name]
    assert instrument_of(laparoscope).kind == "laparoscope"


def test_what_belonged_to_a_deleted_laparoscope_goes_with_the_next(logic, slicer_scene):
    segmentation = add_abdomen(slicer_scene)
    trocars, laparoscope = logic.set_up(segmentation)
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer_scene)
    item = hierarchy.GetItemByDataNode(laparoscope)
    slicer_scene.RemoveNode(laparoscope)
    hierarchy.RemoveItem(item, False, False)  # which Slicer does by itself
    logic.set_up(segmentation, None, trocars)
    assert len([name for name in names(slicer_scene) if "frustum" in name]) == 1
    assert len([name for name in names(slicer_scene) if name.endswith("camera")]) == 1


def test_an_instrument_without_its_trocar_says_so(logic, slicer_scene):
    from TranslateLib.mrml.instruments import has_trocar, pose_of

    trocars, laparoscope = logic.set_up(add_abdomen(slicer_scene))
    trocars.RemoveAllControlPoints()
    assert not has_trocar(laparoscope)
    with pytest.raises(Sim2RealError, match="trocar is not there"):
        pose_of(laparoscope)
    with pytest.raises(Sim2RealError, match="trocar is not there"):
        logic.describe(laparoscope)


def test_the_picture_lies_where_its_rays_pass(logic, slicer_scene, drawer):
    """Voxel (c, r) of picture and labels is on the ray of the pixel's centre."""
    from TranslateLib.mrml.frames import LABELS, PICTURE
    from TranslateLib.scene import Laparoscope

    segmentation = add_abdomen(slicer_scene)
    _trocars, laparoscope = logic.set_up(segmentation, optics=Laparoscope(60.0, 30, 120, 80))
    seen = logic.preview(drawer, segmentation, laparoscope)
    import slicer
    import vtk

    for role, values in ((PICTURE, seen.picture), (LABELS, seen.labels)):
        node = laparoscope.GetNodeReference(role)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node)[0], values)
        matrix = vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        point = transform_points(np.linalg.inv(seen.ras_from_camera) @ to_array(matrix), np.array([17.0, 50.0, 0.0]))
        assert seen.camera.project(point) == pytest.approx([17.5, 50.5], abs=1e-6)
        assert provenance_of(node)["preview of the geometry of"] == "Abdomen"
    colors = laparoscope.GetNodeReference(LABELS).GetDisplayNode().GetColorNode()
    assert colors.GetColorName(LIVER.id) == "liver"
    segmentation.GetSegmentation().RemoveSegment(GALLBLADDER.name)
    logic.preview(drawer, segmentation, laparoscope)
    colors = laparoscope.GetNodeReference(LABELS).GetDisplayNode().GetColorNode()
    named = {colors.GetColorName(number) for number in range(colors.GetNumberOfColors())}
    assert "liver" in named
    assert "gallbladder" not in named
    assert len([name for name in names(slicer_scene) if name == "Preview labels colors"]) == 1


def test_a_translation_of_another_size_is_refused(logic, slicer_scene, drawer):
    from TranslateLib.translators import Translation

    segmentation = add_abdomen(slicer_scene)
    _trocars, laparoscope = logic.set_up(segmentation)
    seen = logic.preview(drawer, segmentation, laparoscope)
    with pytest.raises(Sim2RealError, match="another size"):
        logic.show_translation(laparoscope, seen, Translation(seen.picture[:-1], ()), {})


def build_example(logic, scene):
    from TranslateLib.mrml.trocars import add_trocar

    trocars, laparoscope = logic.set_up(add_abdomen(scene))
    logic.add_tool(laparoscope, "scissors", trocars, add_trocar(trocars, np.array([90.0, 120.0, 10.0]), "right hand"))
    return trocars, laparoscope


def test_a_described_scene_is_built_again(logic, slicer_scene):
    trocars, laparoscope = build_example(logic, slicer_scene)
    described = logic.describe(laparoscope, 14.0)
    assert described.pneumoperitoneum_mmhg == 14.0
    assert set(described.trocars) == {"camera", "right hand"}
    assert [tool.kind for tool in described.tools] == ["scissors"]
    from TranslateLib.mrml.instruments import instruments_in, place

    place(laparoscope, FulcrumPose(5.0, 5.0, 5.0, 20.0))
    _same, again = logic.build(slicer_scene, described, trocars)
    rebuilt = logic.describe(again, 14.0)
    assert len(instruments_in(slicer_scene)) == 2
    assert rebuilt.laparoscope == described.laparoscope
    for name, position in described.trocars.items():
        assert rebuilt.trocars[name] == pytest.approx(position)
    for first, second in ((described.camera, rebuilt.camera), (described.tools[0], rebuilt.tools[0])):
        assert first.trocar == second.trocar
        for field in ("pan_deg", "tilt_deg", "roll_deg", "insertion_mm"):
            assert getattr(first.pose, field) == pytest.approx(getattr(second.pose, field), abs=1e-6)
    trocars.SetNthControlPointLabel(1, "camera")
    with pytest.raises(Sim2RealError, match="called 'camera'"):
        logic.describe(again)


def test_a_scene_survives_saving_and_loading(logic, slicer_scene, drawer, tmp_path):
    import slicer

    _trocars, laparoscope = build_example(logic, slicer_scene)
    segmentation = slicer.util.getNode("Abdomen")
    before, described = logic.preview(drawer, segmentation, laparoscope), logic.describe(laparoscope)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer_scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    laparoscope = logic.laparoscope_in(slicer_scene)
    after = logic.describe(laparoscope)
    assert after.trocars.keys() == described.trocars.keys()
    assert after.camera.pose.pan_deg == pytest.approx(described.camera.pose.pan_deg, abs=1e-4)  # text in files
    assert after.tools[0].pose.insertion_mm == pytest.approx(described.tools[0].pose.insertion_mm, abs=1e-4)
    seen = logic.preview(drawer, slicer.util.getNode("Abdomen"), laparoscope)
    assert (seen.labels == before.labels).mean() > 0.99  # surfaces are made again
    assert len([name for name in names(slicer_scene) if name.startswith("Preview")]) == 3  # picture, labels, colours
    assert provenance_of(laparoscope)["module"] == "Translate"


def test_attributes_of_unknown_origin_make_no_instrument(logic, slicer_scene):
    from TranslateLib.mrml.instruments import INSTRUMENT, instrument_of, instruments_in

    for text in ("", "{", '{"kind": "laser", "trocar": "1"}', '["hook"]'):
        node = slicer_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "odd")
        node.SetAttribute(INSTRUMENT, text)
        with pytest.raises(Sim2RealError, match="odd is no instrument"):
            instrument_of(node)
        slicer_scene.RemoveNode(node)
    assert instruments_in(slicer_scene) == []


HEADLESS = """
import sys
import numpy as np
import slicer
import vtk
scene = slicer.vtkMRMLScene()
logics = [slicer.vtkSlicerSegmentationsModuleLogic(), slicer.vtkSlicerMarkupsLogic()]
application = slicer.vtkSlicerApplicationLogic()
application.SetMRMLScene(scene)
for each in logics:
    each.SetMRMLApplicationLogic(application)
    each.SetMRMLScene(scene)
from TranslateLib.logic import preview, set_up
from TranslateLib.mrml.anatomy import classes_of
from TranslateLib.mrml.preview import GeometryPreview
ball = vtk.vtkSphereSource()
ball.SetRadius(60.0)
ball.Update()
segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Abdomen")
segmentation.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), "liver", [0.6, 0.3, 0.2])
trocars, laparoscope = set_up(segmentation)
seen = preview(GeometryPreview(), segmentation, laparoscope)
middle = int(seen.labels[128, 226])
organs = {entry.id: entry.name for entry in classes_of(segmentation)[0].values()}
print(organs[middle], {"qt", "PySide6"} & set(sys.modules))
"""


def test_it_runs_on_slicer_core_without_qt():
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(str(root / name) for name in ("Sim2Real", "Translate"))
    environment = os.environ | {"PYTHONPATH": path, "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"}
    run = subprocess.run([sys.executable, "-c", HEADLESS], env=environment, capture_output=True, text=True, timeout=60)
    assert run.stdout.splitlines()[-1:] == ["liver set()"], run.stderr
