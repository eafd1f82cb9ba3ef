"""DepthSim's panel, by mouse, keys and buttons: colon, endoscope, live view, rendering, prediction, real frame."""

import threading
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from colonography_scenes import grid, scan
from depthsim_scenes import SMALL_SCOPE, bent_anatomy, bent_lumen, bent_tube, bent_tube_ct, pose_at
from DepthSimLib.depth.predictor import DepthScale
from DepthSimLib.recipe import Rendering
from slicer_fixtures import ROOT

UI = ROOT / "DepthSim" / "Resources" / "UI" / "DepthSim.ui"


@pytest.fixture
def panel(load_module):
    load_module("Sim2Real")
    panel = load_module("DepthSim").panel
    panel.parameters.scalePercent = 100.0 * SMALL_SCOPE["scale"]
    panel.parameters.samples = 4
    panel.parameters.showHandles = False
    return panel


@pytest.fixture
def tube(panel):
    """The panel with the CT of the bent tube chosen, and its centerline found."""
    panel.parameters.ct = ct_node(bent_tube_ct())
    panel.ui.findCenterlineButton.click()
    assert finished(panel) == ""
    return panel


def ct_node(volume):
    import slicer

    from Sim2RealLib.mrml.volumes import make_volume

    return make_volume(slicer.mrmlScene, volume, "tube")


def until(condition, seconds=60.0):
    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        slicer.app.processEvents()
        time.sleep(0.001)


def finished(panel) -> str:
    until(lambda: panel.worker.idle)
    return panel.job_row.text


def node_of(panel, role):
    from Sim2RealLib.mrml.owned_nodes import owned

    return owned(panel.parameters.endoscope, f"DepthSim.{role}")


def pixels(node) -> np.ndarray:
    image = node.GetImageData()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1).squeeze()


def pose(panel) -> np.ndarray:
    from DepthSimLib.mrml.endoscope_nodes import pose_of

    return pose_of(panel.parameters.endoscope)


def clearance(panel) -> float:
    return float(bent_lumen().clearance.at(pose(panel)[:3, 3]))


def test_every_parameter_of_the_ui_is_one_of_the_node_and_every_button_tells_what_it_does(panel):
    named = 0
    for widget in ElementTree.parse(UI).iter("widget"):
        properties = {entry.get("name"): entry.findtext("string") for entry in widget.findall("property")}
        if name := properties.get("SlicerParameterName"):
            panel.parameters.getValue(name)  # ValueError if there is none
            named += 1
        if widget.get("class") in ("QPushButton", "QCheckBox", "QComboBox", "ctkSliderWidget", "qMRMLNodeComboBox"):
            assert properties.get("toolTip"), f"{widget.get('name')} has no tool tip"
    assert named > 25


VIEWS = ("Red", "Green", "Yellow", "Endoscope", "Frame")


def test_a_sample_colon_is_entered_by_one_click(panel):
    import slicer

    panel.parameters.sampleSpacingMm = 3.0
    panel.ui.sampleButton.click()
    assert finished(panel) == ""
    parameters = panel.parameters
    assert parameters.ct.GetName() == "Colon 1 CT"
    assert parameters.segmentation.GetSegmentation().GetNumberOfSegments() > 10
    assert parameters.lumen.GetPolyData().GetNumberOfPoints() > 10_000
    assert panel.ui.colonLabel.text.startswith("179 cm of colon")
    assert panel.ui.doubtsList.count == 0
    assert parameters.pathPositionMm == 30.0
    until(lambda: node_of(panel, "view") is not None)
    finished(panel)
    assert pixels(node_of(panel, "view")).max() > 100
    shown = {view: slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node(view)) for view in VIEWS}
    with_ct = (*VIEWS[:3], "Frame")  # nothing was rendered yet
    assert {shown[view].GetBackgroundVolumeID() for view in with_ct} == {parameters.ct.GetID()}
    assert shown["Endoscope"].GetBackgroundVolumeID() == node_of(panel, "view").GetID()
    parameters.pathPositionMm = 420.0
    assert "sigmoid" in panel.ui.endoscopeLabel.text


def test_lumen_and_centerline_have_a_button_each(panel):
    assert not panel.ui.findLumenButton.enabled
    panel.parameters.ct = ct_node(bent_tube_ct())
    assert panel.ui.colonLabel.text.startswith("Not found yet")
    panel.ui.findLumenButton.click()
    assert panel.worker.busy
    assert finished(panel) == ""
    wall = vtk_to_numpy(panel.parameters.lumen.GetPolyData().GetPoints().GetData()).astype(float)
    assert np.percentile(np.abs(bent_tube().depth(wall)), 90) < 2.2  # a voxel
    assert panel.parameters.path is None
    panel.ui.findCenterlineButton.click()
    assert finished(panel) == ""
    assert panel.ui.colonLabel.text == "12 cm of colon, up to 27 mm wide."
    assert panel.parameters.endoscope is not None
    assert panel.ui.doubtsList.count == 1
    panel.ui.doubtsList.setCurrentRow(0)  # it has no place to go to
    assert not panel.ui.bridgeButton.enabled


def test_a_colon_whose_ct_is_moved_is_to_be_found_again(tube):
    import slicer

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    tube.parameters.ct.SetAndObserveTransformNodeID(transform.GetID())
    matrix = slicer.util.arrayFromTransformMatrix(transform)
    matrix[0, 3] = 5.0
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    until(lambda: tube.ui.colonLabel.text.startswith("Not found yet"))


def test_a_search_is_cancelled_between_its_steps(panel):
    panel.parameters.ct = ct_node(bent_tube_ct())
    panel.ui.findLumenButton.click()
    panel.worker.cancel()
    assert finished(panel) == "Finding the lumen: stopped."
    assert panel.parameters.lumen is None
    assert panel.ui.findLumenButton.enabled


def test_what_goes_wrong_is_said_and_nothing_is_left(panel):
    from Sim2RealLib.volume import Volume

    solid = Volume(np.maximum(bent_tube_ct().array, -120), bent_tube_ct().ras_from_ijk, "solid")
    panel.parameters.ct = ct_node(solid)
    panel.ui.findCenterlineButton.click()
    assert "there is no gas inside the body" in finished(panel)
    assert panel.parameters.path is None


def test_one_point_of_a_bridge_is_no_error_until_a_search_needs_it(tube):
    finished(tube)
    endoscopy = tube.colon.endoscopy
    tube.ui.placeBridgeButton.click()
    tube.parameters.bridgePoints.AddControlPointWorld(0.0, 0.0, 0.0)
    until(lambda: "one more point" in tube.ui.colonLabel.text)
    assert tube.job_row.text == "" and tube.colon.endoscopy is endoscopy
    tube.ui.findLumenButton.click()
    assert "holds 1 points; a bridge has two" in finished(tube)
    tube.parameters.bridgePoints.AddControlPointWorld(0.0, 0.0, 20.0)
    until(lambda: tube.ui.colonLabel.text.startswith("Not found yet") and tube.job_row.text == "")
    import slicer

    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)


def test_a_ct_that_cannot_be_entered_leaves_the_other_sections_alive(tube, tmp_path):
    """Under a transform that is not linear, as the module is opened."""
    import slicer

    from slicer_cases import warp

    finished(tube)
    slicer.util.selectModule("Sim2Real")
    tube.parameters.ct.SetAndObserveTransformNodeID(warp(slicer.mrmlScene).GetID())
    slicer.util.selectModule("DepthSim")
    slicer.app.processEvents()
    assert "not linear" in tube.job_row.text
    tube.parameters.datasetFolder = tmp_path / "out"
    assert "not linear" in tube.job_row.text
    assert tube.ui.exportButton.enabled and tube.ui.sampleButton.enabled
    tube.parameters.ct.SetAndObserveTransformNodeID(None)
    until(lambda: tube.job_row.text == "")


def points_node(positions):
    import slicer

    from Sim2RealLib.mrml.markups import make_landmarks

    named = {str(number): np.array(position) for number, position in enumerate(positions)}
    return make_landmarks(slicer.mrmlScene, named, "points")


LONGER = np.array([[0, -25, -95], [0, -20, -50], [8, 0, 0], [0, 22, 50], [0, 20, 95]], dtype=float)


@pytest.fixture(scope="module")
def collapsed_ct():
    """A longer tube that is closed over 20 mm."""
    from colonography_scenes import tube as make_tube

    closed = make_tube(LONGER, 14.0).collapsed(95.0, 115.0)
    return scan(
        [closed], grid(np.diag([2.2, 2.2, 2.2, 1.0]), (34.0, 50.0, 122.0)), small_bowel=False, lungs_and_room=False
    )


def test_a_collapse_is_a_doubt_that_leads_there_and_is_bridged(panel, collapsed_ct):
    import slicer

    panel.parameters.ct = ct_node(collapsed_ct)
    panel.ui.findCenterlineButton.click()
    assert "collapsed in 1 place(s)" in finished(panel)
    panel.ui.findLumenButton.click()
    assert finished(panel) == ""
    assert panel.ui.doubtsList.count == 1
    panel.ui.doubtsList.setCurrentRow(0)
    place = np.array([[n.GetSliceToRAS().GetElement(row, 3) for row in range(3)] for n in (slice_node("Frame"),)])[0]
    assert abs(place[2]) < 25.0  # the middle of the tube
    assert panel.parameters.shown == "CT"
    focal = slicer.app.layoutManager().threeDWidget(0).threeDView().cameraNode().GetFocalPoint()
    np.testing.assert_allclose(focal, place, atol=0.1)
    panel.ui.bridgeButton.click()
    assert panel.parameters.bridgePoints.GetNumberOfControlPoints() == 2
    panel.ui.findCenterlineButton.click()
    assert finished(panel) == ""
    assert panel.parameters.path.GetCurveLengthWorld() > 180.0
    texts = [panel.ui.doubtsList.item(row).text() for row in range(panel.ui.doubtsList.count)]
    assert any("without lumen were bridged" in text for text in texts)


def test_a_branch_is_a_doubt_and_is_left_out(panel):
    """A second tube leads off the middle of a longer one, over 80 mm."""
    from colonography_scenes import tube as make_tube

    side = make_tube(np.array([[8, 0, 0], [48, 0, 4], [90, 0, 0]], dtype=float), 8.0)
    empty = grid(np.diag([2.2, 2.2, 2.2, 1.0]), (108.0, 50.0, 122.0))
    volume = scan([make_tube(LONGER, 14.0), side], empty, small_bowel=False, lungs_and_room=False)
    panel.parameters.ct = ct_node(volume)
    panel.ui.findCenterlineButton.click()
    assert finished(panel) == ""
    texts = [panel.ui.doubtsList.item(row).text() for row in range(panel.ui.doubtsList.count)]
    (row,) = (number for number, text in enumerate(texts) if "lead away from the centreline" in text)
    panel.ui.doubtsList.setCurrentRow(row)
    panel.ui.leaveOutButton.click()
    point = np.array(panel.parameters.excludedPoints.GetNthControlPointPositionWorld(0))
    assert np.linalg.norm(point - [90, 0, 0]) < 15.0
    assert panel.ui.colonLabel.text.startswith("Not found yet")  # with this point


def slice_node(view):
    import slicer

    from DepthSimLib.mrml.views import slice_node_of

    return slice_node_of(slicer.mrmlScene, view)


def test_points_are_placed_by_mouse(panel):
    import slicer

    panel.parameters.ct = ct_node(bent_tube_ct())
    panel.ui.placeExcludedButton.click()
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActivePlaceNodeID() == panel.parameters.excludedPoints.GetID()
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)


def test_the_endoscope_follows_slider_and_keys_and_keeps_its_turn(tube):
    from slicer_stand_in.gestures import press_key

    tube.ui.positionSlider.setValue(50.0)
    line = bent_anatomy().centerline
    expected = pose_at(50.0 / line.arc_length_mm[-1])
    np.testing.assert_allclose(pose(tube)[:3, 3], expected[:3, 3], atol=0.5)
    assert pose(tube)[:3, 2] @ expected[:3, 2] > 0.99
    press_key("Alt+Up")
    assert tube.ui.positionSlider.value == 55.0
    press_key("Alt+Down")
    press_key("Alt+Down")
    assert tube.ui.positionSlider.value == 45.0
    before = pose(tube)
    for _ in range(3):
        press_key("Alt+Right")
    turned = pose(tube)
    np.testing.assert_allclose(turned[:3, 3], before[:3, 3], atol=0.05)
    assert np.rad2deg(np.arccos(turned[:3, 2] @ before[:3, 2])) == pytest.approx(15.0, abs=0.01)
    assert turned[:3, 2] @ before[:3, 0] > 0.2  # to the right
    tube.ui.positionSlider.setValue(60.0)
    ahead = pose_at(60.0 / line.arc_length_mm[-1])
    assert np.rad2deg(np.arccos(pose(tube)[:3, 2] @ ahead[:3, 2])) == pytest.approx(15.0, abs=1.5)
    tube.ui.lookAheadButton.click()
    assert pose(tube)[:3, 2] @ ahead[:3, 2] > 0.999
    for button, axis, sign in (("tiltUpButton", 1, -1), ("tiltDownButton", 1, 1), ("turnLeftButton", 0, -1)):
        before = pose(tube)
        getattr(tube.ui, button).click()
        assert sign * (pose(tube)[:3, 2] @ before[:3, axis]) > 0.08
    before = pose(tube)
    tube.ui.rollRightButton.click()  # clockwise: what was up in the picture leans right
    assert pose(tube)[:3, 0] @ before[:3, 1] > 0.08
    assert pose(tube)[:3, 2] @ before[:3, 2] > 0.9999


def test_keys_work_only_while_the_module_is_open(tube):
    import slicer

    from slicer_stand_in.gestures import press_key

    at = tube.parameters.pathPositionMm
    endoscope = tube.parameters.endoscope
    slicer.util.selectModule("Sim2Real")
    press_key("Alt+Up")
    slicer.util.selectModule("DepthSim")
    assert tube.parameters.pathPositionMm == at
    assert tube.parameters.endoscope is endoscope


def test_a_handle_is_dragged_and_the_tip_stays_out_of_tissue(tube):
    """By the mouse in the 3D view: along the arrow of the camera's x, far beyond the wall."""
    import slicer

    from slicer_stand_in.gestures import drag, handle_pixel

    tube.parameters.showHandles = True
    tube.parameters.pathPositionMm = 60.0
    finished(tube)
    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    start = pose(tube)
    camera = view.cameraNode()
    camera.SetFocalPoint(*start[:3, 3].tolist())
    camera.SetPosition(*(start[:3, 3] - 150.0 * start[:3, 1]).tolist())
    camera.SetViewUp(*start[:3, 2].tolist())
    camera.ResetClippingRange()
    slicer.app.processEvents()
    at = handle_pixel(view, tube.parameters.endoscope, "translation", 0)
    center = (view.width // 2, view.height // 2)
    direction = np.sign(at[0] - center[0])
    drag(view, at, (int(at[0] + direction * 0.3 * view.width), at[1]))
    moved = pose(tube)
    way = (moved[:3, 3] - start[:3, 3]) @ start[:3, 0]
    assert 4.0 < way < 12.0  # the tube is 14 mm wide
    assert clearance(tube) >= tube.parameters.marginMm - 1e-6
    assert "held by the wall" in tube.ui.endoscopeLabel.text
    np.testing.assert_allclose(moved[:3, :3], start[:3, :3], atol=1e-6)
    tube.parameters.keepOut = False
    moved[:3, 3] += 20.0 * start[:3, 0]
    place(tube, moved)
    assert clearance(tube) < 0.0
    assert "in tissue" in tube.ui.endoscopeLabel.text
    tube.parameters.keepOut = True
    assert clearance(tube) >= tube.parameters.marginMm - 1e-6


def place(panel, ras_from_camera):
    from DepthSimLib.mrml.endoscope_nodes import place

    place(panel.parameters.endoscope, ras_from_camera)


def test_the_slider_follows_an_endoscope_that_is_moved_by_hand(tube):
    place(tube, pose_at(0.7))
    assert tube.parameters.pathPositionMm == pytest.approx(0.7 * bent_anatomy().centerline.arc_length_mm[-1], abs=1.5)
    np.testing.assert_allclose(pose(tube), pose_at(0.7), atol=1e-9)


def test_the_live_view_shows_where_the_endoscope_ends_up(tube, monkeypatch):
    """Of many places that follow each other while one picture is made, only the last is shown; it is the picture that
    the simulator makes there."""
    import slicer

    finished(tube)
    tube.live._rest.setInterval(1_000_000)  # the hand never rests
    shown = set()
    node = node_of(tube, "view")
    keep = lambda *_: shown.add(pixels(node).tobytes())  # noqa: E731
    tube.endoscope._panel.addObserver(node, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, keep)
    endoscopy, moved = tube.colon.endoscopy, threading.Event()
    preview = endoscopy.preview
    monkeypatch.setattr(endoscopy, "preview", lambda *asked: moved.wait() and preview(*asked))
    for position in np.linspace(40.0, 80.0, 40):
        tube.parameters.pathPositionMm = float(position)
    moved.set()
    finished(tube)
    assert 1 <= len(shown) <= 2  # what may have been begun, and the last
    from DepthSimLib.panels.settings import chosen_picture

    expected = endoscopy.preview(chosen_picture(tube.parameters), pose(tube), 256).picture
    np.testing.assert_array_equal(pixels(node), expected)
    tube.live._rest.setInterval(1)
    tube.parameters.pathPositionMm = 79.0
    until(lambda: not tube.live._rest.active)
    finished(tube)
    recipe = chosen_picture(tube.parameters).model_copy(update={"rendering": Rendering(mode="synthetic")})
    *_, fine = endoscopy.refine(recipe, pose(tube))
    np.testing.assert_array_equal(pixels(node), fine.picture)
    tube.parameters.live = False
    before = pixels(node).copy()
    tube.parameters.pathPositionMm = 45.0
    finished(tube)
    np.testing.assert_array_equal(pixels(node), before)


def test_the_slice_view_faces_the_picture(tube):
    """The view's middle row shows the picture's middle row, left to right."""
    import slicer

    finished(tube)
    picture = pixels(node_of(tube, "view"))
    view = slicer.app.layoutManager().sliceWidget("Endoscope").sliceView()
    slicer.app.processEvents()
    drawn = view.pixels()
    row = drawn[drawn.shape[0] // 2].astype(float).sum(axis=1)
    lit = np.flatnonzero(row)
    columns = np.linspace(lit[0], lit[-1], picture.shape[1]).astype(int)
    wanted = picture[picture.shape[0] // 2].astype(float).sum(axis=1)
    assert np.corrcoef(row[columns], wanted)[0, 1] > 0.98


def test_what_the_user_zoomed_to_stays_while_the_endoscope_moves(tube):
    finished(tube)
    node = slice_node("Endoscope")
    zoomed = 0.4 * np.array(node.GetFieldOfView())
    node.SetFieldOfView(*zoomed.tolist())
    tube.parameters.pathPositionMm = 70.0
    finished(tube)
    np.testing.assert_allclose(node.GetFieldOfView()[:2], zoomed[:2])
    normal = [node.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
    assert abs(np.dot(normal, pose(tube)[:3, 2])) == pytest.approx(1.0, abs=1e-6)  # it turned with the camera
    tube.ui.layoutButton.click()
    tube.ui.liveBox.click()
    tube.ui.liveBox.click()
    finished(tube)


def test_another_device_changes_pictures_and_model_but_not_the_colon(tube):
    finished(tube)
    endoscopy = tube.colon.endoscopy
    tube.ui.deviceCombo.setCurrentText("simcol3d")
    tube.parameters.scalePercent = 20.0
    assert tube.ui.sizeLabel.text == "95 × 95 pixels"
    finished(tube)
    assert pixels(node_of(tube, "view")).shape == (95, 95, 3)
    assert tube.colon.endoscopy is endoscopy
    assert node_of(tube, "shaft") is not None
    tube.ui.deviceCombo.setCurrentText("pillcam_colon2")
    assert node_of(tube, "shaft") is None
    for box, parts in (("showModelBox", ["tip"]), ("showFieldBox", ["field of view"]), ("showLightsBox", ["beams"])):
        was = getattr(tube.ui, box).checked
        getattr(tube.ui, box).click()
        for part in parts:
            assert bool(node_of(tube, part).GetDisplayNode().GetVisibility()) is not was


def test_render_refines_from_coarse_to_fine_in_its_own_view(tube):
    import slicer

    finished(tube)
    sizes, busy = [], []
    show = tube.frame.update
    tube.frame.update = lambda: (show(), note())

    def note():
        if (node := node_of(tube, "picture")) is not None and node.GetImageData() is not None and tube.worker.busy:
            sizes.append(node.GetImageData().GetDimensions()[0])
            busy.append(tube.ui.renderButton.enabled)

    tube.ui.renderButton.click()
    assert tube.ui.stopButton.enabled
    finished(tube)
    assert sizes == sorted(sizes)
    assert sizes[0] < 108 == sizes[-1]
    assert not any(busy)
    assert tube.parameters.shown == "rendered picture"
    composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node("Frame"))
    assert composite.GetBackgroundVolumeID() == node_of(tube, "picture").GetID()
    current = tube.rendering.current
    np.testing.assert_array_equal(pixels(node_of(tube, "picture")), current.picture)
    assert current.sight.provenance["rendering"]["samples"] == 4
    tube.parameters.pathPositionMm = 70.0
    assert tube.rendering.current is None  # the endoscope stands elsewhere


def test_rendering_is_stopped_and_can_begin_anew(tube):
    tube.parameters.samples = 4096
    tube.ui.renderButton.click()
    until(lambda: node_of(tube, "picture") is not None and node_of(tube, "picture").GetImageData() is not None)
    tube.ui.stopButton.click()
    assert finished(tube) == "Rendering: stopped."
    assert pixels(node_of(tube, "picture")).max() > 0
    tube.parameters.samples = 1
    tube.ui.renderButton.click()
    assert finished(tube) == ""


def test_depth_normals_and_labels_without_a_picture(tube):
    tube.ui.truthButton.click()
    assert finished(tube) == ""
    assert tube.parameters.shown == "depth"
    truth = tube.colon.endoscopy.simulation(chosen(tube)).geometry(pose(tube))[2]
    depth = pixels(node_of(tube, "depth"))
    np.testing.assert_array_equal(depth, np.nan_to_num(truth.depth_mm))
    assert node_of(tube, "picture") is None
    surface = node_of(tube, "surface")
    assert surface.GetDisplayNode().GetVisibility()
    lumen = tube.parameters.lumen.GetDisplayNode()
    assert lumen.GetOpacity() < 0.1  # its wall would flicker through the surface
    tube.ui.showSurfaceBox.click()
    assert not surface.GetDisplayNode().GetVisibility() and lumen.GetOpacity() > 0.4
    for shown, role in (("normals", "normals"), ("depth", "depth")):
        tube.ui.shownCombo.setCurrentText(shown)
        import slicer

        composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node("Frame"))
        assert composite.GetBackgroundVolumeID() == node_of(tube, role).GetID()
        assert tube.ui.shownLabel.isHidden()  # an empty line would keep its height
    tube.ui.shownCombo.setCurrentText("rendered picture")
    assert tube.ui.shownLabel.text == "Press Render." and not tube.ui.shownLabel.isHidden()
    assert tube.ui.figuresLabel.isHidden()


def test_view_f_shows_the_ct_at_the_endoscope_where_there_is_no_picture(tube):
    """By pixels: the tube, dark in grey, at the place it has in the CT, and the view is as wide as the CT."""
    import slicer

    from slicer_stand_in.gestures import pixel_of

    tube.parameters.mode = "synthetic"
    tube.parameters.pathPositionMm = 60.0
    tube.ui.renderButton.click()
    finished(tube)
    view = slicer.app.layoutManager().sliceWidget("Frame").sliceView()
    for shown in ("CT", "depth error", "rendered picture", "real frame"):
        tube.ui.shownCombo.setCurrentText(shown)
        for _ in range(3):
            slicer.app.processEvents()
        composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(view.mrmlSliceNode())
        if shown == "rendered picture":
            assert composite.GetBackgroundVolumeID() == node_of(tube, "picture").GetID()
            continue
        assert composite.GetBackgroundVolumeID() == tube.parameters.ct.GetID()
        grey = view.pixels()[..., 0].astype(float)
        tip = pose(tube)[:3, 3]
        body, lumen = (pixel_of(view, (x, tip[1], tip[2])) for x in (30.0, tip[0]))
        assert grey[body[1], body[0]] > grey[lumen[1], lumen[0]] + 30.0
        corners = [pixel_of(view, (x, y, tip[2])) for x, y in ((-33.0, -49.0), (33.0, 49.0))]
        assert max(np.ptp(corners, axis=0) / (view.width, view.height)) > 0.9


def chosen(panel):
    from DepthSimLib.panels.settings import chosen_picture

    return chosen_picture(panel.parameters)


class Perturbed:
    """Knows the depth of the picture's place up to a scale, and errs by 20 % from left to right."""

    name, scale = "perturbed truth", DepthScale.UP_TO_SCALE

    def __init__(self, truth_mm: np.ndarray) -> None:
        self.prediction = truth_mm * np.linspace(0.9, 1.1, truth_mm.shape[1])[None, :] / 40.0

    def predict(self, _picture, _camera):
        return self.prediction


def test_without_a_model_the_section_says_so(tube):
    tube.ui.predictionSection.setCollapsed(False)
    assert "without a trained model" in tube.ui.predictorHint.text
    assert not tube.ui.predictButton.enabled
    assert tube.ui.predictorCombo.count == 0


def test_a_prediction_gives_the_figures_that_are_computed_independently(tube, monkeypatch):
    from DepthSimLib.panels import prediction_section

    tube.parameters.samples = 1
    truth = tube.colon.endoscopy.simulation(chosen(tube)).geometry(pose(tube))[2].depth_mm
    model = Perturbed(truth)
    monkeypatch.setattr(prediction_section, "PREDICTORS", [model])
    tube.parameters_changed()
    tube.ui.predictionSection.setCollapsed(False)
    assert tube.ui.predictorHint.text == ""
    tube.ui.predictButton.click()  # renders first
    assert finished(tube) == ""
    seen = np.isfinite(truth)
    scaled = model.prediction[seen] * np.median(truth[seen]) / np.median(model.prediction[seen])
    errors = np.abs(scaled - truth[seen])
    assert f"<b>{np.mean(errors / truth[seen]):.3f}</b>" in tube.ui.figuresLabel.text
    assert f"<b>{np.sqrt(np.mean(errors**2)):.2f} mm</b>" in tube.ui.figuresLabel.text
    np.testing.assert_allclose(pixels(node_of(tube, "depth error"))[seen], scaled - truth[seen], atol=1e-3)
    assert tube.parameters.shown == "depth error"
    surface = node_of(tube, "predicted surface")
    tube.ui.showPredictedBox.click()
    assert not surface.GetDisplayNode().GetVisibility()
    rendered = tube.rendering.current
    tube.ui.predictButton.click()
    finished(tube)
    assert tube.rendering.current is rendered  # not again
    model.prediction = np.ones((3, 3))
    tube.ui.predictButton.click()
    assert "other sizes: 3 × 3 px and 108 × 86 px" in finished(tube)


def test_a_real_frame_is_shown_beside(tube, tmp_path):
    path = tmp_path / "frame.jpg"
    colors = np.zeros((40, 60, 3), np.uint8)
    colors[:, :30] = [250, 40, 30]
    Image.fromarray(colors).save(path, quality=95)
    assert not tube.ui.openFrameButton.enabled
    tube.ui.realFrameEdit.setCurrentPath(str(path))
    tube.ui.openFrameButton.click()
    assert tube.parameters.shown == "real frame"
    np.testing.assert_allclose(pixels(node_of(tube, "real frame"))[20, 10], [250, 40, 30], atol=6)
    for content, told in ((b"GIF89a no", "no PNG or JPEG"), (path.read_bytes()[:200], "no PNG or JPEG")):
        (tmp_path / "other.jpg").write_bytes(content)
        tube.ui.realFrameEdit.setCurrentPath(str(tmp_path / "other.jpg"))
        tube.ui.openFrameButton.click()
        assert told in tube.job_row.text
    tube.ui.realFrameEdit.setCurrentPath(str(tmp_path / "none.png"))
    tube.ui.openFrameButton.click()
    assert "no such file" in tube.job_row.text


def test_view_e_says_that_it_does_not_follow_in_a_colon_that_is_not_known(load_module):
    """As after a scene was loaded, whose picture is of where the endoscope was."""
    import slicer

    from DepthSimLib.mrml.endoscope_nodes import make_endoscope
    from DepthSimLib.recipe import Tip

    load_module("Sim2Real")
    panel = load_module("DepthSim").panel
    panel.parameters.endoscope = make_endoscope(slicer.mrmlScene, Tip())
    slicer.app.processEvents()
    assert "Find centerline" in panel.ui.liveLabel.text
