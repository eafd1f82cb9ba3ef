"""The ten-layer network of Unberath et al. 2018 that sees scatter in the primary image.

It takes and gives images of 128 × 128 pixels as logarithms: −ln(P / P₀) of the primary signal P against the open beam's
P₀, and −ln(S / (Ω P₀)) of the scattered signal, with the solid angle of `air_gap`. The paper takes the intensities
themselves; over arbitrary views, fields and voltages they are of four orders of magnitude.

Its first six layers tell how much of what each ray has lost is scattered, and the last four spread that as scatter adds
up: intensities, not logarithms. So do superpositions of kernels, which spread P ln P (Ohnesorge et al. 1999,
doi:10.1007/s003300050710). What no image shows, see `view_planes`, stretches and shifts the logarithm between and
after. The last four work on images of half the size: with kernels of 31 × 31 pixels of 128 they could not spread as far
as scatter does, over half of the field.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import nn
from torch.nn import functional

from .view_planes import DEVIATIONS, MEANS, PLANES

SIDE_PX = 128
MIDDLE = 4.0
"""About the mean of both logarithms behind a pelvis, which the network sees as 1."""

LEAST_TRANSMISSION = 1e-4
"""Of the open beam; what is below, behind metal, is scatter anyway."""
LEAST_SPREAD = 1e-8
"""Of what comes out of the last layer, as a number that is not above 0 has no logarithm."""

WIDE, WIDE_PX = (1, 4, 8, 16, 16, 8, 1), 11
LARGE, LARGE_PX = 4, 31
"""Channels and kernels: six layers that see structure, four that blur."""


BEGIN_PX, BEGIN_SLOPE = 12.0, 0.63
"""Before training, what a ray has lost times its transmission to this power is spread by Gaussians so wide, ..."""
BEGIN_STRETCH, BEGIN_SHIFT, BEGIN_PLANES = 0.43, -0.25, (0.049, -0.022, -0.024, -0.041)
"""... and its logarithm stretched and shifted as a least-squares fit to a hundred views of pelves has it."""


class ScatterNetwork(nn.Module):
    """The ten layers, from (N, 1, H, W) and the planes (N, PLANES, H, W) of `view_planes` to (N, 1, H, W), with edges
    continued by reflection.

    They begin as a blur of the primary, near to what they are to become: from random weights it takes long to get
    there, and of a single channel a ReLU that is shut stays so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scattering = _scattering()
        self.modulations = nn.ModuleList(Modulation(channels) for channels in WIDE[1:])
        self.spreading, self.view = _spreading(), Modulation(1, BEGIN_STRETCH, BEGIN_SHIFT, BEGIN_PLANES)
        self.register_buffer("means", torch.tensor(MEANS)[:, None, None], persistent=False)
        self.register_buffer("deviations", torch.tensor(DEVIATIONS)[:, None, None], persistent=False)

    def forward(self, images: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        seen = (planes - self.means) / self.deviations
        source = images.clamp(min=0.0) * as_shares(self._scattered(images, seen))
        spread = functional.interpolate(
            self.spreading(functional.avg_pool2d(source, 2)), scale_factor=2.0, mode="bilinear"
        )
        return self.view(as_logarithm(spread.clamp(min=LEAST_SPREAD)), seen)

    def _scattered(self, images: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        *hidden, last = zip(self.scattering, self.modulations, strict=True)
        for layer, modulation in hidden:
            images = functional.relu(modulation(layer(images), planes))
        layer, modulation = last
        return modulation(layer(images), planes)


class Modulation(nn.Module):
    """Stretches and shifts each channel by sums of planes, each times a weight (Perez et al. 2018, FiLM, eq. 2);
    stretch, shift and planes, the weights of shifts, are what it begins with."""

    def __init__(
        self, channels: int, stretch: float = 0.0, shift: float = 0.0, planes: Sequence[float] = PLANES * (0.0,)
    ) -> None:
        super().__init__()
        self.stretch, self.shift = (nn.Conv2d(PLANES, channels, 1) for _ in range(2))
        nn.init.zeros_(self.stretch.weight)
        nn.init.constant_(self.stretch.bias, stretch)
        nn.init.constant_(self.shift.bias, shift)
        with torch.no_grad():
            self.shift.weight[:, :, 0, 0] = torch.tensor(planes)

    def forward(self, images: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        return images * (1.0 + self.stretch(planes)) + self.shift(planes)


def _scattering() -> nn.ModuleList:
    layers = [_passing(FourierConv2d(before, after, WIDE_PX)) for before, after in pairwise(WIDE)]
    with torch.no_grad():
        layers[-1].weight *= BEGIN_SLOPE
    return nn.ModuleList(layers)


def _spreading() -> nn.Sequential:
    """Without biases: twice as much that is scattered is twice as much scatter."""
    layers: list[nn.Module] = []
    for _ in range(LARGE):
        layers += [_blur(FourierConv2d(1, 1, LARGE_PX, bias=False)), nn.ReLU()]
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

    def __init__(self, before: int, after: int, kernel_px: int, bias: bool = True) -> None:
        super().__init__(before, after, kernel_px, padding=kernel_px // 2, padding_mode="reflect", bias=bias)
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
        padded = functional.pad(images, self._reversed_padding_repeated_twice, mode="reflect")
        size = [next_fast_len(length, real=True) for length in padded.shape[-2:]]
        of_images = torch.fft.rfft2(padded, size).flatten(2)
        of_kernels = torch.fft.rfft2(self.kernel.flip(-2, -1), size).flatten(2)
        product = _multiplied(of_images, of_kernels).unflatten(2, (size[0], size[1] // 2 + 1))
        first = [length - 1 for length in self.kernel_size]  # what comes before has wrapped around
        image = torch.fft.irfft2(product, size)[..., first[0] : first[0] + rows, first[1] : first[1] + columns]
        return image if self.bias is None else image + self.bias[:, None, None]


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
    return layer


def _multiplied(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Complex (N, before, F) and (after, before, F) to (N, after, F), as real matrices, of which torch's products of
    many are ten times faster."""
    parts = torch.view_as_real(images).permute(2, 0, 1, 3).flatten(2)
    real, imaginary = kernels.real.permute(2, 1, 0), kernels.imag.permute(2, 1, 0)
    rows = torch.stack([real, imaginary], -1).flatten(2), torch.stack([-imaginary, real], -1).flatten(2)
    product = torch.bmm(parts, torch.stack(rows, 2).flatten(1, 2)).unflatten(2, (-1, 2))
    return torch.view_as_complex(product.permute(1, 2, 0, 3).contiguous())
