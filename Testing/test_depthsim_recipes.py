"""DepthSim's panel as a recipe and back, its exports beside the command line's, scenes, and nodes that are deleted."""

import time

import numpy as np
import pytest

from depthsim_scenes import SMALL_SCOPE, bent_lumen, bent_tube_ct, pose_at
from DepthSimLib.recipe import EndoscopyRecipe
from Sim2RealLib.dataset.checks import check_dataset
from Sim2RealLib.recipe import read_recipe, validate
from Sim2RealLib.volume_io import LOWEST_HU, write_volume
from test_depthsim_panel import ct_node, finished, node_of, panel, pixels, pose, tube, until

__all__ = ["panel", "tube"]  # fixtures


def folders_differ(first, second) -> list[str]:
    names = sorted(path.name for path in (first / "frames" / "000").iterdir())
    assert names
    return [
        name
        for name in names
        if (first / "frames" / "000" / name).read_bytes() != (second / "frames" / "000" / name).read_bytes()
    ]


def test_an_export_is_that_of_the_command_line_and_opens(tube, tmp_path):
    from Sim2RealApp.export import export_dataset
    from Sim2RealApp.simulators import load_recipe

    tube.parameters.mode = "synthetic"
    tube.parameters.count = 3
    tube.parameters.datasetFolder = tmp_path / "panel"
    tube.ui.exportButton.click()
    assert "3 frames are in" in finished(tube)
    assert list(check_dataset(tmp_path / "panel")) == []
    recipe = load_recipe(tmp_path / "panel" / "recipe.yaml")
    list(export_dataset(recipe, tmp_path / "cli"))
    assert folders_differ(tmp_path / "panel", tmp_path / "cli") == []
    assert recipe.input.volume.parent == tmp_path / "panel" / "inputs"
    assert recipe.views.min_wall_mm == tube.parameters.marginMm

    import slicer

    from Sim2RealLib.dataset.reader import Dataset
    from Sim2RealLib.mrml.transforms import matrix_of

    before, dataset = pose(tube), Dataset.open(tmp_path / "panel")
    tube.ui.openDatasetButton.click()
    assert "3 frames" in finished(tube)
    tube.ui.frameSlider.setValue(2)
    camera = matrix_of(slicer.util.getNode(f"{dataset.folder.name} camera"))
    assert np.allclose(camera, np.linalg.inv(dataset.record(2)["camera"]["camera_from_world"]))
    assert np.allclose(pose(tube), before)  # what was set up stays
    assert float(bent_lumen().clearance.at(camera[:3, 3])) >= 3.0 - 1e-6


def test_an_export_is_cancelled_and_goes_on(tube, tmp_path):
    tube.parameters.count = 4000
    tube.parameters.mode = "synthetic"
    tube.parameters.datasetFolder = tmp_path / "out"
    tube.ui.exportButton.click()
    until(lambda: len(list(tmp_path.glob("out/frames/000/*.json"))) >= 2)
    tube.worker.cancel()
    assert finished(tube) == "Exporting: stopped."
    made = len(list(tmp_path.glob("out/frames/000/*.json")))
    tube.ui.exportButton.click()
    until(lambda: len(list(tmp_path.glob("out/frames/000/*.json"))) >= made + 2)
    tube.worker.cancel()
    finished(tube)
    assert all("are missing" in problem.what for problem in check_dataset(tmp_path / "out"))


def test_a_recipe_goes_out_and_comes_back(tube, tmp_path):
    from DepthSimLib.panels.settings import chosen_content, chosen_search

    parameters = tube.parameters
    parameters.device, parameters.scalePercent = "simcol3d", 20.0
    parameters.look, parameters.samples, parameters.seed = "wet", 7, 11
    parameters.plan, parameters.count, parameters.marginMm = "fly-through", 12, 2.5
    parameters.patientPosition, parameters.bridgeUpToMm = "prone", 15.0
    recipe, search = validate(EndoscopyRecipe, chosen_content(parameters), "test"), chosen_search(parameters)
    path = tmp_path / "recipe.yaml"
    tube.dataset.save(path)
    finished(tube)
    written = read_recipe(path)
    assert written["views"]["mode"] == "fly_through"
    assert written["input"]["patient_position"] == "prone"
    parameters.device, parameters.look, parameters.plan, parameters.seed = "industrial", "pale", "anywhere", 0
    parameters.patientPosition, parameters.bridgeUpToMm, parameters.ct, parameters.marginMm = "supine", 0.0, None, 4.0
    tube.dataset.load(path)
    assert finished(tube) == "Loaded recipe.yaml."
    assert validate(EndoscopyRecipe, chosen_content(parameters), "test") == recipe
    assert chosen_search(parameters) == search
    from Sim2RealLib.mrml.volumes import volume_of

    raised = np.maximum(bent_tube_ct().array, LOWEST_HU)  # as every CT that is read
    np.testing.assert_array_equal(volume_of(parameters.ct).array, raised)
    assert parameters.path is None  # it is found anew


def test_what_the_panel_does_not_show_stays_as_in_the_recipe(panel, tmp_path):
    from DepthSimLib.panels.settings import chosen_content

    write_volume(tmp_path / "tube.nrrd", bent_tube_ct())
    (tmp_path / "recipe.yaml").write_text(
        "simulator: endoscopy\nseed: 4\n"
        "input: {volume: tube.nrrd, license: CC0-1.0}\n"
        "endoscope: {device: simcol3d, lights: coaxial, scale: 0.2}\n"
        "rendering: {looks: [normal, pale], samples: 3, max_order: 5, randomize: true}\n"
        "sensor: {vignetting: 2.0}\nviews: {mode: fly_through, count: 9, speed_mm_s: 20}\n"
        "output: {channels: [display, depth], coverage: true}\n"
    )
    panel.dataset.load(tmp_path / "recipe.yaml")
    assert finished(panel) == "Loaded recipe.yaml."
    assert panel.parameters.device == panel.parameters.look == "as in the recipe"
    (tmp_path / "out").mkdir()
    panel.dataset.save(tmp_path / "out" / "recipe.yaml")
    finished(panel)
    written = read_recipe(tmp_path / "out" / "recipe.yaml")
    assert written["input"]["volume"] == "../tube.nrrd"  # the file itself, no copy
    assert written["input"]["license"] == "CC0-1.0"
    content = chosen_content(panel.parameters)
    assert content["endoscope"]["device"] == "simcol3d"
    assert content["endoscope"]["lights"] == "coaxial"
    assert content["rendering"]["looks"] == ["normal", "pale"]
    assert (content["rendering"]["max_order"], content["rendering"]["randomize"]) == (5, True)
    assert content["sensor"]["vignetting"] == 2.0
    assert (content["views"]["speed_mm_s"], content["views"]["count"]) == (20, 9)
    assert content["output"]["coverage"] is True
    panel.parameters.mode = "synthetic"
    assert "max_order" not in chosen_content(panel.parameters)["rendering"]


def test_a_scene_is_saved_closed_and_opened_with_all_that_is_set(tube, tmp_path):
    import slicer

    tube.parameters.pathPositionMm = 55.0
    tube.parameters.look = "wet"
    tube.ui.truthButton.click()
    finished(tube)
    stood, depth = pose(tube), pixels(node_of(tube, "depth")).copy()
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert tube.parameters.endoscope is None
    assert tube.colon.endoscopy is None
    assert not tube.ui.renderButton.enabled
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    finished(tube)
    assert tube.parameters.look == "wet"
    assert tube.parameters.pathPositionMm == pytest.approx(55.0, abs=1.0)
    np.testing.assert_allclose(pose(tube), stood, atol=1e-5)
    np.testing.assert_allclose(pixels(node_of(tube, "depth")), depth, atol=1e-3)
    tube.ui.renderButton.click()  # finds the colon again, for it was not saved
    assert finished(tube) == ""
    assert pixels(node_of(tube, "picture")).shape == (86, 108, 3)
    tube.parameters.pathPositionMm = 60.0
    finished(tube)
    assert pixels(node_of(tube, "view")).shape == (86, 108, 3)


@pytest.mark.parametrize("gone", ["ct", "path", "lumen", "endoscope"])
def test_nodes_are_deleted_and_the_panel_goes_on(tube, gone):
    from Sim2RealLib.mrml.owned_nodes import discard

    finished(tube)
    discard(getattr(tube.parameters, gone))
    assert finished(tube) == ""
    if gone == "ct":
        assert not tube.ui.renderButton.enabled
        assert tube.ui.colonLabel.text.startswith("Choose a CT")
        tube.parameters.ct = ct_node(bent_tube_ct())
    tube.ui.findCenterlineButton.click()
    assert finished(tube) == ""
    for name in ("ct", "path", "lumen", "endoscope"):
        assert (getattr(tube.parameters, name) is not None) or (name, gone) == ("lumen", "lumen")
    tube.ui.renderButton.click()
    assert finished(tube) == ""


def test_an_endoscope_that_is_deleted_while_it_renders_is_missed_by_nobody(tube):
    from Sim2RealLib.mrml.owned_nodes import discard

    tube.parameters.samples = 64
    tube.ui.renderButton.click()
    until(lambda: node_of(tube, "picture") is not None)
    discard(tube.parameters.endoscope)
    tube.worker.cancel()
    finished(tube)
    assert tube.parameters.endoscope is not None  # a new one on the same path


def test_a_script_without_a_window_uses_the_same_logic(slicer_scene):
    import slicer

    from DepthSimLib.logic import EndoscopyLogic

    slicer.app.setMainWindow(False)
    logic = EndoscopyLogic(backend="llvm")
    scope = logic.make_endoscope(SMALL_SCOPE["device"], SMALL_SCOPE["scale"])
    ct = ct_node(bent_tube_ct())
    logic.move_along(scope, logic.find_centerline(ct), 50.0)
    assert pixels(logic.render(scope, ct, rendering={"mode": "synthetic"})).max() > 100


def test_the_self_test_passes(load_module):
    import DepthSim

    load_module("Sim2Real")
    load_module("DepthSim")
    begun = time.monotonic()
    DepthSim.DepthSimTest().runTest()
    assert time.monotonic() - begun < 60.0


def test_opening_the_module_imports_nothing_heavy():
    """What Slicer does at its start: it imports DepthSim.py, which must not bring numpy, Dr.Jit or Mitsuba along."""
    import ast

    from slicer_fixtures import ROOT

    tree = ast.parse((ROOT / "DepthSim" / "DepthSim.py").read_text("utf-8"))
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported == {"slicer.i18n", "slicer.ScriptedLoadableModule", "Sim2RealLib.panels.module_widget"}
    for name in ("DepthSim.svg", "DepthSim.png"):
        assert (ROOT / "DepthSim" / "Resources" / "Icons" / name).exists()


def test_a_pose_that_was_typed_is_taken_as_it_is(tube):
    """Free places far along the colon need no way to them."""
    from DepthSimLib.mrml.endoscope_nodes import place

    place(tube.parameters.endoscope, pose_at(0.8))
    np.testing.assert_allclose(pose(tube), pose_at(0.8), atol=1e-9)


def test_an_opened_frame_takes_the_place_of_a_rendered_picture_and_back(tube, tmp_path):
    """By pixels: view F shows the stored frame's columns, then those of the picture rendered anew."""
    import slicer

    from Sim2RealLib.dataset.reader import Dataset

    tube.parameters.samples, tube.parameters.count = 2, 2
    tube.parameters.datasetFolder = tmp_path / "out"
    tube.ui.renderButton.click()
    finished(tube)
    tube.ui.exportButton.click()
    finished(tube)
    tube.ui.openDatasetButton.click()
    assert "Showing 2 frames" in finished(tube)
    view = slicer.app.layoutManager().sliceWidget("Frame").sliceView()
    dataset = Dataset.open(tmp_path / "out")
    for number in (0, 1, 0):
        tube.ui.frameSlider.setValue(number)
        tube.parameters.marginMm += 0.5  # what else changes in the panel leaves the view alone
        for _ in range(3):
            slicer.app.processEvents()  # the view gets its size
        assert likeness(view.pixels(), np.moveaxis(dataset.channel(number, "display"), 0, -1)) > 0.98
    tube.ui.renderButton.click()
    finished(tube)
    assert likeness(view.pixels(), pixels(node_of(tube, "picture"))) > 0.98
    tube.ui.frameSlider.setValue(1)
    tube.ui.shownCombo.setCurrentText("labels")
    tube.ui.shownCombo.setCurrentText("rendered picture")
    assert likeness(view.pixels(), pixels(node_of(tube, "picture"))) > 0.98


def likeness(drawn: np.ndarray, picture: np.ndarray) -> float:
    """Correlation of a picture with what a view shows of it, shown whole and centred."""
    (rows, columns), (height, width) = drawn.shape[:2], picture.shape[:2]
    scale = min(rows / height, columns / width)
    at_row = ((np.arange(height) + 0.5 - height / 2.0) * scale + rows / 2.0).astype(int)
    at_column = ((np.arange(width) + 0.5 - width / 2.0) * scale + columns / 2.0).astype(int)
    shown = drawn[at_row][:, at_column].astype(float)
    return 0.0 if np.ptp(shown) == 0.0 else float(np.corrcoef(shown.ravel(), picture.astype(float).ravel())[0, 1])


def test_an_opened_frame_is_seen_in_the_3d_view_within_the_colon(tube, tmp_path):
    """Where the panel turns the view to; what lies before the picture is hidden, and the pixels are those of it."""
    import slicer

    from Sim2RealLib.dataset.reader import Dataset
    from Sim2RealLib.panels.views import hide, points_of
    from slicer_stand_in.gestures import pixel_of

    parameters = tube.parameters
    parameters.showModel = parameters.showField = False
    parameters.mode, parameters.count, parameters.datasetFolder = "synthetic", 3, tmp_path / "out"
    tube.ui.exportButton.click()
    finished(tube)
    tube.ui.openDatasetButton.click()
    finished(tube)
    field = slicer.util.getNode("out field of view")
    hide(parameters.lumen, parameters.path, field)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    dataset = Dataset.open(tmp_path / "out")
    for number in (0, 2):
        tube.ui.frameSlider.setValue(number)
        slicer.app.processEvents()
        drawn, picture = view.pixels(), np.moveaxis(dataset.channel(number, "display"), 0, -1)
        tip, top_left, top_right, _bottom_right, bottom_left = points_of(field)
        assert 10.0 < np.linalg.norm(top_left - tip) < 30.0
        seen, stored = [], []
        for row in range(5, picture.shape[0], 9):
            for column in range(5, picture.shape[1], 9):
                right, down = (column + 0.5) / picture.shape[1], (row + 0.5) / picture.shape[0]
                x, y = pixel_of(view, top_left + right * (top_right - top_left) + down * (bottom_left - top_left))
                seen.append(drawn[y, x])
                stored.append(picture[row, column])
        assert np.corrcoef(np.ravel(seen), np.ravel(stored))[0, 1] > 0.98
    tube.ui.renderButton.click()
    finished(tube)
    assert not slicer.util.getNode("out picture in 3D").GetDisplayNode().GetVisibility()


def test_a_recipe_with_a_generated_colon_is_said_to_be_loaded_when_it_is_there(panel, tmp_path):
    (tmp_path / "g.yaml").write_text(
        "simulator: endoscopy\ninput: {anatomy: {kind: colon, seed: 1, scan: {spacing_mm: 3.0}}}\n"
        "endoscope: {device: olympus_cf_hq190l, scale: 0.08}\nviews: {count: 3}\n"
    )
    panel.dataset.load(tmp_path / "g.yaml")
    assert finished(panel) == "Loaded g.yaml."
    assert panel.parameters.path is not None


def test_recipes_and_datasets_of_xrays_are_sent_to_their_module(panel, tmp_path):
    from drrsim_steps import ball_dataset

    panel.parameters.datasetFolder = ball_dataset(tmp_path / "knees")
    panel.ui.openDatasetButton.click()
    assert finished(panel) == "knees: this is a dataset of X-rays: open it in DRRSim."
    with panel.attempt():
        panel.dataset.load(tmp_path / "knees.yaml")
    assert panel.job_row.text == "knees.yaml: this is an X-ray recipe: load it in DRRSim."
