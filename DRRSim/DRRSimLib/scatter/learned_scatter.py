"""Scatter by a trained network, from the primary image (Unberath et al. 2018, section 2.3)."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from Sim2RealLib.learning.weights import load_weights, read_weights
from Sim2RealLib.models import model_card, weights_path

from ..acquisition.carm import XrayView
from ..projection.incident import Exposure, incident
from ..projection.projector import XrayScene
from ..projection.radiograph import open_field_mask
from .scatter_image import ScatterImage
from .scatter_network import SIDE_PX, ScatterNetwork, predicted_shares
from .square_field import on_detector, square_view
from .view_planes import BeamQuality, view_planes

TASK = "scatter"
SHIPPED = "scatter-cnn"
"""Id of the model that comes with the extension."""


@dataclass(frozen=True, eq=False)
class LearnedScatter:
    """Scatter that a network sees in the primary image of 128 × 128 pixels.

    exposure: as `primary_image` takes it. energy_ratio: mean energy that the detector registers of a scattered photon,
    over that of a primary one. middle_ras: of the patient, (3,). quality: of the exposure's beam.
    """

    scene: XrayScene
    exposure: Exposure
    middle_ras: np.ndarray
    quality: BeamQuality
    network: Any
    energy_ratio: float

    def image(self, view: XrayView, _frame: int) -> ScatterImage:
        open_beam_kev, square = self.exposure.spectrum.open_beam_kev, square_view(view, SIDE_PX)
        primary, mean_kev = primary_image(self.scene, square, self.exposure)
        planes = view_planes(square, self.middle_ras, self.quality)
        with torch.no_grad():
            shares = predicted_shares(self.network, primary / np.float32(open_beam_kev), planes)
        signal = on_detector(shares * np.float32(open_beam_kev), view)
        return ScatterImage(signal, signal / np.float32(self.energy_ratio * mean_kev))


def primary_image(scene: XrayScene, view: XrayView, exposure: Exposure) -> tuple[np.ndarray, float]:
    """What the detector registers of the primary radiation without a grid, from a point, behind ideal blades: keV per
    photon sent towards the pixel, float32 (H, W), and the mean energy of a photon, keV."""
    beam = replace(exposure.beam, focal_spot=None, blades=None)
    plain = replace(exposure, beam=beam, detector=replace(exposure.detector, grid=None), scatter=None)
    inside = open_field_mask(view)
    signal, moment = (part.numpy().reshape(inside.shape) for part in incident(scene, view, plain))
    registered = inside & (signal > 0)
    numerator, divisor = (signal, moment) if exposure.spectrum.counts_photons else (moment, signal)
    mean_kev = np.mean(numerator[registered] / divisor[registered])
    return np.where(inside, signal, 0.0).astype(np.float32), float(mean_kev)


@lru_cache(maxsize=2)
def trained_network(path: Path | None) -> tuple[torch.nn.Module, float]:
    """The network with the weights of a file, None for those that come with the extension, and its `energy_ratio`.

    Sim2RealError for a file that holds none of such weights.
    """
    path = weights_path(model_card(SHIPPED)) if path is None else path
    weights = read_weights(path, TASK)
    return load_weights(ScatterNetwork(), weights, path), float(weights.settings["energy_ratio"])
