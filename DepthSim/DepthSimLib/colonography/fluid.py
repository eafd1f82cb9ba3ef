"""Tagged fluid that lies under the gas of the bowel."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.ndimage import label

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.volume import Volume

SHEET_MM = 2.5
"""The air–fluid interface passes through soft-tissue values over less than this; the wall between two loops is thicker
(2–3 mm each, textbook values). On coarser grids 2.5 voxels."""
LEVEL_TOLERANCE_VOXELS = 1.0
LEVEL_SHARE = 0.7
LEVEL_AREA_MM2 = 25.0
"""A contact is a fluid level if 70 % of it lie within a voxel of its median height, over 25 mm² or more (assumed)."""


class PatientPosition(StrEnum):
    """How the patient lay, which tells where fluid gathers."""

    SUPINE = "supine"
    PRONE = "prone"
    LEFT_SIDE_DOWN = "left_side_down"
    RIGHT_SIDE_DOWN = "right_side_down"

    @property
    def up_ras(self) -> np.ndarray:
        """The unit vector against gravity, RAS."""
        return np.array(_UP_RAS[self])


_UP_RAS = {
    PatientPosition.SUPINE: (0.0, 1.0, 0.0),
    PatientPosition.PRONE: (0.0, -1.0, 0.0),
    PatientPosition.LEFT_SIDE_DOWN: (1.0, 0.0, 0.0),
    PatientPosition.RIGHT_SIDE_DOWN: (-1.0, 0.0, 0.0),
}


@dataclass(frozen=True, eq=False)
class FluidPools:
    """Fluid with a level under gas, on the grid it was looked for on.

    pool: (K, J, I) int32, the number of the pool, from 1, and 0 elsewhere.
    sheet: (K, J, I) bool, the partial-volume voxels between the gas and the fluid.
    hu: (number of pools + 1,), the median of each pool; 0 where there is none.
    """

    pool: np.ndarray
    sheet: np.ndarray
    hu: np.ndarray


@dataclass(frozen=True, eq=False)
class _Contacts:
    """Straight ways up from the top of the fluid into gas."""

    fluid_kji: np.ndarray
    gas_kji: np.ndarray

    def __len__(self) -> int:
        return len(self.fluid_kji)


def find_fluid(ct: Volume, gas: np.ndarray, position: PatientPosition, above_hu: float) -> FluidPools | None:
    """The pools of voxels above `above_hu` that meet `gas`, (K, J, I) bool, from below at a level; None without any.

    Sim2RealError if more fluid hangs above gas than lies below it: then the position is not the patient's.
    """
    fluid = ct.array > above_hu
    levels, area_mm2 = _levels(ct, fluid, gas, position.up_ras)
    _, hanging_mm2 = _levels(ct, fluid, gas, -position.up_ras)
    if hanging_mm2 > area_mm2:
        raise Sim2RealError(
            f"{ct.name}: tagged fluid hangs above the gas ({hanging_mm2 / 100:.1f} cm² of level surface) for a patient "
            f"lying {position.replace('_', ' ')}. Give the position in which this scan was taken."
        )
    if not len(levels):
        return None
    pieces, count = label(fluid)
    touched = np.unique(pieces[tuple(levels.fluid_kji.T)])
    number = np.zeros(count + 1, dtype=np.int32)
    number[touched] = np.arange(1, len(touched) + 1)
    pool = number[pieces]
    inside = pool > 0
    order = np.argsort(pool[inside], kind="stable")
    starts = np.cumsum(np.bincount(pool[inside])[1:-1])
    hu = np.array([0.0, *(np.median(values) for values in np.split(ct.array[inside][order], starts))])
    return FluidPools(pool, _between(levels, fluid.shape) & ~gas & ~inside, hu)


def _levels(ct: Volume, fluid: np.ndarray, gas: np.ndarray, up_ras: np.ndarray) -> tuple[_Contacts, float]:
    """The contacts of fluid with gas above it that are level, and their area in mm²."""
    up_ijk = ct.ijk_from_ras[:3, :3] @ up_ras
    voxel_height_mm = 1.0 / np.linalg.norm(up_ijk)
    voxel_area_mm2 = ct.spacing_mm.prod() / voxel_height_mm
    contacts = _contacts(ct, fluid, gas, up_ijk)
    middle_ijk = 0.5 * (contacts.fluid_kji + contacts.gas_kji)[:, ::-1]
    height_mm = middle_ijk @ (ct.ras_from_ijk[:3, :3].T @ up_ras)
    touching = np.zeros(fluid.shape, dtype=bool)
    touching[tuple(contacts.fluid_kji.T)] = True
    patch = label(touching, np.ones((3, 3, 3)))[0][tuple(contacts.fluid_kji.T)]
    area_mm2 = np.bincount(patch) * voxel_area_mm2
    level = np.zeros(len(contacts), dtype=bool)
    for number in np.flatnonzero(area_mm2 >= LEVEL_AREA_MM2):
        of_patch = patch == number
        off_level_mm = np.abs(height_mm - np.median(height_mm[of_patch]))
        flat = of_patch & (off_level_mm <= LEVEL_TOLERANCE_VOXELS * voxel_height_mm)
        if np.count_nonzero(flat) >= LEVEL_SHARE * np.count_nonzero(of_patch):
            level |= flat
    levels = _Contacts(contacts.fluid_kji[level], contacts.gas_kji[level])
    return levels, float(len(levels) * voxel_area_mm2)


def _contacts(ct: Volume, fluid: np.ndarray, gas: np.ndarray, up_ijk: np.ndarray) -> _Contacts:
    """Fluid from which gas is reached straight up within the thickness of a sheet, through no other fluid."""
    step_mm = 0.5 * ct.spacing_mm.min()
    reach_mm = max(SHEET_MM, 2.5 * ct.spacing_mm.max())
    climb = np.rint(np.arange(step_mm, reach_mm + step_mm, step_mm)[:, None] * up_ijk).astype(int)[:, ::-1]
    climb = climb[np.any(climb != 0, axis=1)]
    start = np.argwhere(fluid)
    fluid_kji, gas_kji = [], []
    for offset in climb:
        here = start + offset
        inside = np.all((here >= 0) & (here < fluid.shape), axis=1)
        start, here = start[inside], here[inside]
        hit = gas[tuple(here.T)]
        fluid_kji.append(start[hit])
        gas_kji.append(here[hit])
        start = start[~hit & ~fluid[tuple(here.T)]]
    return _Contacts(np.concatenate(fluid_kji), np.concatenate(gas_kji))


def _between(contacts: _Contacts, shape: tuple[int, ...]) -> np.ndarray:
    """The voxels on the ways of contacts, ends included."""
    way = contacts.gas_kji - contacts.fluid_kji
    steps = 2 * int(np.abs(way).max())
    passed = np.zeros(shape, dtype=bool)
    for step in range(steps + 1):
        passed[tuple((contacts.fluid_kji + np.rint(way * (step / steps)).astype(int)).T)] = True
    return passed
