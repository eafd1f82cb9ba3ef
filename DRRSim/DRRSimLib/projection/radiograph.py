"""One exposure: from a scene and a view to the images a detector delivers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import drjit as dr
import numpy as np

from ..acquisition.carm import XrayView
from ..beam.exposure_control import controlled_photons, measured_kev
from ..detector.chain import Charge, read_out, spread, with_lag
from ..physics.detector_signal import counted_share
from ..physics.noise import NoiseModel, noise_kev_per_photon, relative_fluence
from ..tools.intervals import position_hits
from .incident import Exposure, incident, open_field, scene_hits
from .projector import XrayScene, path_lengths
from .rays import pixel_rays, position_rays

__all__ = [
    "Exposure",
    "Registered",
    "charge",
    "collimated",
    "develop",
    "expose",
    "material_thickness",
    "open_field_mask",
    "plain_image",
    "register",
    "tissue_thickness",
]

ONE_PIXEL = ((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0))
"""Crosstalk of quantum noise that stays where it is counted."""


@dataclass(frozen=True, eq=False)
class Registered:
    """What every pixel registers on average, per photon sent towards it: Float arrays of height · width elements.

    share: of the photons, that a Poisson count must have to fluctuate like it, `detector_signal.counted_share`.
    fluence: photons sent towards a pixel relative to the central ray's. photons_per_pixel: on the central ray, given or
    controlled; None without noise and control. detector_ugy: what the exposure control has measured with them.
    """

    signal: Any
    share: Any
    fluence: Any
    photons_per_pixel: float | None
    detector_ugy: float | None


def expose(scene: XrayScene, view: XrayView, exposure: Exposure, frame: int = 0) -> np.ndarray:
    """The raw intensity in keV per emitted photon, float32 (H, W); divide by the open beam's for the fraction of it.

    Noise can make a pixel negative. Behind ideal blades the primary intensity is 0. Lag needs the frames before: see
    `charge` and `develop`; here there were none.
    """
    registered = register(scene, view, exposure, frame)
    if exposure.only_registers:
        return plain_image(scene, view, exposure, registered, frame)
    return develop(scene, view, exposure, [charge(scene, view, exposure, registered, frame)], frame)


def register(scene: XrayScene, view: XrayView, exposure: Exposure, frame: int = 0) -> Registered:
    """The mean signal of the primary radiation and of scatter, and the photons it takes."""
    arrays, spectrum = scene.backend.arrays, exposure.spectrum
    signal, moment = incident(scene, view, exposure)
    fluence = relative_fluence(arrays, *pixel_rays(arrays, view.camera))
    if exposure.scatter is not None or not exposure.only_registers:
        signal, moment = _behind_blades(scene, view, exposure, signal, moment)
    if exposure.scatter is not None:
        scatter, passed = exposure.scatter.image(view, frame), exposure.scatter_transmission
        scattered, photons = (passed * arrays.Float(part.reshape(-1)) for part in (scatter.signal, scatter.photons))
        signal += scattered
        moment += photons if spectrum.counts_photons else dr.select(photons > 0, scattered * scattered / photons, 0)
    share = counted_share(signal, moment, spectrum)
    dr.eval(signal, share, fluence)
    photons_per_pixel = None if exposure.noise is None else exposure.noise.photons_per_pixel
    measured_ugy = None
    if exposure.beam.exposure_control is not None:
        control, image = exposure.beam.exposure_control, _image(view, signal * fluence)
        photons_per_pixel = controlled_photons(view, image, exposure.kev_per_mm2_ugy, control)
        pixel_mm = view.source_to_detector_mm / abs(view.camera.fx_px)
        measured_ugy = photons_per_pixel * measured_kev(view, image, control) / exposure.kev_per_mm2_ugy / pixel_mm**2
    return Registered(signal, share, fluence, photons_per_pixel, measured_ugy)


def charge(scene: XrayScene, view: XrayView, exposure: Exposure, registered: Registered, frame: int) -> Charge:
    """What a frame leaves in the detector, with its quantum noise, after the light has spread."""
    model = exposure.noise
    photons = registered.photons_per_pixel or 1.0
    signal = registered.signal
    if model is not None:
        crosstalk = model.crosstalk if exposure.detector.noise_crosstalk else ONE_PIXEL
        signal = signal + _noise(scene, view, exposure, registered, NoiseModel(photons, 0.0, crosstalk), frame)
    pixel_mm = view.source_to_detector_mm / abs(view.camera.fx_px)
    kev = spread(_image(view, signal * registered.fluence), exposure.detector, pixel_mm)
    return Charge(kev.astype(np.float32), photons)


def develop(scene: XrayScene, view: XrayView, exposure: Exposure, charges: Sequence[Charge], frame: int) -> np.ndarray:
    """The image, float32 (H, W), of the first of `charges`, which run back in time."""
    electronic_kev = 0.0 if exposure.noise is None else exposure.noise.electronic_kev
    flat = open_field(scene.backend, view.camera, view.source_to_detector_mm, len(scene.materials), exposure)
    return read_out(
        with_lag(charges, exposure.detector),
        exposure.detector,
        electronic_kev,
        flat,
        exposure.spectrum.open_beam_kev,
        exposure.seed,
        frame,
    )


def plain_image(scene: XrayScene, view: XrayView, exposure: Exposure, registered: Registered, frame: int) -> np.ndarray:
    """The image, float32 (H, W), of a detector that only registers; without scatter it is 0 behind ideal blades."""
    signal = registered.signal
    if exposure.noise is not None:
        crosstalk = exposure.noise.crosstalk if exposure.detector.noise_crosstalk else ONE_PIXEL
        model = replace(exposure.noise, photons_per_pixel=registered.photons_per_pixel, crosstalk=crosstalk)
        signal = signal + _noise(scene, view, exposure, registered, model, frame)
    image = _image(view, signal)
    return image if exposure.scatter is not None else collimated(view, image)


def _noise(
    scene: XrayScene, view: XrayView, exposure: Exposure, registered: Registered, model: NoiseModel, frame: int
) -> Any:
    return noise_kev_per_photon(
        scene.backend.arrays,
        view,
        registered.signal,
        registered.share,
        registered.fluence,
        model,
        exposure.seed,
        frame,
    )


def _behind_blades(scene: XrayScene, view: XrayView, exposure: Exposure, signal: Any, moment: Any) -> tuple[Any, Any]:
    """Nothing behind ideal blades; those of a thickness are in the signal already."""
    if exposure.beam.blades is not None:
        return signal, moment
    inside = scene.backend.arrays.Float(open_field_mask(view).astype(np.float32).reshape(-1))
    return signal * inside, moment * inside


def material_thickness(scene: XrayScene, view: XrayView) -> dict[str, np.ndarray]:
    """The length in mm that each pixel's ray runs in every material of the scene, float32 (H, W) by name."""
    lengths = path_lengths(scene, view, *pixel_rays(scene.backend.arrays, view.camera), hits=scene_hits(scene, view))
    dr.eval(lengths)
    return {name: _image(view, length) for name, length in zip(scene.materials, lengths, strict=True)}


def tissue_thickness(scene: XrayScene, view: XrayView, positions_px: np.ndarray) -> np.ndarray:
    """The length in mm that the rays through image positions (N, 2) run in anything but air: shape (N,)."""
    hits = position_hits(scene.tools, view, positions_px) if scene.tools else None
    lengths = path_lengths(scene, view, *position_rays(scene.backend.arrays, view.camera, positions_px), hits=hits)
    return sum(lengths).numpy()


def _image(view: XrayView, values: Any) -> np.ndarray:
    return values.numpy().reshape(view.camera.height_px, view.camera.width_px)


def open_field_mask(view: XrayView) -> np.ndarray:
    """Which pixels' centres lie in the open field, bool (H, W)."""
    left, top, right, bottom = view.open_field_px
    columns, rows = np.arange(view.camera.width_px) + 0.5, np.arange(view.camera.height_px) + 0.5
    return ((rows >= top) & (rows <= bottom))[:, None] & ((columns >= left) & (columns <= right))


def collimated(view: XrayView, image: np.ndarray) -> np.ndarray:
    """`image` with 0 where a pixel's centre lies outside the open field."""
    inside = open_field_mask(view)
    return image if inside.all() else np.where(inside, image, np.float32(0))
