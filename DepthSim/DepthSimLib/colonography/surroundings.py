"""Gas that is not in the bowel: the room, the table and the lungs."""

import numpy as np
from scipy.ndimage import binary_dilation, label

from Sim2RealLib.geometry import translation
from Sim2RealLib.volume import Volume

from .cleansing import SURFACE_HU
from .grid import bounds_kji

BLOCK_MM = 3.0
LUNG_ABOVE_HU = -930.0
"""Gas in the bowel is about −1000 HU; aerated lung from about −950 to −700 (assumed)."""
LUNG_FROM_ML = 50.0

NOTHING, ROOM, LUNG, BOWEL = range(4)


def gas_blocks(ct: Volume) -> Volume:
    """What kind of gas fills each block of about 3 mm: NOTHING where it is not all gas, ROOM, LUNG, or perhaps BOWEL.

    Blocks part what meets only through a gap of a few mm, such as a rectal tube. Connected blocks are the ROOM if they
    reach a side of the volume or both its upper and lower face (a hollow table), LUNG if their median is too dense for
    gas and they are large, as lungs are.
    """
    factors = np.maximum(1, np.rint(BLOCK_MM / ct.spacing_mm[::-1])).astype(int)
    pieces, count = label(_in_blocks(np.logical_and, ct.array < SURFACE_HU, factors))
    kind_of = np.full(count + 1, BOWEL, dtype=np.uint8)
    hu = ct.array[tuple(slice(None, None, factor) for factor in factors)]
    block_ml = float(np.prod(factors * ct.spacing_mm[::-1])) / 1000.0
    for piece in 1 + np.flatnonzero(np.bincount(pieces.ravel())[1:] * block_ml >= LUNG_FROM_ML):
        if np.median(hu[pieces == piece]) > LUNG_ABOVE_HU:
            kind_of[piece] = LUNG
    kind_of[_room(pieces, int(np.argmax(np.abs(ct.ras_from_ijk[2, 2::-1]))))] = ROOM
    kind_of[0] = NOTHING
    block_from_voxel = np.diag([*factors[::-1], 1.0])
    first_centre = translation((factors[::-1] - 1) / 2.0)
    return Volume(kind_of[pieces], ct.ras_from_ijk @ first_centre @ block_from_voxel, ct.name)


def outside_bowel(blocks: Volume, part: Volume) -> np.ndarray:
    """Which voxels of a part of the CT lie in blocks of room or lung: (K, J, I) bool."""
    block_from_voxel = blocks.ijk_from_ras @ part.ras_from_ijk
    scale, offset = np.diag(block_from_voxel)[2::-1], block_from_voxel[2::-1, 3]
    places = [
        np.clip(np.rint(scale[axis] * np.arange(part.array.shape[axis]) + offset[axis]).astype(int), 0, size - 1)
        for axis, size in enumerate(blocks.array.shape)
    ]
    return np.isin(blocks.array, (ROOM, LUNG))[np.ix_(*places)]


def bowel_bounds_kji(
    blocks: Volume, ct: Volume, margin_mm: float, fluid_above_hu: float | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """The part of the CT with all gas that may be bowel and all bright blocks that lead on from it.

    The first and one past the last voxel, (3,) each; None where there is no such gas.
    """
    bowel = blocks.array == BOWEL
    if not bowel.any():
        return None
    factors = np.rint(blocks.spacing_mm / ct.spacing_mm).astype(int)[::-1]
    if fluid_above_hu is not None:
        bright = _in_blocks(np.logical_or, ct.array > fluid_above_hu, factors)
        reach, _ = label(binary_dilation(bowel | bright, np.ones((3, 3, 3))))
        bowel = np.isin(reach, np.unique(reach[bowel]))
    margin = np.ceil(margin_mm / ct.spacing_mm[::-1]).astype(int)
    lower, upper = bounds_kji(bowel)
    return lower * factors - margin, upper * factors + margin


def _in_blocks(combine: np.ufunc, mask: np.ndarray, factors: np.ndarray) -> np.ndarray:
    for axis, factor in enumerate(factors):
        mask = combine.reduceat(mask, np.arange(0, mask.shape[axis], factor), axis=axis)
    return mask


def _room(pieces: np.ndarray, long_axis: int) -> np.ndarray:
    faces = [(np.unique(pieces.take(0, axis)), np.unique(pieces.take(-1, axis))) for axis in range(3)]
    sides = [face for axis in range(3) if axis != long_axis for face in faces[axis]]
    return np.union1d(np.concatenate(sides), np.intersect1d(*faces[long_axis]))
