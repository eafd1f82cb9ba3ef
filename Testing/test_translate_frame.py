"""The view L of Translate: the preview of the geometry, its translation, and whether the labels still hold."""

import time

import numpy as np
import pytest
from PIL import Image

from laparoscopy_scenes import GALLBLADDER
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
