"""The panel that the modules share: recipe, export with cancel and resumption, frames as sequences, what is said."""

import sys
import time

import numpy as np
import pytest

from Sim2RealLib.dataset.checks import check_dataset
from Sim2RealLib.dataset.reader import Dataset
from toy_export import export
from toy_panel import SOURCE, UI
from toy_simulation import BALLS, CAMERA_DISTANCE_MM, ToyRecipe, ToyViews


@pytest.fixture
def panel(load_module, tmp_path):
    (tmp_path / "module" / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "module" / "ToyPanelModule.py").write_text(SOURCE)
    (tmp_path / "module" / "Resources" / "UI" / "Toy.ui").write_text(UI)
    load_module("Sim2Real")
    return load_module(tmp_path / "module" / "ToyPanelModule.py").panel


def until(condition, seconds=20.0):
    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        slicer.app.processEvents()
        time.sleep(0.001)


def finished(panel):
    until(lambda: panel.worker.idle)
    return panel.job_row.text


def some_volume(name="CT"):
    import slicer

    from Sim2RealLib.mrml.volumes import make_volume
    from Sim2RealLib.volume import Volume

    voxels = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    return make_volume(slicer.mrmlScene, Volume(voxels, np.diag([1.0, 2.0, 3.0, 1.0])), name)


def test_an_export_is_that_of_the_command_line(panel, tmp_path):
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.ui.exportButton.click()
    assert not panel.ui.exportButton.enabled
    assert "4 frames are in" in finished(panel)
    export(tmp_path / "cli", ToyRecipe(views=ToyViews(count=4)))
    assert list(check_dataset(tmp_path / "out")) == []
    names = sorted(path.name for path in (tmp_path / "cli" / "frames" / "000").iterdir())
    assert len(names) == 4 * 4
    for name in names:
        made, expected = (folder / "frames" / "000" / name for folder in (tmp_path / "out", tmp_path / "cli"))
        assert made.read_bytes() == expected.read_bytes()
    assert (tmp_path / "out" / "report.html").exists()
    assert panel.ui.exportButton.enabled
    assert panel.ui.openReportButton.enabled


def test_an_export_is_cancelled_and_goes_on(panel, tmp_path):
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.parameters.count, panel.pause_s = 200, 0.01
    panel.ui.exportButton.click()
    until(lambda: "of 200" in panel.job_row.text and "left" in panel.job_row.text)
    panel.job_row._cancel.click()
    assert "stopping" in panel.job_row.text
    assert "stopped" in finished(panel)
    made = len(Dataset.open(tmp_path / "out"))
    assert 0 < made < 200
    panel.ui.exportButton.click()
    assert "200 frames are in" in finished(panel)
    assert list(check_dataset(tmp_path / "out")) == []


def test_an_error_is_said_in_the_panel_and_what_is_finished_stays(panel, tmp_path):
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.fail_at = 2
    panel.ui.exportButton.click()
    assert "frame 2 was asked to fail" in finished(panel)
    assert Dataset.open(tmp_path / "out").indices == (0, 1)
    assert panel.ui.exportButton.enabled


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(panel, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    panel.parameters.volume = some_volume()
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.ui.exportButton.click()
    assert "neither empty nor a dataset" in finished(panel)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_volume_without_a_file_is_kept_inside_the_dataset(panel, tmp_path):
    from Sim2RealLib.volume_io import read_volume

    panel.parameters.volume = some_volume()
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.ui.exportButton.click()
    finished(panel)
    (copy,) = (tmp_path / "out" / "inputs").iterdir()
    volume, _ = read_volume(copy)
    assert volume.array.tolist() == np.arange(24).reshape(2, 3, 4).tolist()
    assert np.allclose(volume.ras_from_ijk, np.diag([1.0, 2.0, 3.0, 1.0]))
    assert f"inputs/{copy.name}" in (tmp_path / "out" / "recipe.yaml").read_text()
    assert list(check_dataset(tmp_path / "out")) == []
    written = copy.stat().st_mtime_ns
    panel.ui.exportButton.click()
    assert "4 frames are in" in finished(panel)
    assert copy.stat().st_mtime_ns == written


def test_a_volume_that_is_as_in_its_file_is_named_by_it(panel, tmp_path):
    import slicer

    from Sim2RealLib.mrml.inputs import InputFiles
    from Sim2RealLib.mrml.node_copies import copied

    path = tmp_path / "ct.nrrd"
    assert slicer.util.saveNode(some_volume(), str(path))
    node = slicer.util.loadVolume(str(path))
    assert InputFiles(tmp_path).volume(copied(node)) == path
    voxels = slicer.util.arrayFromVolume(node)
    voxels[0, 0, 0] = 99
    slicer.util.arrayFromVolumeModified(node)
    assert InputFiles(tmp_path).volume(copied(node)).parent == tmp_path / "inputs"
    moved = slicer.util.loadVolume(str(path))
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moved.SetAndObserveTransformNodeID(transform.GetID())
    assert InputFiles(tmp_path).volume(copied(moved)).parent == tmp_path / "inputs"


def test_what_was_generated_is_known_until_it_is_changed(slicer_scene, tmp_path):
    import slicer

    from Sim2RealLib.mrml.inputs import generated_anatomy, hash_of_landmarks, hash_of_volume, mark_generated
    from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks
    from Sim2RealLib.mrml.node_copies import copied
    from Sim2RealLib.mrml.volumes import copy_of_volume

    ct, points = some_volume(), make_landmarks(slicer.mrmlScene, {"a": np.array([1.0, 2.0, 3.5])}, "landmarks")
    hashes = hash_of_volume(copy_of_volume(ct)), hash_of_landmarks(landmarks_of(points))
    for node, sha256 in zip((ct, points), hashes, strict=True):
        mark_generated(node, {"kind": "pelvis", "seed": 3}, sha256)
    assert generated_anatomy(copied(ct), copied(points)) == {"kind": "pelvis", "seed": 3}
    assert generated_anatomy(copied(ct), copied(some_volume("other"))) is None
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    ct, points = slicer.util.getNode("CT"), slicer.util.getNode("landmarks")
    assert generated_anatomy(copied(ct), copied(points)) == {"kind": "pelvis", "seed": 3}
    points.SetNthControlPointPosition(0, 1.0, 2.0, 3.6)
    assert generated_anatomy(copied(ct), copied(points)) is None
    assert generated_anatomy(copied(ct)) is not None
    ct.SetAttribute("Sim2Real.Generated", "no json")
    assert generated_anatomy(copied(ct)) is None


def test_a_recipe_is_saved_and_loaded(panel, tmp_path):
    panel.parameters.volume = some_volume()
    panel.parameters.count = 7
    panel.section.save(tmp_path / "my.yaml")
    assert "Saved" in finished(panel)
    text = (tmp_path / "my.yaml").read_text()
    assert "count: 7" in text
    assert "volume: inputs/CT-" in text
    panel.parameters.count = 1
    panel.section.load(tmp_path / "my.yaml")
    assert panel.parameters.count == 7
    (tmp_path / "my.yaml").write_text(text.replace("count: 7", "count: many"))
    with panel.attempt():
        panel.section.load(tmp_path / "my.yaml")
    assert "many" in panel.job_row.text
    assert panel.parameters.count == 7


def test_a_recipe_that_cannot_be_written_is_said_in_a_sentence(panel, tmp_path):
    panel.section.save(tmp_path / "no such folder" / "my.yaml")
    assert finished(panel) == f"{tmp_path}/no such folder/my.yaml cannot be written: No such file or directory."


def test_frames_are_opened_as_a_sequence_with_their_poses(panel, tmp_path):
    """The picture of a frame lies where a ball's projection falls on the line from the camera through the ball."""
    import slicer

    from Sim2RealLib.mrml.transforms import matrix_of
    from Sim2RealLib.panels.views import points_of

    export(tmp_path / "out", ToyRecipe(views=ToyViews(count=6)))
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.ui.openDatasetButton.click()
    assert "Showing 6 frames" in finished(panel)
    assert panel.ui.frameSlider.enabled
    assert panel.ui.frameSlider.maximum == 5
    dataset = Dataset.open(tmp_path / "out")
    picture, camera = slicer.util.getNode("out pictures"), slicer.util.getNode("out camera")
    for number in (0, 4):
        panel.ui.frameSlider.setValue(number)
        record = dataset.record(number)
        pixels = slicer.util.arrayFromVolume(picture)[0]
        assert np.array_equal(pixels, dataset.channel(number, "display"))
        ras_from_camera = matrix_of(camera)
        assert np.allclose(ras_from_camera, np.linalg.inv(record["camera"]["camera_from_world"]))
        ras_from_ijk = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(picture))
        for name, centre, _radius in BALLS.values():
            column, row = record["landmarks"][name]["position_px"]
            on_picture = (ras_from_ijk @ [column - 0.5, row - 0.5, 0.0, 1.0])[:3]
            source = ras_from_camera[:3, 3]
            along, towards = on_picture - source, np.array(centre) - source
            assert np.linalg.norm(np.cross(along, towards)) < 1e-6 * np.linalg.norm(along) * np.linalg.norm(towards)
            forward = ras_from_camera[:3, 2]
            assert along @ forward == pytest.approx(CAMERA_DISTANCE_MM)
        apex, *corners = points_of(slicer.util.getNode("out field of view"))
        np.testing.assert_allclose(apex, source, atol=1e-3)
        height, width = pixels.shape
        outer = [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)]
        on_picture = [(ras_from_ijk @ [*corner, 0.0, 1.0])[:3] for corner in outer]
        np.testing.assert_allclose(corners, on_picture, atol=1e-3)
    assert panel.shown == [0, 4]


def test_of_opened_datasets_one_field_of_view_is_shown_and_none_when_something_else_is(panel, tmp_path):
    import slicer

    def shown():
        return [
            name for name in ("a", "b") if slicer.util.getNode(f"{name} field of view").GetDisplayNode().GetVisibility()
        ]

    for name, count in (("a", 3), ("b", 2), ("c", 4)):
        export(tmp_path / name, ToyRecipe(views=ToyViews(count=count)))
    for name in ("a", "b"):
        panel.parameters.datasetFolder = tmp_path / name
        panel.ui.openDatasetButton.click()
        finished(panel)
    assert shown() == ["b"]
    panel.section.leave()
    assert shown() == []
    panel.ui.frameSlider.setValue(1)
    assert shown() == ["b"]
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("a field of view"))
    panel.parameters.datasetFolder = tmp_path / "c"
    panel.ui.openDatasetButton.click()
    panel.job_row._cancel.click()
    assert "stopped" in finished(panel)
    assert panel.ui.frameSlider.enabled  # b is still shown
    panel.ui.frameSlider.setValue(0)
    assert panel.shown[-1] == 0
    assert slicer.util.getNode("b field of view").GetDisplayNode().GetVisibility()


def test_the_slice_view_shows_the_picture_upright(panel, tmp_path):
    import slicer

    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    slicer.app.processEvents()  # the view has the size it keeps
    export(tmp_path / "out", ToyRecipe(views=ToyViews(count=2)))
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.ui.openDatasetButton.click()
    finished(panel)
    stored = Dataset.open(tmp_path / "out").channel(0, "display")
    shown = view.pixels()[..., 0].astype(float)
    rows, columns = shown.shape
    scale = min(columns / stored.shape[1], rows / stored.shape[0])
    height, width = round(stored.shape[0] * scale), round(stored.shape[1] * scale)
    top, left = (rows - height) // 2, (columns - width) // 2
    part = shown[top : top + height, left : left + width]
    at_row = np.clip(((np.arange(height) + 0.5) / scale).astype(int), 0, stored.shape[0] - 1)
    at_column = np.clip(((np.arange(width) + 0.5) / scale).astype(int), 0, stored.shape[1] - 1)
    wanted = stored[at_row][:, at_column].astype(float)
    right_way = np.corrcoef(part.ravel(), wanted.ravel())[0, 1]
    assert right_way > 0.95
    assert right_way > np.corrcoef(part.ravel(), wanted[:, ::-1].ravel())[0, 1] + 0.05
    assert panel.layouts == 1


def test_the_machine_is_examined_in_the_panel(panel):
    panel.ui.examineButton.click()
    finished(panel)
    assert "compute backend" in panel.ui.machineText.text


def test_only_what_exports_need_is_marked_as_wrong(panel, monkeypatch):
    """A backend that is not there is no fault where another one works; torch comes from Slicer's extension."""
    from Sim2RealLib import doctor

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(doctor, "backend_problem", lambda name: None if name == "llvm" else "not there")
    monkeypatch.setattr(doctor, "MINIMUM_FREE_DISK_GB", 1e9)
    panel.ui.examineButton.click()
    finished(panel)
    lines = dict(line.split(": ", 1) for line in panel.ui.machineText.text.split("<br>"))
    assert {"✓ <b>llvm</b>", "– <b>cuda</b>", "– <b>metal</b>", "– <b>torch</b>", "✗ <b>disk</b>"} <= set(lines)
    assert "extension PyTorch" in lines["– <b>torch</b>"] and "pip" not in lines["– <b>torch</b>"]


def test_torch_is_asked_of_the_extension(panel):
    """Without the extension the panel says how to get it, and installs nothing by itself."""

    import slicer

    hidden = sys.modules.pop("torch", None)
    sys.modules["torch"] = None
    try:
        panel.section.update()
        asked = len(slicer.packaging.asked)
        panel.ui.installTorchButton.click()
        assert "Extensions Manager" in panel.job_row.text
        assert len(slicer.packaging.asked) == asked
    finally:
        del sys.modules["torch"]
        if hidden is not None:
            sys.modules["torch"] = hidden


def test_the_panel_survives_the_scene(panel, tmp_path):
    import slicer

    panel.parameters.count = 9
    panel.parameters.volume = some_volume()
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert panel.parameters.count == 4
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    assert panel.parameters.count == 9
    assert panel.ui.countBox.value == 9
    assert panel.parameters.volume.GetName() == "CT"


def test_missing_packages_are_named_with_their_size_and_asked_for(load_module, tmp_path, monkeypatch):
    import slicer

    (tmp_path / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "ToyPanelModule.py").write_text(SOURCE)
    (tmp_path / "Resources" / "UI" / "Toy.ui").write_text(UI)
    load_module("Sim2Real")
    real_check = slicer.packaging.pip_check
    monkeypatch.setattr(slicer.packaging, "pip_check", lambda name: not str(name).startswith("drjit"))
    widget = load_module(tmp_path / "ToyPanelModule.py")
    assert widget.panel is None
    text = slicer.util.findChild(widget._missing.widget, "missingPackagesLabel").text
    assert "drjit (5 MB)" in text
    button = slicer.util.findChild(widget._missing.widget, "installPackagesButton")
    button.click()
    assert widget.panel is None
    assert slicer.packaging.asked[-1]["requester"] == "SurgicalSim2Real"
    assert any(each.startswith("drjit") for each in slicer.packaging.asked[-1]["requirements"])
    assert "numpy" in slicer.packaging.asked[-1]["skip_packages"]
    monkeypatch.setattr(slicer.packaging, "pip_check", real_check)
    button.click()
    assert widget.panel is not None
    assert widget.panel.ui.exportButton.text == "Export dataset"


def _ijk_to_ras(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_a_job_ends_well_after_the_user_has_left_the_module(panel, tmp_path):
    import slicer

    panel.parameters.datasetFolder = tmp_path / "out"
    panel.pause_s = 0.02
    panel.ui.exportButton.click()
    slicer.util.selectModule("")
    assert panel.worker.busy
    assert "4 frames are in" in finished(panel)
    slicer.util.selectModule("ToyPanelModule")
    assert panel.ui.exportButton.enabled
    assert panel.ui.openDatasetButton.enabled
    panel.parameters.count = 6
    assert panel.ui.countBox.value == 6


def test_a_panel_waits_for_the_job_of_another_and_says_so(panel, load_module, tmp_path):
    panel.parameters.datasetFolder = tmp_path / "out"
    panel.pause_s = 0.05
    panel.ui.exportButton.click()
    other = load_module("DRRSim").panel
    assert panel.worker.busy
    assert not other.ui.sampleButton.enabled
    assert "Another module" in other.job_row.text
    finished(panel)
    assert other.ui.sampleButton.enabled
    assert other.job_row.text == ""


def test_leaving_and_entering_again_leaves_one_connection(panel):
    """A second one would write what widgets round back into parameters."""
    import slicer

    before = panel.parameters.parameterNode.HasObserver("ModifiedEvent")
    for _ in range(3):
        slicer.util.selectModule("")
        slicer.util.selectModule("ToyPanelModule")
    seen = []
    panel.ui.countBox.connect("valueChanged(int)", seen.append)
    panel.parameters.count = 5
    assert seen == [5]
    assert before
    slicer.util.selectModule("")
    panel.parameters.count = 8
    assert panel.ui.countBox.value == 5  # nobody listens while the module is not open
