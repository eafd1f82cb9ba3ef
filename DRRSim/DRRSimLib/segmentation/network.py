"""The V-Net that tells air, soft tissue and bone apart in a CT.

F. Milletari, N. Navab, S.-A. Ahmadi: V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image
Segmentation, 3DV 2016; as the material decomposition of Unberath et al., DeepDRR, MICCAI 2018.
"""

import torch
from monai.networks.nets.vnet import DownTransition, InputTransition, OutputTransition, UpTransition, VNet

from .classes import CLASSES

HU_RANGE = (-1000.0, 1500.0)
HU_SCALE = 250.0
"""Soft tissues and low-mineral bone lie within one unit of each other; metal is told apart by its HU, not here."""

STRIDE = 16
"""Voxels of the input per voxel of the deepest stage: the edges of what goes in are multiples of it."""

DOWN_CONVOLUTIONS, UP_CONVOLUTIONS = (1, 2, 3, 2), (2, 2, 1, 1)


class NarrowVNet(torch.nn.Module):
    """MONAI's transitions in the published order, beginning with `width` channels in place of 16.

    So few channels underfit rather than overfit: there is no dropout.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width * 2**stage for stage in range(5)]
        self.first = InputTransition(3, 1, width, "prelu")
        self.down = torch.nn.ModuleList(
            DownTransition(3, inner, count, "prelu") for inner, count in zip(widths[:4], DOWN_CONVOLUTIONS, strict=True)
        )
        self.up = torch.nn.ModuleList(
            UpTransition(3, below, 2 * skipped, count, "prelu", (None, 0.0))
            for below, skipped, count in zip(
                (widths[4], *(2 * each for each in widths[3:0:-1])), widths[3::-1], UP_CONVOLUTIONS, strict=True
            )
        )
        self.last = OutputTransition(3, 2 * width, len(CLASSES), "prelu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = [self.first(x)]
        for down in self.down:
            skipped.append(down(skipped[-1]))
        x = skipped.pop()
        for up in self.up:
            x = up(x, skipped.pop())
        return self.last(x)


def build_network(form: str, width: int) -> torch.nn.Module:
    """From normalized HU (B, 1, K, J, I) to a score of each class (B, 3, K, J, I); edges are multiples of STRIDE.

    When it is used (`eval()`) its batch norms take their running means, so that no voxel depends on the batch it is in.
    """
    network = VNet(3, 1, len(CLASSES), "prelu") if form == "published" else NarrowVNet(width)
    return network.to(memory_format=torch.channels_last_3d)  # a third faster on CPUs


def normalized(hu: torch.Tensor) -> torch.Tensor:
    """HU of any type as the network takes them: float32."""
    return hu.float().clamp(*HU_RANGE) / HU_SCALE
