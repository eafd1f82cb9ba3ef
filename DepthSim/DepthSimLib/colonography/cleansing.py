"""A CT in which tagged fluid is air, for rendering."""

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, gaussian_filter, maximum_filter

from Sim2RealLib.volume import Volume

from .fluid import FluidPools

AIR_HU = -1000.0
WALL_HU = 40.0
"""Soft tissue of the wall, unenhanced (assumed)."""
SURFACE_HU = 0.5 * (AIR_HU + WALL_HU)
"""The surface of the wall lies half-way between gas and tissue."""

NEAR_VOXELS = 2
NOISE_SHARE = 0.15
"""A share of lumen below this in the wall, or this near to 1 in a pool, is noise (assumed)."""
STEP_BLUR_VOXELS = 0.6
"""Of a Gaussian that makes a sharp step one and a half voxels wide."""


def cleansed(ct: Volume, fluid: FluidPools) -> Volume:
    """The CT with fluid and its partial-volume layers replaced by air; only voxels within two of the fluid change.

    A voxel between fluid and wall holds the share of lumen (HU − wall) / (fluid − wall), the two-material model of
    partial volume, so that the surface keeps its place between voxels; the sheet between gas and fluid is lumen. A
    smooth step clears that share of noise, and a blur gives it the gradient, one to one and a half voxels wide, that a
    transfer function needs. Then it is the share of air in wall.
    """
    near = binary_dilation((fluid.pool > 0) | fluid.sheet, np.ones((3, 3, 3)), iterations=NEAR_VOXELS)
    part = find_objects(near.view(np.uint8))[0]
    near, pool = near[part], fluid.pool[part]
    hu = ct.array[part].astype(np.float32)
    gas_share = np.clip((WALL_HU - hu) / (WALL_HU - AIR_HU), 0.0, 1.0)
    pool_hu = maximum_filter(fluid.hu.astype(np.float32)[pool], 2 * NEAR_VOXELS + 1)
    pool_share = np.where(pool_hu > WALL_HU, (hu - WALL_HU) / np.maximum(pool_hu - WALL_HU, 1.0), 0.0)
    share = np.maximum(gas_share, _smooth_step(pool_share))
    share[fluid.sheet[part]] = 1.0
    share = gaussian_filter(share, STEP_BLUR_VOXELS)
    mixed = np.where(share > gas_share, WALL_HU + share * (AIR_HU - WALL_HU), np.minimum(hu, WALL_HU))
    array = ct.array.copy()
    array[part][near] = (np.rint(mixed) if array.dtype.kind in "iu" else mixed)[near]
    return Volume(array, ct.ras_from_ijk, ct.name)


def _smooth_step(share: np.ndarray) -> np.ndarray:
    t = np.clip((share - NOISE_SHARE) / (1.0 - 2.0 * NOISE_SHARE), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
