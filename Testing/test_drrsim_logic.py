"""X-rays of a scene's nodes, without a window: against what the library gives for the same anatomy, and the example of
the documentation."""

import json

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation

SPACING_MM = 4.0


@pytest.fixture
def logic(slicer_scene):
    from DRRSimLib.logic import XrayLogic

    return XrayLogic(slicer_scene, "llvm")


def pixels_of(node):
    import slicer

    return slicer.util.arrayFromVolume(node)[0]


def ball(scene, ras_from_ijk, radius_voxels=2.0):
    """A CT of air with a dense ball in it, and the world position of its middle."""
    import slicer

    k, j, i = np.mgrid[:30, :32, :34]
    middle = np.array([20, 12, 17])
    inside = (i - middle[0]) ** 2 + (j - middle[1]) ** 2 + (k - middle[2]) ** 2 <= radius_voxels**2
    hu = np.where(inside, 2000, -1000).astype(np.int16)
    node = slicer.util.addVolumeFromArray(hu, ijkToRAS=ras_from_ijk, name="ball")
    return node, (ras_from_ijk @ [*middle, 1.0])[:3]


def test_the_documented_example_makes_an_image_and_a_dataset(slicer_scene, tmp_path, monkeypatch):
    """Docs/DRRSim.md, "In Slicer's Python console"."""
    monkeypatch.chdir(tmp_path)
    from DRRSimLib.logic import XrayLogic
    from Sim2RealApp.export import export_dataset
    from Sim2RealLib.dataset.reader import Dataset

    logic = XrayLogic()
    ct, segmentation, landmarks = logic.make_sample_pelvis(seed=1, spacing_mm=4.0)
    carm = logic.make_carm(ct, landmarks, device="bier_2018")
    logic.turn(carm, primary_deg=30, secondary_deg=-10)
    xray = logic.render(carm, ct, segmentation, landmarks)
    recipe = logic.recipe("dataset", carm, ct, segmentation, landmarks, views={"count": 2})
    for progress in export_dataset(recipe, tmp_path / "dataset"):
        print(progress.done, "of", progress.total)

    assert pixels_of(xray).shape == (479, 615) and 1 < np.median(pixels_of(xray)) < 9
    dataset = Dataset.open(tmp_path / "dataset")
    assert len(dataset) == 2 and dataset.record(0)["masks"] and len(dataset.record(0)["landmarks"]) == 23
    assert recipe.input.anatomy.seed == 1 and recipe.input.volume is None  # no copies of what can be generated


GRIDS = {
    "straight": np.diag([3.0, 3.0, 3.0, 1.0]),
    "oblique": rotation([0.6, 0.0, 0.8], 25.0) @ np.diag([2.5, -3.0, 3.5, 1.0]),
}


@pytest.mark.parametrize("transformed", [False, True])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_dense_ball_appears_where_its_middle_is_projected(slicer_scene, logic, grid, transformed):
    """In the world: the ray from the source through the brightest place of the image node meets the ball's middle."""
    import slicer

    ct, middle_ras = ball(slicer_scene, GRIDS[grid])
    if transformed:
        above = rotation([0.0, 0.6, 0.8], 30.0)
        above[:3, 3] = 100.0, -50.0, 20.0
        parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(above))
        ct.SetAndObserveTransformNodeID(parent.GetID())
        middle_ras = (above @ [*middle_ras, 1.0])[:3]
    carm = logic.make_carm(ct)
    logic.turn(carm, 25.0, 15.0, in_plane_deg=10.0)
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    point.AddControlPoint(*middle_ras, "ball")
    from DRRSimLib.recipe import Noise, Physics

    xray = logic.render(carm, ct, landmarks=point, physics=Physics(noise=Noise(photons_per_pixel=None)))
    attenuation = np.maximum(pixels_of(xray), 0.0)
    rows, columns = np.indices(attenuation.shape)
    brightest_ijk = [np.average(columns, weights=attenuation), np.average(rows, weights=attenuation), 0.0, 1.0]
    ras_from_ijk = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(xray))
    on_detector = (ras_from_ijk @ brightest_ijk)[:3]
    from DRRSimLib.acquisition.carm import source_from_pose
    from DRRSimLib.mrml.carm_nodes import pose_of

    source = source_from_pose(pose_of(carm))[:3, 3]
    along = (on_detector - source) / np.linalg.norm(on_detector - source)
    # the ball is coarse: a third of its 3 mm voxels
    assert np.linalg.norm(np.cross(along, middle_ras - source)) < 1.0
    overlay = carm.GetNodeReference("DRRSim.Landmarks")
    assert overlay.GetNthControlPointLabel(0) == "ball" and overlay.GetNthControlPointSelected(0)
    drawn = np.array(overlay.GetNthControlPointPositionWorld(0))
    assert np.linalg.norm(drawn - on_detector) < 1.0 * 1200 / 800 + 0.3  # the same, magnified; and half a pixel


def _ijk_to_ras(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_the_image_is_what_the_library_gives_for_the_same_recipe(logic):
    from DRRSimLib.frames.display import log_attenuation
    from DRRSimLib.mrml.carm_nodes import pose_of
    from DRRSimLib.recipe import DrrRecipe
    from DRRSimLib.simulation import open_simulation
    from Sim2RealLib.engine import open_backend

    ct, segmentation, landmarks = logic.make_sample_pelvis(3, SPACING_MM)
    carm = logic.make_carm(ct, landmarks)
    logic.turn(carm, -20.0, 30.0)
    xray = logic.render(carm, ct, segmentation, landmarks)
    anatomy = {"seed": 3, "spacing_mm": SPACING_MM}
    simulation = open_simulation(DrrRecipe(simulator="drr", input={"anatomy": anatomy}), open_backend("llvm"))
    expected = log_attenuation(simulation.expose(pose_of(carm)), simulation.exposure.spectrum.open_beam_kev)
    assert pixels_of(xray) == pytest.approx(expected, abs=1e-5)
    assert pose_of(carm).isocenter_ras == pytest.approx(simulation.isocenter_ras)
    masks = pixels_of(carm.GetNodeReference("DRRSim.Outlines"))
    assert set(np.unique(masks)) - {0} <= {entry.id for entry in simulation.anatomy.classes}
    assert 0.005 < (masks > 0).mean() < 0.2  # lines, not areas
    provenance = json.loads(xray.GetAttribute("Sim2Real.Provenance"))
    assert provenance["carm"]["angles"] == "RAO 20.0° CRAN 30.0°"


def test_landmarks_that_the_image_does_not_show_are_grey_and_say_so(slicer_scene, logic):
    import slicer

    ct, middle = ball(slicer_scene, GRIDS["straight"])
    carm = logic.make_carm(ct)
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(*middle, "in")
    points.AddControlPoint(middle[0] + 300, middle[1], middle[2], "beside")
    points.AddControlPoint(middle[0], middle[1] - 2000, middle[2], "behind")
    logic.render(carm, ct, landmarks=points)
    overlay = carm.GetNodeReference("DRRSim.Landmarks")
    shown = {
        overlay.GetNthControlPointLabel(number): bool(overlay.GetNthControlPointSelected(number))
        for number in range(overlay.GetNumberOfControlPoints())
    }
    assert shown == {"in": True, "beside (outside)": False}


def test_what_was_deleted_is_made_again(slicer_scene, logic):
    from Sim2RealLib.mrml.owned_nodes import discard

    ct, _ = ball(slicer_scene, GRIDS["straight"])
    carm = logic.make_carm(ct)
    first = logic.render(carm, ct)
    discard(first)
    second = logic.render(carm, ct)
    assert second.GetScene() is slicer_scene and pixels_of(second).max() > 0.1


def test_a_pose_out_of_reach_is_refused_and_the_carm_stays(slicer_scene, logic):
    from DRRSimLib.mrml.carm_nodes import pose_of

    ct, _ = ball(slicer_scene, GRIDS["straight"])
    carm = logic.make_carm(ct, device="siemens_cios_spin")
    with pytest.raises(Sim2RealError, match=r"primary angle 90.00° is outside -110° to 40°"):
        logic.turn(carm, 90.0, 0.0)
    assert (pose_of(carm).primary_deg, pose_of(carm).secondary_deg) == pytest.approx((0.0, 0.0))


def test_changed_nodes_become_files_beside_the_dataset(logic, tmp_path):
    import slicer

    from Sim2RealLib.landmarks import read_landmarks

    ct, segmentation, landmarks = logic.make_sample_pelvis(2, SPACING_MM)
    landmarks.SetNthControlPointPosition(0, 1.0, 2.0, 3.0)
    carm = logic.make_carm(ct, landmarks)
    recipe = logic.recipe(tmp_path, carm, ct, segmentation, landmarks)
    assert recipe.input.anatomy is None
    for path in (recipe.input.volume, recipe.input.labels, recipe.input.landmarks):
        assert path.is_file() and path.parent == tmp_path / "inputs"
    read, _ = read_landmarks(recipe.input.landmarks)
    assert read[landmarks.GetNthControlPointLabel(0)] == pytest.approx([1, 2, 3])
    slicer.app.processEvents()


def test_a_segmentation_without_a_segment_is_no_longer_what_was_generated(logic, tmp_path):
    ct, segmentation, landmarks = logic.make_sample_pelvis(2, SPACING_MM)
    carm = logic.make_carm(ct, landmarks)
    assert logic.recipe(tmp_path, carm, ct, segmentation, landmarks).input.anatomy.seed == 2
    segmentation.GetSegmentation().RemoveSegment(segmentation.GetSegmentation().GetNthSegmentID(0))
    recipe = logic.recipe(tmp_path, carm, ct, segmentation, landmarks)
    assert recipe.input.anatomy is None and recipe.input.labels.is_file()
