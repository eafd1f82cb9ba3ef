"""A dataset for training with PyTorch. The only module of the dataset package that imports torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import default_collate

from .reader import Dataset

_WIDER = {np.dtype(np.uint16): np.int32}
"""Torch has few operations on uint16."""


class FrameDataset(TorchDataset):
    """The committed frames of an exported folder, each a dict: ``index``, ``record``, and a tensor a channel.

    A tensor is (1, H, W) or (pages, H, W). Where the channel has a scale the values are multiplied by it and float32,
    so that they are in the channel's unit; otherwise they are what is stored, uint16 as int32.
    Works with DataLoader workers (use the spawn context once torch has run) together with `collate_frames`.
    """

    def __init__(self, folder: Path | str, channels: Sequence[str] | None = None) -> None:
        """channels: which images to read; all by default. Sim2RealError if `folder` is no dataset or lacks one."""
        self.dataset = Dataset.open(folder)
        self.channels = tuple(self.dataset.header.channels if channels is None else channels)
        for name in self.channels:
            self.dataset.require_channel(name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: int) -> dict[str, Any]:
        frame = self.dataset.frame(self.dataset.indices[place])
        images = {name: self._tensor(name, frame.channel(name)) for name in self.channels}
        return {"index": frame.index, "record": frame.record, **images}

    def _tensor(self, name: str, image: np.ndarray) -> torch.Tensor:
        scale = self.dataset.header.channels[name].scale
        if scale != 1.0:
            image = image.astype(np.float32) * np.float32(scale)
        image = np.require(image, dtype=_WIDER.get(image.dtype), requirements=["C", "W"])
        return torch.from_numpy(image.reshape(-1, *image.shape[-2:]))


def collate_frames(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`collate_fn` for a DataLoader: tensors are stacked, records (which differ from frame to frame) stay a list."""
    stacked = default_collate([{key: value for key, value in frame.items() if key != "record"} for frame in frames])
    return {**stacked, "record": [frame["record"] for frame in frames]}
