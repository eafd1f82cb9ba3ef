"""Recipes, datasets and scenes of DRRSim's panel: what was set up comes back, by each of the ways to keep it."""

from pathlib import Path

import numpy as np
import pytest

from drrsim_steps import ball_ct, ball_dataset, drrsim_panel, pelvis, settled, until
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.recipe import read_recipe


@pytest.fixture
def panel(load_module):
    return drrsim_panel(load_module)


def set_up(panel):
    """A setting that differs from the defaults everywhere."""
    parameters = panel.parameters
    parameters.secondaryDeg, parameters.inPlaneDeg, parameters.isocenterS = 5.0, 3.0, 12.0
    parameters.sourceToDetectorMm = 1100.0
    parameters.spectrum, parameters.photons, parameters.window = "120kV_Al4.3", 2e5, "wide"
    parameters.detectorType = "flat_panel"
    parameters.polarity, parameters.count, parameters.seed, parameters.sampler = "bone dark", 2, 7, "sobol"
    parameters.inPlaneJitterDeg, parameters.isocenterJitterMm = 1.0, 2.0
    panel.ui.aroundButton.click()


KEPT = (
    *("device", "sourceToDetectorMm", "sourceToIsocenterMm", "primaryDeg", "secondaryDeg", "inPlaneDeg", "isocenterS"),
    *(
        "spectrum",
        "detectorType",
        "photons",
        "window",
        "polarity",
        "count",
        "seed",
        "sampler",
        "primaryRangeDeg",
        "secondaryRangeDeg",
    ),
    *("inPlaneJitterDeg", "isocenterJitterMm"),
)


def settings(panel, names=KEPT):
    return {name: panel.parameters.getValue(name) for name in names}


def test_a_saved_recipe_sets_the_panel_up_again(panel, slicer_scene, tmp_path):
    from slicer_stand_in import dialogs

    pelvis(panel)
    set_up(panel)
    before = settings(panel)
    dialogs.choose_next(str(tmp_path / "mine.yaml"))
    panel.ui.saveRecipeButton.click()
    settled(panel)
    content = read_recipe(tmp_path / "mine.yaml")
    assert content["input"]["anatomy"] == {"kind": "pelvis", "seed": 1, "spacing_mm": 4.0}
    assert content["views"]["secondary_range_deg"] == [-10.0, 20.0] and content["views"]["count"] == 2
    assert content["carm"]["device"]["source_to_detector_mm"] == 1100.0  # no preset any more
    slicer_scene.Clear(0)
    assert panel.parameters.ct is None and panel.parameters.count == 50
    dialogs.choose_next(str(tmp_path / "mine.yaml"))
    panel.ui.loadRecipeButton.click()
    until(lambda: panel.xray.image is not None)
    settled(panel)
    after = settings(panel)
    for name, value in before.items():
        assert after[name] == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value), name
    assert panel.xray.image.pose.isocenter_ras[2] == pytest.approx(12.0)
    assert panel.parameters.landmarks.GetNumberOfControlPoints() == 23


def test_what_the_panel_does_not_show_is_kept(panel, tmp_path):
    """Collimation, a displaced detector, electronic noise, other channels: from the file into the next one."""
    (tmp_path / "given.yaml").write_text(
        "simulator: drr\n"
        "input: {anatomy: {seed: 3, spacing_mm: 4.0}, source: made here}\n"
        "views: {count: 3, collimation_mm: [200, 150], detector_offset_mm: [10, 0], jitter: {primary_deg: 2}}\n"
        "physics: {noise: {photons_per_pixel: 1.0e+5, electronic_kev: 300}, spectrum: {kvp: 70}}\n"
        "output: {channels: [attenuation], thickness: [sacrum], display: {window: {low: 1, high: 4}, bits: 16}}\n"
    )
    panel.dataset.load(tmp_path / "given.yaml")
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert panel.job_row.text == "Loaded given.yaml."
    assert panel.ui.spectrumCombo.currentText == "as in the recipe"
    assert panel.ui.windowCombo.currentText == "as shown" and panel.ui.photonsBox.value == 1e5
    attenuation = panel.xray.image.attenuation
    blades = 150 / 0.616 / 2
    assert not np.isfinite(attenuation[: int(479 / 2 - blades) - 1]).any()  # collimated
    panel.dataset.save(tmp_path / "again.yaml")
    settled(panel)
    given, again = read_recipe(tmp_path / "given.yaml"), read_recipe(tmp_path / "again.yaml")
    for section in ("views", "physics", "output", "input"):
        for name, value in given[section].items():
            for key, inner in value.items() if isinstance(value, dict) else [(None, value)]:
                stored = again[section][name] if key is None else again[section][name][key]
                whole = stored == inner or (isinstance(inner, dict) and inner.items() <= stored.items())
                assert whole, (section, name, key)


def test_a_recipe_in_a_scene_that_cannot_be_read_is_said_once(panel):
    ct, _ = ball_ct()
    panel.parameters.recipe = '{"simulator": "drr", "carm": {"device": "of_tomorrow"}}'
    panel.parameters.ct = ct
    until(lambda: panel.xray.image is not None)
    assert "cannot be read and is forgotten" in panel.job_row.text and panel.parameters.recipe == ""


def test_a_recipe_of_endoscopy_is_sent_to_its_module(panel, tmp_path):
    (tmp_path / "colon.yaml").write_text("simulator: endoscopy\ninput: {anatomy: {seed: 1}}\nviews: {mode: free}\n")
    with panel.attempt():
        panel.dataset.load(tmp_path / "colon.yaml")
    assert panel.job_row.text == "colon.yaml: this is an endoscopy recipe: load it in DepthSim."


def test_a_recipe_of_a_biplane_is_refused_with_a_reason(panel, tmp_path):
    (tmp_path / "two.yaml").write_text("simulator: drr\ncarm: {device: generic_biplane}\n")
    with panel.attempt():
        panel.dataset.load(tmp_path / "two.yaml")
    assert "biplane" in panel.job_row.text and panel.parameters.ct is None


def test_an_export_from_files_is_opened_frame_by_frame(panel, tmp_path):
    """A changed CT becomes a file beside the dataset; its frames are shown with their poses."""
    import slicer
    import vtk

    from DRRSimLib.acquisition.detector_plane import detector_plane_ras
    from DRRSimLib.mrml.carm_nodes import parts_of, pose_of
    from Sim2RealLib.mrml.transforms import matrix_of, to_array
    from slicer_stand_in.gestures import pixel_of

    ct, middle = ball_ct()
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    points.AddControlPoint(*middle, "ball")
    panel.parameters.ct, panel.parameters.landmarks = ct, points
    until(lambda: panel.xray.image is not None)
    panel.parameters.count, panel.parameters.datasetFolder = 3, tmp_path / "dataset"
    panel.ui.exportButton.click()
    settled(panel)
    assert "3 frames are in" in panel.job_row.text
    dataset = Dataset.open(tmp_path / "dataset")
    assert (tmp_path / "dataset" / "report.html").exists()
    assert len(list((tmp_path / "dataset" / "inputs").iterdir())) == 2
    before = pose_of(panel.parameters.carm)
    panel.ui.openDatasetButton.click()
    settled(panel)
    for number in (2, 0):
        panel.ui.frameSlider.setValue(number)
        slicer.app.processEvents()
        record = dataset.record(dataset.indices[number])
        camera = slicer.util.getNode(f"{dataset.folder.name} camera")
        assert np.allclose(matrix_of(camera), np.linalg.inv(record["camera"]["camera_from_world"]))
        overlay = panel.parameters.carm.GetNodeReference("DRRSim.Landmarks")
        assert overlay.GetNumberOfControlPoints() == 1
        view = slicer.app.layoutManager().sliceWidget("Xray").sliceView()
        composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(view.mrmlSliceNode())
        shown = slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID())
        assert np.array_equal(slicer.util.arrayFromVolume(shown)[0], dataset.frame(number).channel("display"))
    view_3d, matrix = slicer.app.layoutManager().threeDWidget(0).threeDView(), vtk.vtkMatrix4x4()
    shown.GetIJKToRASMatrix(matrix)
    columns, rows, _ = shown.GetImageData().GetDimensions()
    for corner in ((0, 0), (columns, 0), (columns, rows), (0, rows)):
        at = pixel_of(view_3d, matrix.MultiplyPoint((*corner, 0, 1))[:3])
        assert 0 <= at[0] < view_3d.width and 0 <= at[1] < view_3d.height
    assert not any(part.GetDisplayNode().GetVisibility() for part in parts_of(panel.parameters.carm).values())
    assert pose_of(panel.parameters.carm) == before  # what was set up for exports stays
    panel.parameters.primaryDeg += 10.0
    settled(panel)
    shown = slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID())
    assert shown is panel.parameters.carm.GetNodeReference("DRRSim.Image")  # live goes on when the C-arm moves
    facing = to_array(view.mrmlSliceNode().GetSliceToRAS())
    assert facing == pytest.approx(detector_plane_ras(panel.xray.image.view), abs=1e-6)
    assert np.ptp(np.percentile(view.pixels(), [5, 95])) > 20  # a slice beside the picture is black
    assert all(part.GetDisplayNode().GetVisibility() for part in parts_of(panel.parameters.carm).values())
    assert not slicer.util.getNode(f"{dataset.folder.name} field of view").GetDisplayNode().GetVisibility()


def test_a_dataset_is_opened_in_a_new_scene_and_fits_the_view_that_is_resized(panel, tmp_path):
    import slicer

    panel.parameters.datasetFolder = ball_dataset(tmp_path / "out")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    panel.ui.openDatasetButton.click()
    settled(panel)
    assert "Showing 2 frames" in panel.job_row.text
    view = slicer.app.layoutManager().sliceWidget("Xray").sliceView()
    assert view.mrmlSliceNode().GetSliceVisible()
    stored = Dataset.open(tmp_path / "out").channel(0, "display")
    for width, height in ((360, 300), (500, 480)):
        view.setFixedSize(width, height)
        for _ in range(3):
            slicer.app.processEvents()
        lit = np.argwhere(view.pixels()[..., 0] > 0)
        scale = min(width / stored.shape[1], height / stored.shape[0])
        assert np.ptp(lit, axis=0) + 1 == pytest.approx(np.multiply(stored.shape, scale), abs=4)


def test_a_volume_that_is_loaded_leaves_the_xray_view_alone(panel, tmp_path):
    """Slicer shows what it loads in the slice views."""
    import slicer

    panel.parameters.ct = ball_ct()[0]
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert slicer.util.saveNode(panel.parameters.ct, str(tmp_path / "ct.nrrd"))
    loaded = slicer.util.loadVolume(str(tmp_path / "ct.nrrd"))
    layout = slicer.app.layoutManager()
    composites = {
        view: slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(layout.sliceWidget(view).mrmlSliceNode())
        for view in ("Red", "Xray")
    }
    assert composites["Red"].GetBackgroundVolumeID() == loaded.GetID()
    image = panel.parameters.carm.GetNodeReferenceID("DRRSim.Image")
    assert composites["Xray"].GetBackgroundVolumeID() == image


def test_a_recipe_with_files_loads_them(panel, tmp_path):
    import slicer

    ct, _ = ball_ct()
    assert slicer.util.saveNode(ct, str(tmp_path / "ct.nrrd"))
    slicer.mrmlScene.RemoveNode(ct)
    (tmp_path / "r.yaml").write_text("simulator: drr\ninput: {volume: ct.nrrd}\ncarm: {isocenter_ras: [1, 2, 3]}\n")
    panel.dataset.load(tmp_path / "r.yaml")
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert Path(panel.parameters.ct.GetStorageNode().GetFileName()) == tmp_path / "ct.nrrd"
    assert panel.xray.image.pose.isocenter_ras == pytest.approx((1, 2, 3))
    panel.dataset.save(tmp_path / "again.yaml")
    settled(panel)
    assert read_recipe(tmp_path / "again.yaml")["input"]["volume"] == "ct.nrrd"  # the file itself, no copy
    assert not (tmp_path / "inputs").exists()


def test_a_scene_survives_being_saved_closed_and_loaded(panel, slicer_scene, tmp_path):
    import slicer

    from DRRSimLib.mrml.carm_nodes import parts_of, pose_of

    pelvis(panel)
    set_up(panel)
    panel.ui.showMasksBox.setChecked(True)
    settled(panel)
    before, pose = settings(panel), pose_of(panel.parameters.carm)
    attenuation = slicer.util.arrayFromVolume(panel.parameters.carm.GetNodeReference("DRRSim.Image")).copy()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer_scene.Clear(0)
    slicer.app.processEvents()
    assert panel.parameters.ct is None and panel.xray.image is None
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    until(lambda: panel.xray.image is not None)
    settled(panel)
    assert settings(panel) == before
    carm = panel.parameters.carm
    after = pose_of(carm)
    assert (after.primary_deg, after.secondary_deg, after.in_plane_deg) == pytest.approx(
        (pose.primary_deg, pose.secondary_deg, pose.in_plane_deg), abs=1e-4
    )
    assert parts_of(carm).keys() >= {"gantry", "detector", "beam"}
    again = slicer.util.arrayFromVolume(carm.GetNodeReference("DRRSim.Image"))
    assert again == pytest.approx(attenuation, abs=1e-4)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer_scene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(carm))
    assert hierarchy.GetItemName(folder) == "C-arm"
    panel.ui.primarySlider.setValue(10.0)
    settled(panel)
    assert panel.xray.image.pose.primary_deg == pytest.approx(10.0)


def test_a_scene_closed_while_something_is_computed_raises_nothing(panel, slicer_scene):
    ct, _ = ball_ct()
    panel.parameters.ct = ct
    slicer_scene.Clear(0)
    settled(panel)
    pelvis(panel)
    panel.ui.primarySlider.setValue(20.0)
    slicer_scene.Clear(0)
    settled(panel)
    assert panel.parameters.ct is None and panel.xray.image is None
