"""Painting tissues, organs and bones into a Hounsfield volume by how much of each voxel they fill."""

import numpy as np

from Sim2RealLib.voxel_grid import VoxelGrid

from .bones import Bone
from .bowel import WALL_MM, Organ
from .grid import sample
from .lattice_noise import random_nodes, upsample
from .shape import PelvisShape
from .soft_tissue import fat_planes, soft_fields

AIR_HU, SKIN_HU, FAT_HU, MUSCLE_HU, WALL_HU = -1000.0, 20.0, -105.0, 52.0, 42.0
SKIN_MM = 2.0
BLUR_MM = 1.2
"""Width of an edge: about that of a standard body kernel."""
TEXTURE_HU = 55.0
FAECES_HU, FAECES_GAS_HU, FAECES_GAS_FROM = 18.0, -330.0, 0.9
"""Mottling of faeces per standard deviation of the noise, and of the gas in it above that many."""
FAT_PLANE_GRAINS_MM = (45.0, 40.0, 38.0, 25.0)
SLAB = 24
"""Slices worked on at a time."""


def draw_soft_tissue(shape: PelvisShape, grid: VoxelGrid, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The body without organs and bones: HU (K, J, I) float32, and the signed distance of its cavity, float16."""
    fields, coarse = soft_fields(shape, grid)
    grains = [random_nodes(rng, grid, grain) for grain in FAT_PLANE_GRAINS_MM]
    hu = np.empty(grid.shape_kji, dtype=np.float32)
    cavity = np.empty(hu.shape, dtype=np.float16)
    across = (slice(0, hu.shape[1]), slice(0, hu.shape[2]))
    for k in range(0, len(hu), SLAB):
        part = grid.crop((slice(k, min(k + SLAB, len(hu))), *across))
        skin, muscle, hollow = (upsample(field, coarse, part) for field in fields)
        fat = fat_planes(muscle, *(upsample(*nodes, part) for nodes in grains))
        value = np.full(skin.shape, FAT_HU, dtype=np.float32)
        _fill(value, MUSCLE_HU, np.maximum(np.maximum(muscle, -hollow), fat), grid.spacing_mm)
        _fill(value, SKIN_HU, -SKIN_MM - skin, grid.spacing_mm)
        _fill(value, AIR_HU, -skin, grid.spacing_mm)
        hu[k : k + SLAB] = value
        cavity[k : k + SLAB] = hollow
    return hu, cavity


def draw_organ(
    organ: Organ, grid: VoxelGrid, hu: np.ndarray, labels: np.ndarray, cavity: np.ndarray, mottle: np.ndarray
) -> None:
    """Paint a hollow organ into `hu` and `labels`, as far as the cavity leaves room; mottle: noise on the grid."""
    window = grid.window(*organ.box)
    part, value = grid.crop(window), hu[window]
    limit = cavity[window].astype(np.float32)
    distance = np.maximum(sample(organ.field, part, WALL_MM + 2.0), limit)
    content = np.full(distance.shape, organ.content_hu, dtype=np.float32)
    if organ.mottled:
        grain = mottle[window]
        content += FAECES_HU * np.minimum(grain, FAECES_GAS_FROM)
        content += FAECES_GAS_HU * np.maximum(grain - FAECES_GAS_FROM, 0.0)
    _fill(value, WALL_HU, distance, grid.spacing_mm)
    _fill(value, content, distance + WALL_MM, grid.spacing_mm)
    if organ.gas is not None:
        gas = np.maximum(sample(organ.gas, part, 2.0), limit + WALL_MM)
        _fill(value, AIR_HU, gas, grid.spacing_mm)
    labels[window][distance < 0.0] = organ.label


def draw_bone(bone: Bone, grid: VoxelGrid, hu: np.ndarray, labels: np.ndarray, texture: np.ndarray) -> None:
    """Paint cortex and trabecular inside of a bone into `hu` and `labels`; texture: noise on the grid."""
    window = grid.window(*bone.box)
    part, value = grid.crop(window), hu[window]
    distance = sample(bone.field, part, 2.0 + bone.shell_limit_mm)
    cortex, cortical, marrow = (v[:, None, None].astype(np.float32) for v in bone.shell(part.axis(2)))
    marrow = marrow + TEXTURE_HU * texture[window]
    if bone.denser is not None:
        s, a, r = np.meshgrid(*[part.axis(i) for i in (2, 1, 0)], indexing="ij", sparse=True)
        marrow += bone.denser(r, a, s)
    _fill(value, cortical, distance, grid.spacing_mm)
    _fill(value, marrow, distance + cortex, grid.spacing_mm)
    labels[window][distance < 0.0] = bone.label


def _fill(value: np.ndarray, hu: np.ndarray | float, distance: np.ndarray, spacing_mm: float) -> None:
    """Replace `value` by `hu` inside a surface, in a linear ramp across its edge: partial volume and scanner blur."""
    inside = np.clip(0.5 - distance / np.float32(max(spacing_mm, BLUR_MM)), 0.0, 1.0)
    value += (hu - value) * inside
