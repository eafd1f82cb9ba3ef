"""Random views of random pelves with their scatter by Monte Carlo: what the scatter network is trained on."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.engine import Backend
from Sim2RealLib.learning.examples import Example, Split

from ..acquisition.carm import CArmDevice, CArmPose, XrayView, view_from_pose
from ..anatomy import load_anatomy
from ..augmentation.density import scaled_density
from ..projection.projector import XrayScene
from ..recipe import Input, Materials, Physics
from ..scene import build_patient, exposure_of, photon_spectrum
from .learned_scatter import primary_image
from .scatter_network import SIDE_PX
from .view_planes import beam_quality, view_planes

FIRST_SEED = {"train": 1_000_000, "test": 2_000_000}
"""Of the pelves: those of the test are none of the training's."""

VIEWS_A_PELVIS = 8
SPACING_MM = 4.0

DETECTOR_MM = 200.0, 430.0
SOURCE_TO_DETECTOR_MM = 1000.0, 1300.0
ISOCENTER_TO_DETECTOR_MM = 320.0, 480.0
"""Enough for a pelvis to lie on its side between isocentre and detector."""
PRIMARY_DEG, SECONDARY_DEG = 95.0, 35.0
OFF_MIDDLE_MM = 40.0, 30.0, 80.0
"""How far the isocentre is from the middle of the body at most, along R, A and S."""
OPEN_SHARE = 0.4, 1.0
"""Of the detector's sides, left open by the blades; half of all fields are those of the whole detector."""
KVP, AL_MM, CU_MM = (65.0, 125.0), (2.5, 6.0), (0.0, 0.3)
BONE_DENSITY = 0.75, 1.1
DETECTORS = "ideal", "flat_panel", "image_intensifier"
"""Which differ in what they register of an energy."""


def scatter_example(backend: Backend, seed: int, split: Split, index: int, histories: int, voxel_mm: float) -> Example:
    """primary and scatter: signals of one exposure over the open beam's, float32 (128, 128), and `view_planes`.

    histories: photons whose scatter is smoothed in an example to train on, and taken pixel by pixel in one to test
    with, where smoothing would hide its own errors.
    """
    number = index // VIEWS_A_PELVIS
    scene, middle = _pelvis(backend, FIRST_SEED[split] + number, seed)
    random = np.random.default_rng([seed, FIRST_SEED[split], index])
    view = _view(random, middle)
    estimator = "smoothed_monte_carlo" if split == "train" else "monte_carlo"
    physics = _physics(random, estimator, histories, voxel_mm)
    exposure = exposure_of(physics, scene, int(random.integers(2**31)))
    open_beam_kev = np.float32(exposure.spectrum.open_beam_kev)
    primary, _ = primary_image(scene, view, exposure)
    scatter = exposure.scatter.image(view, index).signal
    return {
        "primary": primary / open_beam_kev,
        "scatter": scatter / open_beam_kev,
        "planes": view_planes(view, middle, beam_quality(photon_spectrum(physics.spectrum), physics.built_detector)),
    }


@lru_cache(maxsize=1)
def _pelvis(backend: Backend, number: int, seed: int) -> tuple[XrayScene, np.ndarray]:
    anatomy = load_anatomy(Input(anatomy={"kind": "pelvis", "seed": number, "spacing_mm": SPACING_MM}))
    factor = np.random.default_rng([seed, number]).uniform(*BONE_DENSITY)
    hu = scaled_density(anatomy.hu, anatomy.labels, anatomy.label_groups, {"bone": float(factor)})
    return build_patient(replace(anatomy, hu=hu), Materials(), backend).scene, body_center_ras(hu)


def _view(random: np.random.Generator, middle: np.ndarray) -> XrayView:
    side_mm, distance_mm = random.uniform(*DETECTOR_MM), random.uniform(*SOURCE_TO_DETECTOR_MM)
    share = random.uniform(*OPEN_SHARE, 2) if random.random() < 0.5 else np.ones(2)
    isocenter_mm = float(distance_mm - random.uniform(*ISOCENTER_TO_DETECTOR_MM))
    device = CArmDevice("random", SIDE_PX, SIDE_PX, float(side_mm / SIDE_PX), float(distance_mm), isocenter_mm)
    primary_deg, secondary_deg = random.uniform(-1, 1, 2) * (PRIMARY_DEG, SECONDARY_DEG)
    isocenter = middle + random.uniform(-1, 1, 3) * OFF_MIDDLE_MM
    pose = CArmPose(
        float(primary_deg),
        float(secondary_deg),
        tuple(isocenter.tolist()),
        device.source_to_detector_mm,
        device.source_to_isocenter_mm,
        in_plane_deg=float(random.uniform(-180, 180)),
        collimation_mm=tuple((share * side_mm).tolist()),
    )
    return view_from_pose(device, pose)


def _physics(random: np.random.Generator, estimator: str, histories: int, voxel_mm: float) -> Physics:
    spectrum = {
        name: float(random.uniform(*limits))
        for name, limits in (("kvp", KVP), ("filtration_mm_al", AL_MM), ("filtration_mm_cu", CU_MM))
    }
    return Physics.model_validate(
        {
            "spectrum": spectrum,
            "detector": str(random.choice(DETECTORS)),
            "noise": {"photons_per_pixel": None},
            "scatter": {"estimator": estimator, "histories": histories, "voxel_mm": voxel_mm},
        }
    )
