"""What a detector registers on average: the shaped beam through the scene."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.engine import Backend

from ..acquisition.carm import XrayView
from ..beam.beam import Beam
from ..beam.bow_tie import areal_density_g_cm2
from ..beam.collimator import open_share
from ..beam.focal_spot import source_views
from ..beam.heel import inverse_sines
from ..detector.chain import spread
from ..detector.detector import Detector
from ..detector.grid import cut_off
from ..detector.presets import DETECTORS
from ..physics.detector_signal import DeviceSpectrum, detector_signal
from ..physics.materials import material
from ..physics.noise import NoiseModel, relative_fluence
from ..scatter.scatter_image import ScatterEstimator
from ..tools.intervals import ToolHits, pixel_hits
from .projector import XrayScene, areal_densities
from .rays import pixel_rays


@dataclass(frozen=True, eq=False)
class Tube:
    """Of the beam: what heel effect and dose need beyond the spectrum.

    anode_angle_deg: between central ray and anode face. kerma: the same bins with their air kerma as response.
    photons_per_cm2_mas: None where the spectrum is not a tube's.
    """

    anode_angle_deg: float
    kerma: DeviceSpectrum
    photons_per_cm2_mas: float | None


@dataclass(frozen=True, eq=False)
class Exposure:
    """What a series is exposed with: the beam, the noise (None for none), and the seed of its draws.

    spectrum: with the materials of the scene and then those of `beam`, and the response of `detector`.
    tube: None where no dose is asked for and there is no heel effect.
    scatter: None for none. scatter_transmission: the grid's.
    kev_per_mm2_ugy: as in `exposure_control.controlled_photons`.
    """

    spectrum: DeviceSpectrum
    noise: NoiseModel | None
    seed: int = 0
    beam: Beam = field(default_factory=Beam)
    detector: Detector = DETECTORS["unberath_2018"]
    tube: Tube | None = None
    scatter: ScatterEstimator | None = None
    scatter_transmission: float = 1.0
    kev_per_mm2_ugy: float = 0.0

    @property
    def only_registers(self) -> bool:
        """Whether the image is the signal with noise, pixel by pixel, and flat as it is."""
        grid = self.detector.grid
        focused = grid is None or grid.focal_distance_mm is None
        return self.detector.only_registers and focused and not self.beam.shapes_the_field


def incident(scene: XrayScene, view: XrayView, exposure: Exposure) -> tuple[Any, Any]:
    """`detector_signal` of every pixel, of the primary radiation behind scene, blades and grid, as Float arrays.

    Ideal blades are not in it.
    """
    arrays, grid = scene.backend.arrays, exposure.detector.grid
    if exposure.beam.focal_spot is None:
        signal, moment = _from_point(scene, view, exposure)
    else:
        signal, moment = arrays.Float(0), arrays.Float(0)
        for weight, moved in source_views(view, exposure.beam.focal_spot):
            one_signal, one_moment = _from_point(scene, moved, exposure)
            signal, moment = signal + weight * one_signal, moment + weight * one_moment
            dr.eval(signal, moment)
    if grid is not None and grid.focal_distance_mm is not None:
        passed = _float(arrays, cut_off(grid, view))
        signal, moment = passed * signal, passed * moment
    return signal, moment


def _from_point(scene: XrayScene, view: XrayView, exposure: Exposure) -> tuple[Any, Any]:
    x, y = pixel_rays(scene.backend.arrays, view.camera)
    densities = areal_densities(scene, view, x, y, hits=scene_hits(scene, view))
    return shaped(scene.backend, view, densities, exposure, exposure.spectrum)


def scene_hits(scene: XrayScene, view: XrayView) -> ToolHits | None:
    """What the rays of all pixels meet of the scene's tools; None where there are none."""
    return pixel_hits(scene.tools, view) if scene.tools else None


def shaped(
    backend: Backend, view: XrayView, densities: list[Any], exposure: Exposure, spectrum: DeviceSpectrum
) -> tuple[Any, Any]:
    """`detector_signal` behind these areal densities of the scene's materials in the shaped beam."""
    arrays, beam = backend.arrays, exposure.beam
    x, y = pixel_rays(arrays, view.camera)
    heel = None if beam.heel is None else inverse_sines(backend, beam.heel, exposure.tube.anode_angle_deg, x, y)
    if beam.bow_tie is not None:
        densities = [*densities, _float(arrays, areal_density_g_cm2(beam.bow_tie, view.camera))]
    if beam.blades is None:
        signal, moment = detector_signal(backend, densities, spectrum, heel)
    else:
        lead = beam.blades.lead_mm / 10.0 * material("lead").density_g_cm3
        past = _float(arrays, open_share(view, beam.blades, beam.spot_mm))
        beside, through = (
            detector_signal(backend, [*densities, dr.opaque(arrays.Float, mass)], spectrum, heel)
            for mass in (0.0, lead)
        )
        signal, moment = (
            past * open_value + (1 - past) * behind for open_value, behind in zip(beside, through, strict=True)
        )
    return signal, moment


@lru_cache(maxsize=4)
def open_field(
    backend: Backend, camera: PinholeCamera, source_to_detector_mm: float, scene_materials: int, exposure: Exposure
) -> np.ndarray:
    """The detector's charge in the open beam, without noise or collimation, (H, W): what a flat-field image shows."""
    arrays, view = backend.arrays, _uncollimated(camera, source_to_detector_mm)
    signal, _ = shaped(backend, view, [arrays.Float(0)] * scene_materials, exposure, exposure.spectrum)
    registered = (signal * relative_fluence(arrays, *pixel_rays(arrays, camera))).numpy()
    registered = registered.reshape(camera.height_px, camera.width_px)
    grid = exposure.detector.grid
    if grid is not None:
        registered = registered * cut_off(grid, view)
    return spread(registered, exposure.detector, source_to_detector_mm / abs(camera.fx_px))


def air_kerma(
    backend: Backend, camera: PinholeCamera, source_to_detector_mm: float, scene_materials: int, exposure: Exposure
) -> np.ndarray:
    """What a photon a cm² towards every pixel transfers to air before the patient, keV/g, (H, W), blades open."""
    view = _uncollimated(camera, source_to_detector_mm)
    free = [backend.arrays.Float(0)] * scene_materials
    kerma, _ = shaped(backend, view, free, exposure, exposure.tube.kerma)
    shape = camera.height_px, camera.width_px
    return np.broadcast_to(kerma.numpy(), shape[0] * shape[1]).reshape(shape)


def _uncollimated(camera: PinholeCamera, source_to_detector_mm: float) -> XrayView:
    return XrayView(camera, np.eye(4), source_to_detector_mm, (0.0, 0.0, camera.width_px, camera.height_px))


def _float(arrays: Any, image: np.ndarray) -> Any:
    return arrays.Float(np.ascontiguousarray(image, np.float32).reshape(-1))
