"""The report is one self-contained page that tells the truth about the dataset and trusts nothing in it."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from Sim2RealLib.dataset.checks import check_dataset
from Sim2RealLib.dataset.masks import decode_mask, encode_mask
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.dataset.writer import create_or_resume
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.report import Section, write_report
from Sim2RealLib.report.coverage import coverage_of
from Sim2RealLib.report.overlay import overlay_of, spread_out
from Sim2RealLib.report.page import spread
from Sim2RealLib.simulation import Frame, LabelClass
from toy_export import export
from toy_simulation import ToyRecipe, ToySimulation, ToyViews

LINKING = {"src", "href", "action", "data", "poster", "srcset", "xlink:href"}


class Page(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.links, self.text, self.alts = [], [], "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in LINKING]
        self.alts += [value for name, value in attributes if name == "alt"]
        assert not any(name.startswith("on") for name, _ in attributes), attributes

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "dataset"
    export(folder, ToyRecipe(views=ToyViews(count=30, width_px=124, height_px=96)))
    return Dataset.open(folder)


def test_the_page_needs_nothing_from_outside_and_is_the_same_every_time(dataset):
    first = write_report(dataset, [Section("Views", "<svg></svg>", "where the source stood")]).read_text()
    page = Page(first)
    assert "script" not in page.tags
    assert page.links
    assert all(link.startswith(("data:image/jpeg;base64,", "data:image/png;base64,")) for link in page.links)
    assert not re.search(r"https?://|@import|url\(", first)
    assert "where the source stood" in page.text
    assert write_report(dataset, [Section("Views", "<svg></svg>", "where the source stood")]).read_text() == first
    assert list(check_dataset(dataset.folder)) == []


def test_it_shows_frames_of_the_whole_dataset(dataset):
    page = Page(write_report(dataset).read_text())
    shown = [int(alt.removeprefix("frame ")) for alt in page.alts]
    assert len(shown) == 24
    assert (shown[0], shown[-1]) == (0, 29)
    thumbnail = base64.b64decode(page.links[5].partition(",")[2])
    image = np.asarray(Image.open(io.BytesIO(thumbnail)), np.float64)
    difference = image - dataset.channel(shown[5], "display")
    assert np.sqrt(np.mean(difference**2)) < 4  # JPEG of an image with noise of 4 grey levels


def test_coverage_counts_what_is_visible(tmp_path):
    export(tmp_path / "d", ToyRecipe(views=ToyViews(count=4)))
    for index in range(4):
        path = tmp_path / f"d/frames/000/{index:06d}.json"
        record = json.loads(path.read_text())
        record["landmarks"]["left_ball"]["visible"] = index == 2
        if index == 0:
            del record["masks"]["77"]
        if index == 1:
            record["masks"]["77"]["area_px"] = 0
        path.write_text(json.dumps(record))
    coverage = coverage_of(Dataset.open(tmp_path / "d"))
    assert coverage.frames == 4
    assert {bar.name: bar.count for bar in coverage.classes} == {"left_ball": 4, "right_ball": 2}
    assert {bar.name: bar.count for bar in coverage.landmarks} == {"left_ball": 1, "right_ball": 4}


def test_outlines_follow_the_masks_and_marks_lie_on_the_landmarks(dataset):
    frame = dataset.frame(7)
    overlay = overlay_of(frame, frame.channel("display"))
    for outline in overlay.outlines:
        points = np.array([float(number) for number in re.findall(r"[\d.]+", outline.path)]).reshape(-1, 2)
        mask = decode_mask(frame.record["masks"][str(outline.label.id)])
        rows, columns = np.nonzero(mask)
        assert np.abs(points.min(axis=0) - [columns.min(), rows.min()]).max() < 1
        assert np.abs(points.max(axis=0) - [columns.max() + 1, rows.max() + 1]).max() < 1
    positions = {name.replace("_", " "): mark["position_px"] for name, mark in frame.record["landmarks"].items()}
    assert {mark.name: [mark.x, mark.y] for mark in overlay.marks} == positions


def test_names_beside_the_image_keep_their_order_and_distance():
    wanted = np.sort(np.random.default_rng(0).uniform(0, 100, 12))
    rows = spread_out(wanted, 5.0, 100.0)
    assert np.all(np.diff(rows) >= 5.0 - 1e-9)
    assert rows.min() >= 0
    assert rows.max() <= 100
    far = np.array([10.0, 50.0, 90.0])
    np.testing.assert_array_equal(spread_out(far, 5.0, 100.0), far)
    np.testing.assert_allclose(spread_out(np.array([50.0, 50.0]), 10.0, 100.0), [45.0, 55.0])


def test_texts_from_the_dataset_cannot_become_markup(tmp_path):
    export(tmp_path / "d", ToyRecipe(views=ToyViews(count=1)))
    path = tmp_path / "d/dataset.json"
    content = json.loads(path.read_text())
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    content["simulator"] = content["classes"][0]["name"] = content["inputs"][0]["source"] = evil
    content["channels"]["display"]["description"] = content["channels"]["intensity"]["unit"] = evil
    content["software"][evil] = evil
    path.write_text(json.dumps(content))
    (tmp_path / "d/recipe.yaml").write_text(evil)
    page = Page(write_report(Dataset.open(tmp_path / "d")).read_text())
    assert "script" not in page.tags
    assert page.text.count("alert(1)") >= 10


def test_of_many_classes_the_largest_are_outlined_at_first(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=1))
    simulation = ToySimulation(recipe)
    masks = {str(3 + row): encode_mask(np.arange(48 * 62).reshape(48, 62) < 62 * (row + 1)) for row in range(40)}
    classes = tuple(LabelClass(3 + row, f"rows_{row}", (200, 100, row)) for row in range(40))
    frame = simulation.frame(0)
    with create_or_resume(tmp_path / "d", replace(simulation.header, classes=classes), "simulator: toy\n") as writer:
        writer.commit(0, Frame(frame.channels, {**frame.record, "masks": masks}))
    html = write_report(Dataset.open(tmp_path / "d")).read_text()
    assert {int(number) for number in re.findall(r'id="show-(\d+)" checked', html)} == set(range(31, 43))
    assert "The 12 largest are shown" in html and html.count('type="checkbox"') == 40


def test_a_figure_of_a_simulator_may_be_a_png(dataset):
    buffer = io.BytesIO()
    Image.new("L", (3, 2), 7).save(buffer, "PNG")
    page = Page(write_report(dataset, [Section("Views", buffer.getvalue())]).read_text())
    assert base64.b64decode(page.links[-1].partition(",")[2]) == buffer.getvalue()


def test_an_unfinished_dataset_says_so_and_an_empty_one_is_an_error(tmp_path):
    export(tmp_path / "d", ToySimulation(ToyRecipe()).recipe, limit=2)
    assert "10 frames are still to be made" in Page(write_report(Dataset.open(tmp_path / "d")).read_text()).text
    for path in (tmp_path / "d/frames/000").glob("*.json"):
        path.unlink()
    with pytest.raises(Sim2RealError, match="no finished frame"):
        write_report(Dataset.open(tmp_path / "d"))


def test_frames_are_spread_evenly():
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread([5, 8], 24) == [5, 8]
