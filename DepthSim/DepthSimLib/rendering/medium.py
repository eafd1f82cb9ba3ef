"""Extinction in space on a backend: where a photon collides, and how much of a beam gets through.

Rays walk from macro-cell to macro-cell, over empty ones in one step (a digital differential analyser; Amanatides and
Woo 1987). In a cell, collisions are drawn from its majorant and accepted with the share of the true extinction: delta
tracking (Woodcock 1965). Transmittance is the product of the shares that were not there: ratio tracking (Novák, Selle
and Jarosz 2014). Both are unbiased as long as no extinction exceeds its majorant.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from .device_grid import DeviceGrid
from .majorants import cell_codes
from .scalar_grid import CELL, LOWEST_HU

NUDGE_MM = 1e-3
"""How far beyond the border of a cell a ray goes on, so that rounding cannot hold it there. Majorants hold that far."""

ROULETTE_BELOW, ROULETTE_SURVIVAL = 0.05, 0.25
"""An estimate of transmittance below the first is dropped, but for the second of them, which count for all: as in
pbrt-v4's direct lighting in media."""

NOTHING = 1e-30
"""A share of light that counts as none. Where denormal numbers decided, so would the number of threads: Dr.Jit's
workers take them for 0, the thread that asks does not, and it does small kernels itself."""


@dataclass(frozen=True, eq=False)
class Medium:
    """A grid with a transfer function.

    extinction: σ_t by HU, 1/mm. cells: `majorants.cell_codes`. end_mm: the far corner in the grid frame.
    """

    device_grid: DeviceGrid
    extinction: Any
    cells: Any
    cells_shape: tuple[int, int, int]
    end_mm: Any

    @property
    def arrays(self) -> ModuleType:
        return self.device_grid.arrays

    def extinction_at(self, position: Any, active: Any = True) -> Any:
        """σ_t, 1/mm, at grid-frame positions."""
        return dr.gather(self.arrays.Float, self.extinction, self.table_index(position, active), active)

    def table_index(self, position: Any, active: Any = True) -> Any:
        """The row of a table over HU that holds at grid-frame positions."""
        return self._row(self.device_grid.sample(position, active))

    def tissue_at(self, position: Any, active: Any = True) -> tuple[Any, Any]:
        """The row of a table over HU, and the share of tumour, at grid-frame positions."""
        hu, lesion = self.device_grid.sample_tissue(position, active)
        return self._row(hu), lesion

    def _row(self, hu: Any) -> Any:
        return self.arrays.UInt32(hu - (LOWEST_HU - 0.5))


def upload_medium(device_grid: DeviceGrid, extinction_mm: np.ndarray) -> Medium:
    """extinction_mm: σ_t by HU from LOWEST_HU to HIGHEST_HU, 1/mm."""
    arrays, grid = device_grid.arrays, device_grid.grid
    codes = cell_codes(grid, extinction_mm)
    end = [dr.opaque(arrays.Float, float((n - 1) * step)) for n, step in zip(grid.size, grid.spacing_mm, strict=True)]
    return Medium(
        device_grid,
        arrays.Float(extinction_mm.astype(np.float32)),
        arrays.Float(codes.reshape(-1)),
        codes.shape,
        arrays.Array3f(*end),
    )


@dataclass(frozen=True, eq=False)
class Rays:
    """Half-lines in the grid frame: origin and unit direction (Array3f), and the interval inside the grid, mm."""

    origin: Any
    direction: Any
    inverse: Any
    enter: Any
    leave: Any

    def at(self, distance: Any) -> Any:
        return dr.fma(self.direction, distance, self.origin)


def rays_in(medium: Medium, origin: Any, direction: Any, end: Any) -> Rays:
    """Rays clipped to the grid and to the distance `end`.

    Where they miss it, and where the direction is 0 0 0, they leave before they enter.
    """
    inverse = dr.rcp(dr.select(dr.abs(direction) > 1e-9, direction, 1e-9))
    to_low, to_high = -origin * inverse, (medium.end_mm - origin) * inverse
    near, far = dr.minimum(to_low, to_high), dr.maximum(to_low, to_high)
    enter = dr.maximum(dr.maximum(near.x, near.y), dr.maximum(near.z, 0))
    leave = dr.minimum(dr.minimum(far.x, far.y), dr.minimum(far.z, end))
    leave = dr.select(dr.squared_norm(direction) > 0.5, leave, -1)
    return Rays(origin, direction, inverse, enter, leave)


def cell_along(medium: Medium, rays: Rays, distance: Any, active: Any) -> tuple[Any, Any]:
    """The code of the cell at a distance along each ray, and the distance at which what the code says ends."""
    arrays, (planes, rows, columns) = medium.arrays, medium.cells_shape
    edge = medium.device_grid.per_mm * (1.0 / CELL)
    cell = dr.clip(dr.floor(rays.at(distance) * edge), 0, arrays.Array3f(columns - 1, rows - 1, planes - 1))
    index = arrays.Array3u(cell)
    code = dr.gather(arrays.Float, medium.cells, (index.z * rows + index.y) * columns + index.x, active)
    clear = dr.maximum(-code, 0)
    side = dr.select(rays.inverse > 0, cell + (1 + clear), cell - clear)
    exits = (side * dr.rcp(edge) - rays.origin) * rays.inverse
    return code, dr.maximum(dr.minimum(dr.minimum(exits.x, exits.y), exits.z), distance) + NUDGE_MM


def _tentative_collision(medium: Medium, rays: Rays, scale: Any, distance: Any, rng: Any, running: Any) -> tuple:
    """One draw from the majorant of the cell at `distance`: whether it stays within the cell, where the ray goes on,
    the majorant and, of draws within, the extinction there."""
    code, end = cell_along(medium, rays, distance, running)
    majorant = code * scale
    flight = distance - dr.log(1 - rng.next_float32()) * dr.rcp(dr.maximum(majorant, 1e-12))
    tentative = (code > 0) & (flight < end) & (flight < rays.leave)
    extinction = medium.extinction_at(rays.at(flight), running & tentative) * scale
    return tentative, dr.select(tentative, flight, end), majorant, extinction


def free_flight(medium: Medium, rays: Rays, scale: Any, rng: Any) -> tuple[Any, Any, Any]:
    """The distance of the first collision along each ray (inf where there is none), the generator, and violations.

    scale: a factor on σ_t and its majorant. violations: how often σ_t exceeded its majorant; it must stay 0.
    """
    Float, UInt32 = medium.arrays.Float, medium.arrays.UInt32  # noqa: N806

    def step(distance: Any, found: Any, rng: Any, violations: Any, running: Any) -> tuple:
        tentative, distance, majorant, extinction = _tentative_collision(medium, rays, scale, distance, rng, running)
        violations += dr.select(tentative & (extinction > majorant), UInt32(1), UInt32(0))
        hit = tentative & (rng.next_float32() * majorant < extinction)
        found = dr.select(running & hit, distance, found)
        return distance, found, rng, violations, running & ~hit & (distance < rays.leave)

    _, found, rng, violations, _ = dr.while_loop(
        (rays.enter, Float(dr.inf), rng, UInt32(0), rays.enter < rays.leave),
        lambda distance, found, rng, violations, running: running,
        step,
        label="free flight",
    )
    return found, rng, violations


def transmittance(medium: Medium, rays: Rays, scale: Any, rng: Any, active: Any) -> tuple[Any, Any]:
    """An unbiased estimate of exp(−∫ σ_t) along each ray, and the generator."""
    Float = medium.arrays.Float  # noqa: N806

    def step(distance: Any, through: Any, rng: Any, running: Any) -> tuple:
        tentative, distance, majorant, extinction = _tentative_collision(medium, rays, scale, distance, rng, running)
        through *= dr.select(running & tentative, 1 - extinction * dr.rcp(dr.maximum(majorant, 1e-12)), 1)
        faint = running & tentative & (through < ROULETTE_BELOW)
        survives = rng.next_float32() < ROULETTE_SURVIVAL
        through = dr.select(faint, dr.select(survives, through / ROULETTE_SURVIVAL, 0), through)
        return distance, through, rng, running & (distance < rays.leave) & (through > NOTHING)

    _, through, rng, _ = dr.while_loop(
        (rays.enter, Float(1), rng, active & (rays.enter < rays.leave)),
        lambda distance, through, rng, running: running,
        step,
        label="transmittance",
    )
    return through, rng
