"""HU between voxels."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from ..physics.tissues import BONE_LIMIT_HU


def interpolated_hu(hu: np.ndarray, kji: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Linearly interpolated HU of the array (K, J, I) at positions, in whole numbers; beyond the border those at it.

    Where the nearest voxel is metal it is taken as it is: between metal and tissue HU would sink below those of metal,
    and thin implants would turn into bone.
    """
    linear = np.rint(map_coordinates(hu, kji, output=np.float32, order=1, mode="nearest"))
    nearest = map_coordinates(hu, kji, order=0, mode="nearest")
    return np.where(nearest > BONE_LIMIT_HU, nearest, np.minimum(linear, BONE_LIMIT_HU)).astype(hu.dtype)
