"""DRRSim's panel in the stand-in for Slicer: controls, C-arm and X-ray follow each other, by every way to move them."""

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drrsim_steps import ball_ct, drrsim_panel, pelvis, settled, until
from Sim2RealLib.geometry import rotation

UI = Path(__file__).resolve().parents[1] / "DRRSim" / "Resources" / "UI" / "DRRSim.ui"


@pytest.fixture
def panel(load_module):
    return drrsim_panel(load_module)


@pytest.fixture
def placed(panel):
    """The panel with the CT of a ball, a C-arm about it, and its X-ray."""
    ct, _ = ball_ct()
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    settled(panel)
    return panel


def pose(panel):
    from DRRSimLib.mrml.carm_nodes import pose_of

    return pose_of(panel.parameters.carm)


def angles(panel):
    return pose(panel).primary_deg, pose(panel).secondary_deg


def shown_angles(panel):
    """The angles that the X-ray was taken at."""
    return panel.xray.image.pose.primary_deg, panel.xray.image.pose.secondary_deg


def turn(panel, matrix):
    """Turn the C-arm's transform about its isocentre, as a script or another module would."""
    import slicer

    from Sim2RealLib.mrml.transforms import matrix_of, set_matrix

    about = np.eye(4)
    about[:3, 3] = pose(panel).isocenter_ras
    set_matrix(panel.parameters.carm, about @ matrix @ np.linalg.inv(about) @ matrix_of(panel.parameters.carm))
    slicer.app.processEvents()


def test_every_parameter_of_the_panel_is_in_the_parameter_node(panel):
    names = re.findall(r'"SlicerParameterName"[^>]*><string[^>]*>([^<]+)<', UI.read_text("utf-8"))
    assert len(names) > 30 and len(set(names)) == len(names)
    for name in names:
        assert panel.parameters.getValue(name) == panel.parameters.default(name)


def test_the_image_is_that_of_the_chosen_detector(placed):
    """An image intensifier without a flat-field correction loses 30 % of the light in the corners, and the inverse
    square; a corrected detector shows the open beam as 0 everywhere."""
    corners = {}
    for name in ("ideal", "image_intensifier"):
        placed.ui.detectorTypeCombo.currentText = name
        placed.ui.takeButton.click()
        settled(placed)
        corners[name] = placed.xray.image.attenuation[:5, :5].mean()
    assert corners["ideal"] == pytest.approx(0, abs=0.01)
    assert corners["image_intensifier"] > 0.35


def test_an_empty_scene_offers_nothing_that_needs_a_ct(panel):
    ui = panel.ui
    for name in (
        *("apButton", "primarySlider", "centerOnCtButton", "centerOnLandmarksButton", "takeButton", "predictButton"),
        *("acceptButton", "detectButton", "addViewButton", "triangulateButton", "exportButton", "saveRecipeButton"),
        *("sourceToDetectorSlider", "sourceToIsocenterSlider", "isocenterABox", "showHandlesBox"),
    ):
        assert not getattr(ui, name).enabled, name
    assert ui.sampleButton.enabled
    assert "without a trained model" in ui.detectorHintLabel.text
    assert panel.job_row.text == ""
    assert ui.exportButton.toolTip == ui.saveRecipeButton.toolTip == "Choose a CT first, or make a sample pelvis."


def test_without_its_ct_a_carm_offers_nothing_and_says_why(placed, tmp_path):
    ui = placed.ui
    placed.parameters.datasetFolder = tmp_path
    assert ui.exportButton.enabled and "Choose a CT" not in ui.exportButton.toolTip
    placed.parameters.ct = None
    for name in ("apButton", "primarySlider", "isocenterABox", "takeButton", "exportButton", "saveRecipeButton"):
        assert not getattr(ui, name).enabled, name
    assert ui.anglesLabel.text.startswith("Choose a CT") and ui.exportButton.toolTip.startswith("Choose a CT")
    placed.parameters.ct = ball_ct()[0]
    settled(placed)
    assert ui.apButton.enabled and ui.exportButton.enabled and placed.xray.image is not None


def test_the_panel_is_no_wider_than_slicers(panel):
    """430 px, less the scroll bar; all sections open."""
    for widget in vars(panel.ui).values():
        if hasattr(widget, "setCollapsed"):
            widget.setCollapsed(False)
    assert panel.widget.minimumSizeHint.width() <= 430 - 16
    assert panel.ui.heightLabel.text == "Height:"


def test_a_sample_pelvis_comes_with_carm_xray_and_layout(panel):
    import slicer

    from DRRSimLib.mrml.carm_nodes import parts_of
    from Sim2RealLib.panels import views
    from slicer_stand_in.gestures import pixel_of

    pelvis(panel, seed=2)
    parameters = panel.parameters
    assert parameters.landmarks.GetNumberOfControlPoints() == 23
    positions = [parameters.landmarks.GetNthControlPointPosition(number) for number in range(23)]
    assert pose(panel).isocenter_ras == pytest.approx(np.mean(positions, axis=0))
    assert panel.xray.image.attenuation.shape == (479, 615)
    xray = slicer.app.layoutManager().sliceWidget("Xray").sliceView().pixels()
    assert np.ptp(np.percentile(xray, [5, 95])) > 20  # something is to be seen
    assert "615 × 479 pixels, computed in" in panel.ui.statusLabel.text
    points = views.points_of(*parts_of(parameters.carm).values())
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    columns, rows = np.array([pixel_of(view, point) for point in points[:: len(points) // 500]]).T
    assert columns.min() >= 0 and columns.max() < view.width and rows.min() >= 0 and rows.max() < view.height
    assert max(np.ptp(columns) / view.width, np.ptp(rows) / view.height) > 0.6  # nor is it small
    assert parameters.segmentation.GetDisplayNode().GetDisplayRepresentationName3D() == "Closed surface"
    assert panel.ui.anglesLabel.text == "<b>LAO 0.0° CRAN 0.0°</b>"
    shown = backgrounds()
    assert {shown[view] for view in ("Red", "Green", "Yellow")} == {parameters.ct.GetID()}
    assert shown["Xray"] == parameters.carm.GetNodeReferenceID("DRRSim.Image")
    axial = slicer.app.layoutManager().sliceWidget("Red").sliceView().pixels()
    assert np.ptp(np.percentile(axial, [5, 95])) > 20
    panel.ui.liveBox.setChecked(False)
    first = parameters.segmentation, parameters.landmarks
    pelvis(panel, seed=3)
    assert not any(node.GetDisplayNode().GetVisibility() for node in first)
    assert backgrounds()["Xray"] == shown["Xray"] and backgrounds()["Red"] == parameters.ct.GetID() != shown["Red"]


def backgrounds():
    """What the slice views show, by their names."""
    import slicer

    layout = slicer.app.layoutManager()
    nodes = {name: layout.sliceWidget(name).mrmlSliceNode() for name in layout.sliceViewNames()}
    composite_of = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode
    return {name: composite_of(node).GetBackgroundVolumeID() for name, node in nodes.items()}


def test_a_sample_that_is_cancelled_leaves_nothing(panel, slicer_scene):
    panel.sample_spacing_mm = 4.0
    panel.ui.sampleButton.click()
    assert not panel.ui.sampleButton.enabled
    panel.job_row._cancel.click()
    until(lambda: panel.worker.idle)
    assert "stopped" in panel.job_row.text
    assert panel.parameters.ct is None and slicer_scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert panel.ui.sampleButton.enabled


def test_without_landmarks_the_carm_is_put_about_the_body(placed):
    middle_of_water = np.array([60 - 3 * 21.5, 50 - 3 * 20.5, -70 + 3 * 19.5])
    assert pose(placed).isocenter_ras == pytest.approx(middle_of_water, abs=2.0)  # to half a voxel


def test_controls_move_the_carm_and_the_xray(placed):
    ui = placed.ui
    ui.primarySlider.setValue(25.0)
    ui.secondarySlider.setValue(-15.0)
    ui.inPlaneSlider.setValue(5.0)
    ui.isocenterSBox.setValue(12.0)
    assert angles(placed) == pytest.approx((25.0, -15.0))
    assert (pose(placed).in_plane_deg, pose(placed).isocenter_ras[2]) == pytest.approx((5.0, 12.0))
    assert ui.anglesLabel.text == "<b>LAO 25.0° CAUD 15.0°</b>"
    settled(placed)
    assert shown_angles(placed) == pytest.approx((25.0, -15.0))


def test_the_transform_moves_the_controls_and_the_xray(placed):
    turn(placed, rotation([0.0, 0.0, 1.0], 30.0))
    assert placed.ui.primarySlider.value == pytest.approx(30.0, abs=0.05)
    assert placed.ui.anglesLabel.text == "<b>LAO 30.0° CRAN 0.0°</b>"
    assert placed.parameters.primaryDeg == pytest.approx(30.0)
    settled(placed)
    assert shown_angles(placed) == pytest.approx((30.0, 0.0))


def test_a_small_image_comes_at_once_and_the_full_one_at_rest(placed):
    sizes = []
    show = placed.xray._show

    def listen(image, *rest):
        sizes.append((image.attenuation.shape, rest[1]))
        show(image, *rest)

    placed.xray._show = listen
    for angle in range(1, 6):
        placed.ui.primarySlider.setValue(float(angle))
    settled(placed)
    assert sizes[-1] == ((479, 615), False)
    assert 1 <= len(sizes[:-1]) <= 5 and set(sizes[:-1]) == {((199, 256), True)}
    assert shown_angles(placed) == pytest.approx((5.0, 0.0))


def test_the_xray_follows_the_patient(placed):
    """A transform above the CT moves the dense ball in the image; voxels that are changed are seen in it."""
    import slicer

    from Sim2RealLib.mrml.transforms import set_matrix

    placed.parameters.photons = 0.0
    settled(placed)
    before, ct = placed.xray.image.attenuation, placed.parameters.ct
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    ct.SetAndObserveTransformNodeID(transform.GetID())
    moved = np.eye(4)
    moved[2, 3] = 20.0
    set_matrix(transform, moved)
    settled(placed)
    after = placed.xray.image.attenuation
    rows = [np.unravel_index(image.argmax(), image.shape)[0] for image in (before, after)]
    assert rows[0] - rows[1] == pytest.approx(20.0 * 1200 / 800 / 0.616, abs=4)  # magnified, in pixels of 0.616 mm
    slicer.util.arrayFromVolume(ct)[:] = np.where(slicer.util.arrayFromVolume(ct) > 2000, 0, -1000)
    slicer.util.arrayFromVolumeModified(ct)
    settled(placed)
    assert placed.xray.image.attenuation.max() < 0.5 * after.max()


def test_masks_follow_the_segmentation(panel):
    import slicer

    pelvis(panel)
    panel.parameters.showMasks = True
    settled(panel)
    assert (panel.xray.image.outlines == 25).any()  # the sacrum
    panel.parameters.segmentation.GetSegmentation().RemoveSegment("sacrum")
    slicer.app.processEvents()
    settled(panel)
    assert not (panel.xray.image.outlines == 25).any() and panel.xray.image.outlines.any()


def test_a_full_image_that_waits_is_dropped_when_the_hand_moves_on(placed):
    """It would hold the preview up by what it takes, and show where the C-arm was before."""
    shown, release = [], threading.Event()
    show = placed.xray._show
    placed.xray._show = lambda image, *rest: (shown.append(image.attenuation.shape), show(image, *rest))
    placed.xray._rest.setInterval(1_000_000)  # the hand never rests
    placed.worker.request("block", release.wait, lambda _set: None, placed.fail)
    placed.xray.take()
    placed.ui.primarySlider.setValue(20.0)
    release.set()
    until(lambda: placed.worker.idle)
    assert shown == [(199, 256)] and shown_angles(placed) == pytest.approx((20.0, 0.0))


def test_without_live_an_image_is_taken_on_demand(placed):
    placed.ui.liveBox.setChecked(False)
    placed.ui.primarySlider.setValue(20.0)
    settled(placed)
    assert shown_angles(placed) == pytest.approx((0.0, 0.0))
    placed.ui.takeButton.click()
    settled(placed)
    assert shown_angles(placed) == pytest.approx((20.0, 0.0))


def test_the_handles_turn_and_move_the_carm(placed):
    """By mouse events in the 3D view: the ring about the source frame's y axis is the primary angle, the arrow along
    that axis moves the isocentre along the patient."""
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.setFixedSize(420, 380)
    camera, isocenter = view.cameraNode(), np.array(pose(placed).isocenter_ras)
    camera.SetFocalPoint(*isocenter)
    camera.SetPosition(*np.add(isocenter, [-700.0, 900.0, 700.0]))
    camera.SetViewUp(0, 0, 1)
    camera.ResetClippingRange()
    slicer.app.processEvents()
    at = handle_pixel(view, placed.parameters.carm, "rotation", 1)
    drag(view, at, (at[0] + 25, at[1]))
    primary, secondary = angles(placed)
    assert abs(primary) > 3.0 and secondary == pytest.approx(0.0, abs=1e-3)
    assert pose(placed).isocenter_ras == pytest.approx(isocenter, abs=1e-3)
    assert placed.ui.primarySlider.value == pytest.approx(primary, abs=0.05)
    at = handle_pixel(view, placed.parameters.carm, "translation", 1)
    drag(view, at, (at[0], at[1] + 30))
    moved = np.array(pose(placed).isocenter_ras) - isocenter
    assert moved[2] < -5.0 and moved[:2] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert placed.ui.isocenterSBox.value == pytest.approx(pose(placed).isocenter_ras[2], abs=0.05)
    settled(placed)
    assert shown_angles(placed) == pytest.approx((primary, secondary))
    assert placed.xray.image.pose.isocenter_ras == pytest.approx(pose(placed).isocenter_ras)


def test_what_the_device_cannot_reach_is_put_back_and_said(placed):
    placed.ui.deviceCombo.setCurrentText("siemens_cios_spin")
    assert placed.ui.sourceToDetectorSlider.value == 1020.0
    assert (placed.ui.primarySlider.minimum, placed.ui.primarySlider.maximum) == (-110.0, 40.0)
    assert not placed.ui.lateralLeftButton.enabled and placed.ui.lateralRightButton.enabled
    turn(placed, rotation([0.0, 0.0, 1.0], 60.0) @ rotation([1.0, 0.0, 0.0], 20.0))
    assert angles(placed) == pytest.approx((40.0, 20.0))
    assert placed.parameters.primaryDeg == pytest.approx(40.0)
    assert "angle 60.00° is outside -110° to 40°" in placed.ui.limitsLabel.text
    placed.ui.primarySlider.setValue(10.0)
    assert placed.ui.limitsLabel.text == ""


def test_a_device_keeps_the_isocentre_and_has_its_own_distances(placed):
    before = pose(placed).isocenter_ras
    placed.ui.deviceCombo.setCurrentText("siemens_cios_fusion")
    assert pose(placed).isocenter_ras == pytest.approx(before)
    assert pose(placed).source_to_isocenter_mm == 530.0
    settled(placed)
    assert placed.xray.image.attenuation.shape == (1536, 1536)


def test_an_isocentre_beyond_the_detector_is_refused(placed):
    placed.ui.sourceToDetectorSlider.setValue(700.0)
    assert "must lie before the detector at 700 mm" in placed.ui.limitsLabel.text
    assert placed.ui.sourceToDetectorSlider.value == 1200.0 and pose(placed).source_to_detector_mm == 1200.0


def test_a_scaled_transform_is_said_not_guessed(placed):
    turn(placed, np.diag([1.1, 1.1, 1.1, 1.0]))
    assert "scales, shears or mirrors" in placed.job_row.text


VIEWS = {
    "apButton": (0, 0),
    "inletButton": (0, 40),
    "outletButton": (0, -40),
    "lateralRightButton": (-90, 0),
    "obturatorRightButton": (-45, 0),
    "iliacRightButton": (45, 0),
    "lateralLeftButton": (90, 0),
    "obturatorLeftButton": (45, 0),
    "iliacLeftButton": (-45, 0),
}
"""Docs/Conventions.md: Judet's obturator oblique of the right hip is primary −45°, detector at the patient's right."""


def test_standard_views_by_button_and_by_key(placed):
    from slicer_stand_in.gestures import press_key

    placed.ui.liveBox.setChecked(False)
    for number, (name, expected) in enumerate(VIEWS.items(), start=1):
        placed.ui.inPlaneSlider.setValue(0.0)
        getattr(placed.ui, name).click()
        assert angles(placed) == pytest.approx(expected), name
        assert f"Alt+{number}" in getattr(placed.ui, name).toolTip
        placed.parameters.primaryDeg = 3.0
        press_key(f"Alt+{number}")
        assert angles(placed) == pytest.approx(expected), name
    for keys, words in (
        (("Alt+Right", "Alt+Up"), "LAO 5.0° CRAN 5.0°"),
        (("Alt+Left", "Alt+Down"), "RAO 5.0° CAUD 5.0°"),
    ):
        placed.ui.apButton.click()
        for key in keys:
            press_key(key)
        assert placed.ui.anglesLabel.text == f"<b>{words}</b>"


def test_a_left_module_takes_no_keys_and_finds_the_carm_where_it_is(placed, load_module):
    import slicer

    from DRRSimLib.mrml.carm_nodes import place, pose_of
    from slicer_stand_in.gestures import press_key

    carm = placed.parameters.carm
    slicer.util.selectModule("Sim2Real")
    press_key("Alt+2")
    assert (pose_of(carm).primary_deg, pose_of(carm).secondary_deg) == pytest.approx((0.0, 0.0))
    place(carm, replace(pose_of(carm), primary_deg=-20.0))
    slicer.util.selectModule("DRRSim")
    slicer.app.processEvents()
    assert angles(placed) == pytest.approx((-20.0, 0.0))
    assert placed.ui.primarySlider.value == pytest.approx(-20.0, abs=0.05)


def test_centering_on_the_ct_and_on_landmarks(placed, slicer_scene):
    placed.ui.isocenterRBox.setValue(200.0)
    placed.ui.centerOnCtButton.click()
    settled(placed)
    assert pose(placed).isocenter_ras[0] == pytest.approx(60 - 3 * 21.5, abs=2.0)
    points = slicer_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    placed.parameters.landmarks = points
    placed.ui.centerOnLandmarksButton.click()
    assert "No landmark is placed yet" in placed.job_row.text
    points.AddControlPoint(10.0, 20.0, 30.0)
    points.AddControlPoint(20.0, 20.0, 40.0, "other")
    placed.ui.centerOnLandmarksButton.click()
    assert pose(placed).isocenter_ras == pytest.approx((15.0, 20.0, 35.0))


def test_models_and_handles_can_be_hidden(placed):
    from DRRSimLib.mrml.carm_nodes import parts_of

    carm = placed.parameters.carm
    placed.ui.showModelBox.setChecked(False)
    placed.ui.showHandlesBox.setChecked(False)
    assert not any(model.GetDisplayNode().GetVisibility() for model in parts_of(carm).values())
    assert not carm.GetDisplayNode().GetEditorVisibility()


def test_a_deleted_carm_is_made_anew_and_its_models_do_not_stay(placed, slicer_scene):
    from DRRSimLib.mrml.carm_nodes import PART, parts_of
    from Sim2RealLib.mrml.owned_nodes import discard

    discard(placed.parameters.carm)
    until(lambda: placed.parameters.carm is not None)
    settled(placed)
    models = slicer_scene.GetNodesByClass("vtkMRMLModelNode")
    models.UnRegister(None)
    parts = [models.GetItemAsObject(n) for n in range(models.GetNumberOfItems())]
    assert sum(part.GetAttribute(PART) is not None for part in parts) == len(parts_of(placed.parameters.carm))


def test_a_ct_that_cannot_be_imaged_is_said(panel):
    import slicer

    broken = slicer.util.addVolumeFromArray(np.full((5, 6, 7), np.nan, np.float32), name="broken")
    panel.parameters.ct = broken
    settled(panel)
    assert "broken" in panel.job_row.text and "NaN" in panel.job_row.text


def test_an_error_is_said_as_long_as_its_cause_is_there(panel):
    import slicer

    panel.parameters.ct = slicer.util.addVolumeFromArray(np.zeros((5, 6, 7), np.int16), name="flat")
    settled(panel)
    assert "flat is constant" in panel.job_row.text
    panel.parameters.primaryDeg = 10.0
    settled(panel)
    assert "flat is constant" in panel.job_row.text
    panel.parameters.ct = ball_ct()[0]
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert panel.job_row.text == "" and not panel.job_row.widget.visible
    voxels = slicer.util.arrayFromVolume(panel.parameters.ct)
    kept = voxels.copy()
    voxels[:] = 0
    slicer.util.arrayFromVolumeModified(panel.parameters.ct)
    settled(panel)
    assert "ball is constant" in panel.job_row.text and "no X-ray" in panel.ui.statusLabel.text
    voxels[:] = kept
    slicer.util.arrayFromVolumeModified(panel.parameters.ct)
    settled(panel)
    assert panel.job_row.text == "" and "pixels" in panel.ui.statusLabel.text


@pytest.mark.parametrize("clear", [False, True])
def test_a_scene_that_is_loaded_is_no_error(placed, tmp_path, clear):
    """While it is loaded its nodes have no voxels yet."""
    import slicer

    slicer.util.saveScene(str(tmp_path / "case.mrb"))
    errors, fail = [], placed.fail
    placed.fail = lambda error: (errors.append(str(error)), fail(error))
    slicer.util.loadScene(str(tmp_path / "case.mrb"), {"clear": clear})
    slicer.app.processEvents()
    settled(placed)
    assert errors == [] and placed.job_row.text == "" and placed.xray.image is not None


def test_the_module_tests_itself(panel):
    import slicer

    slicer.modules.DRRSimInstance.runTest()


def test_photons_are_followed_only_when_an_xray_is_taken(panel, tmp_path):
    """At rest their scatter is smoothed; a job then follows all of them, to the image of the simulator, and can be
    stopped."""
    from DRRSimLib.mrml.xray_nodes import IMAGE
    from Sim2RealLib.mrml.owned_nodes import owned

    def estimator():
        provenance = owned(panel.parameters.carm, IMAGE).GetAttribute("Sim2Real.Provenance")
        return json.loads(provenance)["physics"]["scatter"]["estimator"]

    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "simulator: drr\ninput: {anatomy: {kind: pelvis, seed: 1, spacing_mm: 4}}\n"
        "physics: {scatter: {estimator: monte_carlo, histories: 300000, voxel_mm: 12}}\n"
    )
    panel.dataset.load(recipe)
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert estimator() == "smoothed_monte_carlo" and "smoothed" in panel.ui.statusLabel.text
    panel.ui.takeButton.click()
    assert panel.worker.busy
    settled(panel)
    assert estimator() == "monte_carlo"
    taken = panel.xray.image
    physics = panel.xray._asked.physics
    again = panel.xray._fluoroscope.image(taken.device, taken.pose, physics)
    np.testing.assert_array_equal(taken.attenuation, again.attenuation)
    panel.ui.takeButton.click()
    panel.job_row._cancel.click()
    settled(panel)
    assert "stopped" in panel.job_row.text and panel.xray.image is taken
