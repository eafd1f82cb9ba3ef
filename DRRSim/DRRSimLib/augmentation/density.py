"""Tissue of another density: HU scaled by the group of the label."""

from collections.abc import Mapping

import numpy as np

from Sim2RealLib.volume import Volume

from ..physics.tissues import BONE_LIMIT_HU

AIR_HU = -1000


def scaled_density(hu: Volume, labels: Volume, label_groups: Mapping[int, str], factors: Mapping[str, float]) -> Volume:
    """HU with the attenuation of each group's voxels times its factor: HU + 1000 is in proportion to it.

    Metal, above 2500 HU, keeps its HU, and nothing becomes metal. Labels without a group, and no label, stay.
    """
    factor_of = np.ones(int(labels.array.max()) + 1, np.float32)
    for label, group in label_groups.items():
        if label < len(factor_of):
            factor_of[label] = factors.get(group, 1.0)
    array = hu.array.copy()
    for plane, label_plane in zip(array, labels.array, strict=True):
        scaled = np.rint((plane.astype(np.float32) - AIR_HU) * factor_of[label_plane] + AIR_HU)
        changes = (factor_of[label_plane] != 1) & (plane <= BONE_LIMIT_HU) & (plane > AIR_HU)
        plane[changes] = np.minimum(scaled, BONE_LIMIT_HU)[changes]
    return Volume(array, hu.ras_from_ijk, hu.name)
