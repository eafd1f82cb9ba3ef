"""From a recipe's anatomy and physics to what the projector takes."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.engine import Backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.volume import Volume

from .anatomy import Anatomy
from .beam.bow_tie import central_areal_density_g_cm2
from .beam.exposure_control import photons_per_mm2_ugy, rqa5
from .beam.heel import ANODE_MATERIAL, emission_depths
from .detector.detector import Detector, registered, response
from .detector.grid import scatter_transmission
from .physics.detector_signal import Response, upload_spectrum
from .physics.spectra import (
    ANODE_ANGLE_DEG,
    PRESETS,
    air_kerma_kev_cm2_g,
    effective_bins,
    monoenergetic,
    preset_spectrum,
    spectrum_from_csv,
    spectrum_from_grid,
    spectrum_from_spekpy,
)
from .physics.spectra import Spectrum as PhotonSpectrum
from .physics.tissues import RULES, classify
from .projection.incident import Exposure, Tube
from .projection.label_projector import LabelScene, build_label_scene
from .projection.material_volume import AIR, MaterialVolume
from .projection.projector import XrayScene, build_scene
from .recipe import Materials, Physics, Scatter, Spectrum
from .scatter.monte_carlo_scatter import HARDENED_BY_MM, HISTORIES, SMOOTHED_HISTORIES, MonteCarloScatter
from .scatter.scatter_image import ScatterEstimator
from .scatter.view_planes import BeamQuality, beam_quality
from .segmentation.learned_materials import LABEL_GROUPS, network_classes, network_classes_steps
from .transport.interaction_tables import ENERGIES_KEV
from .transport.monte_carlo import TransportScene, build_transport_scene, photon_source

_TRANSPORT_SCENES: WeakKeyDictionary[XrayScene, dict[float, TransportScene]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Patient:
    """An anatomy on a backend: all that stays where the C-arm, the beam, the noise and the window change.

    labels: None where the anatomy has none.
    """

    anatomy: Anatomy
    scene: XrayScene
    labels: LabelScene | None


def build_patient(anatomy: Anatomy, section: Materials, backend: Backend) -> Patient:
    """Put an anatomy on a backend. Sim2RealError where the memory does not suffice."""
    scene = build_scene(backend, material_volumes(anatomy, section, backend), tools=anatomy.tools)
    return Patient(anatomy, scene, None if anatomy.labels is None else build_label_scene(backend, anatomy.labels))


def patient_steps(anatomy: Anatomy, section: Materials, backend: Backend) -> Generator[Done, None, Patient]:
    """As build_patient, but step by step where a network takes minutes to find the materials."""
    if section.rule == "network":
        yield from network_classes_steps(anatomy.hu, section.weights, backend)
    return build_patient(anatomy, section, backend)


def material_volumes(anatomy: Anatomy, section: Materials, backend: Backend) -> list[MaterialVolume]:
    """Implants first, in their order, then the patient: where they overlap the first counts."""
    if section.rule == "network":
        labels, groups = network_classes(anatomy.hu, section.weights, backend), LABEL_GROUPS
    else:
        labels, groups = None if anatomy.labels is None else anatomy.labels.array, anatomy.label_groups
    index, names = classify(anatomy.hu.array, labels, groups, RULES[section.rule], section.metal)
    return [*(_implant(mask, name) for mask, name in anatomy.implants), MaterialVolume(anatomy.hu, index, names)]


def _implant(mask: Volume, name: str) -> MaterialVolume:
    hu = Volume(np.zeros(mask.array.shape, np.int16), mask.ras_from_ijk, mask.name)
    return MaterialVolume(hu, mask.array, (AIR, name), nominal_density=True)


def exposure_of(physics: Physics, scene: XrayScene, seed: int) -> Exposure:
    """The recipe's beam, detector and noise on the backend, with the few energies that scene and apparatus need."""
    spectrum, beam, detector = photon_spectrum(physics.spectrum), physics.beam, physics.built_detector
    anode_angle_deg, kvp = _anode(physics.spectrum)
    anode = () if beam.heel is None else (ANODE_MATERIAL,)
    bins = effective_bins(spectrum, (*scene.substances, *beam.materials), (*detector.materials, *anode))
    depths = None if beam.heel is None else emission_depths(bins.energies_kev, kvp)
    primary = None if detector.noise_crosstalk else response(detector, bins.energies_kev)
    on_backend = upload_spectrum(scene.backend, bins, primary, depths)
    if beam.bow_tie is not None:
        behind = np.exp(-bins.mass_attenuation_cm2_g[len(scene.materials)] * central_areal_density_g_cm2(beam.bow_tie))
        mean_kev = bins.energies_kev if primary is None else primary.mean_kev
        on_backend = replace(on_backend, open_beam_kev=float(bins.weights * behind @ mean_kev))
    kerma = air_kerma_kev_cm2_g(bins.energies_kev)
    calibration = rqa5()
    per_photon_kev = calibration.weights @ registered(detector, calibration.energies_kev).mean_kev
    exposure = Exposure(
        on_backend,
        physics.noise.model(detector),
        seed,
        beam,
        detector,
        Tube(
            anode_angle_deg,
            upload_spectrum(scene.backend, bins, Response(kerma, kerma**2), depths),
            spectrum.photons_per_cm2_mas,
        ),
        None,
        1.0 if detector.grid is None else scatter_transmission(detector.grid, spectrum),
        float(per_photon_kev * photons_per_mm2_ugy(calibration)),
    )
    if physics.scatter.estimator == "none":
        return exposure
    if physics.scatter.estimator == "network":
        quality = beam_quality(spectrum, detector)
        return replace(exposure, scatter=_learned_scatter(physics.scatter.weights, exposure, scene, quality))
    return replace(exposure, scatter=_followed_scatter(physics.scatter, spectrum, detector, scene, seed))


def _learned_scatter(
    weights: Path | None, exposure: Exposure, scene: XrayScene, quality: BeamQuality
) -> ScatterEstimator:
    try:
        from .scatter.learned_scatter import LearnedScatter, trained_network
    except ImportError as error:
        raise Sim2RealError(
            f"physics.scatter: the network needs PyTorch ({error}): pip install 'surgical-sim2real[learn]'."
        ) from error
    middle_ras = body_center_ras(scene.volumes[-1].volume.hu)
    return LearnedScatter(scene, exposure, middle_ras, quality, *trained_network(weights))


def _followed_scatter(
    section: Scatter, spectrum: PhotonSpectrum, detector: Detector, scene: XrayScene, seed: int
) -> MonteCarloScatter:
    if scene.tools:
        raise Sim2RealError(
            "physics.scatter: photons are not followed through tools. Give them as voxels by input.implants, or choose "
            "network or none."
        )
    smoothed = section.estimator == "smoothed_monte_carlo"
    return MonteCarloScatter(
        transport_scene(scene, section.voxel_mm),
        photon_source(scene.backend, spectrum, registered(detector, ENERGIES_KEV).mean_kev, HARDENED_BY_MM),
        section.histories or (SMOOTHED_HISTORIES if smoothed else HISTORIES),
        smoothed,
        seed,
    )


def transport_scene(scene: XrayScene, voxel_mm: float) -> TransportScene:
    """A scene made ready for photons, in voxels of about this size; kept for as long as the scene itself."""
    ready = _TRANSPORT_SCENES.setdefault(scene, {})
    if voxel_mm not in ready:
        ready[voxel_mm] = build_transport_scene(scene.backend, [each.volume for each in scene.volumes], voxel_mm)
    return ready[voxel_mm]


def _anode(section: Spectrum) -> tuple[float, float | None]:
    """Angle in degrees and voltage in kV; None where the spectrum is not a tube's."""
    if section.preset is not None:
        return ANODE_ANGLE_DEG, PRESETS[section.preset][0]
    return section.anode_angle_deg, section.kvp


def photon_spectrum(section: Spectrum) -> PhotonSpectrum:
    """The recipe's spectrum in all its energies. Sim2RealError for a file or values that give none."""
    if section.file is not None:
        return spectrum_from_csv(section.file)
    if section.monoenergetic_kev is not None:
        return monoenergetic(section.monoenergetic_kev)
    if section.preset is not None:
        return preset_spectrum(section.preset)
    tube = (section.kvp, section.filtration_mm_al, section.filtration_mm_cu, section.anode_angle_deg)
    return spectrum_from_spekpy(*tube) if section.generator == "spekpy" else spectrum_from_grid(*tube)
