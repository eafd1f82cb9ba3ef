"""Exported frames as torch tensors, also through workers."""

import numpy as np
import pytest

from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.dataset.writer import create_or_resume
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.simulation import Channel, DatasetHeader, Frame
from toy_export import export
from toy_simulation import ToyRecipe, ToySimulation, ToyViews

torch = pytest.importorskip("torch")

from Sim2RealLib.dataset.torch_dataset import FrameDataset, collate_frames  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch") / "dataset"
    export(folder, ToyRecipe(views=ToyViews(count=6)))
    return folder


def test_tensors_are_the_images_in_the_unit_of_their_channel(folder):
    frame = ToySimulation(ToyRecipe(views=ToyViews(count=6))).frame(4)
    item = FrameDataset(folder)[4]
    assert item["index"] == 4
    assert item["record"]["landmarks"].keys() == frame.record["landmarks"].keys()
    torch.testing.assert_close(item["intensity"], torch.from_numpy(frame.channels["intensity"])[None], rtol=0, atol=0)
    torch.testing.assert_close(item["thickness"], torch.from_numpy(frame.channels["thickness"]), rtol=0, atol=0)
    assert item["display"].dtype == torch.float32
    torch.testing.assert_close(item["display"][0] * 255, torch.from_numpy(frame.channels["display"]).float())


def test_only_the_channels_asked_for_are_read(folder):
    assert FrameDataset(folder, ["thickness"])[0].keys() == {"index", "record", "thickness"}
    with pytest.raises(Sim2RealError, match="no channel 'depth'"):
        FrameDataset(folder, ["depth"])


def test_unsigned_16_bit_label_maps_stay_exact(tmp_path):
    header = DatasetHeader("toy", 1, (), {"labels": Channel("png", "uint16", "class", "label map")})
    labels = np.array([[0, 1, 40_000, 65_535]], np.uint16)
    with create_or_resume(tmp_path / "d", header, "simulator: toy\n") as writer:
        writer.commit(0, Frame({"labels": labels}, {}))
    tensor = FrameDataset(tmp_path / "d")[0]["labels"]
    assert tensor.dtype == torch.int32
    assert tensor.tolist() == [labels.tolist()]


def test_two_workers_deliver_every_frame_once(folder):
    loader = torch.utils.data.DataLoader(
        FrameDataset(folder, ["intensity"]),
        batch_size=2,
        num_workers=2,
        multiprocessing_context="spawn",
        collate_fn=collate_frames,
    )
    batches = list(loader)
    assert torch.cat([batch["index"] for batch in batches]).tolist() == [0, 1, 2, 3, 4, 5]
    assert [record["index"] for batch in batches for record in batch["record"]] == [0, 1, 2, 3, 4, 5]
    stored = np.stack([Dataset.open(folder).channel(index, "intensity") for index in range(6)])
    np.testing.assert_array_equal(torch.cat([batch["intensity"] for batch in batches])[:, 0].numpy(), stored)
