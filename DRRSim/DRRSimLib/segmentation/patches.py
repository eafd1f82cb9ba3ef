"""A network over a whole volume, patch by patch: of each patch only the middle is kept."""

from collections.abc import Generator

import numpy as np
import torch

from Sim2RealLib.job import Done

from .classes import AIR, CLASSES
from .network import STRIDE, normalized

PATCH, KEPT = 128, 64
"""Edge of a patch and of its middle, voxels (Unberath et al. 2018: 128³ at stride 64, the central 64³ kept)."""

AIR_BELOW_HU = -300
"""Where nothing reaches this, as lungs and foam do not, there is neither soft tissue nor bone."""


def probabilities(network: torch.nn.Module, hu: np.ndarray) -> Generator[Done, None, np.ndarray]:
    """The probability of each class, float32 (3, K, J, I), patch by patch.

    hu: (K, J, I). A patch that would reach beyond the volume ends there: where a scan ends the body is cut, there is no
    air. Middles of air alone are not looked at.
    """
    device = next(network.parameters()).device
    result = np.zeros((len(CLASSES), *hu.shape), np.float32)
    result[AIR] = 1.0
    middles = [kept for kept in _middles(hu.shape) if hu[kept].max() > AIR_BELOW_HU]
    margin = (PATCH - KEPT) // 2
    for number, kept in enumerate(middles):
        yield Done(number, len(middles), "Patches")
        patch = tuple(
            slice(max(s.start - margin, 0), min(s.stop + margin, n)) for s, n in zip(kept, hu.shape, strict=True)
        )
        inside = tuple(slice(k.start - p.start, k.stop - p.start) for k, p in zip(kept, patch, strict=True))
        with torch.no_grad():
            found = network(normalized(_filled_up(hu[patch]).to(device))[None, None])[0].softmax(dim=0)
        result[(slice(None), *kept)] = found[(slice(None), *inside)].cpu().numpy()
    return result


def _middles(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    steps = [[slice(start, min(start + KEPT, size)) for start in range(0, size, KEPT)] for size in shape]
    return [(k, j, i) for k in steps[0] for j in steps[1] for i in steps[2]]


def _filled_up(hu: np.ndarray) -> torch.Tensor:
    """To edges that the network takes, by repeating the last plane."""
    more = [(0, -size % STRIDE) for size in hu.shape]
    return torch.from_numpy(np.ascontiguousarray(np.pad(hu, more, mode="edge")))
