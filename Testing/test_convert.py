"""Conversions, read back by the libraries they are made for."""

import contextlib
import io
import json

import h5py
import numpy as np
import pytest
import webdataset
from PIL import Image
from pycocotools.coco import COCO

from Sim2RealLib.convert import convert_dataset
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.errors import Sim2RealError
from toy_export import contents, export
from toy_simulation import BALLS, ToyRecipe, ToySimulation, ToyViews

RECIPE = ToyRecipe(views=ToyViews(count=5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert") / "dataset"
    export(folder, RECIPE)
    return folder


@pytest.fixture(scope="module")
def frames():
    simulation = ToySimulation(RECIPE)
    return [simulation.frame(index) for index in range(5)]


def test_coco_loads_in_pycocotools_with_masks_boxes_and_keypoints(folder, frames, tmp_path):
    assert list(convert_dataset(folder, "coco", tmp_path / "coco")) == [(done, 5) for done in range(1, 6)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco/annotations.json"))
    assert coco.getImgIds() == [0, 1, 2, 3, 4]
    for image_id, frame in enumerate(frames):
        image = coco.loadImgs(image_id)[0]
        pixels = np.asarray(Image.open(tmp_path / "coco/images" / image["file_name"]))
        np.testing.assert_array_equal(pixels, frame.channels["display"])
        assert pixels.shape == (image["height"], image["width"])
        for thickness, (class_id, (name, _, _)) in zip(frame.channels["thickness"], BALLS.items(), strict=True):
            (annotation,) = coco.loadAnns(coco.getAnnIds(image_id, catIds=[class_id]))
            assert coco.loadCats(class_id)[0]["name"] == name
            np.testing.assert_array_equal(coco.annToMask(annotation), thickness > 0)
            rows, columns = np.nonzero(thickness)
            left, top = columns.min(), rows.min()
            assert annotation["bbox"] == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
            assert annotation["area"] == np.count_nonzero(thickness)
        (category,) = coco.getCatIds(catNms=["landmarks"])
        (annotation,) = coco.loadAnns(coco.getAnnIds(image_id, catIds=[category]))
        keypoints = np.reshape(annotation["keypoints"], (-1, 3))
        positions = [frame.record["landmarks"][name]["position_px"] for name in coco.loadCats(category)[0]["keypoints"]]
        np.testing.assert_allclose(keypoints[:, :2] + 0.5, positions)
        assert annotation["num_keypoints"] == 2
        assert set(keypoints[:, 2]) == {2}


def test_webdataset_reads_every_sample_from_the_shard(folder, frames, tmp_path):
    list(convert_dataset(folder, "webdataset", tmp_path / "shards"))
    samples = list(webdataset.WebDataset(str(tmp_path / "shards/000.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"{index:06d}" for index in range(5)]
    stored = contents(folder)
    for sample in samples:
        for part in ("intensity.tif", "thickness.tif", "display.png"):
            assert sample[part] == stored[f"frames/000/{sample['__key__']}.{part}"]
        assert json.loads(sample["json"]) == json.loads(stored[f"frames/000/{sample['__key__']}.json"])
    list(convert_dataset(folder, "webdataset", tmp_path / "again"))
    assert contents(tmp_path / "again") == contents(tmp_path / "shards")


def test_hdf5_stacks_the_channels(folder, frames, tmp_path):
    list(convert_dataset(folder, "hdf5", tmp_path / "hdf5"))
    with h5py.File(tmp_path / "hdf5/dataset.h5") as file:
        for name in ("intensity", "thickness", "display"):
            stack = file["channels"][name]
            np.testing.assert_array_equal(stack[:], np.stack([frame.channels[name] for frame in frames]))
            assert stack.chunks == (1, *stack.shape[1:])
        assert file["channels/thickness"].attrs["unit"] == "mm"
        assert file["channels/display"].attrs["scale"] == 1 / 255
        assert file["index"][:].tolist() == [0, 1, 2, 3, 4]
        assert json.loads(file["record"][3]) == Dataset.open(folder).record(3)
        assert json.loads(file["dataset_json"][()])["simulator"] == "toy"


def test_an_unknown_format_names_the_known_ones(folder, tmp_path):
    with pytest.raises(Sim2RealError, match="c3vd, coco, hdf5, simcol, webdataset"):
        list(convert_dataset(folder, "zip", tmp_path / "out"))


def test_nothing_is_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    list(convert_dataset(folder, "coco", tmp_path / "out"))
    before = contents(tmp_path)
    with pytest.raises(Sim2RealError, match="not an empty folder"):
        list(convert_dataset(folder, "coco", tmp_path / "out"))
    assert contents(tmp_path) == before


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    export(tmp_path / "d", RECIPE)
    (tmp_path / "d/frames/000/000003.display.png").write_bytes(b"damaged")
    before = contents(tmp_path)
    with pytest.raises(Sim2RealError, match=r"000003\.display\.png"):
        list(convert_dataset(tmp_path / "d", "hdf5", tmp_path / "out"))
    assert contents(tmp_path) == before
    stopped = convert_dataset(tmp_path / "d", "coco", tmp_path / "out")
    next(stopped)
    assert (tmp_path / "out.partial").exists()
    stopped.close()
    assert contents(tmp_path) == before


def test_an_empty_dataset_is_a_clear_error(tmp_path):
    export(tmp_path / "d", RECIPE, limit=1)
    (tmp_path / "d/frames/000/000000.json").unlink()
    with pytest.raises(Sim2RealError, match="no finished frame"):
        list(convert_dataset(tmp_path / "d", "coco", tmp_path / "out"))
