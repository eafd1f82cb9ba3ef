"""Photons in a transport grid: where they interact next, and how much of a beam gets through.

Free flights are drawn by Woodcock's method with a majorant for every macro-cell (Woodcock et al. 1965): in a cell,
tentative collisions come at the rate of its majorant and are real with the share of μ there; at its border a new flight
begins, which exponential distances allow.
"""

from typing import Any, NamedTuple

import drjit as dr

from .interaction_tables import ENERGIES, ENERGY_STEP_KEV, LOWEST_KEV, InteractionTables
from .transport_grid import CELL, MAJORANT_STEP, MAJORANTS, DeviceTransportGrid

NUDGE_MM = 1e-3
"""How far beyond the border of a cell a flight goes on, so that rounding cannot hold it there."""


class Medium(NamedTuple):
    """A transport grid with the tables of its materials."""

    grid: DeviceTransportGrid
    tables: InteractionTables


class Voxel(NamedTuple):
    """What is at a place: its number in the grid, material number and density in g/cm³."""

    index: Any
    material: Any
    density: Any


def energy_row(arrays: Any, energy_kev: Any) -> Any:
    """The row of the tables that is nearest to an energy."""
    row = dr.round((energy_kev - LOWEST_KEV) * (1 / ENERGY_STEP_KEV))
    return arrays.UInt32(dr.clip(row, 0, ENERGIES - 1))


def voxel_at(grid: DeviceTransportGrid, position: Any, active: Any) -> Voxel:
    """The voxel at grid-frame positions, which are clamped to the grid."""
    arrays, (columns, rows, planes) = grid.arrays, grid.shape
    place = dr.clip(dr.floor(position * grid.per_mm), 0, arrays.Array3f(columns - 1, rows - 1, planes - 1))
    column, row, plane = arrays.Array3u(place)
    index = (plane * rows + row) * columns + column
    word = dr.gather(arrays.UInt32, grid.words, index, active)
    return Voxel(index, word & 0xFF, arrays.Float(word >> 8) * grid.density_step_g_cm3)


def attenuation_mm(medium: Medium, voxel: Voxel, row: Any, active: Any) -> Any:
    """μ in 1/mm of voxels at an energy."""
    table = medium.tables.attenuation
    return voxel.density * dr.gather(type(table), table, voxel.material * ENERGIES + row, active)


def distances_in_grid(grid: DeviceTransportGrid, position: Any, direction: Any) -> tuple[Any, Any]:
    """Where rays enter and leave the grid, mm from `position` and not behind it; enter > leave where they miss it."""
    inverse = dr.rcp(dr.select(dr.abs(direction) > 1e-9, direction, 1e-9))
    to_low, to_high = -position * inverse, (grid.end_mm - position) * inverse
    near, far = dr.minimum(to_low, to_high), dr.maximum(to_low, to_high)
    enter = dr.maximum(dr.maximum(near.x, near.y), dr.maximum(near.z, 0))
    return enter, dr.minimum(dr.minimum(far.x, far.y), far.z)


def free_flight(
    medium: Medium, position: Any, direction: Any, end_mm: Any, row: Any, rng: Any, active: Any
) -> tuple[Any, Any, Any]:
    """The distance to the next collision of photons within the grid, whether there is one before `end_mm`, and rng."""
    grid = medium.grid
    arrays, (columns, rows, planes) = grid.arrays, grid.cells
    inverse = dr.rcp(dr.select(dr.abs(direction) > 1e-9, direction, 1e-9))
    cells_per_mm = grid.per_mm * (1 / CELL)
    last = arrays.Array3f(columns - 1, rows - 1, planes - 1)
    band = row // MAJORANT_STEP

    def fly(distance: Any, collided: Any, flying: Any, rng: Any) -> tuple[Any, Any, Any, Any]:
        cell = dr.clip(dr.floor((position + direction * distance) * cells_per_mm), 0, last)
        index = arrays.Array3u(cell)
        offset = ((index.z * rows + index.y) * columns + index.x) * MAJORANTS + band
        majorant = dr.gather(arrays.Float, grid.majorants, offset, flying)
        side = dr.select(inverse > 0, cell + 1, cell)
        exits = (side * dr.rcp(cells_per_mm) - position) * inverse
        border = dr.maximum(dr.minimum(dr.minimum(exits.x, exits.y), exits.z), distance) + NUDGE_MM
        free = -dr.log(1 - rng.next_float32()) / dr.maximum(majorant, 1e-12)
        tentative = distance + free
        stays = tentative < border
        distance = dr.select(stays, tentative, border)
        flying &= distance < end_mm
        voxel = voxel_at(grid, position + direction * distance, flying & stays)
        real = rng.next_float32() * majorant < attenuation_mm(medium, voxel, row, flying & stays)
        collided = flying & stays & real
        return distance, collided, flying & ~collided, rng

    distance, collided, _, rng = dr.while_loop(
        (arrays.Float(0), arrays.Bool(False), arrays.Bool(active), rng),
        lambda distance, collided, flying, rng: flying,
        fly,
        label="free flight",
    )
    return distance, collided, rng


class Steps(NamedTuple):
    """A ray divided into steps of some voxels, each of which stands for the voxel at a random place in it: the
    same place in all of them, so that the mean over it is the integral along the ray itself."""

    origin: Any
    direction: Any
    count: Any
    length_mm: Any
    place: Any

    def at(self, number: Any) -> Any:
        return self.origin + self.direction * ((number + self.place) * self.length_mm)


def steps_along(
    grid: DeviceTransportGrid, origin: Any, direction: Any, end_mm: Any, place: Any, voxels: float = 1.0
) -> Steps:
    """The steps of rays that start in the grid or at its border, as far as they are in it and shorter than `end_mm`.

    place: where in its step a sample lies, 0 … 1. voxels: how long a step is.
    """
    _, leave = distances_in_grid(grid, origin, direction)
    length = dr.maximum(dr.minimum(leave, end_mm), 0)
    spacing = dr.minimum(dr.minimum(grid.spacing_mm.x, grid.spacing_mm.y), grid.spacing_mm.z)
    count = dr.ceil(length / (spacing * voxels))
    return Steps(origin, direction, count, length / dr.maximum(count, 1), place)


def optical_depth(medium: Medium, steps: Steps, row: Any, active: Any) -> Any:
    """∫ μ dl of rays."""

    def add(number: Any, depth: Any) -> tuple[Any, Any]:
        voxel = voxel_at(medium.grid, steps.at(number), True)
        return number + 1, depth + attenuation_mm(medium, voxel, row, True)

    Float = medium.grid.arrays.Float  # noqa: N806
    _, depth = dr.while_loop(
        (Float(0), Float(0)), lambda number, depth: active & (number < steps.count), add, label="optical depth"
    )
    return depth * steps.length_mm


def point_at_depth(medium: Medium, steps: Steps, row: Any, wanted: Any, active: Any) -> Any:
    """The sample of the step in which the optical depth of a ray becomes `wanted`, which must not be more than that of
    the whole ray: a point in the voxel that has that attenuation."""

    def add(number: Any, missing: Any) -> tuple[Any, Any]:
        voxel = voxel_at(medium.grid, steps.at(number), True)
        return number + 1, missing - attenuation_mm(medium, voxel, row, True) * steps.length_mm

    Float = medium.grid.arrays.Float  # noqa: N806
    number, _ = dr.while_loop(
        (Float(0), Float(wanted)),
        lambda number, missing: active & (missing > 0) & (number < steps.count),
        add,
        label="point at depth",
    )
    return steps.at(dr.maximum(number - 1, 0))
