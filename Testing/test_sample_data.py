"""What the module Sample Data offers: anatomies made here, and a real CT that is what its checksum says."""

import dataclasses
import time

import pytest

LONGEST_S = 0.2
"""Of the main thread's CPU time in one event."""


@pytest.fixture
def samples(load_module, monkeypatch):
    """Slicer's register of sample data with ours in it, and the modules that make them."""
    from SampleData import SampleDataLogic

    monkeypatch.setattr(SampleDataLogic, "sources", {})
    for module in ("Sim2Real", "DRRSim", "DepthSim"):
        load_module(module)
    (entries,) = SampleDataLogic.sources.values()
    assert {entry.sampleName for entry in entries} == {"GeneratedPelvis", "GeneratedColon", "AbdomenPelvisCT"}
    return SampleDataLogic


def test_a_generated_pelvis_is_made_here(samples):
    ct, segmentation, landmarks = samples().downloadSample("GeneratedPelvis")
    low, high = ct.GetImageData().GetScalarRange()
    assert low <= -1000 < 1000 < high
    assert segmentation.GetSegmentation().GetNumberOfSegments() > 5
    assert landmarks.GetNumberOfControlPoints() == 23
    assert shown_in_red() == ct.GetID()
    surface = segmentation.GetSegmentation().GetSegment("sacrum").GetRepresentation("Closed surface")
    assert surface.GetNumberOfPoints() > 1000
    assert segmentation.GetDisplayNode().GetVisibility3D()
    assert segmentation.GetDisplayNode().GetSegmentVisibility3D("sacrum")
    assert not segmentation.GetDisplayNode().GetSegmentVisibility3D("urinary_bladder")


def test_the_window_is_alive_while_a_sample_is_made_which_can_be_stopped(samples):
    """Slicer's events go on, each time with less than 0.2 s of the main thread's CPU, and Cancel ends it."""
    import qt
    import slicer

    held, stopping = [], []
    timer = qt.QTimer()
    timer.setInterval(1)
    last = [time.thread_time()]

    def tick():
        now = time.thread_time()
        held.append(now - last[0])
        last[0] = now
        dialog = slicer.app.activeModalWidget()
        if len(held) > 20 and dialog and not stopping:
            (cancel,) = dialog.findChildren(qt.QPushButton)
            stopping.append(cancel.text)
            cancel.click()

    timer.connect("timeout()", tick)
    timer.start()
    nodes = samples().downloadSample("GeneratedPelvis")
    timer.stop()
    assert nodes == [] and stopping == ["Cancel"]
    assert slicer.app.activeModalWidget() is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert max(held) < LONGEST_S


@pytest.mark.slow
def test_a_generated_colon_is_made_here(samples):
    ct, segmentation, path = samples().downloadSample("GeneratedColon")
    low, high = ct.GetImageData().GetScalarRange()
    assert low < -900
    assert high > -100
    assert segmentation.GetSegmentation().GetNumberOfSegments() >= 6
    assert 1200 < path.GetCurveLengthWorld() < 2300  # mm; Khashab et al. 2009 found 1.2 to 2.2 m


def test_the_real_ct_comes_with_named_organs(samples, real_data):
    source = samples.sourceForSampleName("AbdomenPelvisCT")
    files = [real_data / "abdomen_pelvis" / name for name in ("ct.nii.gz", "labels.nii.gz")]
    local = dataclasses.replace(source, uris=tuple(path.as_uri() for path in files))
    ct, organs = source.customDownloader(local)
    assert ct.GetImageData().GetDimensions() == (122, 101, 112)
    names = set(organs.GetSegmentation().GetSegmentIDs())
    assert {"liver", "sacrum", "hip_left", "hip_right", "colon"} <= names
    assert shown_in_red() == ct.GetID()


def shown_in_red():
    import slicer

    node = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    return slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(node).GetBackgroundVolumeID()


def test_the_real_ct_is_not_downloaded_here_and_never_without_its_checksum(samples):
    source = samples.sourceForSampleName("AbdomenPelvisCT")
    assert all(uri.startswith("https://github.com/wasserth/TotalSegmentator/") for uri in source.uris)
    assert all(checksum.startswith("SHA256:") for checksum in source.checksums)
    with pytest.raises(RuntimeError, match="downloads nothing"):
        source.customDownloader(source)
