"""The ten-layer network of Unberath et al. 2018 that sees scatter in the primary image.

It takes and gives images of 128 × 128 pixels as logarithms: −ln(P / P₀) of the primary signal P against the open beam's
P₀, and −ln(S / (Ω P₀)) of the scattered signal, with the solid angle of `air_gap`. The paper takes the intensities
themselves; over arbitrary views, fields and voltages they are of four orders of magnitude. What no image shows, see
`view_planes`, stretches and shifts the logarithm.
"""

from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import nn

from .view_planes import DEVIATIONS, MEANS, PLANES

SIDE_PX = 128
MIDDLE = 4.0
"""About the mean of both logarithms behind a pelvis, which the network sees as 1: positive, as it passes a ReLU."""

LEAST_TRANSMISSION = 1e-4
"""Of the open beam; what is below, behind metal, is scatter anyway."""

WIDE, WIDE_PX = (1, 4, 8, 16, 16, 8, 1), 11
LARGE, LARGE_PX = 4, 31
"""Channels and kernels: six layers that see structure, four that blur."""


BEGIN_PX = 4.0
"""Standard deviation of the blurs that the last layers are before training."""
BEGIN_SLOPE = 0.63
"""Of the logarithm of scatter against that of the primary: a straight line through views of pelves."""


class ScatterNetwork(nn.Module):
    """The ten layers, from (N, 1, H, W) to (N, 1, H, W) with edges continued by reflection, stretched and shifted by
    sums of the planes (N, PLANES, H, W) of `view_planes`, standardized, each times a weight (Perez et al. 2018, FiLM,
    eq. 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = _layers()
        self.stretch, self.shift = (nn.Conv2d(PLANES, 1, 1, bias=False) for _ in range(2))
        nn.init.zeros_(self.stretch.weight)
        nn.init.zeros_(self.shift.weight)
        self.register_buffer("means", torch.tensor(MEANS)[:, None, None], persistent=False)
        self.register_buffer("deviations", torch.tensor(DEVIATIONS)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        seen = (planes - self.means) / self.deviations
        return self.layers(images) * (1.0 + self.stretch(seen)) + self.shift(seen)


def _layers() -> nn.Sequential:
    """They begin as a blur of the primary, near to what they are to become: from random weights it takes long to get
    there, and of a single channel a ReLU that is shut stays so."""
    layers: list[nn.Module] = []
    for before, after in pairwise(WIDE):
        layers += [_passing(FourierConv2d(before, after, WIDE_PX)), nn.ReLU()]
    layers.pop()
    for _ in range(LARGE):
        layers += [_blur(FourierConv2d(1, 1, LARGE_PX)), nn.ReLU()]
    layers.pop()
    with torch.no_grad():
        layers[-1].weight *= BEGIN_SLOPE
    return nn.Sequential(*layers)


def predicted_shares(network: ScatterNetwork, primary: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """The scattered signal of a view over the open beam's, float32 (H, W), of the primary one and its `view_planes`."""
    logarithm = network(network_input(primary)[None, None], torch.from_numpy(planes)[None])[0, 0]
    return as_shares(logarithm).numpy() * np.exp(planes[0])


def network_input(primary: np.ndarray) -> torch.Tensor:
    """What the network takes of a primary signal over the open beam's, (H, W), 0 behind blades, which it sees as the
    mean of the field."""
    signal = torch.from_numpy(primary)
    seen = as_logarithm(signal.clamp(min=LEAST_TRANSMISSION))
    return torch.where(signal > 0, seen, seen[signal > 0].mean())


def as_logarithm(shares: torch.Tensor) -> torch.Tensor:
    """Shares of the open beam, greater than 0, as the network takes and gives them."""
    return -torch.log(shares) / MIDDLE


def as_shares(logarithm: torch.Tensor) -> torch.Tensor:
    """The other way."""
    return torch.exp(-MIDDLE * logarithm)


class FourierConv2d(nn.Conv2d):
    """A convolution with odd kernels and reflected edges, computed in the frequency domain: with kernels this large a
    step of training takes a third of the time.

    The kernel is `weight` over the root of the number of its values, so that a step of Adam, which changes all weights
    alike, does not change a sum of 961 by more than one of few (equalized learning rate: Karras et al. 2018, section
    4.1).
    """

    def __init__(self, before: int, after: int, kernel_px: int) -> None:
        super().__init__(before, after, kernel_px, padding=kernel_px // 2, padding_mode="reflect")
        self.scale = (before * kernel_px**2) ** -0.5
        with torch.no_grad():
            self.weight /= self.scale

    @property
    def kernel(self) -> torch.Tensor:
        """(after, before, kernel_px, kernel_px), as `Conv2d` has it."""
        return self.scale * self.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, before, H, W) to (N, after, H, W)."""
        rows, columns = images.shape[-2:]
        padded = nn.functional.pad(images, self._reversed_padding_repeated_twice, mode="reflect")
        size = [next_fast_len(length, real=True) for length in padded.shape[-2:]]
        of_images = torch.fft.rfft2(padded, size).flatten(2)
        of_kernels = torch.fft.rfft2(self.kernel.flip(-2, -1), size).flatten(2)
        product = _multiplied(of_images, of_kernels).unflatten(2, (size[0], size[1] // 2 + 1))
        first = [length - 1 for length in self.kernel_size]  # what comes before has wrapped around
        image = torch.fft.irfft2(product, size)[..., first[0] : first[0] + rows, first[1] : first[1] + columns]
        return image + self.bias[:, None, None]


def _passing(layer: FourierConv2d) -> FourierConv2d:
    """Let its first channel be that of the layer before."""
    middle = layer.kernel_size[0] // 2
    with torch.no_grad():
        layer.weight[0] = 0.0
        layer.weight[0, 0, middle, middle] = 1.0 / layer.scale
        layer.bias[0] = 0.0
    return layer


def _blur(layer: FourierConv2d) -> FourierConv2d:
    places = torch.arange(LARGE_PX) - LARGE_PX // 2
    profile = torch.exp(-0.5 * (places / BEGIN_PX) ** 2)
    with torch.no_grad():
        layer.weight[0, 0] = torch.outer(profile, profile) / profile.sum() ** 2 / layer.scale
        layer.bias.zero_()
    return layer


def _multiplied(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Complex (N, before, F) and (after, before, F) to (N, after, F), as real matrices, of which torch's products of
    many are ten times faster."""
    parts = torch.view_as_real(images).permute(2, 0, 1, 3).flatten(2)
    real, imaginary = kernels.real.permute(2, 1, 0), kernels.imag.permute(2, 1, 0)
    rows = torch.stack([real, imaginary], -1).flatten(2), torch.stack([-imaginary, real], -1).flatten(2)
    product = torch.bmm(parts, torch.stack(rows, 2).flatten(1, 2)).unflatten(2, (-1, 2))
    return torch.view_as_complex(product.permute(1, 2, 0, 3).contiguous())
