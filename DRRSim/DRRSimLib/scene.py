"""From a recipe's anatomy and physics to what the projector takes."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.engine import Backend
from Sim2RealLib.volume import Volume

from .anatomy import Anatomy
from .physics.detector_signal import DeviceSpectrum, upload_spectrum
from .physics.spectra import Spectrum as PhotonSpectrum
from .physics.spectra import (
    effective_bins,
    monoenergetic,
    preset_spectrum,
    spectrum_from_csv,
    spectrum_from_grid,
    spectrum_from_spekpy,
)
from .physics.tissues import RULES, classify
from .projection.label_projector import LabelScene, build_label_scene
from .projection.material_volume import AIR, MaterialVolume
from .projection.projector import XrayScene, build_scene
from .recipe import Materials, Spectrum


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
    scene = build_scene(backend, material_volumes(anatomy, section), tools=anatomy.tools)
    return Patient(anatomy, scene, None if anatomy.labels is None else build_label_scene(backend, anatomy.labels))


def material_volumes(anatomy: Anatomy, section: Materials) -> list[MaterialVolume]:
    """Implants first, in their order, then the patient: where they overlap the first counts."""
    labels = None if anatomy.labels is None else anatomy.labels.array
    index, names = classify(anatomy.hu.array, labels, anatomy.label_groups, RULES[section.rule], section.metal)
    return [*(_implant(mask, name) for mask, name in anatomy.implants), MaterialVolume(anatomy.hu, index, names)]


def _implant(mask: Volume, name: str) -> MaterialVolume:
    hu = Volume(np.zeros(mask.array.shape, np.int16), mask.ras_from_ijk, mask.name)
    return MaterialVolume(hu, mask.array, (AIR, name), nominal_density=True)


def beam(section: Spectrum, scene: XrayScene) -> DeviceSpectrum:
    """The recipe's spectrum in the few energy bins that the scene's materials need, on the backend."""
    return upload_spectrum(scene.backend, effective_bins(_spectrum(section), scene.substances))


def _spectrum(section: Spectrum) -> PhotonSpectrum:
    if section.file is not None:
        return spectrum_from_csv(section.file)
    if section.monoenergetic_kev is not None:
        return monoenergetic(section.monoenergetic_kev)
    if section.preset is not None:
        return preset_spectrum(section.preset)
    tube = (section.kvp, section.filtration_mm_al, section.filtration_mm_cu, section.anode_angle_deg)
    return spectrum_from_spekpy(*tube) if section.generator == "spekpy" else spectrum_from_grid(*tube)
