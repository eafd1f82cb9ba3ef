"""A CT as a network was trained to see it: the patient upright in the array, in voxels of the training's size."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch.nn.functional import adaptive_avg_pool3d, interpolate

from Sim2RealLib.volume import Volume

NEARLY_EQUAL = 0.1
"""Voxels whose size differs by less than this share are taken as they are; training varies it by twice that."""


@dataclass(frozen=True)
class WorkingGrid:
    """order, flips: of the axes of a (K, J, I) array, which make it run to S, A and R. shape: of its voxels then."""

    order: tuple[int, int, int]
    flips: tuple[slice, slice, slice]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, volume: Volume, spacing_mm: float) -> "WorkingGrid":
        """That of a volume, by the axes of the patient that its own are closest to; a tilt stays what it is."""
        directions = volume.ras_from_ijk[:3, :3] / volume.spacing_mm
        _, ijk = linear_sum_assignment(-np.abs(directions))
        order = tuple(int(2 - ijk[axis]) for axis in (2, 1, 0))
        flips = tuple(slice(None, None, -1 if directions[axis, ijk[axis]] < 0 else 1) for axis in (2, 1, 0))
        sizes, spacings = np.array(volume.array.shape)[list(order)], volume.spacing_mm[::-1][list(order)]
        ratios = spacings / spacing_mm
        ratios[np.abs(ratios - 1.0) < NEARLY_EQUAL] = 1.0
        return cls(order, flips, tuple(int(max(1, round(n))) for n in (sizes * ratios).tolist()))

    def taken(self, array: np.ndarray) -> np.ndarray:
        """An array (K, J, I) on this grid, float32: means over voxels where these are smaller, else interpolated."""
        upright = np.ascontiguousarray(array.transpose(self.order)[self.flips], np.float32)
        values = torch.from_numpy(upright)[None, None]
        if (fewer := tuple(map(min, upright.shape, self.shape))) != upright.shape:
            values = adaptive_avg_pool3d(values, fewer)
        if fewer != self.shape:
            values = interpolate(values, size=self.shape, mode="trilinear", align_corners=False)
        return values[0, 0].numpy()

    def classes(self, scores: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """The class with the largest of scores (classes, *self.shape), interpolated on the array of `shape`: uint8."""
        upright_shape = tuple(shape[axis] for axis in self.order)
        result = np.empty(upright_shape, np.uint8)
        planes = scores.shape[1]
        for number in range(upright_shape[0]):
            at = np.clip((number + 0.5) * planes / upright_shape[0] - 0.5, 0.0, planes - 1.0)
            below = min(int(at), max(planes - 2, 0))
            above = min(below + 1, planes - 1)
            plane = torch.from_numpy(scores[:, below] + np.float32(at - below) * (scores[:, above] - scores[:, below]))
            plane = interpolate(plane[None], size=upright_shape[1:], mode="bilinear", align_corners=False)[0]
            result[number] = largest(plane.numpy())
        return np.ascontiguousarray(result[self.flips].transpose(np.argsort(self.order)))


def largest(scores: np.ndarray) -> np.ndarray:
    """The number of the largest of scores (classes, …), the first of equals: uint8. Faster than argmax over so few."""
    best, number = scores[0].copy(), np.zeros(scores.shape[1:], np.uint8)
    for each in range(1, len(scores)):
        number[scores[each] > best] = each
        np.maximum(best, scores[each], out=best)
    return number
