"""Training by recipe: examples, epochs, examples of the test, the test; any of it can be stopped and goes on later.

Everything random follows from the recipe's seed and the number of the epoch, so that on one machine a training that was
stopped ends with the weights of one that was not.
"""

import io
import json
import math
import pickle
import platform
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from .. import __version__
from ..dataset.files import storage_error, write_together
from ..errors import Sim2RealError
from ..job import Done
from .examples import Example, ExampleMaker, Split, make_examples, read_example
from .recipe import Optimization
from .weights import weights_as_bytes

RECIPE, EXAMPLES, CHECKPOINT, WEIGHTS, RESULT = (
    "recipe.yaml",
    "examples",
    "checkpoint.pt",
    "model.safetensors",
    "result.json",
)


class LearningTask(ExampleMaker, Protocol):
    """What a task brings beside its examples.

    name: as recipes and weights have it. settings: kept with the weights; JSON.
    """

    name: str
    settings: Mapping[str, Any]

    def network(self) -> torch.nn.Module:
        """A new network, initialized by torch's generator."""

    def batch(self, examples: Sequence[Example], random: np.random.Generator) -> Mapping[str, torch.Tensor]:
        """Examples made ready for a step, varied at random."""

    def loss(self, network: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What a step makes smaller."""

    def test(self, network: torch.nn.Module, examples: Iterator[Example]) -> Mapping[str, float]:
        """Figures of a trained network, measured on the examples to test with."""


@dataclass(frozen=True)
class Training:
    """A task with how it is trained: on `device`, as torch names it."""

    task: LearningTask
    optimization: Optimization
    seed: int
    device: str


def train(training: Training, recipe_text: str, folder: Path) -> Iterator[Done]:
    """Train into `folder`, going on from what it holds; yields before every example, epoch and test.

    The folder holds recipe.yaml, examples/, checkpoint.pt, and in the end model.safetensors and result.json. What was
    finished before a run is killed is kept. Sim2RealError: a folder of another recipe, damaged, or not to be written.
    """
    _claim(folder, recipe_text)
    yield from make_examples(training.task, folder / EXAMPLES, "train")
    with _reproducible():
        state = _State.begin(training)
        _restore(state, folder / CHECKPOINT)
        epochs = training.optimization.epochs
        while (epoch := len(state.losses)) < epochs:
            yield Done(epoch, epochs, "Epochs" if epoch == 0 else f"Epochs (loss {state.losses[-1]:.3g})")
            state.losses.append(_epoch(training, state, folder / EXAMPLES, epoch))
            _write(folder, {CHECKPOINT: state.as_bytes()})
        yield from make_examples(training.task, folder / EXAMPLES, "test")
        yield Done(0, 0, "Test")
        state.network.eval()
        with torch.no_grad():
            figures = dict(training.task.test(state.network, _stored(training.task, folder / EXAMPLES, "test")))
    weights = weights_as_bytes(state.network, training.task.name, training.task.settings)
    _write(folder, {WEIGHTS: weights, RESULT: _result(figures, state.losses).encode()})


@dataclass(eq=False)
class _State:
    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    losses: list[float]

    @classmethod
    def begin(cls, training: Training) -> "_State":
        torch.manual_seed(training.seed)
        network = training.task.network().to(training.device)
        return cls(network, torch.optim.Adam(network.parameters(), training.optimization.learning_rate), [])

    def as_bytes(self) -> bytes:
        buffer = io.BytesIO()
        parts = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "losses": self.losses}
        torch.save(parts, buffer)
        return buffer.getvalue()


def _epoch(training: Training, state: _State, folder: Path, epoch: int) -> float:
    """One pass over the examples; returns the mean loss."""
    optimization, task = training.optimization, training.task
    random = np.random.default_rng([training.seed, epoch])
    torch.manual_seed(int(random.integers(2**63)))
    for group in state.optimizer.param_groups:
        group["lr"] = 0.5 * optimization.learning_rate * (1.0 + math.cos(math.pi * epoch / optimization.epochs))
    order = random.permutation(task.example_counts["train"])
    state.network.train()
    losses = []
    for start in range(0, len(order) - optimization.batch_size + 1, optimization.batch_size):
        chosen = order[start : start + optimization.batch_size].tolist()
        batch = task.batch([read_example(folder, "train", index) for index in chosen], random)
        loss = task.loss(state.network, {name: value.to(training.device) for name, value in batch.items()})
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        losses.append(loss.item())
    if not losses or not math.isfinite(mean := sum(losses) / len(losses)):
        raise Sim2RealError(
            f"Epoch {epoch} has no finite loss: use a lower optimization.learning_rate, or a batch_size of at most "
            f"{len(order)}."
        )
    return mean


def _stored(task: LearningTask, folder: Path, split: Split) -> Iterator[Example]:
    return (read_example(folder, split, index) for index in range(task.example_counts[split]))


def _claim(folder: Path, recipe_text: str) -> None:
    """Make the folder this recipe's."""
    path = folder / RECIPE
    try:
        if path.exists():
            if path.read_text("utf-8") != recipe_text:
                raise Sim2RealError(f"{folder} holds a training by another recipe. Choose another folder.")
            return
        if folder.exists() and any(folder.iterdir()):
            raise Sim2RealError(f"{folder} is not empty and holds no training. Choose another folder.")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise Sim2RealError(f"{folder} cannot be used ({error}). Choose another folder.") from error
    _write(folder, {RECIPE: recipe_text.encode()})


def _restore(state: _State, path: Path) -> None:
    if not path.exists():
        return
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True)
        state.network.load_state_dict(parts["network"])
        state.optimizer.load_state_dict(parts["optimizer"])
        state.losses[:] = parts["losses"]
    except (
        OSError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise Sim2RealError(f"{path} is damaged; remove it to begin the training anew.") from error


def _result(figures: Mapping[str, float], losses: Sequence[float]) -> str:
    versions = {"surgical-sim2real": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return json.dumps({"test": figures, "losses": list(losses), "versions": versions}, indent=2) + "\n"


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    try:
        write_together([(folder / name, content) for name, content in contents.items()])
    except OSError as error:
        raise storage_error(error, folder) from error


@contextmanager
def _reproducible() -> Iterator[None]:
    """Let torch take only algorithms that give the same result every time, where there is one."""
    enabled = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # memory that is not read needs no known content
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=only_warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled
