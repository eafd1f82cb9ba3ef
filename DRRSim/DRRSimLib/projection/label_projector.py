"""Project a label map: which labels each ray meets, and how long it runs in them.

Masks are amodal: a label's mask is where rays pass nearest to any of its voxels, whatever else lies in front. Thickness
is interpolated between voxels, so that it changes smoothly and reaches a little beyond the mask at a silhouette.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.engine import Backend, require_memory
from Sim2RealLib.geometry import translation
from Sim2RealLib.volume import Volume

from ..acquisition.carm import XrayView
from .device import DeviceGrid, upload_grid, upload_rays, whole_ray
from .packed_grid import grid_memory_bytes, pack_grid
from .rays import grid_rays, pixel_rays
from .traversal import Sample, traverse

BITS = 32
"""Labels a bit set holds."""


@dataclass(frozen=True, eq=False)
class LabelScene:
    """A label map on a backend, cropped to its labels. ids: those that occur, ascending; a voxel's code is 1 + its
    position in them."""

    backend: Backend
    device_grid: DeviceGrid
    ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LabelProjection:
    """Masks by label id, bool (H, W) in column order, and thickness in mm, float32 (H, W), of the labels asked for."""

    masks: dict[int, np.ndarray]
    thickness_mm: dict[int, np.ndarray]


def build_label_scene(backend: Backend, labels: Volume) -> LabelScene:
    """Pack a label map (an integer volume with at least one label other than 0) and put it on the backend.

    Raises Sim2RealError where the memory does not suffice.
    """
    cropped = _crop_to_labels(labels)
    require_memory(backend, grid_memory_bytes(cropped), labels.name, "Leave labels out, or resample to larger voxels.")
    ids = [int(label) for label in np.unique(cropped.array) if label != 0]
    codes = np.zeros(max(ids) + 1, np.uint16)
    codes[ids] = np.arange(1, len(ids) + 1)
    grid = pack_grid(cropped, lambda index: codes[cropped.array[index]])
    return LabelScene(backend, upload_grid(backend.arrays, grid), tuple(ids))


def _crop_to_labels(labels: Volume) -> Volume:
    ranges = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(labels.array.any(axis=others))
        ranges.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    offset_ijk = [r.start for r in reversed(ranges)]
    return Volume(labels.array[tuple(ranges)], labels.ras_from_ijk @ translation(offset_ijk), labels.name)


def project_labels(scene: LabelScene, view: XrayView, thickness_ids: Sequence[int] = ()) -> LabelProjection:
    """Masks of all labels and thickness of some of them in one pass."""
    arrays = scene.backend.arrays
    numbers = [scene.ids.index(label) + 1 for label in thickness_ids]
    sets = -(-len(scene.ids) // BITS)

    def visit(state: tuple, sample: Sample) -> tuple:
        bit_sets, lengths = state[:sets], state[sets:]
        nearest = sample.nearest_code()
        bit = dr.select(nearest != 0, arrays.UInt32(1) << ((nearest - 1) % BITS), 0)
        bit_sets = [
            bits | dr.select((nearest - 1) // BITS == position, bit, 0) for position, bits in enumerate(bit_sets)
        ]
        lengths = [length + _weight_of(number, sample) for number, length in zip(numbers, lengths, strict=True)]
        return (*bit_sets, *lengths)

    rays = grid_rays(scene.device_grid.grid, view.camera_from_ras, view.source_to_detector_mm)
    state, mm_a_sample = traverse(
        arrays,
        scene.device_grid,
        upload_rays(arrays, rays),
        *pixel_rays(arrays, view.camera),
        visit,
        (arrays.UInt32(0),) * sets + (arrays.Float(0),) * len(numbers),
        between=whole_ray(arrays, rays, scene.device_grid.grid),
    )
    bit_sets, lengths = state[:sets], [length * mm_a_sample for length in state[sets:]]
    dr.eval(bit_sets, lengths)
    shape = (view.camera.height_px, view.camera.width_px)
    octets = np.concatenate([_octets(bits.numpy().reshape(shape)) for bits in bit_sets])
    return LabelProjection(
        {label: (octets[n // 8] & (1 << n % 8)).T != 0 for n, label in enumerate(scene.ids)},
        {label: length.numpy().reshape(shape) for label, length in zip(thickness_ids, lengths, strict=True)},
    )


def _octets(words: np.ndarray) -> np.ndarray:
    """The bytes of 32-bit words (H, W), lowest first, as images in the column order of COCO masks: (4, W, H)."""
    octets = np.ascontiguousarray(words.T, "<u4").view(np.uint8).reshape(*words.T.shape, 4)
    return np.ascontiguousarray(np.moveaxis(octets, -1, 0))


def _weight_of(number: int, sample: Sample) -> Any:
    return sum(dr.select(code == number, weight, 0) for code, weight in zip(sample.codes, sample.weights, strict=True))
