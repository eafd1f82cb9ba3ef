"""DepthSim in the console and headless: from nodes to pictures, surfaces, figures and datasets, without a window."""

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree
from vtk.util.numpy_support import vtk_to_numpy

from depthsim_scenes import SMALL_SCOPE, bent_lumen, bent_tube, bent_tube_ct
from DepthSimLib.depth.predictor import DepthScale
from DepthSimLib.recipe import EndoscopyRecipe
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation


@pytest.fixture
def logic(slicer_scene):
    from DepthSimLib.logic import EndoscopyLogic

    return EndoscopyLogic(slicer_scene, backend="llvm")


@pytest.fixture
def ct(slicer_scene):
    from Sim2RealLib.mrml.volumes import make_volume

    return make_volume(slicer_scene, bent_tube_ct(), "tube")


@pytest.fixture
def scope(logic):
    return logic.make_endoscope(SMALL_SCOPE["device"], SMALL_SCOPE["scale"])


def pixels(node) -> np.ndarray:
    """The voxels of a picture's node, (H, W) or (H, W, components)."""
    image = node.GetImageData()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1).squeeze()


def vertices(model) -> np.ndarray:
    return vtk_to_numpy(model.GetPolyData().GetPoints().GetData())


def test_ten_lines_from_nothing_to_a_dataset(slicer_scene, tmp_path):
    """What the tutorial says, on a coarse colon and small pictures."""
    from DepthSimLib.logic import EndoscopyLogic
    from Sim2RealApp.export import export_dataset

    logic = EndoscopyLogic()
    ct, segmentation, path = logic.make_sample_colon(seed=1, spacing_mm=3.0)
    scope = logic.make_endoscope("olympus_cf_hq190l", scale=0.08)
    logic.move_along(scope, path, distance_mm=300.0)
    picture = logic.render(scope, ct, segmentation, rendering={"samples": 2})
    folder = tmp_path / "frames"
    recipe = logic.recipe(folder, scope, ct, segmentation, views={"count": 2}, rendering={"samples": 1})
    frames = list(export_dataset(recipe, folder))

    assert pixels(picture).shape == (86, 108, 3)
    assert pixels(picture).max() > 100
    assert len(frames) == 2
    assert recipe.input.anatomy.seed == 1  # the sample is named by what generates it
    assert (folder / "frames" / "000" / "000001.json").exists()


def test_the_lumen_and_the_centreline_are_those_of_the_tube(logic, ct):
    """Wall and midline are known by formula; voxels are 2.2 mm."""
    lumen, path = logic.find_lumen(ct), logic.find_centerline(ct)
    points = vertices(lumen).astype(float)
    on_wall = np.abs(bent_tube().depth(points))
    assert np.percentile(on_wall, 90) < 2.2
    control = np.array([path.GetNthControlPointPositionWorld(n) for n in range(path.GetNumberOfControlPoints())])
    off_middle, _ = cKDTree(bent_tube().points).query(control[1:-1])
    assert off_middle.max() < 3.0
    steps = np.linalg.norm(np.diff(control, axis=0), axis=1)
    assert (np.abs(steps - 10.0) < 2.0).all()
    assert logic.doubts(ct) == [
        "Only 12 cm of colon were found; a whole one has 120 cm and more. Does the image show all of it, open and "
        "filled with gas?"
    ]


def test_a_lumen_that_is_drawn_in_fewer_triangles_is_the_same(monkeypatch):
    """Within half the spacing of the distances, 1.5 mm; watertight, and normals lead inwards."""
    from DepthSimLib import found_colon

    found = found_colon.FoundLumen(bent_lumen(), None)
    assert found.drawn_wall is found.wall
    monkeypatch.setattr(found_colon, "MOST_TRIANGLES", 100)
    drawn = found_colon.FoundLumen(bent_lumen(), None).drawn_wall
    assert drawn.is_watertight()
    distance, _ = cKDTree(found.wall.vertices_ras).query(drawn.vertices_ras)
    assert np.percentile(distance, 95) < 1.5
    corners = drawn.vertices_ras.astype(float)[drawn.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    middle = corners.mean(axis=1)
    assert (bent_lumen().clearance.at(middle + normals) > bent_lumen().clearance.at(middle)).mean() > 0.99


def test_a_turned_ct_gives_the_same_colon_turned(logic, ct, slicer_scene):
    """By its directions and by a transform above it."""
    from Sim2RealLib.mrml.transforms import set_matrix, to_vtk

    straight = vertices(logic.find_lumen(ct)).astype(float)
    turn = translation([30.0, -10.0, 5.0]) @ rotation([0.6, 0.0, 0.8], 25.0)
    ct.SetIJKToRASMatrix(to_vtk(turn @ bent_tube_ct().ras_from_ijk))
    above = slicer_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    lift = rotation([0.0, 1.0, 0.0], -40.0)
    set_matrix(above, lift)
    ct.SetAndObserveTransformNodeID(above.GetID())
    turned = vertices(logic.find_lumen(ct)).astype(float)
    distance, _ = cKDTree(turned).query(transform_points(lift @ turn, straight))
    assert np.percentile(distance, 99) < 1.0


def test_a_centreline_survives_its_curve(logic, ct):
    from DepthSimLib.mrml.colon_nodes import centerline_of

    path = logic.find_centerline(ct)
    line = centerline_of(path, bent_lumen().clearance.at)
    np.testing.assert_allclose(np.diff(line.arc_length_mm), 1.0, rtol=0.02)
    radius = vtk_to_numpy(path.GetMeasurement("Radius").GetControlPointValues())
    at_control = np.interp(np.linspace(0, line.arc_length_mm[-1], len(radius)), line.arc_length_mm, line.radius_mm)
    assert np.abs(radius - at_control)[1:-1].max() < 2.0


def test_pictures_of_one_pose_have_the_same_pixels_and_stand_before_the_camera(logic, ct, scope):
    from DepthSimLib.mrml.endoscope_nodes import pose_of
    from Sim2RealLib.mrml.owned_nodes import owned

    pose = logic.move_along(scope, logic.find_centerline(ct), 40.0)
    np.testing.assert_allclose(pose_of(scope), pose, atol=1e-9)
    picture = logic.render(scope, ct, rendering={"mode": "synthetic"})
    depth, normals, labels = (owned(scope, f"DepthSim.{role}") for role in ("depth", "normals", "labels"))
    for node in (picture, depth, normals, labels):
        assert node.GetImageData().GetDimensions() == (108, 86, 1)
        np.testing.assert_allclose(json.loads(node.GetAttribute("DepthSim.RasFromCamera")), pose, atol=1e-9)
        bounds = np.zeros(6)
        node.GetRASBounds(bounds)
        middle = transform_points(np.linalg.inv(pose), bounds.reshape(3, 2).mean(axis=1))
        np.testing.assert_allclose(middle, [0.0, 0.0, 1500.0], atol=15.0)  # half a pixel
    shown = pixels(depth) > 0.0
    assert 0.75 < shown.mean() < 0.95  # the octagon
    assert np.linalg.norm(pixels(normals)[shown], axis=-1) == pytest.approx(1.0, abs=1e-3)
    told = json.loads(picture.GetAttribute("Sim2Real.Provenance"))
    assert told["rendering"]["mode"] == "synthetic"
    assert told["inputs"][0]["name"] == "tube"
    np.testing.assert_allclose(told["ras_from_camera"], pose)


def test_the_surface_lies_on_the_wall(logic, ct, scope):
    logic.move_along(scope, logic.find_centerline(ct), 40.0)
    surface = logic.show_surface(scope, ct)
    assert np.percentile(np.abs(bent_tube().depth(vertices(surface).astype(float))), 90) < 2.2
    again = logic.show_surface(scope, ct)
    assert again is surface


def test_an_endoscope_in_tissue_is_pushed_back(logic, ct, scope):
    from DepthSimLib.mrml.endoscope_nodes import place, pose_of

    pose = logic.move_along(scope, logic.find_centerline(ct), 60.0)
    assert not logic.keep_clear(scope, ct)
    wanted = pose.copy()
    wanted[:3, 3] += 40.0 * pose[:3, 0]
    place(scope, wanted)
    assert logic.keep_clear(scope, ct, margin_mm=4.0)
    found = pose_of(scope)
    assert bent_lumen().clearance.at(found[:3, 3]) >= 4.0
    assert 6.0 < (found[:3, 3] - pose[:3, 3]) @ pose[:3, 0] < 14.0  # to the right, up to the wall
    np.testing.assert_allclose(found[:3, :3], wanted[:3, :3], atol=1e-9)


class Perturbed:
    """A model that knows the depth of one picture, up to a scale, and errs by a slope of 20 % from left to right."""

    name, scale = "perturbed truth", DepthScale.UP_TO_SCALE

    def __init__(self, truth_mm: np.ndarray) -> None:
        self.error = np.linspace(0.9, 1.1, truth_mm.shape[1])[None, :]
        self.prediction = np.where(truth_mm > 0, truth_mm * self.error / 40.0, np.nan)

    def predict(self, picture, camera):
        assert picture.shape == (camera.height_px, camera.width_px, 3)
        assert picture.dtype == np.uint8
        return self.prediction


def test_a_prediction_is_shown_with_its_figures(logic, ct, scope):
    from Sim2RealLib.mrml.owned_nodes import owned

    logic.move_along(scope, logic.find_centerline(ct), 40.0)
    logic.render(scope, ct, rendering={"mode": "synthetic"})
    truth = pixels(owned(scope, "DepthSim.depth"))
    model = Perturbed(truth)
    found = logic.predict(model, scope, ct, rendering={"mode": "synthetic"})
    seen = truth > 0
    scaled = model.prediction[seen] * np.median(truth[seen]) / np.median(model.prediction[seen])
    assert found.figures.abs_rel == pytest.approx(np.mean(np.abs(scaled - truth[seen]) / truth[seen]), rel=1e-4)
    assert found.figures.rmse_mm == pytest.approx(np.sqrt(np.mean((scaled - truth[seen]) ** 2)), rel=1e-4)
    np.testing.assert_allclose(pixels(owned(scope, "DepthSim.depth error"))[seen], scaled - truth[seen], atol=1e-3)
    surface = owned(scope, "DepthSim.predicted surface")
    told = json.loads(surface.GetAttribute("Sim2Real.Provenance"))["prediction"]
    assert told["by"] == "perturbed truth"
    assert told["abs_rel"] == found.figures.abs_rel
    eye = np.array(json.loads(surface.GetAttribute("Sim2Real.Provenance"))["ras_from_camera"])[:3, 3]
    lengths = np.linalg.norm(vertices(surface) - eye, axis=1)
    assert lengths.max() == pytest.approx(scaled.max(), rel=1e-4)


def test_changes_of_the_search_and_of_voxels_find_the_colon_anew(logic, ct):
    first = logic._keeper
    logic.find_lumen(ct)
    from DepthSimLib.mrml.colon_inputs import keys_of

    assert first.lumen(keys_of(ct, None, logic.search)) is not None
    logic.search = {"bridge_up_to_mm": 20.0}
    assert first.lumen(keys_of(ct, None, logic.search)) is None
    logic.search = {}
    ct.GetImageData().GetPointData().GetScalars().Modified()
    ct.GetImageData().Modified()
    assert first.lumen(keys_of(ct, None, logic.search)) is None


def test_a_transform_that_scales_is_refused(logic, ct, scope):
    from Sim2RealLib.mrml.transforms import set_matrix

    set_matrix(scope, np.diag([1.0, 1.1, 1.0, 1.0]))
    with pytest.raises(Sim2RealError, match="scales, shears or mirrors"):
        logic.render(scope, ct)


def test_a_recipe_of_nodes_without_files_writes_them_once(logic, ct, scope, tmp_path):
    recipe = logic.recipe(tmp_path, scope, ct, views={"count": 3})
    assert isinstance(recipe, EndoscopyRecipe)
    assert recipe.endoscope.scale == SMALL_SCOPE["scale"]
    written = list((tmp_path / "inputs").iterdir())
    assert [path.resolve() for path in written] == [recipe.input.volume.resolve()]
    assert logic.recipe(tmp_path, scope, ct, views={"count": 3}) == recipe


def test_an_endoscope_survives_saving_and_loses_nothing_by_deletion(logic, ct, scope, slicer_scene, tmp_path):
    import slicer

    from DepthSimLib.mrml.endoscope_nodes import parts_of, pose_of, set_tip, tip_of
    from Sim2RealLib.mrml.owned_nodes import discard

    pose = logic.move_along(scope, logic.find_centerline(ct), 50.0)
    logic.render(scope, ct, rendering={"mode": "synthetic"})
    tip = tip_of(scope)
    assert len(parts_of(scope)) == 6
    discard(parts_of(scope)["lens"])
    assert len(parts_of(scope)) == 5
    set_tip(scope, tip)
    assert len(parts_of(scope)) == 6
    bundle = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(bundle))
    slicer_scene.Clear(0)
    slicer.util.loadScene(str(bundle))
    again = slicer.util.getNode("Endoscope")
    np.testing.assert_allclose(pose_of(again), pose, atol=1e-6)
    assert tip_of(again) == tip
    assert len(parts_of(again)) == 6
    assert all(part.GetPolyData().GetNumberOfPoints() for part in parts_of(again).values())
    picture = logic.render(again, slicer.util.getNode("tube"), rendering={"mode": "synthetic"})
    assert picture.GetID() == slicer.util.getNode("Endoscope picture").GetID()
    discard(again)
    logic.make_endoscope()
    left = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if "Endoscope" in node.GetName()]
    assert len([name for name in left if "view" in name or "tip" in name]) == 2  # of the new one alone
