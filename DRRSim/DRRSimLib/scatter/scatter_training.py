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
from .scatter_network import MIDDLE, ScatterNetwork, as_logarithm, network_input, predicted_shares
from .view_planes import PLANES

LEAST_SCATTER = 1e-7
"""Of the open beam, per steradian: where there is none at all, which has no logarithm."""

ENERGY_RATIO = 0.8
"""Mean energy of scattered photons over that of primary ones: 0.79 to 0.84 in views of pelves by Monte Carlo."""


class Examples(StrictModel):
    """How many images, and how many photons are followed for each; voxel_mm: in voxels of about this size."""

    train: int = Field(360, ge=1, le=10**6)
    test: int = Field(30, ge=1, le=10**5)
    train_histories: int = Field(150_000, ge=1000, le=10**10)
    test_histories: int = Field(6_000_000, ge=1000, le=10**10)
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
        return ScatterNetwork()

    def batch(self, examples: Sequence[Example], random: np.random.Generator) -> Mapping[str, torch.Tensor]:
        """Images turned by quarters and mirrored, which is another view of another patient."""
        varied = []
        for each in examples:
            images = np.stack([network_input(each["primary"]).numpy(), *_target(each), *each["planes"]])
            turned = np.rot90(images, random.integers(4), axes=(1, 2))
            varied.append(turned[:, :, ::-1] if random.random() < 0.5 else turned)
        images = torch.from_numpy(np.stack(varied))
        return dict(zip(("primary", "scatter", "weight", "planes"), images.split([1, 1, 1, PLANES], 1), strict=True))

    def loss(self, network: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The mean over images of ln(1 + NMSE), NMSE = Σ (S − Ŝ)² / Σ S²: few that are far off do not lead the way."""
        error = MIDDLE * (batch["scatter"] - network(batch["primary"], batch["planes"]))
        return torch.log1p((batch["weight"] * torch.expm1(error).square()).mean(dim=(1, 2, 3))).mean()

    def test(self, network: torch.nn.Module, examples: Iterator[Example]) -> Mapping[str, float]:
        """NMSE Σ (S − Ŝ)² / Σ S², in percent: of all that differs, and without the noise of the Monte Carlo."""
        errors, noises = [], []
        for each in examples:
            scatter = each["scatter"].astype(np.float64)
            predicted = predicted_shares(network, each["primary"], each["planes"])
            errors.append(100.0 * np.mean((predicted - scatter) ** 2) / np.mean(scatter**2))
            noises.append(100.0 * noise_power(scatter) / np.mean(scatter**2))
        clean = np.subtract(errors, noises)
        return {
            "nmse_percent": float(np.mean(errors)),
            "nmse_without_noise_percent": float(np.mean(clean)),
            "worst_nmse_without_noise_percent": float(np.max(clean)),
        }


def _target(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """What the network is to give, and how much each pixel counts, 1 on average."""
    per_sr = np.maximum(example["scatter"] / np.exp(example["planes"][0]), LEAST_SCATTER)
    weight = example["scatter"] ** 2
    return as_logarithm(torch.from_numpy(per_sr)).numpy(), weight / weight.mean()
