"""Where the tissue of a generated colon is neoplastic."""

import numpy as np

from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

from .colon import Colon

FULL_MM, NONE_MM = 0.6, 1.6
"""Distance from the tumour up to which a voxel counts as all, and from which on as none: the surface that a CT shows is
blurred, and mucosa changes over a millimetre (assumed)."""


def lesion_shares(colon: Colon, grid: Volume) -> np.ndarray:
    """Share of tumour in the tissue at the voxels of `grid`, whose axes are along R, A, S: uint8, 255 for all."""
    shares = np.zeros(grid.array.shape, np.uint8)
    for feature in filter(lambda feature: feature.neoplasm, colon.features):
        reach = feature.size_mm + NONE_MM
        box = feature.foot.point_ras + np.array([[-reach], [reach]])
        kji = transform_points(grid.ijk_from_ras, box)[:, ::-1]
        first = np.maximum(np.floor(kji.min(axis=0)), 0).astype(int)
        last = np.minimum(np.ceil(kji.max(axis=0)) + 1, shares.shape).astype(int)
        here = shares[tuple(map(slice, first, np.maximum(first, last)))]
        if not here.size:
            continue
        voxels = first + np.indices(here.shape).reshape(3, -1).T
        points = transform_points(grid.ras_from_ijk, voxels[:, ::-1]).astype(np.float32)
        distance = feature.neoplasm(feature.foot.local(points), -colon.bare_distance(points))
        share = np.clip((NONE_MM - distance) / (NONE_MM - FULL_MM), 0.0, 1.0)
        np.maximum(here, np.rint(255.0 * share).astype(np.uint8).reshape(here.shape), out=here)
    return shares
