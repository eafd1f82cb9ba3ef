"""Scattered radiation as images know it, wherever it comes from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..acquisition.carm import XrayView


@dataclass(frozen=True, eq=False)
class ScatterImage:
    """Scattered radiation as it reaches the detector's grid, both float32 (H, W), per photon sent towards the pixel.

    signal: keV that the detector would register of it without a grid. photons: as many, each of the mean energy
    signal / photons: what its quantum noise follows from.
    """

    signal: np.ndarray
    photons: np.ndarray


@dataclass(frozen=True, eq=False)
class KnownScatter:
    """The estimator of a view whose scatter is there already."""

    known: ScatterImage

    def image(self, view: XrayView, frame: int) -> ScatterImage:
        return self.known


class ScatterEstimator(Protocol):
    """What adds scatter to a view."""

    def image(self, view: XrayView, frame: int) -> ScatterImage:
        """The scatter of a view; `frame` chooses the draws."""
