"""Examples, steps and test of the training of a material decomposition."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from monai.losses import DiceLoss
from torch.nn.functional import avg_pool3d, interpolate

from Sim2RealLib.job import returned
from Sim2RealLib.learning.examples import Example, Split

from .classes import BONE, body_mask, dice, misclassified_percent, thresholded
from .material_phantoms import material_phantom
from .network import build_network, normalized
from .patches import probabilities
from .section import MaterialsRecipe
from .working_grid import largest

BONE_CENTRED = 0.6
"""Share of the patches that lie about a voxel of bone."""
ZOOM = (0.8, 1.25)
NOISE_HU, SHIFT_HU, GAIN = 40.0, 20.0, 0.06
"""Largest standard deviation of the noise, and largest error of calibration: an offset, and a factor less 1."""


class MaterialsTask:
    """See `Sim2RealLib.learning.training.LearningTask`."""

    name = "materials"

    def __init__(self, recipe: MaterialsRecipe) -> None:
        self.recipe = recipe
        self.settings = {**recipe.network.model_dump(), "spacing_mm": recipe.phantoms.spacing_mm}
        self.example_counts: Mapping[Split, int] = {"train": recipe.phantoms.train, "test": recipe.phantoms.test}
        self._loss = DiceLoss(to_onehot_y=True, softmax=True, batch=True)

    def example(self, split: Split, index: int) -> Example:
        section = self.recipe.phantoms
        seed = phantom_seed(self.recipe.seed, split, index)
        mineral = np.random.default_rng([seed, 21]).uniform(
            *(section.mineral if split == "train" else section.unseen_mineral)
        )
        phantom = material_phantom(seed, section.spacing_mm, float(mineral))
        return {"hu": phantom.hu, "truth": phantom.truth}

    def network(self) -> torch.nn.Module:
        return build_network(self.recipe.network.form, self.recipe.network.width)

    def batch(self, examples: Sequence[Example], random: np.random.Generator) -> Mapping[str, torch.Tensor]:
        patches = [_patch(each, self.recipe.phantoms.patch, random) for each in examples]
        hu, truth = (torch.stack(each) for each in zip(*patches, strict=True))
        return {"hu": normalized(hu).to(memory_format=torch.channels_last_3d), "truth": truth}

    def loss(self, network: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._loss(network(batch["hu"]), batch["truth"])

    def test(self, network: torch.nn.Module, examples: Iterator[Example]) -> Mapping[str, float]:
        """Mean over the phantoms: misclassified voxels of the body, in percent, and Dice of bone; beside thresholds."""
        figures: dict[str, list[float]] = {}
        for each in examples:
            hu, truth = each["hu"], each["truth"]
            body = body_mask(hu)
            found = returned(probabilities(network, hu))
            for name, classes in (("", largest(found)), ("thresholds_", thresholded(hu))):
                wrong = misclassified_percent(classes, truth, body)
                figures.setdefault(f"{name}misclassified_percent", []).append(wrong)
                overlap = dice(classes == BONE, truth == BONE, body)
                figures.setdefault(f"{name}bone_dice", []).append(overlap)
        return {name: float(np.mean(values)) for name, values in figures.items()}


def phantom_seed(recipe_seed: int, split: Split, index: int) -> int:
    """Even seeds to train on, odd ones to test with."""
    return 2 * (100_000 * recipe_seed + index) + (split == "test")


def _patch(example: Example, edge: int, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """HU (1, edge, edge, edge) as another scanner might show them, and their classes."""
    hu, truth = example["hu"], example["truth"]
    size = np.minimum(round(edge * random.uniform(*ZOOM)), hu.shape)
    if random.random() < BONE_CENTRED:
        bone = np.flatnonzero(truth == BONE)
        middle = np.array(np.unravel_index(bone[random.integers(len(bone))], hu.shape))
    else:
        middle = random.integers(0, hu.shape)
    low = np.clip(middle - size // 2, 0, np.array(hu.shape) - size)
    window = tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))
    flips = tuple(slice(None, None, -1 if random.random() < 0.5 else 1) for _ in range(3))
    cut = [torch.from_numpy(each[window][flips].astype(np.float32))[None, None] for each in (hu, truth)]
    zoomed = interpolate(cut[0], size=(edge,) * 3, mode="trilinear", align_corners=False)
    classes = interpolate(cut[1], size=(edge,) * 3, mode="nearest-exact")
    return _rescanned(zoomed, random)[0], classes[0]


def _rescanned(hu: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """HU (1, 1, …) blurred, noisy and miscalibrated, each by a random amount."""
    hu = hu + random.uniform(0.0, 1.0) * (_neighbours_mean(hu) - hu)
    white = torch.from_numpy(random.standard_normal(hu.shape, dtype=np.float32))
    grain = random.uniform(0.0, 0.9)
    noise = white + grain * (_neighbours_mean(white) - white)
    hu = hu + noise / noise.std() * random.uniform(0.0, NOISE_HU)
    return hu * random.uniform(1.0 - GAIN, 1.0 + GAIN) + random.uniform(-SHIFT_HU, SHIFT_HU)


def _neighbours_mean(values: torch.Tensor) -> torch.Tensor:
    return avg_pool3d(values, 3, stride=1, padding=1, count_include_pad=False)
