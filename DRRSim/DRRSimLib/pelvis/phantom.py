"""The generated pelvis: from a shape to Hounsfield units, labels and landmarks."""

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.volume import Volume
from Sim2RealLib.voxel_grid import VoxelGrid, grid_around

from ..phantom import Phantom
from .bones import build_skeleton
from .bowel import build_organs
from .drawing import SLAB, draw_bone, draw_organ, draw_soft_tissue
from .landmarks import find_landmarks
from .lattice_noise import noise
from .shape import PelvisShape, sample_shape

NOISE_HU = 12.0
HU_RANGE = (-1024, 3071)
SPACING_LIMITS_MM = (0.4, 8.0)
MOTTLE_GRAIN_MM = 5.0
TRABECULAR_GRAINS_MM = (2.2, 7.0)

FIELD_OF_VIEW = np.array([[-172.0, -134.0, -148.0], [172.0, 96.0, 198.0]])
"""Corners of the template's muscles, R, A, S, mm: mid thigh to the lower end of L3. Fat and air are added to it."""
AIR_MM = 12.0


def generate_pelvis(seed: int, spacing_mm: float = 1.0) -> Phantom:
    """A pelvis that depends on `seed` and the isotropic voxel size alone; its landmarks on `seed` alone.

    Supine, head first; RAS, the origin about midway between the hip centres. Raises Sim2RealError for a voxel size that
    cannot show a pelvis.
    """
    return build_pelvis(sample_shape(seed), spacing_mm)


def build_pelvis(shape: PelvisShape, spacing_mm: float = 1.0) -> Phantom:
    """As generate_pelvis, for a shape of your own."""
    if not SPACING_LIMITS_MM[0] <= spacing_mm <= SPACING_LIMITS_MM[1]:
        low, high = SPACING_LIMITS_MM
        raise Sim2RealError(
            f"A voxel size of {spacing_mm} mm cannot show a pelvis: choose one from {low} to {high} mm."
        )
    grid = _field_of_view(shape, spacing_mm)
    skeleton = build_skeleton(shape)
    soft_rng, bowel_rng, bone_rng, noise_rng = np.random.default_rng([shape.seed, 1]).spawn(4)
    hu, cavity = draw_soft_tissue(shape, grid, soft_rng)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    organs = build_organs(shape, bowel_rng)
    mottle = noise(bowel_rng, grid, MOTTLE_GRAIN_MM)
    for organ in organs:
        draw_organ(organ, grid, hu, labels, cavity, mottle)
    del mottle, cavity
    texture = sum(noise(bone_rng, grid, grain) for grain in TRABECULAR_GRAINS_MM) / np.float32(np.sqrt(2.0))
    for bone in skeleton.bones:
        draw_bone(bone, grid, hu, labels, texture)
    name = f"generated pelvis {shape.seed}"
    return Phantom(
        Volume(_scanned(hu, noise_rng), grid.ras_from_ijk, name),
        Volume(labels, grid.ras_from_ijk, f"{name}, labels"),
        find_landmarks(skeleton),
    )


def _field_of_view(shape: PelvisShape, spacing_mm: float) -> VoxelGrid:
    lower, upper = FIELD_OF_VIEW * shape.factors
    margin = np.array([1.6 * shape.fat_mm + AIR_MM, 1.2 * shape.fat_mm + AIR_MM, 0.0])
    lower, upper = lower - margin * [1.0, 0.0, 1.0], upper + margin
    return grid_around(lower, upper, spacing_mm)


def _scanned(hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`hu` with the noise of a scan, as int16."""
    scan = np.empty(hu.shape, dtype=np.int16)
    for k in range(0, len(hu), SLAB):
        part = hu[k : k + SLAB]
        noisy = part + NOISE_HU * rng.standard_normal(part.shape, dtype=np.float32)
        scan[k : k + SLAB] = np.clip(np.rint(noisy), *HU_RANGE)
    return scan
