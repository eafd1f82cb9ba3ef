"""One exposure: from a scene and a view to the images a detector delivers."""

from dataclasses import dataclass
from typing import Any

import drjit as dr
import numpy as np

from ..acquisition.carm import XrayView
from ..physics.detector_signal import DeviceSpectrum, detector_signal
from ..physics.noise import NoiseModel, noise_kev_per_photon, relative_fluence
from ..tools.intervals import ToolHits, pixel_hits, position_hits
from .projector import XrayScene, areal_densities, path_lengths
from .rays import pixel_rays, position_rays


@dataclass(frozen=True, eq=False)
class Exposure:
    """What a series is exposed with: the beam, the noise (None for none), and the seed of its draws."""

    spectrum: DeviceSpectrum
    noise: NoiseModel | None
    seed: int = 0


def expose(scene: XrayScene, view: XrayView, exposure: Exposure, frame: int = 0) -> np.ndarray:
    """The raw intensity in keV per emitted photon, float32 (H, W); divide by the open beam's for the fraction of it.

    Noise can make a pixel negative. Behind the collimator's blades the intensity is 0.
    """
    backend, arrays = scene.backend, scene.backend.arrays
    x, y = pixel_rays(arrays, view.camera)
    densities = areal_densities(scene, view, x, y, hits=_pixel_hits(scene, view))
    signal, transmission = detector_signal(backend, densities, exposure.spectrum)
    if exposure.noise is not None:
        fluence = relative_fluence(arrays, x, y)
        dr.eval(signal, transmission, fluence)
        signal += noise_kev_per_photon(
            arrays, view, signal, transmission, fluence, exposure.noise, exposure.seed, frame
        )
    return _collimated(view, _image(view, signal))


def material_thickness(scene: XrayScene, view: XrayView) -> dict[str, np.ndarray]:
    """The length in mm that each pixel's ray runs in every material of the scene, float32 (H, W) by name."""
    lengths = path_lengths(scene, view, *pixel_rays(scene.backend.arrays, view.camera), hits=_pixel_hits(scene, view))
    dr.eval(lengths)
    return {name: _image(view, length) for name, length in zip(scene.materials, lengths, strict=True)}


def tissue_thickness(scene: XrayScene, view: XrayView, positions_px: np.ndarray) -> np.ndarray:
    """The length in mm that the rays through image positions (N, 2) run in anything but air: shape (N,)."""
    hits = position_hits(scene.tools, view, positions_px) if scene.tools else None
    lengths = path_lengths(scene, view, *position_rays(scene.backend.arrays, view.camera, positions_px), hits=hits)
    return sum(lengths).numpy()


def _pixel_hits(scene: XrayScene, view: XrayView) -> ToolHits | None:
    return pixel_hits(scene.tools, view) if scene.tools else None


def _image(view: XrayView, values: Any) -> np.ndarray:
    return values.numpy().reshape(view.camera.height_px, view.camera.width_px)


def _collimated(view: XrayView, image: np.ndarray) -> np.ndarray:
    """`image` with 0 where a pixel's centre lies outside the open field."""
    left, top, right, bottom = view.open_field_px
    columns, rows = np.arange(view.camera.width_px) + 0.5, np.arange(view.camera.height_px) + 0.5
    open_field = ((rows >= top) & (rows <= bottom))[:, None] & ((columns >= left) & (columns <= right))
    return image if open_field.all() else np.where(open_field, image, np.float32(0))
