"""A CT colonography of a generated colon, and the labels on its grid."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from Sim2RealLib.recipe import strict_dataclass
from Sim2RealLib.volume import Volume
from Sim2RealLib.voxel_grid import VoxelGrid, grid_around

from .body import FAT_HU, FAT_MM, LUNG_HU, MUSCLE_HU, MUSCLE_MM, ROOM_HU, SKIN_HU, SKIN_MM, Trunk, small_bowel_gas
from .colon import Colon
from .feature import capsule
from .fluid import fluid_levels
from .grid import Block, blocks_near
from .implicit import smooth_min
from .labels import label_located

NOISE, POCKETS = 31, 32
"""Random streams."""
AIR_HU, WALL_HU = -1000.0, 40.0
LABEL_REACH_VOXELS = 2.0
HU_RANGE = (-1024, 3071)
SLAB = 16
LUNG_GAP_MM = 8.0


@strict_dataclass
class ColonScan:
    """How a generated colon is scanned.

    wall_mm: thickness of the colon's wall. psf_mm: standard deviation of the scanner's Gaussian blur. noise_hu: that of
    the noise, as smooth as the blur makes it. fluid_depth: of tagged fluid where it collects, over the
    lumen's diameter, 0 for a dry colon; fluid_hu: of it. position: which way is down. gas_pockets: of the small bowel.
    """

    spacing_mm: float = Field(0.8, ge=0.5, le=3.0)
    position: Literal["supine", "prone"] = "supine"
    wall_mm: float = Field(2.5, ge=1.0, le=5.0)
    psf_mm: float = Field(0.7, ge=0.0, le=2.0)
    noise_hu: float = Field(20.0, ge=0.0, le=100.0)
    fluid_depth: float = Field(0.0, ge=0.0, le=0.6)
    fluid_hu: float = Field(500.0, ge=0.0, le=1500.0)
    lungs: bool = True
    gas_pockets: int = Field(6, ge=0, le=20)


@dataclass(frozen=True, eq=False)
class ScannedColon:
    """ct: int16 HU. labels: uint8 on the same grid, as `labels.label_points`; 0 away from the colon."""

    ct: Volume
    labels: Volume


def scan_colon(colon: Colon, scan: ColonScan) -> ScannedColon:
    """The CT and its labels; they depend on the colon and on `scan` alone."""
    trunk = Trunk(colon)
    grid = grid_around(trunk.lower_ras, trunk.upper_ras, scan.spacing_mm)
    hu = np.empty(grid.shape_kji, dtype=np.float32)
    _draw_body(hu, grid, trunk, scan.lungs)
    pockets = small_bowel_gas(colon, trunk, scan.gas_pockets, np.random.default_rng([colon.shape.seed, POCKETS]))
    for path, radius in pockets:
        _draw_pocket(hu, grid, path, radius, scan.wall_mm)
    up = 1.0 if scan.position == "supine" else -1.0
    levels = fluid_levels(colon, up, scan.fluid_depth)
    labels = np.zeros(grid.shape_kji, dtype=np.uint8)
    label_reach = scan.wall_mm + LABEL_REACH_VOXELS * scan.spacing_mm
    for block in blocks_near(colon, grid, max(label_reach, LUNG_GAP_MM)):
        here = hu[block.where]
        _draw_colon(here, block, colon, levels, up, scan)
        near = block.distance < label_reach
        margin = LABEL_REACH_VOXELS * scan.spacing_mm
        labels[block.where][near] = label_located(colon, block.points_ras[near], block.arc_length[near], margin)
    name = f"generated colon {colon.shape.seed}"
    ct = _scanned(hu, scan, np.random.default_rng([colon.shape.seed, NOISE]))
    return ScannedColon(Volume(ct, grid.ras_from_ijk, name), Volume(labels, grid.ras_from_ijk, f"{name}, labels"))


def _cover(hu: np.ndarray, value: float | np.ndarray, depth: np.ndarray, spacing_mm: float) -> None:
    """Fill with `value` what lies at a positive depth, voxels at the border in part."""
    share = np.clip(0.5 + depth / spacing_mm, 0.0, 1.0)
    hu += share * (value - hu)


def _draw_body(hu: np.ndarray, grid: VoxelGrid, trunk: Trunk, lungs: bool) -> None:
    r, a, s = (grid.axis(i) for i in range(3))
    outside = trunk.outside_cavity(r[None, :], a[:, None]).astype(np.float32)
    section = np.full(outside.shape, ROOM_HU, dtype=np.float32)
    edges = np.cumsum([0.0, MUSCLE_MM, FAT_MM, SKIN_MM])
    for value, edge in zip((SKIN_HU, FAT_HU, MUSCLE_HU, FAT_HU), edges[::-1], strict=True):
        _cover(section, value, edge - outside, grid.spacing_mm)
    for k in range(len(hu)):
        hu[k] = section
        if lungs and s[k] > trunk.top:
            _cover(hu[k], LUNG_HU, -trunk.lungs(r[None, :], a[:, None], s[k]).astype(np.float32), grid.spacing_mm)


def _draw_pocket(hu: np.ndarray, grid: VoxelGrid, path: np.ndarray, radius: float, wall_mm: float) -> None:
    lower, upper = path.min(axis=0) - radius - wall_mm - 2.0, path.max(axis=0) + radius + wall_mm + 2.0
    index = [np.flatnonzero((grid.axis(i) >= lower[i]) & (grid.axis(i) <= upper[i])) for i in range(3)]
    where = tuple(slice(index[i][0], index[i][-1] + 1) for i in (2, 1, 0))
    mesh = np.meshgrid(*(grid.axis(i)[index[i]] for i in (2, 1, 0)), indexing="ij")
    points = np.stack(mesh[::-1], axis=-1).reshape(-1, 3)
    rods = [capsule(points, path[i], path[i + 1], radius) for i in range(2)]
    distance = smooth_min(*rods, 4.0).reshape(mesh[0].shape)
    _cover(hu[where], WALL_HU, wall_mm - distance, grid.spacing_mm)
    _cover(hu[where], AIR_HU, -distance, grid.spacing_mm)


def _draw_colon(hu: np.ndarray, block: Block, colon: Colon, levels: np.ndarray, up: float, scan: ColonScan) -> None:
    spacing = scan.spacing_mm
    lung = hu < (LUNG_HU + FAT_HU) / 2.0
    if lung.any():
        hu[lung & (block.distance < LUNG_GAP_MM)] = FAT_HU
    _cover(hu, WALL_HU, scan.wall_mm - block.distance, spacing)
    content: float | np.ndarray = AIR_HU
    level = levels[np.rint(block.arc_length / colon.curve.step_mm).astype(int)]
    if np.isfinite(level).any():
        content = np.full(hu.shape, AIR_HU, dtype=np.float32)
        _cover(content, scan.fluid_hu, level - up * block.points_ras[..., 1], spacing)
    _cover(hu, content, -block.distance, spacing)


def _scanned(hu: np.ndarray, scan: ColonScan, rng: np.random.Generator) -> np.ndarray:
    """Noise, the scanner's blur over both, and whole HU. Works in `hu`."""
    sigma = scan.psf_mm / scan.spacing_mm
    impulse = np.zeros(2 * int(4.0 * sigma + 1.0) + 1)
    impulse[len(impulse) // 2] = 1.0
    kept = float(np.sum(gaussian_filter1d(impulse, sigma) ** 2)) ** 1.5 if sigma > 0.0 else 1.0
    for k in range(0, len(hu), SLAB):
        part = hu[k : k + SLAB]
        part += np.float32(scan.noise_hu / kept) * rng.standard_normal(part.shape, dtype=np.float32)
    if sigma > 0.0:
        gaussian_filter(hu, sigma, output=hu, mode="nearest")
    scanned = np.empty(hu.shape, dtype=np.int16)
    for k in range(0, len(hu), SLAB):
        scanned[k : k + SLAB] = np.clip(np.rint(hu[k : k + SLAB]), *HU_RANGE)
    return scanned
