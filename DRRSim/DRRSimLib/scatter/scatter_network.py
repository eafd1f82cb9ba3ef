"""The ten-layer network of Unberath et al. 2018 that sees scatter in the primary image.

It takes and gives images of 128 × 128 pixels: the attenuation −ln(P / P₀) of the primary signal P against the open
beam's P₀, and the scattered signal S / P₀, in units of `SIGNAL`.
"""

from itertools import pairwise
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch import nn

SIDE_PX = 128
SIGNAL = 0.02
"""Of the open beam: about the mean of S / P₀ behind a pelvis."""

LEAST_TRANSMISSION = 1e-4
"""Of the open beam; what is below, behind metal, is scatter anyway."""

WIDE, WIDE_PX = (1, 4, 8, 16, 16, 8, 1), 11
LARGE, LARGE_PX = 4, 31
"""Channels and kernels: six layers that see structure, four that blur."""


BEGIN_PX = 4.0
"""Standard deviation of the blurs that the last layers are before training."""


def scatter_network() -> nn.Sequential:
    """A new network from (N, 1, H, W) to (N, 1, H, W); edges are continued by reflection.

    The last layers begin as blurs: of a single channel a ReLU that is shut stays so.
    """
    layers: list[nn.Module] = []
    for number, (before, after) in enumerate(pairwise(WIDE), start=2):
        layers.append(FourierConv2d(before, after, WIDE_PX))
        if number < len(WIDE):
            layers.append(nn.ReLU())
    nn.init.ones_(layers[-1].bias)
    for number in range(1, LARGE + 1):
        layers.append(_blur(FourierConv2d(1, 1, LARGE_PX)))
        if number < LARGE:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def network_input(primary: Any, open_beam: float) -> torch.Tensor:
    """The attenuation of a primary signal (..., H, W) against the open beam's."""
    shares = torch.as_tensor(primary, dtype=torch.float32) / open_beam
    return -torch.log(shares.clamp(min=LEAST_TRANSMISSION))


class FourierConv2d(nn.Conv2d):
    """A convolution with odd kernels and reflected edges, computed in the frequency domain: with kernels this large a
    step of training takes a third of the time.

    The kernel is `weight` over the root of the number of its values, so that a step of Adam, which changes all weights
    alike, does not change a sum of 961 by more than one of few (equalized learning rate: Karras et al. 2018, section
    4.1).
    """

    def __init__(self, before: int, after: int, kernel_px: int) -> None:
        super().__init__(before, after, kernel_px, padding=kernel_px // 2, padding_mode="reflect")
        self._scale = (before * kernel_px**2) ** -0.5
        with torch.no_grad():
            self.weight /= self._scale

    @property
    def kernel(self) -> torch.Tensor:
        """(after, before, kernel_px, kernel_px), as `Conv2d` has it."""
        return self._scale * self.weight

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


def _blur(layer: FourierConv2d) -> FourierConv2d:
    places = torch.arange(LARGE_PX) - LARGE_PX // 2
    profile = torch.exp(-0.5 * (places / BEGIN_PX) ** 2)
    with torch.no_grad():
        layer.weight[0, 0] = torch.outer(profile, profile) / profile.sum() ** 2 * LARGE_PX
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
