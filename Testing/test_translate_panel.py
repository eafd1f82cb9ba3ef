"""Translate's panel as a user has it: what it offers, a scene set up, saved, loaded and closed."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from laparoscopy_scenes import GALLBLADDER, LIVER, add_abdomen
from translate_steps import (
    SHOWN,
    add_trocar_at,
    drawn,
    entry,
    labels,
    open_translate,
    pose,
    press,
    rows,
    scope,
    set_up,
    tip,
    view_3d,
)


@pytest.fixture
def panel(load_module):
    return open_translate(load_module)


@pytest.fixture
def ready(panel):
    """The panel with a scene that is set up and drawn."""
    return set_up(panel)


def test_every_parameter_of_the_form_is_one_of_the_parameter_node(panel):
    from TranslateLib.parameters import TranslateParameters

    tree = ElementTree.parse(ui_path())
    named = [entry.findtext("string") for entry in tree.iter("property") if entry.get("name") == "SlicerParameterName"]
    assert len(named) == len(set(named)) > 10
    assert set(named) <= set(TranslateParameters.__annotations__)


def ui_path():
    import slicer

    return slicer.util.modulePath("Translate").replace("Translate.py", "Resources/UI/Translate.ui")


def test_what_is_not_there_yet_is_off_with_its_reason(panel):
    assert not panel.ui.simulateButton.enabled
    assert "yet" in panel.ui.simulateReason.text
    assert not panel.ui.pressureSlider.enabled
    assert "cannot lift the abdominal wall yet" in panel.ui.pressureReason.text
    for name in ("translatorBox", "styleBox", "seedBox", "styleImageEdit", "translateButton"):
        assert not getattr(panel.ui, name).enabled
    assert "No translator is installed" in panel.ui.translateReason.text
    assert not panel.ui.translateReason.isHidden()


@pytest.mark.parametrize("state", ["panel", "ready"])
def test_recipes_and_datasets_are_off_with_their_reason(request, state, tmp_path):
    panel = request.getfixturevalue(state)
    (tmp_path / "dataset.json").write_text("{}")
    panel.parameters.datasetFolder = tmp_path
    names = ("saveRecipe", "loadRecipe", "export", "openDataset", "openReport")
    texts = [getattr(panel.ui, f"{name}Button").text for name in names]
    assert texts == ["Save recipe…", "Load recipe…", "Export dataset", "Open dataset", "Report"]
    assert not any(getattr(panel.ui, f"{name}Button").enabled for name in names)
    assert not panel.ui.datasetFolderEdit.enabled
    panel.ui.datasetCollapsibleButton.setCollapsed(False)
    assert panel.dataset.reason.isVisibleTo(panel.ui.datasetCollapsibleButton)
    assert "which the library does not have yet" in panel.dataset.reason.text


def test_the_panel_says_what_works_on_this_machine(panel):
    from Sim2RealLib.doctor import examine

    panel.ui.machineCollapsibleButton.setCollapsed(False)
    panel.ui.examineButton.click()
    assert not panel.ui.examineButton.enabled
    drawn(panel, 60.0)
    assert panel.ui.examineButton.enabled
    import slicer

    for finding in examine(Path(slicer.app.temporaryPath)):
        assert f"<b>{finding.name}</b>" in panel.ui.machineText.text


def test_without_a_scene_nothing_can_be_pressed_that_needs_one(panel):
    ui = panel.ui
    off = (ui.setUpButton, ui.drawButton, ui.addToolButton, ui.removeToolButton, ui.placeTrocarButton, ui.aimButton)
    assert not any(widget.enabled for widget in (*off, ui.panSlider, ui.rightBox, ui.openingSlider, ui.saveSceneButton))
    assert ui.loadSceneButton.enabled
    assert rows(ui.instrumentTable) == []
    press("Alt+Left")
    assert panel.job_row.text == ""


def test_a_scene_is_set_up_and_seen(ready):
    import slicer

    assert "✓ liver, gallbladder" in ready.ui.findingsText.text.replace("<br>", "\n")
    assert "falciform" in ready.ui.findingsText.text
    assert rows(ready.ui.instrumentTable) == [["Laparoscope", "camera", "70 mm"]]
    assert "Drag it" in ready.job_row.text
    shown = labels(ready)
    assert {LIVER.id, GALLBLADDER.id} <= set(np.unique(shown))
    view = slicer.app.layoutManager().sliceWidget("Laparoscope").sliceView()
    ready.ui.labelOpacitySlider.setValue(1.0)
    drawn(ready)
    picture = view.pixels()
    flat = (picture == LIVER.color).all(axis=-1)  # the labels' own colour, without light
    share = (shown == LIVER.id).mean() * min(1.0, (picture.shape[1] * 256 / 452) / picture.shape[0])
    assert flat.mean() == pytest.approx(share, abs=0.02)


def test_a_segmentation_without_organs_says_so(panel):
    import slicer

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    panel.ui.segmentationSelector.setCurrentNode(empty)
    assert "✗ liver" in panel.ui.findingsText.text
    panel.ui.setUpButton.click()
    assert "nothing has no segments" in panel.job_row.text
    assert panel.parameters.laparoscope is None


def test_a_scene_is_saved_and_loaded_by_its_file(ready, tmp_path):
    from slicer_stand_in import dialogs

    add_trocar_at(ready, [90.0, 120.0, 10.0])
    ready.ui.addToolButton.click()
    ready.ui.tipAngleBox.setCurrentIndex(1)
    dialogs.choose_next(str(tmp_path / "scene.yaml"))
    ready.ui.saveSceneButton.click()
    assert "Saved" in ready.job_row.text
    before, position = rows(ready.ui.instrumentTable), tip(scope(ready))
    ready.ui.removeToolButton.click()
    ready.ui.panSlider.setValue(50.0)
    ready.ui.tipAngleBox.setCurrentIndex(0)
    dialogs.choose_next(str(tmp_path / "scene.yaml"))
    ready.ui.loadSceneButton.click()
    drawn(ready)
    assert rows(ready.ui.instrumentTable) == before
    assert tip(scope(ready)) == pytest.approx(position, abs=1e-6)
    assert ready.ui.tipAngleBox.currentText == "30°"
    dialogs.choose_next("")
    ready.ui.loadSceneButton.click()
    (tmp_path / "odd.yaml").write_text("simulator: drr\n")
    dialogs.choose_next(str(tmp_path / "odd.yaml"), str(tmp_path / "missing" / "scene.yaml"))
    ready.ui.loadSceneButton.click()
    assert "odd.yaml" in ready.job_row.text
    ready.ui.saveSceneButton.click()
    assert "cannot be written" in ready.job_row.text
    assert rows(ready.ui.instrumentTable) == before


def test_a_file_is_loaded_into_an_empty_scene(panel, tmp_path):
    (tmp_path / "scene.yaml").write_text(
        "trocars: {navel: [0, 150, -40]}\ncamera: {trocar: navel, pose: {tilt_deg: 30}}\n"
    )
    panel.load(tmp_path / "scene.yaml")
    assert rows(panel.ui.instrumentTable) == [["Laparoscope", "navel", "0 mm"]]
    assert panel.ui.tiltSlider.value == pytest.approx(30.0)


def test_the_panel_comes_back_with_its_scene(ready, tmp_path):
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel

    ready.ui.panSlider.setValue(12.0)
    ready.ui.fieldOfViewSlider.setValue(80.0)
    drawn(ready)
    seen, at = labels(ready), entry(scope(ready))
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    assert rows(ready.ui.instrumentTable) == []
    assert not ready.ui.setUpButton.enabled
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    drawn(ready)
    assert ready.ui.panSlider.value == pytest.approx(12.0, abs=SHOWN)
    assert ready.ui.fieldOfViewSlider.value == 80.0
    ready.ui.drawButton.click()
    assert (labels(ready) != seen).mean() < 0.01  # surfaces are made again
    view = view_3d(front=False)
    start = handle_pixel(view, scope(ready), "rotation", 0)
    drag(view, start, (start[0] + 15, start[1] + 15))
    assert entry(scope(ready)) == pytest.approx(at, abs=1e-3)
    assert pose(scope(ready)).insertion_mm == pytest.approx(70.0, abs=0.01)


def test_a_scene_made_in_the_console_is_taken_over(panel):
    import slicer

    from TranslateLib.logic import set_up
    from TranslateLib.scene import Laparoscope

    segmentation = add_abdomen(slicer.mrmlScene)
    _trocars, laparoscope = set_up(segmentation, optics=Laparoscope(90.0, 30, 100, 80))
    panel.ui.segmentationSelector.setCurrentNode(segmentation)
    assert scope(panel) is laparoscope
    assert (panel.ui.fieldOfViewSlider.value, panel.ui.widthBox.value) == (90.0, 100)
    drawn(panel)
    assert labels(panel).shape == (80, 100)


def test_it_works_without_a_main_window(panel):
    import slicer

    slicer.app.setMainWindow(False)
    try:
        panel.exit()
        panel.enter()
        panel.ui.segmentationSelector.setCurrentNode(add_abdomen(slicer.mrmlScene))
        panel.set_up()
        drawn(panel)
        assert LIVER.id in labels(panel)
    finally:
        slicer.app.setMainWindow(True)


def test_the_modules_self_test_passes(panel):
    import slicer

    slicer.modules.TranslateInstance.runTest()
