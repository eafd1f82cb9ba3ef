"""Scatter by Monte Carlo: pixel by pixel, or of fewer photons and smoothed."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from Sim2RealLib.job import Done, returned

from ..acquisition.carm import XrayView
from ..transport.monte_carlo import MonteCarloImages, MonteCarloSettings, TransportScene, scatter_steps
from ..transport.photon_transport import PhotonSource
from .scatter_image import ScatterImage
from .smoothing import spline_image

SHORT_SIDE_PX, SMOOTHED_SHORT_SIDE_PX = 128, 24
"""Pixels along the shorter side of a scatter image, before it is brought to the detector's size."""

HISTORIES, SMOOTHED_HISTORIES = 20_000_000, 100_000
"""Photons a view, where the recipe does not say."""

LEAST_BATCHES, BATCH = 4, 1_000_000
"""Photons are followed in at least so many batches, of about so many photons: a second or two of two cores."""

HARDENED_BY_MM = 100.0
"""Water behind which energies are drawn as they occur: half a patient."""

COEFFICIENTS = 7
"""Of splines along each side: finer ones follow noise, coarser ones lose the shadow of an edge of the body."""


@dataclass(frozen=True, eq=False)
class MonteCarloScatter:
    """Scatter by following `histories` photons of every view, pixel by pixel or smoothed by splines."""

    scene: TransportScene
    source: PhotonSource
    histories: int
    smoothed: bool
    seed: int = 0

    def image(self, view: XrayView, frame: int) -> ScatterImage:
        return returned(self.image_steps(view, frame))

    def image_steps(self, view: XrayView, frame: int) -> Generator[Done, None, ScatterImage]:
        """`image` step by step: with many photons it takes minutes."""
        images = yield from self._images(view, frame)
        size = (view.camera.height_px, view.camera.width_px)
        enlarge = _splined if self.smoothed else _interpolated
        signal, photons = (part.mean(axis=0).sum(axis=0) for part in (images.signal, images.photons))
        return ScatterImage(enlarge(signal, size), enlarge(photons, size))

    def _images(self, view: XrayView, frame: int) -> Generator[Done, None, MonteCarloImages]:
        short_side = SMOOTHED_SHORT_SIDE_PX if self.smoothed else SHORT_SIDE_PX
        side = min(view.camera.width_px, view.camera.height_px) / short_side
        columns, rows = (max(1, round(n / max(side, 1.0))) for n in (view.camera.width_px, view.camera.height_px))
        seed = int(np.random.SeedSequence([self.seed, frame]).generate_state(1, np.uint64)[0])
        batches = max(LEAST_BATCHES, self.histories // BATCH)
        settings = MonteCarloSettings(columns, rows, self.histories, batches, seed)
        return (yield from scatter_steps(self.scene, view, self.source, settings))


def _splined(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where noise takes the spline below nothing, which scatter cannot be, there is none."""
    coefficients = min(COEFFICIENTS, *values.shape)
    return np.maximum(spline_image(values, coefficients, size), 0.0).astype(np.float32)


def _interpolated(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    zoom = np.divide(size, values.shape)
    return ndimage.zoom(values, zoom, order=1, mode="nearest", grid_mode=True).astype(np.float32)
