"""Laparoscope, trocars and tools in Translate's panel: sliders, keys, handles and clicks."""

import numpy as np
import pytest

from laparoscopy_scenes import SKIN_MM
from Sim2RealLib.geometry import transform_points
from translate_steps import (
    SHOWN,
    add_trocar_at,
    drawn,
    entry,
    in_world,
    labels,
    nodes,
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
    drawn(ready)
    assert rows(ready.ui.instrumentTable)[0][1] == "camera"
