"""The view L of Translate: the preview of the geometry, its translation, and whether the labels still hold."""

import time

import numpy as np
import pytest
from PIL import Image

from laparoscopy_scenes import GALLBLADDER
from Sim2RealLib.geometry import transform_points, translation
from Sim2RealLib.mrml.transforms import to_array, to_vtk
from translate_steps import drawn, labels, open_translate, rows, scope, set_up


@pytest.fixture
def panel(load_module):
    return open_translate(load_module)


@pytest.fixture
def ready(panel):
    """The panel with a scene that is set up and drawn."""
    return set_up(panel)


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


def slice_node():
    import slicer

    from TranslateLib.mrml.laparoscope_view import laparoscope_slice_node

    return laparoscope_slice_node(slicer.mrmlScene)


def pixels_at(panel, view_px):
    """Which pixels, (N, 2) with the first pixel's middle at 0, of the picture lie at pixels of the view L, (N, 2)."""
    import vtk

    from TranslateLib.mrml.frames import PICTURE

    matrix = vtk.vtkMatrix4x4()
    scope(panel).GetNodeReference(PICTURE).GetRASToIJKMatrix(matrix)
    ijk_from_view = to_array(matrix) @ to_array(slice_node().GetXYToRAS())
    found = transform_points(ijk_from_view, np.column_stack([view_px, np.zeros(len(view_px))]))
    assert found[:, 2] == pytest.approx(np.zeros(len(found)), abs=1e-6)  # in the plane of the picture
    return found[:, :2]


def assert_whole(panel):
    """The picture fills the view L in one direction and is not cut off in the other."""
    columns, rows = slice_node().GetDimensions()[:2]
    # VTK puts a pixel's middle at whole numbers, too
    (left, top), (right, bottom) = pixels_at(panel, [(-0.5, rows - 0.5), (columns - 0.5, -0.5)]) + 0.5
    height, width = labels(panel).shape
    over = np.array([-left, -top, right - width, bottom - height]) / (width, height, width, height)
    assert over.min() == pytest.approx(0.0, abs=0.01)
    assert over[0] == pytest.approx(over[2], abs=0.01)
    assert over[1] == pytest.approx(over[3], abs=0.01)


def test_the_picture_is_whole_in_its_view_of_any_size(ready):
    import slicer

    assert_whole(ready)
    view = slicer.app.layoutManager().sliceWidget("Laparoscope").sliceView()
    sizes = []
    for size in ((300, 400), (500, 200)):
        view.setFixedSize(*size)
        drawn(ready)
        slicer.app.processEvents()
        sizes.append(slice_node().GetDimensions()[:2])
        assert_whole(ready)
    assert sizes == [(300, 400), (500, 200)]
    ready.ui.widthBox.setValue(200)
    drawn(ready)
    assert_whole(ready)


def test_what_the_user_zoomed_and_panned_to_stays_when_the_laparoscope_moves(ready):
    node = slice_node()
    columns, rows = node.GetDimensions()[:2]
    size_mm = node.GetFieldOfView()
    node.SetFieldOfView(size_mm[0] / 3, size_mm[1] / 3, size_mm[2])
    node.GetSliceToRAS().DeepCopy(to_vtk(to_array(node.GetSliceToRAS()) @ translation([50.0, -30.0, 0.0])))
    node.UpdateMatrices()
    seen = pixels_at(ready, [(0, 0), (columns / 2, rows / 2), (columns, 0)])
    ready.ui.panSlider.setValue(25.0)
    ready.ui.rollSlider.setValue(70.0)
    ready.ui.labelOpacitySlider.setValue(0.7)
    drawn(ready)
    assert pixels_at(ready, [(0, 0), (columns / 2, rows / 2), (columns, 0)]) == pytest.approx(seen, abs=0.01)
    ready.ui.drawButton.click()
    drawn(ready)
    assert_whole(ready)


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
