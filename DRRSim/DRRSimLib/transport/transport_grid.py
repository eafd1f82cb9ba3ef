"""The scene as the transport kernel sees it: one grid of voxels, each of one material and density.

Scatter is smooth, so that the voxels may be larger than the CT's: they keep the mass of what they hold, and have the
material that most of it is. Volumes of higher priority replace the share of a voxel that they fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np
from scipy import ndimage

from Sim2RealLib.geometry import translation

from ..projection.material_volume import MaterialVolume
from .interaction_tables import ENERGIES, InteractionTables

CELL = 8
"""Voxels along the edge of the macro-cells that have a majorant of their own."""

MAJORANT_STEP = 32
"""Energies that share a majorant."""
MAJORANTS = -(-ENERGIES // MAJORANT_STEP)

MARGIN = np.float32(1.0 + 1e-5)
"""By which majorants exceed what they bound: more than the rounding of densities in voxels."""


@dataclass(frozen=True, eq=False)
class TransportGrid:
    """Voxels of one material and density each.

    density_g_cm3: float32 (K, J, I), 0 for air. material: uint8 of that shape, an index into `materials`.
    spacing_mm: along i, j, k. grid_from_ras: rigid or with a reflection, 4×4, to mm from the outer corner of voxel 0
        along the grid's axes, the *grid frame*.
    """

    density_g_cm3: np.ndarray
    material: np.ndarray
    materials: tuple[str, ...]
    spacing_mm: np.ndarray
    grid_from_ras: np.ndarray


def build_transport_grid(volumes: Sequence[MaterialVolume], spacing_mm: float) -> TransportGrid:
    """Volumes, highest priority first, in voxels of about `spacing_mm`, at least as large as those of the lowest one,
    along whose axes they lie, cropped to what is not air. What lies outside the lowest volume is not in it."""
    patient = volumes[-1].hu
    materials = tuple(dict.fromkeys(name for volume in volumes for name in volume.absorbing_materials))
    merged = np.maximum(np.rint(spacing_mm / patient.spacing_mm), 1).astype(int)
    spacing = patient.spacing_mm * merged
    voxel_from_ras = np.diag([*(1.0 / merged), 1.0]) @ translation([0.5, 0.5, 0.5]) @ patient.ijk_from_ras
    shape_kji = tuple(int(n) for n in -(-np.array(patient.shape_ijk) // merged))[::-1]
    mass = np.zeros((*shape_kji, len(materials)))
    for volume in reversed(volumes):
        numbers = np.array([materials.index(name) for name in volume.absorbing_materials])
        _replace(mass, volume, numbers, voxel_from_ras @ volume.hu.ras_from_ijk, np.prod(spacing))
    density = mass.sum(axis=-1)
    occupied = ndimage.find_objects((density > 0).astype(np.uint8))[0] if density.any() else (slice(1),) * 3
    first_voxel = [part.start or 0 for part in reversed(occupied)]
    return TransportGrid(
        density[occupied].astype(np.float32),
        mass[occupied].argmax(axis=-1).astype(np.uint8),
        materials,
        spacing,
        np.diag([*spacing, 1.0]) @ translation(np.negative(first_voxel)) @ voxel_from_ras,
    )


def _replace(
    mass: np.ndarray, volume: MaterialVolume, numbers: np.ndarray, voxel_from_ijk: np.ndarray, voxel_mm3: float
) -> None:
    """Let a volume take the place of the mass, in g a cm³ of voxel, that was there. numbers: of its materials."""
    share = np.prod(volume.hu.spacing_mm) / voxel_mm3
    columns, rows = np.arange(volume.hu.shape_ijk[0]), np.arange(volume.hu.shape_ijk[1])[:, None]
    filled, added = np.zeros(mass.shape[:3]), np.zeros_like(mass)
    for plane in range(volume.hu.shape_ijk[2]):
        density, material = volume.density_and_material((plane,))
        k, j, i = (
            np.floor(along[0] * columns + along[1] * rows + (along[2] * plane + along[3])).astype(np.int32)
            for along in voxel_from_ijk[2::-1]
        )
        inside = density > 0
        for place, size in zip((k, j, i), filled.shape, strict=True):
            inside &= (place >= 0) & (place < size)
        if not inside.any():
            continue
        k, j, i, density, number = (values[inside] for values in (k, j, i, density, numbers[material]))
        touched = slice(int(k.min()), int(k.max()) + 1)
        voxel = ((k - touched.start) * filled.shape[1] + j) * filled.shape[2] + i
        filled[touched] += _sums(voxel, None, filled[touched].shape) * share
        added[touched] += _sums(voxel * mass.shape[3] + number, density, added[touched].shape) * share
    mass *= (1.0 - np.minimum(filled, 1.0))[..., None]
    mass += added


def _sums(index: np.ndarray, values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.bincount(index, values, int(np.prod(shape))).reshape(shape)


@dataclass(frozen=True, eq=False)
class DeviceTransportGrid:
    """A transport grid on a backend.

    words: the material in the low byte, the density above it in steps of `density_step_g_cm3`.
    majorants: an upper bound of μ in 1/mm by cell and by MAJORANT_STEP energies. shape, cells: voxels and cells along
        i, j, k. spacing_mm, per_mm, end_mm: Array3f of one element: voxel size, its inverse, the far corner.
    """

    arrays: ModuleType
    words: Any
    density_step_g_cm3: Any
    majorants: Any
    shape: tuple[int, int, int]
    cells: tuple[int, int, int]
    spacing_mm: Any
    per_mm: Any
    end_mm: Any


def upload_transport_grid(arrays: ModuleType, grid: TransportGrid, tables: InteractionTables) -> DeviceTransportGrid:
    """Put a grid on a backend; `tables` are those of its materials."""
    step = max(float(grid.density_g_cm3.max()), 1e-6) / (2**24 - 1)
    words = np.rint(grid.density_g_cm3 / step).astype(np.uint32) << 8 | grid.material
    majorants = _majorants(grid, tables.attenuation.numpy().reshape(len(grid.materials), ENERGIES))
    shape = grid.density_g_cm3.shape[::-1]

    def vector(values: np.ndarray) -> Any:
        return arrays.Array3f(*(dr.opaque(arrays.Float, float(value)) for value in values))

    return DeviceTransportGrid(
        arrays,
        arrays.UInt32(words.reshape(-1)),
        dr.opaque(arrays.Float, step),
        arrays.Float(majorants.reshape(-1)),
        shape,
        majorants.shape[2::-1],
        vector(grid.spacing_mm),
        vector(1.0 / grid.spacing_mm),
        vector(grid.spacing_mm * shape),
    )


def _majorants(grid: TransportGrid, attenuation: np.ndarray) -> np.ndarray:
    """The greatest μ in 1/mm in every cell (Kc, Jc, Ic, MAJORANTS), by the densest voxel of every material."""
    cells = [-(-n // CELL) for n in grid.density_g_cm3.shape]
    padded = np.zeros([n * CELL for n in cells], np.float32)
    occupied = tuple(slice(n) for n in grid.density_g_cm3.shape)
    highest = np.pad(attenuation, ((0, 0), (0, MAJORANTS * MAJORANT_STEP - ENERGIES)), mode="edge")
    highest = highest.reshape(len(grid.materials), MAJORANTS, MAJORANT_STEP).max(axis=2)
    majorants = np.zeros((*cells, MAJORANTS), np.float32)
    for number, row in enumerate(highest):
        padded[occupied] = np.where(grid.material == number, grid.density_g_cm3, 0)
        densest = padded.reshape(cells[0], CELL, cells[1], CELL, cells[2], CELL).max(axis=(1, 3, 5))
        majorants = np.maximum(majorants, densest[..., None] * row.astype(np.float32))
    return majorants * MARGIN
