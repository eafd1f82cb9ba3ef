"""Training by recipe, on a line that a network of two numbers has to find."""

import json

import numpy as np
import pytest

from Sim2RealLib.errors import Sim2RealError

torch = pytest.importorskip("torch")

from Sim2RealLib.learning.recipe import Optimization  # noqa: E402
from Sim2RealLib.learning.training import Training, train  # noqa: E402
from Sim2RealLib.learning.weights import load_weights, read_weights  # noqa: E402

SLOPE, OFFSET = 2.5, -0.75


class Line:
    """Examples (x, SLOPE · x + OFFSET); dropout makes every step random."""

    name, settings = "line", {"unit": "mm"}
    example_counts = {"train": 24, "test": 4}  # noqa: RUF012

    def __init__(self):
        self.made = []

    def example(self, split, index):
        self.made.append((split, index))
        x = np.random.default_rng([index, split == "test"]).uniform(-1, 1, 8).astype(np.float32)
        return {"x": x, "y": SLOPE * x + OFFSET}

    def network(self):
        return torch.nn.Linear(1, 1)

    def batch(self, examples, random):
        order = random.permutation(8)
        return {key: torch.from_numpy(np.stack([each[key][order] for each in examples])[..., None]) for key in "xy"}

    def loss(self, network, batch):
        kept = torch.nn.functional.dropout(torch.ones_like(batch["x"]), 0.25)
        return (kept * (network(batch["x"]) - batch["y"]) ** 2).mean()

    def test(self, network, examples):
        errors = [network(torch.from_numpy(each["x"][:, None])).numpy()[:, 0] - each["y"] for each in examples]
        return {"rms": float(np.sqrt(np.mean(np.square(errors))))}


def training(task=None, **changes):
    optimization = Optimization(**{"epochs": 60, "batch_size": 6, "learning_rate": 0.1} | changes)
    return Training(task or Line(), optimization, 3, "cpu")


def run(folder, steps=None, **changes):
    for number, step in enumerate(train(training(**changes), "task: line\n", folder)):
        if number == steps:
            break
        assert 0 <= step.done <= step.total


def weights_in(folder):
    return (folder / "model.safetensors").read_bytes()


def test_the_line_is_found(tmp_path):
    run(tmp_path / "out")
    tensors, settings = read_weights(tmp_path / "out/model.safetensors", "line")
    assert settings == {"unit": "mm"}
    assert tensors["weight"].item() == pytest.approx(SLOPE, abs=0.01)  # half precision keeps 3 digits
    assert tensors["bias"].item() == pytest.approx(OFFSET, abs=0.01)
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["test"]["rms"] < 0.01 and len(result["losses"]) == 60 and "torch" in result["versions"]


@pytest.mark.parametrize("stopped_after", [5, 23, 30, 60])
def test_a_stopped_training_ends_as_one_that_was_not(tmp_path, stopped_after):
    """After 5 of 24 examples, before the last, among the epochs: the weights are the same to the byte."""
    run(tmp_path / "whole")
    run(tmp_path / "parts", steps=stopped_after)
    task = Line()
    list(train(training(task), "task: line\n", tmp_path / "parts"))
    assert len(task.made) == max(0, 24 - stopped_after) + 4
    assert weights_in(tmp_path / "parts") == weights_in(tmp_path / "whole")


def test_another_seed_is_another_training(tmp_path):
    run(tmp_path / "one", epochs=1)
    other = Training(Line(), training(epochs=1).optimization, 4, "cpu")
    list(train(other, "task: line\n", tmp_path / "two"))
    assert weights_in(tmp_path / "one") != weights_in(tmp_path / "two")


def test_what_is_wrong_with_a_folder_is_said(tmp_path):
    run(tmp_path / "out", epochs=1)
    with pytest.raises(Sim2RealError, match="another recipe"):
        next(train(training(), "task: other\n", tmp_path / "out"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(Sim2RealError, match="not empty"):
        next(train(training(), "task: line\n", tmp_path / "mine"))
    for name in ("checkpoint.pt", "examples/train_00003.npz"):
        kept = (tmp_path / "out" / name).read_bytes()
        (tmp_path / "out" / name).write_bytes(kept[: len(kept) // 2])
        with pytest.raises(Sim2RealError, match=f"{name.split('/')[-1]} is damaged"):
            run(tmp_path / "out", epochs=2)
        (tmp_path / "out" / name).write_bytes(kept)


def test_a_training_that_cannot_succeed_ends_in_a_sentence(tmp_path):
    with pytest.raises(Sim2RealError, match="batch_size of at most 24"):
        run(tmp_path / "large", batch_size=25)

    class Wild(Line):
        def loss(self, network, batch):
            return super().loss(network, batch) * torch.inf

    with pytest.raises(Sim2RealError, match="learning_rate"):
        list(train(training(Wild()), "task: line\n", tmp_path / "wild"))


def test_weights_of_strangers_are_refused_or_only_read(tmp_path):
    """A checkpoint that would run a program is not run, and what is no safetensors is said not to be."""
    run(tmp_path / "out", epochs=1)

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"network": Evil()}, tmp_path / "out/checkpoint.pt")
    with pytest.raises(Sim2RealError, match="damaged"):
        run(tmp_path / "out", epochs=1)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(Sim2RealError, match="no weights"):
        read_weights(tmp_path / "out/checkpoint.pt", "line")
    with pytest.raises(Sim2RealError, match="for line, not for scatter"):
        read_weights(tmp_path / "out/model.safetensors", "scatter")
    path = tmp_path / "out/model.safetensors"
    with pytest.raises(Sim2RealError, match="another network"):
        load_weights(torch.nn.Linear(2, 1), read_weights(path, "line"), path)
