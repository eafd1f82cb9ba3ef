"""Translate's panel as a user has it: clicks, sliders, keys and handles, what goes wrong and what is not there."""

import dataclasses
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from laparoscopy_scenes import GALLBLADDER, LIVER, SKIN_MM, add_abdomen, add_ct
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.mrml.transforms import to_array

SHOWN = 0.06
"""Sliders show one decimal."""


@pytest.fixture
def panel(load_module):
    load_module("Sim2Real")
    return load_module("Translate").panel


@pytest.fixture
def ready(panel):
    """The panel with a scene that is set up and drawn."""
    import slicer

    panel.ui.segmentationSelector.setCurrentNode(add_abdomen(slicer.mrmlScene))
    panel.ui.ctSelector.setCurrentNode(add_ct(slicer.mrmlScene))
    panel.ui.setUpButton.click()
    drawn(panel)
    return panel


def drawn(panel, seconds=10.0):
    """Wait until nothing is left to draw or to compute."""
    import slicer

    end = time.monotonic() + seconds
    slicer.app.processEvents()
    while panel.frames._timer.active or not panel.worker.idle:
        assert time.monotonic() < end, "it never ended"
        slicer.app.processEvents()
        time.sleep(0.001)


def scope(panel):
    return panel.parameters.laparoscope


def in_world(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToWorld(matrix)
    return to_array(matrix)


def tip(node):
    return in_world(node)[:3, 3]


def entry(node):
    from TranslateLib.mrml.instruments import entry_of

    return entry_of(node)


def pose(node):
    from TranslateLib.mrml.instruments import pose_of

    return pose_of(node)


def labels(panel):
    import slicer

    from TranslateLib.mrml.frames import LABELS

    return slicer.util.arrayFromVolume(scope(panel).GetNodeReference(LABELS))[0].copy()


def rows(table):
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def view_3d(front=True):
    """The 3D view with the patient seen from the front or from the left."""
    import slicer

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.setFixedSize(600, 500)
    camera = view.cameraNode()
    camera.SetFocalPoint(20, 0, 0)
    camera.SetPosition(*((20, 900, 0) if front else (-480, 700, 300)))
    camera.SetViewUp(0, 0, 1)
    camera.ResetClippingRange()
    slicer.app.processEvents()
    view.forceRender()  # picking reads the depths of the picture
    return view


def press(keys, widget=None):
    """Press keys and let go of them: the next mouse event of the stand-in would still have Alt."""
    from slicer_stand_in.gestures import press_key

    press_key(keys, widget)
    press_key("F12")


# ---- the panel and its parameters ----


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
    for button, reason in (("simulateButton", "simulateReason"), ("exportButton", "exportReason")):
        assert not getattr(panel.ui, button).enabled
        assert "yet" in getattr(panel.ui, reason).text
    assert not panel.ui.pressureSlider.enabled
    assert "cannot lift the abdominal wall yet" in panel.ui.pressureReason.text
    for name in ("translatorBox", "styleBox", "seedBox", "styleImageEdit", "translateButton"):
        assert not getattr(panel.ui, name).enabled
    assert "No translator is installed" in panel.ui.translateReason.text
    assert not panel.ui.translateReason.isHidden()


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


def test_the_sample_is_a_real_abdomen(panel, real_data):

    from SampleData import SampleDataLogic

    from slicer_stand_in import error_log

    panel.ui.sampleButton.click()
    assert "downloads nothing" in panel.job_row.text
    error_log.take_errors()
    source = SampleDataLogic.sourceForSampleName("AbdomenPelvisCT")
    files = [real_data / "abdomen_pelvis" / name for name in ("ct.nii.gz", "labels.nii.gz")]
    local = dataclasses.replace(source, uris=tuple(path.as_uri() for path in files))
    found = SampleDataLogic.sources[source.category]
    found[found.index(source)] = local
    try:
        panel.ui.sampleButton.click()
    finally:
        found[found.index(local)] = source
    assert panel.ui.segmentationSelector.currentNode().GetName() == "AbdomenPelvisLabels"
    panel.ui.setUpButton.click()
    drawn(panel)
    assert LIVER.id in labels(panel)
    assert entry(scope(panel))[1] > 300  # mm before the back: the real abdomen's skin, lifted


# ---- instruments ----


def test_sliders_move_the_laparoscope_about_its_trocar(ready):
    before, at = labels(ready), entry(scope(ready))
    ready.ui.panSlider.setValue(20.0)
    ready.ui.tiltSlider.setValue(-10.0)
    ready.ui.rollSlider.setValue(45.0)
    ready.ui.insertionSlider.setValue(90.0)
    found = pose(scope(ready))
    assert (found.pan_deg, found.tilt_deg, found.roll_deg, found.insertion_mm) == pytest.approx((20, -10, 45, 90))
    assert tip(scope(ready)) - 90.0 * in_world(scope(ready))[:3, 2] == pytest.approx(at)
    drawn(ready)
    assert (labels(ready) != before).mean() > 0.05
    assert rows(ready.ui.instrumentTable)[0][2] == "90 mm"


def test_one_slider_leaves_the_others_as_exact_as_they_were(ready):
    from TranslateLib.fulcrum import FulcrumPose
    from TranslateLib.mrml.instruments import place

    place(scope(ready), FulcrumPose(1.2345, 5.4321, 0.7777, 80.123))
    ready.ui.panSlider.setValue(10.0)
    found = pose(scope(ready))
    assert found.pan_deg == pytest.approx(10.0)
    assert (found.tilt_deg, found.roll_deg, found.insertion_mm) == pytest.approx((5.4321, 0.7777, 80.123))


def test_a_transform_that_is_moved_from_elsewhere_moves_the_sliders(ready):
    from Sim2RealLib.mrml.transforms import set_matrix

    frame = in_world(scope(ready))
    frame[:3, 3] += [10.0, 0.0, -15.0]
    set_matrix(scope(ready), frame)
    assert tip(scope(ready)) == pytest.approx(frame[:3, 3])
    found = pose(scope(ready))
    assert ready.ui.panSlider.value == pytest.approx(found.pan_deg, abs=SHOWN)
    assert ready.ui.insertionSlider.value == pytest.approx(found.insertion_mm, abs=SHOWN)
    assert ready.ui.poseText.text == ""
    frame[:3, 3] = entry(scope(ready)) + 400.0 * in_world(scope(ready))[:3, 2]
    set_matrix(scope(ready), frame)
    assert ready.ui.poseText.text == "Put back: insertion 400 mm is beyond 250 mm."
    assert ready.ui.insertionSlider.value == pytest.approx(250.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_ring_turns_the_laparoscope_about_its_trocar(ready, axis):
    from slicer_stand_in.gestures import drag, handle_pixel

    view, at, before = view_3d(front=False), entry(scope(ready)), in_world(scope(ready))
    start = handle_pixel(view, scope(ready), "rotation", axis)
    drag(view, start, (start[0] + 25, start[1] + 20))
    after = in_world(scope(ready))
    assert np.abs(after[:3, :3] - before[:3, :3]).max() > 0.05
    assert np.linalg.norm(after[:3, 3] - at) == pytest.approx(np.linalg.norm(before[:3, 3] - at), abs=1e-3)
    assert np.cross(after[:3, 3] - at, after[:3, 2]) == pytest.approx(np.zeros(3), abs=1e-3)
    found = pose(scope(ready))
    shown = [getattr(ready.ui, f"{name}Slider").value for name in ("pan", "tilt", "roll")]
    assert shown == pytest.approx([found.pan_deg, found.tilt_deg, found.roll_deg], abs=SHOWN)


def test_the_arrow_slides_the_laparoscope_along_its_shaft(ready):
    from slicer_stand_in.gestures import drag, handle_pixel, pixel_of

    view, before = view_3d(front=False), in_world(scope(ready))
    start = handle_pixel(view, scope(ready), "translation", 2)
    here, there = (np.array(pixel_of(view, before[:3, 3] + far * before[:3, 2])) for far in (0.0, 60.0))
    drag(view, start, tuple((np.array(start) + there - here).tolist()))
    after = in_world(scope(ready))
    assert after[:3, :3] == pytest.approx(before[:3, :3], abs=1e-6)
    assert pose(scope(ready)).insertion_mm == pytest.approx(130.0, abs=15.0)  # a drag is good to a few pixels
    with pytest.raises(ValueError, match="no pixel"):
        handle_pixel(view, scope(ready), "translation", 0)


def test_handles_belong_to_the_selected_instrument_and_can_be_hidden(ready):
    add_trocar_at(ready, [90.0, 120.0, 10.0])
    ready.ui.addToolButton.click()
    (laparoscope, tool) = nodes(ready)
    assert [node.GetDisplayNode().GetEditorVisibility() for node in (laparoscope, tool)] == [False, True]
    ready.ui.instrumentTable.setCurrentCell(0, 0)
    assert [node.GetDisplayNode().GetEditorVisibility() for node in (laparoscope, tool)] == [True, False]
    ready.ui.handlesCheckBox.setChecked(False)
    assert not laparoscope.GetDisplayNode().GetEditorVisibility()


def nodes(panel):
    from TranslateLib.mrml.instruments import instruments_in

    return instruments_in(scope(panel).GetScene())


def add_trocar_at(panel, ras):
    from TranslateLib.mrml.trocars import add_trocar

    return add_trocar(panel.parameters.trocars, np.array(ras))


def test_keys_move_the_selected_instrument(ready):
    steps = {
        "Alt+Left": ("pan_deg", 2.0),
        "Alt+Right": ("pan_deg", -2.0),
        "Alt+Up": ("tilt_deg", 2.0),
        "Alt+Down": ("tilt_deg", -2.0),
        "Alt+PgDown": ("insertion_mm", 5.0),
        "Alt+PgUp": ("insertion_mm", -5.0),
    }
    for keys, (field, step) in steps.items():
        before = getattr(pose(scope(ready)), field)
        press(keys)
        assert getattr(pose(scope(ready)), field) == pytest.approx(before + step, abs=SHOWN)


def test_keys_stop_at_limits_and_with_the_module(ready, load_module):
    import slicer

    ready.ui.insertionSlider.setValue(248.0)
    press("Alt+PgDown")
    assert pose(scope(ready)).insertion_mm == pytest.approx(250.0)
    laparoscope = scope(ready)
    slicer.util.selectModule("Sim2Real")
    press("Alt+PgUp")
    assert pose(laparoscope).insertion_mm == pytest.approx(250.0)
    assert not laparoscope.GetDisplayNode().GetEditorVisibility()
    slicer.util.selectModule("Translate")
    press("Alt+PgUp")
    assert pose(laparoscope).insertion_mm == pytest.approx(245.0)


def test_optics_change_the_picture_and_the_models(ready):
    from TranslateLib.mrml.instruments import camera_of

    ready.ui.tipAngleBox.setCurrentIndex(1)
    ready.ui.widthBox.setValue(200)
    ready.ui.heightBox.setValue(160)
    ready.ui.fieldOfViewSlider.setValue(90.0)
    drawn(ready)
    assert labels(ready).shape == (160, 200)
    shaft, camera = in_world(scope(ready)), in_world(camera_of(scope(ready)))
    assert shaft[:3, 2] @ camera[:3, 2] == pytest.approx(np.cos(np.radians(30)))
    bounds = scope(ready).GetNodeReference("frustum").GetPolyData().GetBounds()
    assert bounds[1] == pytest.approx(60.0 * np.tan(np.radians(45)) * 200 / np.hypot(200, 160), rel=1e-5)


def test_the_laparoscope_looks_at_the_liver_on_a_click(ready):
    from TranslateLib.mrml.instruments import camera_of

    ready.ui.tipAngleBox.setCurrentIndex(1)
    ready.ui.panSlider.setValue(40.0)
    ready.ui.aimButton.click()
    seen = transform_points(np.linalg.inv(in_world(camera_of(scope(ready)))), np.array([20.0, 0.0, 20.0]))
    assert seen[:2] == pytest.approx([0, 0], abs=5.0)  # the middle of a smoothed surface
    ready.ui.rightBox.setValue(-300.0)
    ready.ui.anteriorBox.setValue(-50.0)
    ready.ui.aimButton.click()
    assert "out of reach" in ready.job_row.text


# ---- trocars ----


def test_a_typed_position_moves_the_trocar_and_the_instrument_with_it(ready):
    before = tip(scope(ready)) - entry(scope(ready))
    ready.ui.anteriorBox.setValue(190.0)
    ready.ui.superiorBox.setValue(-30.0)
    assert entry(scope(ready))[1:] == pytest.approx([190.0, -30.0])
    assert tip(scope(ready)) - entry(scope(ready)) == pytest.approx(before, abs=1e-3)
    assert ready.ui.superiorBox.value == -30.0


def test_a_dragged_trocar_takes_its_instrument_with_it(ready):
    from slicer_stand_in.gestures import drag, hover, pixel_of

    ready.ui.handlesCheckBox.setChecked(False)
    view, at = view_3d(), entry(scope(ready))  # behind the laparoscope
    before = tip(scope(ready)) - at
    start = pixel_of(view, at)
    hover(view, start)
    drag(view, start, (start[0] - 30, start[1] + 20))
    assert np.linalg.norm(entry(scope(ready)) - at) > 10
    assert tip(scope(ready)) - entry(scope(ready)) == pytest.approx(before, abs=1e-3)
    assert ready.ui.rightBox.value == pytest.approx(entry(scope(ready))[0], abs=SHOWN)


def test_a_trocar_is_placed_by_a_click_on_the_skin(ready):
    from slicer_stand_in.gestures import click, pixel_of

    view = view_3d()
    ready.ui.placeTrocarButton.click()
    assert "Click on the skin" in ready.job_row.text
    click(view, pixel_of(view, (70.0, 85.0, -60.0)))
    placed = entry(scope(ready))
    assert np.hypot(*placed[:2]) == pytest.approx(SKIN_MM, abs=6.0)
    assert (placed[0], placed[2]) == pytest.approx((70.0, -60.0), abs=8.0)
    assert ready.ui.trocarBox.count == 2
    assert rows(ready.ui.instrumentTable)[0][1] == ready.ui.trocarBox.currentText != "camera"
    assert ready.job_row.text == ""
    press("Up", ready.ui.trocarBox)
    assert rows(ready.ui.instrumentTable)[0][1] == "camera"


def test_placing_can_be_left(ready):
    import slicer

    ready.ui.placeTrocarButton.click()
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    slicer.app.processEvents()
    assert ready.job_row.text == ""
    before = entry(scope(ready))
    add_trocar_at(ready, [0.0, 100.0, 0.0])
    assert entry(scope(ready)) == pytest.approx(before)


def test_an_instrument_whose_trocar_is_removed_waits_for_another(ready):
    add_trocar_at(ready, [50.0, 100.0, -30.0])
    ready.parameters.trocars.RemoveNthControlPoint(0)
    assert rows(ready.ui.instrumentTable) == [["Laparoscope", "gone", "–"]]
    assert not ready.ui.panSlider.enabled
    press("Down", ready.ui.trocarBox)
    assert ready.ui.panSlider.enabled
    assert rows(ready.ui.instrumentTable)[0][2] == "70 mm"


# ---- tools ----


def test_a_tool_is_added_in_a_free_trocar_opened_and_removed(ready):
    add_trocar_at(ready, [90.0, 120.0, 10.0])
    ready.ui.toolKindBox.setCurrentIndex(0)
    ready.ui.addToolButton.click()
    drawn(ready)
    assert [row[0] for row in rows(ready.ui.instrumentTable)] == ["Laparoscope", "Grasper"]
    assert ready.ui.instrumentTable.currentRow() == 1
    closed = labels(ready)
    ready.ui.openingSlider.setValue(50.0)
    drawn(ready)
    assert (labels(ready) != closed).sum() > 20
    ready.ui.insertionSlider.setValue(0.0)
    drawn(ready)
    assert not {118, 119} & set(np.unique(labels(ready)))
    ready.ui.removeToolButton.click()
    assert [row[0] for row in rows(ready.ui.instrumentTable)] == ["Laparoscope"]
    assert not ready.ui.removeToolButton.enabled


def test_a_tool_without_a_free_trocar_gets_one_by_a_click(ready):
    from slicer_stand_in.gestures import click, pixel_of

    view = view_3d()
    ready.ui.toolKindBox.setCurrentIndex(1)
    ready.ui.addToolButton.click()
    assert len(nodes(ready)) == 1
    click(view, pixel_of(view, (-50.0, 98.0, -40.0)))
    assert rows(ready.ui.instrumentTable)[1][0] == "Hook"
    assert entry(nodes(ready)[1])[0] == pytest.approx(-50.0, abs=8.0)
    assert not ready.ui.openingSlider.enabled


def test_a_laparoscope_that_is_deleted_can_be_set_up_again(ready):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(scope(ready))
    slicer.mrmlScene.RemoveNode(scope(ready))
    hierarchy.RemoveItem(item, False, False)  # which Slicer does by itself
    drawn(ready)
    assert rows(ready.ui.instrumentTable) == []
    assert not [node for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if "frustum" in node.GetName()]
    ready.ui.setUpButton.click()
    assert rows(ready.ui.instrumentTable)[0][1] == "camera"


# ---- the preview ----


def test_the_preview_waits_when_it_is_not_live(ready):
    ready.ui.liveCheckBox.setChecked(False)
    before = labels(ready)
    ready.ui.panSlider.setValue(30.0)
    drawn(ready)
    assert (labels(ready) == before).all()
    ready.ui.drawButton.click()
    assert (labels(ready) != before).mean() > 0.05
    before = labels(ready)
    ready.ui.panSlider.setValue(0.0)
    ready.ui.liveCheckBox.setChecked(True)
    drawn(ready)
    assert (labels(ready) != before).mean() > 0.05


def test_a_hidden_organ_is_not_in_the_preview(ready):
    ready.parameters.segmentation.GetDisplayNode().SetSegmentVisibility("gallbladder", False)
    drawn(ready)
    assert GALLBLADDER.id not in labels(ready)


# ---- translation ----


class ColorShift:
    """Gives a frame the mean colour of its style: the simplest translator there is."""

    name = "colour shift"

    def __init__(self, fails=False, pause_s=0.0):
        self.fails, self.pause_s, self.styles = fails, pause_s, []

    def translate(self, picture, labels, style):
        from TranslateLib.translators import ImageStyle, Translation, ValidityFigure

        self.styles.append(style)
        time.sleep(self.pause_s)
        if self.fails:
            raise RuntimeError("no weights")
        if isinstance(style, ImageStyle):
            mean = style.image.mean(axis=(0, 1))
        else:
            mean = np.random.default_rng(style.seed).uniform(40, 220, 3)
        shifted = picture + mean - picture.mean(axis=(0, 1))
        figures = (
            ValidityFigure("brightness MS-SSIM", 0.93, 0.8),
            ValidityFigure("depth-edge agreement", 0.4, 0.5),
            ValidityFigure("temporal warp error", None, 2.0, higher_is_better=False),
        )
        return Translation(np.clip(shifted, 0, 255).astype(np.uint8), figures if labels.any() else ())


@pytest.fixture
def translator():
    from TranslateLib.translators import register, unregister

    made = ColorShift()
    register(made)
    yield made
    unregister(made.name)


def translated(panel):
    import slicer

    from TranslateLib.mrml.frames import TRANSLATION

    node = scope(panel).GetNodeReference(TRANSLATION)
    return node and slicer.util.arrayFromVolume(node)[0].copy()


def test_a_registered_translator_shows_its_frame_and_its_figures(translator, ready):
    import slicer

    ui = ready.ui
    assert ui.translateReason.isHidden()
    assert (ui.translatorBox.currentText, ui.seedBox.enabled, ui.styleImageEdit.enabled) == (
        "colour shift",
        True,
        False,
    )
    ui.seedBox.setValue(3)
    ui.translateButton.click()
    drawn(ready)
    first = translated(ready)
    assert first.mean(axis=(0, 1)) == pytest.approx(np.random.default_rng(3).uniform(40, 220, 3), abs=25)  # clipped
    assert rows(ui.validityTable) == [
        ["brightness MS-SSIM", "0.930", "≥ 0.8", "yes"],
        ["depth-edge agreement", "0.400", "≥ 0.5", "no"],
        ["temporal warp error", "not measured", "≤ 2", "–"],
    ]
    assert ui.verdictText.text == "Refused: the labels do not hold."
    view = slicer.app.layoutManager().sliceWidget("Laparoscope").sliceView()
    ui.labelOpacitySlider.setValue(0.0)
    over = view.pixels()
    ui.translationOpacitySlider.setValue(0.0)
    assert np.abs(view.pixels().astype(int) - over).mean() > 5
    ui.seedBox.setValue(4)
    ui.translateButton.click()
    drawn(ready)
    assert (translated(ready) != first).any()
    ui.panSlider.setValue(30.0)
    drawn(ready)
    assert rows(ui.validityTable) == []
    assert "No translation" in ui.verdictText.text


def test_a_style_comes_from_an_image(translator, ready, tmp_path):
    Image.new("RGB", (30, 20), (180, 60, 50)).save(tmp_path / "real.png")
    ready.ui.styleBox.setCurrentIndex(1)
    assert (ready.ui.seedBox.enabled, ready.ui.styleImageEdit.enabled) == (False, True)
    ready.ui.translateButton.click()
    assert "no image" in ready.job_row.text
    ready.ui.styleImageEdit.setCurrentPath(str(tmp_path / "real.png"))
    ready.ui.translateButton.click()
    drawn(ready)
    assert translator.styles[-1].image.shape == (20, 30, 3)
    assert translated(ready).mean(axis=(0, 1)) == pytest.approx([180, 60, 50], abs=25)


def test_a_translator_that_fails_says_so_and_the_next_click_works(translator, ready):
    from slicer_stand_in import error_log

    translator.fails = True
    ready.ui.translateButton.click()
    drawn(ready)
    assert "no weights" in ready.job_row.text
    assert translated(ready) is None
    error_log.take_errors()
    translator.fails = False
    ready.ui.translateButton.click()
    drawn(ready)
    assert translated(ready) is not None


def test_a_scene_closed_while_translating_leaves_nothing(translator, ready):
    import slicer

    translator.pause_s = 0.2
    ready.ui.translateButton.click()
    while not translator.styles:
        slicer.app.processEvents()
    slicer.mrmlScene.Clear(0)
    drawn(ready)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVectorVolumeNode") == 0
    assert "Error" not in ready.job_row.text
    assert rows(ready.ui.instrumentTable) == []


# ---- files and scenes ----


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
