"""What DRRSim draws: greys, landmarks and masks in the X-ray view; landmarks placed and detected; in the stand-in."""

import numpy as np
import pytest

from drrsim_steps import PerturbedTruth, ball_ct, drrsim_panel, pelvis, settled, until


@pytest.fixture
def panel(load_module):
    return drrsim_panel(load_module)


def xray_view(width=400, height=320):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Xray").sliceView()
    view.setFixedSize(width, height)
    slicer.app.processEvents()
    slicer.app.processEvents()
    return view


def overlay(panel):
    """Names, places in the world and visibility of the landmarks on the X-ray."""
    node = panel.parameters.carm.GetNodeReference("DRRSim.Landmarks")
    return {
        node.GetNthControlPointLabel(number): (
            np.array(node.GetNthControlPointPositionWorld(number)),
            bool(node.GetNthControlPointSelected(number)),
        )
        for number in range(node.GetNumberOfControlPoints())
    }


def test_a_bright_voxel_is_seen_where_the_overlay_says(panel):
    """A dense ball in the X-ray view's own pixels, and the landmark at its middle: straight, and from the side."""
    from slicer_stand_in.gestures import pixel_of

    ct, middle = ball_ct()
    import slicer

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(*middle, "ball")
    panel.parameters.photons = 0.0
    panel.parameters.ct, panel.parameters.landmarks = ct, points
    until(lambda: panel.xray.image is not None)
    settled(panel)
    panel.ui.fitWindowButton.click()
    panel.ui.showLandmarksBox.setChecked(False)
    for primary in (0.0, 50.0):
        panel.parameters.primaryDeg = primary
        settled(panel)
        view = xray_view()
        greys = view.pixels()[..., 0].astype(float)
        rows, columns = np.nonzero(greys >= np.percentile(greys, 99.9))
        (place, visible) = overlay(panel)["ball"]
        assert visible
        # in view pixels of about 1.5 image pixels; the ball is some 20 of them wide
        assert pixel_of(view, place) == pytest.approx((columns.mean() + 0.5, rows.mean() + 0.5), abs=2.5)


def test_greys_are_those_of_the_exported_picture(panel):
    """The view interpolates, so that smooth places are compared: to two grey levels, one each of window and table."""
    from DRRSimLib.acquisition.detector_plane import detector_points_ras
    from DRRSimLib.frames.display import WINDOWS, Polarity, to_display
    from slicer_stand_in.gestures import pixel_of

    ct, _ = ball_ct()
    panel.parameters.photons = 0.0
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    settled(panel)
    view, image = xray_view(615, 479), panel.xray.image
    places = [(150, 200), (220, 240), (300, 330), (400, 150), (20, 20)]
    for polarity, name in ((Polarity.BONE_WHITE, "bone white"), (Polarity.BONE_DARK, "bone dark")):
        for window in ("pelvis", "wide"):
            panel.ui.polarityCombo.setCurrentText(name)
            panel.ui.windowCombo.setCurrentText(window)
            greys = view.pixels()
            expected = to_display(image.attenuation, WINDOWS[window], polarity, 8)
            for column, row in places:
                x, y = pixel_of(view, detector_points_ras(image.view, np.array([column + 0.5, row + 0.5])))
                assert abs(int(greys[y, x, 0]) - int(expected[row, column])) <= 2, (name, window, column, row)


def test_the_xray_is_seen_on_the_detector_in_the_3d_view(panel):
    """From the middle of the patient, with the C-arm's models away: the light ball in the dark body, or nothing."""
    import slicer

    ct, middle = ball_ct(radius_voxels=6.0)
    panel.parameters.showModel = panel.parameters.showHandles = False
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    settled(panel)
    panel.ui.fitWindowButton.click()
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    camera, placed = view.cameraNode(), np.linalg.inv(panel.xray.image.view.camera_from_ras)
    camera.SetPosition(*placed[:3, 3].tolist())
    camera.SetFocalPoint(*middle.tolist())
    camera.SetViewUp(*(-placed[:3, 1]).tolist())
    camera.ResetClippingRange()
    around = [slice(side // 2 - 20, side // 2 + 20) for side in (view.height, view.width)]
    shown = view.pixels()[tuple(around)].astype(int)
    assert np.ptp(shown, axis=2).max() < 10  # greys, which the background has none of
    panel.ui.showIn3DBox.setChecked(False)
    assert np.ptp(view.pixels()[tuple(around)].astype(int), axis=2).min() > 20


def test_a_window_of_the_mouse_is_that_of_exports(panel, tmp_path):
    """Changing the display node is what the mouse does in Slicer's window/level mode."""
    from Sim2RealLib.mrml.inputs import InputFiles

    ct, _ = ball_ct()
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    settled(panel)
    image = panel.parameters.carm.GetNodeReference("DRRSim.Image")
    image.GetDisplayNode().SetWindowLevelMinMax(0.0, 4.0)  # a sigmoid's table goes half a window beyond either end
    assert panel.parameters.window == "as shown" and panel.ui.windowCombo.currentText == "as shown"
    recipe = panel.dataset._source.recipe()(InputFiles(tmp_path))
    window = recipe["output"]["display"]["window"]
    assert (window["low"], window["high"], window["function"]) == (pytest.approx(1.0), pytest.approx(3.0), "sigmoid")
    panel.ui.windowCombo.setCurrentText("wide")
    assert image.GetDisplayNode().GetWindowLevelMax() == pytest.approx(9.0)


def test_masks_are_outlined_and_their_opacity_is_the_views(panel, slicer_scene):
    import slicer

    pelvis(panel)
    view = xray_view()
    before = view.pixels()
    panel.ui.showMasksBox.setChecked(True)
    settled(panel)
    composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(view.mrmlSliceNode())
    outlines = panel.parameters.carm.GetNodeReference("DRRSim.Outlines")
    assert composite.GetLabelVolumeID() == outlines.GetID()
    after = view.pixels().astype(int)
    assert (np.ptp(after, axis=2) > 40).sum() > (np.ptp(before.astype(int), axis=2) > 40).sum() + 200  # coloured lines
    panel.ui.maskOpacitySlider.setValue(0.3)
    assert composite.GetLabelOpacity() == pytest.approx(0.3)
    panel.ui.showMasksBox.setChecked(False)
    settled(panel)
    assert composite.GetLabelVolumeID() is None


def test_zoom_stays_while_the_carm_turns_and_the_wheel_does_not_leave_the_image(panel):
    from DRRSimLib.acquisition.detector_plane import detector_plane_ras
    from Sim2RealLib.mrml.transforms import to_array

    ct, _ = ball_ct()
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    settled(panel)
    node = xray_view().mrmlSliceNode()
    settled(panel)
    field = node.GetFieldOfView()
    node.SetFieldOfView(field[0] / 2, field[1] / 2, field[2])
    node.SetSliceOffset(node.GetSliceOffset() + 40.0)
    panel.parameters.primaryDeg = 30.0
    settled(panel)
    assert node.GetFieldOfView()[0] == pytest.approx(field[0] / 2)
    assert to_array(node.GetSliceToRAS()) == pytest.approx(detector_plane_ras(panel.xray.image.view), abs=1e-6)


def click_at(view, ras):
    from slicer_stand_in.gestures import click, pixel_of

    click(view, pixel_of(view, ras))


def test_landmarks_are_placed_by_clicks_in_the_order_of_the_template(panel, slicer_scene):
    import slicer

    from DRRSimLib.landmarks.template import PLACED_FIRST

    pelvis(panel)
    panel.parameters.landmarks = None
    layout = slicer.app.layoutManager()
    layout.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    view = layout.sliceWidget("Red").sliceView()
    view.setFixedSize(300, 300)
    slicer.app.processEvents()
    panel.ui.placeButton.click()
    assert panel.parameters.landmarks is not None and panel.ui.nextLandmarkCombo.currentData == PLACED_FIRST[0]
    offset = view.mrmlSliceNode().GetSliceOffset()
    places = {name: (20.0 - 15 * n, -20.0 + 10 * n, offset) for n, name in enumerate(PLACED_FIRST[:3])}
    for position in places.values():
        click_at(view, position)
    node = panel.parameters.landmarks
    labels = [node.GetNthControlPointLabel(number) for number in range(3)]
    assert labels == list(places)
    for number, position in enumerate(places.values()):
        assert node.GetNthControlPointPosition(number) == pytest.approx(position, abs=1.0)  # a pixel of the view
    assert panel.ui.nextLandmarkCombo.currentData == PLACED_FIRST[3]
    assert "3 of 23 are placed. 4, far apart, are enough" in panel.ui.landmarkProgressLabel.text
    panel.ui.nextLandmarkCombo.setCurrentIndex(1)  # the second again
    click_at(view, (30.0, 30.0, offset))
    placed = {node.GetNthControlPointLabel(n): node.GetNthControlPointPosition(n) for n in range(3)}
    assert placed.keys() == places.keys() and placed[labels[1]] == pytest.approx((30.0, 30.0, offset), abs=1.0)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)  # what Esc does
    assert not panel.ui.placeButton.checked


def yellow(view):
    """How many pixels have the colour of predicted landmarks, shaded or not."""
    red, green, blue = np.moveaxis(view.pixels().astype(int), -1, 0)
    return int(((red > 120) & (abs(green - 0.8 * red) < 12) & (blue < 0.35 * red)).sum())


def test_the_list_of_a_sample_makes_way_for_another(panel, slicer_scene):
    pelvis(panel)
    first = panel.parameters.landmarks
    panel.parameters.landmarks = slicer_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    assert not first.GetDisplayNode().GetVisibility()
    panel.parameters.landmarks = first
    assert first.GetDisplayNode().GetVisibility()


def test_the_rest_is_predicted_moved_and_accepted(panel, slicer_scene):
    """The sample's first landmarks as clicks; the rest is within some mm of where the sample has them."""
    import slicer

    panel.parameters.showModel = panel.parameters.showHandles = panel.parameters.showIn3D = False
    from Sim2RealLib.mrml.markups import landmarks_of

    pelvis(panel)
    node = panel.parameters.landmarks
    truth = landmarks_of(node)
    from DRRSimLib.landmarks.template import LANDMARK_NAMES, PLACED_FIRST

    for number in reversed(range(23)):
        if node.GetNthControlPointLabel(number) not in PLACED_FIRST[:5]:
            node.RemoveNthControlPoint(number)
    settled(panel)
    assert panel.ui.nextLandmarkCombo.currentData == PLACED_FIRST[5]
    panel.ui.predictButton.click()
    settled(panel)
    predicted = panel.landmarks.predicted
    errors = [np.linalg.norm(at - truth[name]) for name, at in landmarks_of(predicted).items()]
    assert len(errors) == 18 and np.median(errors) < 6.0
    assert "18 more are predicted" in panel.ui.landmarkProgressLabel.text
    name = predicted.GetNthControlPointLabel(0)
    predicted.SetNthControlPointPosition(0, 1.0, 2.0, 3.0)
    panel.parameters.segmentation.GetDisplayNode().SetVisibility(False)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    lists = slicer_scene.GetNumberOfNodesByClass("vtkMRMLMarkupsDisplayNode")
    assert yellow(view) > 20
    panel.ui.acceptButton.click()
    assert yellow(view) == 0
    assert slicer_scene.GetNumberOfNodesByClass("vtkMRMLMarkupsDisplayNode") == lists - 1
    assert landmarks_of(node).keys() == set(LANDMARK_NAMES) and panel.landmarks.predicted is None
    assert landmarks_of(node)[name] == pytest.approx([1, 2, 3])
    assert not panel.ui.predictButton.enabled and not panel.ui.acceptButton.enabled
    assert set(overlay(panel)) >= {name} or f"{name} (outside)" in overlay(panel)  # the X-ray follows


def test_only_the_point_under_the_pointer_is_named_unless_all_are_asked_for(panel):
    from slicer_stand_in.gestures import hover, pixel_of

    pelvis(panel)
    view, points = xray_view(), overlay(panel)
    landmarks = panel.parameters.carm.GetNodeReference("DRRSim.Landmarks")
    assert not landmarks.GetDisplayNode().GetPointLabelsVisibility()
    plain = view.pixels().astype(int)
    hover(view, pixel_of(view, points["ischial_tuberosity_left"][0]))
    name = panel.parameters.carm.GetNodeReference("DRRSim.PointedName")
    assert name.GetNthControlPointLabel(0) == "ischial_tuberosity_left" and name.GetDisplayNode().GetVisibility()
    named = (np.abs(view.pixels().astype(int) - plain).sum(axis=2) > 60).sum()
    hover(view, (5, 5))
    assert not name.GetDisplayNode().GetVisibility()
    panel.ui.showNamesBox.setChecked(True)
    all_named = (np.abs(view.pixels().astype(int) - plain).sum(axis=2) > 60).sum()
    assert 50 < named < 0.3 * all_named


def test_swapped_sides_are_said_and_a_prediction_is_discarded(panel):
    pelvis(panel)
    node = panel.parameters.landmarks
    numbers = {node.GetNthControlPointLabel(n): n for n in range(23)}
    right, left = (numbers[f"anterior_superior_iliac_spine_{side}"] for side in ("right", "left"))
    places = node.GetNthControlPointPosition(right), node.GetNthControlPointPosition(left)
    node.SetNthControlPointPosition(right, places[1])
    node.SetNthControlPointPosition(left, places[0])
    settled(panel)
    assert "anterior superior iliac spine: right and left look swapped" in panel.ui.landmarkWarningLabel.text
    node.RemoveNthControlPoint(22)
    panel.ui.predictButton.click()
    settled(panel)
    assert panel.landmarks.predicted is not None
    panel.ui.discardButton.click()
    assert panel.landmarks.predicted is None


@pytest.fixture
def detector(panel):
    """The sample pelvis, and a detector that is off by 1.5 pixels a direction."""
    from DRRSimLib.detection.detector import DETECTORS
    from Sim2RealLib.mrml.markups import landmarks_of

    pelvis(panel)
    truth = landmarks_of(panel.parameters.landmarks)
    DETECTORS.append(PerturbedTruth(truth, lambda: panel.xray.image.view))
    panel.parameters_changed()
    yield DETECTORS[-1]
    DETECTORS.pop()


def test_detections_are_drawn_compared_and_triangulated(panel, detector):
    import slicer

    from Sim2RealLib.mrml.markups import landmarks_of

    ui, carm = panel.ui, panel.parameters.carm
    assert ui.detectorCombo.currentText == "Perturbed truth" and not ui.detectorHintLabel.visible
    for primary in (-40.0, 40.0):
        panel.parameters.primaryDeg = primary
        settled(panel)
        assert not ui.addViewButton.enabled  # what was found before is not in this image
        ui.detectButton.click()
        settled(panel)
        found = carm.GetNodeReference("DRRSim.Detections").GetNumberOfControlPoints()
        ui.addViewButton.click()
    assert found > 15 and ui.viewsLabel.text == "Views: RAO 40.0° CRAN 0.0°, LAO 40.0° CRAN 0.0°"
    assert carm.GetNodeReference("DRRSim.Rays").GetPolyData().GetNumberOfLines() > 30
    ui.triangulateButton.click()
    truth = landmarks_of(panel.parameters.landmarks)
    points = landmarks_of(carm.GetNodeReference("DRRSim.TriangulatedPoints"))
    errors = [np.linalg.norm(at - truth[name]) for name, at in points.items()]
    # 1.5 px of 0.616 mm at the detector are 0.6 mm at the patient, each direction; across 80° hardly more along the ray
    assert len(errors) > 12 and 0.2 < np.median(errors) < 2.5
    table = ui.errorTable
    cells = [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]
    in_image = [float(row[2]) for row in cells if row[2]]
    assert 0.5 < np.median(in_image) < 3.5  # the median length of a 2D normal deviate of 1.5 px is 1.8 px
    panel.widget.resize(430, 900)
    ui.detectionsSection.setCollapsed(False)
    slicer.app.processEvents()
    assert table.horizontalScrollBar().maximum == 0 and table.item(0, 0).toolTip() == cells[0][0]
    in_space = {row[0]: float(row[4]) for row in cells if row[4]}
    assert in_space[next(iter(points))] == pytest.approx(errors[0], abs=0.06)
    ui.showRaysBox.setChecked(False)
    assert not carm.GetNodeReference("DRRSim.Rays").GetDisplayNode().GetVisibility()
    ui.clearViewsButton.click()
    assert ui.viewsLabel.text == "" and not ui.triangulateButton.enabled


def test_views_that_are_too_alike_are_refused(panel, detector):
    for primary in (0.0, 1.0):
        panel.parameters.primaryDeg = primary
        settled(panel)
        panel.ui.detectButton.click()
        settled(panel)
        panel.ui.addViewButton.click()
    panel.ui.triangulateButton.click()
    assert "The views differ by 1.0° only" in panel.job_row.text
