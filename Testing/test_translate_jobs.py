"""What takes long in Translate's panel: it leaves the window alive, says how far it is, and can be stopped."""

import dataclasses
import time

import numpy as np
import pytest

from local_server import LocalServer
from Sim2RealLib.label_table import label_classes
from Sim2RealLib.volume import Volume
from translate_steps import drawn, entry, labels, open_translate, rows, scope

BLOCKS, BLOCK_VOXELS = 4, 28
ALIVE_S = 0.2
"""Longest time that the main thread may compute at a stretch."""


@pytest.fixture
def panel(load_module):
    return open_translate(load_module)


@pytest.fixture
def many(panel):
    """The panel with a segmentation of 64 blocks with gaps, whose surfaces Slicer takes more than a second to make."""
    import slicer

    from Sim2RealLib.mrml.segmentations import make_segmentation

    classes = label_classes("totalsegmentator_v2")[: BLOCKS**3]
    ids = np.array([entry.id for entry in classes], np.uint8).reshape(BLOCKS, BLOCKS, BLOCKS)
    block = np.zeros((BLOCK_VOXELS,) * 3, np.uint8)
    block[2:-2, 2:-2, 2:-2] = 1
    volume = Volume(np.kron(ids, block), np.diag([2.0, 2.0, 2.0, 1.0]), "blocks")
    panel.ui.segmentationSelector.setCurrentNode(make_segmentation(slicer.mrmlScene, volume, classes, "Blocks"))
    panel.ui.ctSelector.setCurrentNode(None)
    return panel


@pytest.fixture
def sample(tmp_path):
    """Gives the sample's files other addresses for a test, with an empty cache in `tmp_path`."""
    import slicer
    from SampleData import SampleDataLogic

    cache = slicer.mrmlScene.GetCacheManager()
    own = cache.GetRemoteCacheDirectory()
    cache.SetRemoteCacheDirectory(str(tmp_path))
    source = SampleDataLogic.sourceForSampleName("AbdomenPelvisCT")
    found = SampleDataLogic.sources[source.category]
    number = found.index(source)

    def replace(*uris):
        found[number] = dataclasses.replace(source, uris=uris)

    yield replace
    found[number] = source
    cache.SetRemoteCacheDirectory(own)


def names():
    import slicer

    nodes = slicer.mrmlScene.GetNodes()
    return sorted(nodes.GetItemAsObject(number).GetName() or "" for number in range(nodes.GetNumberOfItems()))


def button(panel, name):
    import qt

    return panel.job_row.widget.findChild(qt.QPushButton, name)


def surfaces(panel):
    from TranslateLib.mrml.segment_surfaces import CLOSED_SURFACE

    return panel.parameters.segmentation.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)


@pytest.fixture
def computed_s(many, monkeypatch):
    """`computed_s()`: CPU time of the main thread, less what it took to draw views that are there already."""
    import slicer

    from slicer_stand_in.views import View

    many.frames.show_soon(None)
    slicer.app.layoutManager().threeDWidget(0).threeDView()
    slicer.app.processEvents()
    drawing, draw = [], View.forceRender

    def timed(view):
        start = time.thread_time()
        draw(view)
        drawing.append(time.thread_time() - start)

    monkeypatch.setattr(View, "forceRender", timed)
    return lambda: time.thread_time() - sum(drawing)


def test_setting_up_never_keeps_the_window_waiting_and_says_how_far_it_is(many, computed_s):
    import slicer

    said, start = [], computed_s()
    many.ui.setUpButton.click()
    took = [computed_s() - start]
    assert not many.ui.setUpButton.enabled
    assert button(many, "jobCancelButton").enabled
    while not many.worker.idle or many.frames._timer.active:
        start = computed_s()
        slicer.app.processEvents()
        took.append(computed_s() - start)
        said.append(many.job_row.text)
    assert max(took) < ALIVE_S
    assert any("liver, 4 of 64" in text and "left" in text for text in said)
    assert surfaces(many)
    assert many.parameters.laparoscope is not None


def test_setting_up_that_is_stopped_leaves_all_as_it_was(many):
    before = names()
    many.ui.setUpButton.click()
    button(many, "jobCancelButton").click()
    drawn(many)
    assert many.job_row.text == "Making surfaces: stopped."
    assert names() == before
    assert not surfaces(many)
    assert many.parameters.laparoscope is None
    many.ui.setUpButton.click()
    drawn(many, 30.0)
    assert surfaces(many)
    assert many.parameters.laparoscope is not None


def test_surfaces_of_a_segmentation_that_was_changed_meanwhile_are_not_taken(many):
    before = names()
    many.ui.setUpButton.click()
    many.parameters.segmentation.GetSegmentation().RemoveSegment("spleen")
    drawn(many, 30.0)
    assert "changed meanwhile" in many.job_row.text
    assert names() == before
    assert not surfaces(many)


def test_a_scene_that_is_ready_after_the_user_has_left_leaves_the_views_alone(many):
    import slicer

    many.ui.setUpButton.click()
    slicer.util.selectModule("Sim2Real")
    layout = slicer.app.layoutManager().layout
    drawn(many, 30.0)
    assert slicer.app.layoutManager().layout == layout
    slicer.util.selectModule("Translate")
    assert rows(many.ui.instrumentTable)[0][0] == "Laparoscope"


def test_the_sample_is_a_real_abdomen(panel, sample, real_data):
    files = [real_data / "abdomen_pelvis" / name for name in ("ct.nii.gz", "labels.nii.gz")]
    sample(*(path.as_uri() for path in files))
    panel.ui.sampleButton.click()
    assert not panel.ui.sampleButton.enabled
    drawn(panel)
    assert panel.ui.segmentationSelector.currentNode().GetName() == "AbdomenPelvisLabels"
    assert panel.ui.ctSelector.currentNode().GetName() == "AbdomenPelvisCT"
    panel.ui.setUpButton.click()
    drawn(panel, 60.0)
    assert 5 in labels(panel)  # the liver
    assert entry(scope(panel))[1] > 300  # mm before the back: the real abdomen's skin, lifted


def test_a_sample_that_cannot_be_had_says_what_to_do(panel, sample):
    before = names()
    sample("http://127.0.0.1:9/ct.nii.gz", "http://127.0.0.1:9/labels.nii.gz")  # where nobody listens
    panel.ui.sampleButton.click()
    drawn(panel)
    said = panel.job_row.text
    assert "could not be downloaded from 127.0.0.1:9" in said
    assert "Check the connection to the internet, and try again." in said
    assert "of your own" in said
    assert "Error" not in said
    assert names() == before
    assert panel.ui.sampleButton.enabled


def test_a_sample_that_is_stopped_leaves_nothing(panel, sample, tmp_path):
    import slicer

    before = names()
    with LocalServer({"ct": bytes(1_000_000)}, pause_after=70_000) as server:
        sample(server.url("ct"), server.url("labels"))
        panel.ui.sampleButton.click()
        while "MB" not in panel.job_row.text:
            slicer.app.processEvents()
        assert "0.1 of 1.0 MB" in panel.job_row.text
        button(panel, "jobCancelButton").click()
        server.go_on()
        drawn(panel)
    assert panel.job_row.text == "Loading the sample abdomen: stopped."
    assert names() == before
    assert [path.name for path in tmp_path.rglob("*") if "TotalSegmentator" in path.name] == []
