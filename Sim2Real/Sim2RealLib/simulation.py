"""The contract between a simulator and everything that runs it, stores it and checks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class LabelClass:
    """One class of a label map or mask: its value, its name and the colour it is drawn in."""

    id: int
    name: str
    color: tuple[int, int, int]


@dataclass(frozen=True)
class Channel:
    """How one image channel of a frame is stored.

    extension: ``tif`` (float32 or integer, lossless and metric) or ``png`` (uint8, uint16).
    value = stored * scale, in `unit`; `invalid` is the stored value that means "no value here", or None.
    """

    extension: str
    dtype: str
    unit: str
    description: str
    scale: float = 1.0
    invalid: float | None = None


@dataclass(frozen=True)
class DatasetHeader:
    """What is true of every frame of a dataset.

    inputs: one record an input file: role, name, sha256, and source and licence where they are known.
    extra: what the simulator wants to keep beside it (landmarks in the world, spectrum, device); plain JSON.
    """

    simulator: str
    frame_count: int
    classes: tuple[LabelClass, ...]
    channels: Mapping[str, Channel]
    inputs: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Frame:
    """One view: images by channel name and the JSON record of its labels and geometry.

    An image is (H, W), (pages, H, W) or, in colour, (3, H, W).
    """

    channels: Mapping[str, np.ndarray]
    record: Mapping[str, Any]


class Simulation(Protocol):
    """A recipe made ready to run. Frame `index` depends on the recipe and on `index`, on nothing else."""

    header: DatasetHeader

    def frame(self, index: int) -> Frame: ...
