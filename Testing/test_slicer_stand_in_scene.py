"""The stand-in around the real scene: files, views that are drawn and dragged in, sample data, dependencies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RADIUS_MM = 40.0


def a_sphere():
    """A red sphere of RADIUS_MM about the origin."""
    import slicer
    import vtk

    source = vtk.vtkSphereSource()
    source.SetRadius(RADIUS_MM)
    source.SetPhiResolution(60)
    source.SetThetaResolution(60)
    source.Update()
    model = slicer.modules.models.logic().AddModel(source.GetOutput())
    model.GetDisplayNode().SetColor(1, 0, 0)
    return model


@pytest.fixture
def view(slicer_scene):
    """The 3D view, 300 × 200 pixels, seen from the front at 300 mm, with no box and no labels."""
    import slicer

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.setFixedSize(300, 200)
    view.mrmlViewNode().SetBoxVisible(False)
    view.mrmlViewNode().SetAxisLabelsVisible(False)
    camera = view.cameraNode()
    camera.SetPosition(0, 300, 0)
    camera.SetFocalPoint(0, 0, 0)
    camera.SetViewUp(0, 0, 1)
    camera.SetViewAngle(30)
    camera.ResetClippingRange()
    slicer.app.processEvents()
    return view


def test_a_model_is_drawn_where_perspective_puts_it(view):
    """A sphere at distance d fills a circle of tan(asin(r / d)) / tan(angle / 2) half heights."""
    import slicer

    a_sphere()
    slicer.app.processEvents()
    view.cameraNode().ResetClippingRange()
    picture = view.pixels()
    assert picture.shape == (200, 300, 3)
    red = (picture[..., 0] > 60) & (picture[..., 2] < 60)
    expected_px = 100 * np.tan(np.arcsin(RADIUS_MM / 300)) / np.tan(np.radians(15))
    assert np.sqrt(red.sum() / np.pi) == pytest.approx(expected_px, rel=0.02)  # edges of pixels, facets
    assert np.argwhere(red).mean(0) == pytest.approx([99.5, 149.5], abs=1)


def test_a_drag_turns_the_camera_about_its_focal_point(view, drag):
    camera = view.cameraNode()
    drag(view, (150, 100), (190, 100))
    position = np.array(camera.GetPosition())
    assert np.linalg.norm(position) == pytest.approx(300, rel=1e-6)
    assert abs(position[0]) > 20
    assert abs(position[2]) < 1e-6 * 300


def test_slicers_own_drag_turns_the_camera_too(view):
    import slicer

    slicer.util.clickAndDrag(view, start=(150, 100), end=(190, 100))
    assert abs(view.cameraNode().GetPosition()[0]) > 20


def test_a_drag_moves_a_point_with_the_mouse(view, drag):
    import slicer

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(0, 0, 0)
    slicer.app.processEvents()
    drag(view, (150, 100), (190, 120))
    moved = np.array(points.GetNthControlPointPositionWorld(0))
    mm_per_px = 300 * np.tan(np.radians(15)) / 100
    assert moved == pytest.approx([-40 * mm_per_px, 0, -20 * mm_per_px], abs=2 * mm_per_px)
    assert view.cameraNode().GetPosition() == pytest.approx((0, 300, 0))  # the point took the drag


def test_a_drag_of_a_handle_moves_a_transform_along_its_axis(view, drag):
    import slicer
    import vtk

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.CreateDefaultDisplayNodes()
    without = view.pixels().astype(int)
    transform.GetDisplayNode().SetEditorVisibility(True)
    changed = np.abs(view.pixels().astype(int) - without).sum(2) > 60
    rows = np.flatnonzero(changed[:, 150])
    upwards = rows[(rows > 30) & (rows < 85)]  # on the arrow of the superior axis, below its ring
    drag(view, (150, int(upwards.mean())), (150, int(upwards.mean()) - 15))
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToParent(matrix)
    moved = [matrix.GetElement(row, 3) for row in range(3)]
    assert moved[2] == pytest.approx(15 * 300 * np.tan(np.radians(15)) / 100, rel=0.2)
    assert moved[:2] == pytest.approx([0, 0], abs=1e-6)


def test_a_slice_view_shows_the_volume_the_patients_right_at_the_left(slicer_scene):
    import slicer

    values = np.zeros((20, 20, 20), np.int16)
    values[:, :, 10:] = 1000  # towards the patient's left, for i runs against R
    volume = slicer.util.addVolumeFromArray(values, ijkToRAS=np.diag([-1.0, -1.0, 1.0, 1.0]))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    picture = slicer.app.layoutManager().sliceWidget("Red").sliceView().pixels()
    middle = picture[picture.shape[0] // 2, :, 0].astype(float)
    quarter = len(middle) // 4
    assert middle[2 * quarter + 5 :].mean() > 200 > 50 > middle[: 2 * quarter - 5].mean()
    assert slicer.app.layoutManager().sliceWidget("Purple") is None


def test_views_survive_a_closed_scene(view):
    import slicer

    a_sphere()
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    assert slicer.mrmlScene.GetNodeByID(view.mrmlViewNode().GetID()) is view.mrmlViewNode()
    picture = view.pixels()
    assert not ((picture[..., 0] > 60) & (picture[..., 2] < 60)).any()


def test_nodes_are_saved_and_loaded_by_slicer_util(slicer_scene, tmp_path):
    import slicer
    import vtk

    values = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    oblique = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    volume = slicer.util.addVolumeFromArray(values, ijkToRAS=oblique, name="CT")
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "P")
    points.AddControlPoint(1, 2, 3, "tip")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "T")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(oblique))
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = segmentation.GetSegmentation().AddEmptySegment("bone")
    slicer.util.updateSegmentBinaryLabelmapFromArray((values > 30).astype(np.uint8), segmentation, segment, volume)
    names = {volume: "ct.nrrd", points: "p.mrk.json", transform: "t.h5", segmentation: "s.seg.nrrd"}
    for node, name in names.items():
        assert slicer.util.saveNode(node, str(tmp_path / name))
    slicer.mrmlScene.Clear(0)
    loaded = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), values)
    matrix = vtk.vtkMatrix4x4()
    loaded.GetIJKToRASMatrix(matrix)
    assert slicer.util.arrayFromVTKMatrix(matrix) == pytest.approx(oblique)
    assert slicer.util.loadMarkups(str(tmp_path / "p.mrk.json")).GetNthControlPointLabel(0) == "tip"
    again = slicer.util.loadTransform(str(tmp_path / "t.h5"))
    assert slicer.util.arrayFromTransformMatrix(again) == pytest.approx(oblique)
    bones = slicer.util.loadSegmentation(str(tmp_path / "s.seg.nrrd"))
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(bones, bones.GetSegmentation().GetNthSegmentID(0), loaded)
    np.testing.assert_array_equal(mask, values > 30)
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))


def test_settings_and_temporary_files_are_the_stand_ins_own(slicer_scene):
    import qt
    import slicer

    qt.QSettings().setValue("Stand/In", 3)
    assert int(slicer.app.settings().value("Stand/In")) == 3
    for path in (qt.QSettings().fileName(), slicer.app.temporaryPath):
        assert Path(path).is_relative_to(slicer.app.slicerHome)
    assert not slicer.app.testingEnabled()
    slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
    slicer.app.restoreOverrideCursor()
    assert slicer.util.getModuleLogic("Volumes") is slicer.modules.volumes.logic()


def test_without_a_main_window_there_are_no_views(slicer_scene):
    import slicer

    slicer.app.setMainWindow(False)
    try:
        assert slicer.app.layoutManager() is None
    finally:
        slicer.app.setMainWindow(True)


def test_sample_data_needs_a_checksum_and_is_never_downloaded(slicer_scene, tmp_path):
    import SampleData
    import slicer

    register = SampleData.SampleDataLogic.registerCustomSampleDataSource
    with pytest.raises(ValueError, match="checksum"):
        register("Toy", "unchecked", uris="https://x.invalid/a.nrrd", fileNames="a.nrrd", nodeNames="a")
    register("Toy", "far", uris="https://x.invalid/a.nrrd", fileNames="a.nrrd", nodeNames="a", checksums="SHA256:00")
    with pytest.raises(RuntimeError, match="downloads nothing"):
        SampleData.SampleDataLogic().downloadSample("far")
    names = {"uris": "https://x.invalid", "fileNames": "made", "nodeNames": "made"}
    make = lambda _source: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")  # noqa: E731
    with pytest.raises(ValueError, match="uris"):  # as Slicer, which pairs them with each other
        register("Toy", "made", customDownloader=make)
    register("Toy", "made", customDownloader=make, **names)
    assert SampleData.SampleDataLogic().downloadSample("made").IsA("vtkMRMLTextNode")


def test_packages_are_checked_and_never_installed(slicer_scene, tmp_path):
    import slicer.packaging

    (tmp_path / "requirements.txt").write_text("# arrays\nnumpy>=1.20\n\nno-such-package-here>=2\n")
    requirements = slicer.packaging.load_requirements(tmp_path / "requirements.txt")
    assert [slicer.packaging.pip_check(entry) for entry in requirements] == [True, False]
    assert not slicer.packaging.pip_check("numpy>=99")
    assert slicer.packaging.pip_ensure(requirements, requester="Toy") is False
    assert slicer.packaging.asked[-1] == {
        "requirements": ["numpy>=1.20", "no-such-package-here>=2"],
        "requester": "Toy",
    }


DRAG_ON_X = """
import slicer_stand_in
slicer_stand_in.install()
import slicer
from slicer_stand_in.gestures import drag
slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView)
view = slicer.app.layoutManager().threeDWidget(0).threeDView()
from PySide6.QtTest import QTest
slicer.util.mainWindow().resize(780, 560)
assert QTest.qWaitForWindowExposed(slicer.util.mainWindow())
before = view.cameraNode().GetPosition()
drag(view, (150, 100), (190, 120))
after = view.cameraNode().GetPosition()
QTest.qWait(100)
screen, corner = view.screen().grabWindow(0).toImage(), view.mapToGlobal(view.rect.topLeft())
colours = {screen.pixel(corner.x() + x, corner.y() + y) for x in range(0, 300, 7) for y in range(0, 300, 7)}
print(slicer.app.platformName, sum((a - b) ** 2 for a, b in zip(before, after)) ** 0.5 > 20, len(colours) > 5)
"""


@pytest.mark.skipif(
    shutil.which("Xvfb") is None, reason="no Xvfb; Resources/system_libraries.sh installs it on Debian and Ubuntu"
)
def test_a_drag_in_a_window_of_an_x_server_turns_the_camera():
    here = Path(__file__).parent
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            display = f":{answer.readline().strip()}"
        environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(here)}
        run = subprocess.run(
            [sys.executable, "-c", DRAG_ON_X], env=environment, capture_output=True, text=True, timeout=60
        )
    finally:
        server.terminate()
        server.wait(timeout=10)
    assert run.stdout.split() == ["xcb", "True", "True"], run.stderr
