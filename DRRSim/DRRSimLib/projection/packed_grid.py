"""A voxel grid packed for the ray kernels.

A voxel is a 16-bit code; code 0 is empty space. One 32-bit word holds the codes of two voxels that follow each other
along one axis, the *pair axis*, so that a bilinear sample between four voxels takes two memory accesses instead of
four: four bytes a voxel in all. A border of empty voxels surrounds the grid, which is why kernels need no bounds
checks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.geometry import translation
from Sim2RealLib.volume import Volume

BRICK = 8
"""Edge of the cubes of voxels for which one bit says whether there is anything in them."""

SUPERIOR = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, eq=False)
class PackedGrid:
    """Voxel codes with their placement; axes are (fast, slow, pair), a permutation of the volume's i, j, k.

    words: uint32, shape (n_pair + 1, n_slow + 2, n_fast + 2). Word [p, s, f] holds voxel (f − 1, s − 1) of plane p − 1
        in its low half and of plane p in its high half.
    bricks: uint8, shape (pair, slow, fast) bricks plus one on each side; 1 where a sample taken inside this brick or
        inside one of its 26 neighbours may meet a voxel that is not empty.
    size: voxels along (fast, slow, pair).
    grid_from_ras: 4×4, RAS mm to voxel coordinates in the order (fast, slow, pair), integers at voxel centres.
    """

    words: np.ndarray
    bricks: np.ndarray
    size: tuple[int, int, int]
    grid_from_ras: np.ndarray


def grid_memory_bytes(volume: Volume, planes: int | None = None) -> int:
    """Memory that the packed grid of a volume takes, or of so many planes of it across the pair axis."""
    pair = pair_axis(volume)
    across = [n + 2 for axis, n in enumerate(volume.shape_ijk) if axis != pair]
    return 4 * int(np.prod(across)) * ((volume.shape_ijk[pair] if planes is None else planes) + 1)


def pair_axis(volume: Volume) -> int:
    """The index axis (0 = i, 1 = j, 2 = k) that runs most nearly along the patient.

    Rays that run along the pair axis cannot use the pairs and cost twice as much; X-ray beams cross the patient.
    """
    return int(np.argmax(np.abs(SUPERIOR @ volume.ras_from_ijk[:3, :3]) / volume.spacing_mm))


def pack_grid(
    volume: Volume, plane_codes: Callable[[tuple[slice | int, ...]], np.ndarray], planes: range | None = None
) -> PackedGrid:
    """Pack a grid plane by plane, so that nothing larger than a plane is held beside the result.

    plane_codes: the uint16 codes of one plane, given an index into the volume's (K, J, I) array that selects it.
    planes: consecutive planes across the pair axis, for a volume that is packed in parts. Sums over rays through the
        parts add up to those through the whole: a sample between two parts is interpolated by both towards empty space.
    """
    pair = pair_axis(volume)
    fast, slow = (axis for axis in range(3) if axis != pair)
    planes = range(volume.shape_ijk[pair]) if planes is None else planes
    size = (volume.shape_ijk[fast], volume.shape_ijk[slow], len(planes))
    words = np.zeros((size[2] + 1, size[1] + 2, size[0] + 2), np.uint32)
    bricks = np.zeros([-(-n // BRICK) + 2 for n in reversed(size)], np.uint8)
    for plane, source_plane in enumerate(planes):
        index: list[slice | int] = [slice(None)] * 3
        index[2 - pair] = source_plane
        codes = plane_codes(tuple(index))
        words[plane, 1:-1, 1:-1] |= codes.astype(np.uint32) << 16
        words[plane + 1, 1:-1, 1:-1] |= codes
        bricks[1 + plane // BRICK, 1:-1, 1:-1] |= _occupied_squares(codes)
    grid_from_ras = translation([0.0, 0.0, -planes.start]) @ volume.ijk_from_ras[[fast, slow, pair, 3]]
    return PackedGrid(words, _grow(bricks), size, grid_from_ras)


def _occupied_squares(codes: np.ndarray) -> np.ndarray:
    """For a plane of codes (S, F): which BRICK×BRICK squares hold anything, shape (⌈S/BRICK⌉, ⌈F/BRICK⌉)."""
    rows, columns = codes.shape
    padded = np.zeros((-(-rows // BRICK) * BRICK, -(-columns // BRICK) * BRICK), bool)
    padded[:rows, :columns] = codes != 0
    return padded.reshape(padded.shape[0] // BRICK, BRICK, -1, BRICK).any(axis=(1, 3))


def _grow(bricks: np.ndarray) -> np.ndarray:
    """Set every brick that touches a set one, across faces, edges and corners."""
    for axis in range(3):
        padded = np.pad(bricks, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=axis)
        bricks = windows.max(axis=-1)
    return bricks
