"""Training of the scatter network: `task: scatter`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from Sim2RealLib.engine import Backend
from Sim2RealLib.learning.examples import Example, Split
from Sim2RealLib.learning.recipe import TrainingRecipe
from Sim2RealLib.recipe import StrictModel

from .learned_scatter import TASK
from .noise_power import noise_power
from .scatter_examples import scatter_example
from .scatter_network import SIGNAL, network_input, scatter_network

ENERGY_RATIO = 0.8
"""Mean energy of scattered photons over that of primary ones: 0.79 to 0.84 in views of pelves by Monte Carlo."""


class Examples(StrictModel):
    """How many images, and how many photons are followed for each; voxel_mm: in voxels of about this size."""

    train: int = Field(360, ge=1, le=10**6)
    test: int = Field(30, ge=1, le=10**5)
    train_histories: int = Field(150_000, ge=1000, le=10**10)
    test_histories: int = Field(3_000_000, ge=1000, le=10**10)
    voxel_mm: float = Field(5.0, ge=0.5, le=20)


class ScatterRecipe(TrainingRecipe):
    """`task: scatter`."""

    task: Literal["scatter"]
    examples: Examples = Examples()


RECIPE = ScatterRecipe


def open_task(recipe: ScatterRecipe, backend: Backend) -> "ScatterTask":
    """The recipe made ready on a backend."""
    return ScatterTask(recipe, backend)


@dataclass(frozen=True, eq=False)
class ScatterTask:
    """See `learning.training.LearningTask`."""

    recipe: ScatterRecipe
    backend: Backend

    name = TASK

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"energy_ratio": ENERGY_RATIO}

    @property
    def example_counts(self) -> Mapping[Split, int]:
        return {"train": self.recipe.examples.train, "test": self.recipe.examples.test}

    def example(self, split: Split, index: int) -> Example:
        counts = self.recipe.examples
        histories = counts.train_histories if split == "train" else counts.test_histories
        return scatter_example(self.backend, self.recipe.seed, split, index, histories, counts.voxel_mm)

    def network(self) -> torch.nn.Module:
        return scatter_network()

    def batch(self, examples: Sequence[Example], random: np.random.Generator) -> Mapping[str, torch.Tensor]:
        """Images turned by quarters and mirrored, which is another view of another patient."""
        pairs = []
        for each in examples:
            pair = np.rot90(np.stack([each["primary"], each["scatter"]]), random.integers(4), axes=(1, 2))
            pairs.append(pair[:, :, ::-1] if random.random() < 0.5 else pair)
        primary, scatter = torch.from_numpy(np.stack(pairs, 1).copy())[:, :, None]
        return {"attenuation": network_input(primary, 1.0), "scatter": scatter / SIGNAL}

    def loss(self, network: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The mean over images of Σ (S − Ŝ)² / Σ S², the figure that is asked for."""
        scatter = batch["scatter"]
        error = (network(batch["attenuation"]) - scatter).square().sum((1, 2, 3))
        return (error / scatter.square().sum((1, 2, 3))).mean()

    def test(self, network: torch.nn.Module, examples: Iterator[Example]) -> Mapping[str, float]:
        """NMSE Σ (S − Ŝ)² / Σ S², in percent: of all that differs, and without the noise of the Monte Carlo."""
        errors, noises = [], []
        for each in examples:
            scatter = each["scatter"].astype(np.float64)
            predicted = network(network_input(each["primary"], 1.0)[None, None])[0, 0].numpy() * SIGNAL
            errors.append(100.0 * np.mean((predicted - scatter) ** 2) / np.mean(scatter**2))
            noises.append(100.0 * noise_power(scatter) / np.mean(scatter**2))
        clean = np.subtract(errors, noises)
        return {
            "nmse_percent": float(np.mean(errors)),
            "nmse_without_noise_percent": float(np.mean(clean)),
            "worst_nmse_without_noise_percent": float(np.max(clean)),
        }
