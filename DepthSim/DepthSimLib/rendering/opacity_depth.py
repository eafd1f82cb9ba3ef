"""Where a ray has become opaque: the depth that a frame's ground truth is.

Mahmood et al. 2018 take the depth where the accumulated opacity 1 − exp(−∫ σ_t) reaches a threshold. It follows from
the transfer function alone, without a random number; the depths at 10 % and 90 % say how sharp the surface is there.
"""

import math
from dataclasses import dataclass
from typing import Any

import drjit as dr

from .medium import Medium, Rays, cell_along

OPACITIES = (0.1, 0.5, 0.9)
STEP_VOXELS = 0.25


@dataclass(frozen=True, eq=False)
class OpacityDepths:
    """Ray lengths in mm, inf where a ray never becomes that opaque."""

    first: Any
    middle: Any
    last: Any


def opacity_depths(medium: Medium, rays: Rays) -> OpacityDepths:
    """Where each ray reaches the opacities of `OPACITIES`: midpoint rule over quarters of a voxel, then linear."""
    Float = medium.arrays.Float  # noqa: N806
    step_mm = dr.opaque(Float, STEP_VOXELS * float(medium.device_grid.grid.spacing_mm.min()))
    thresholds = [-math.log(1.0 - opacity) for opacity in OPACITIES]

    def march(distance: Any, depth: Any, found: tuple[Any, ...], running: Any) -> tuple:
        code, end = cell_along(medium, rays, distance, running)
        occupied = code > 0
        extinction = medium.extinction_at(rays.at(distance + 0.5 * step_mm), running & occupied)
        added = dr.select(occupied, extinction * step_mm, 0)
        after = depth + added
        found = tuple(
            dr.select(
                running & (depth < threshold) & (after >= threshold),
                distance + step_mm * (threshold - depth) / dr.maximum(added, 1e-12),
                place,
            )
            for threshold, place in zip(thresholds, found, strict=True)
        )
        distance = dr.select(occupied, distance + step_mm, end)
        return distance, after, found, running & (distance < rays.leave) & (after < thresholds[-1])

    _, _, found, _ = dr.while_loop(
        (rays.enter, Float(0), (Float(dr.inf),) * len(OPACITIES), rays.enter < rays.leave),
        lambda distance, depth, found, running: running,
        march,
        label="opacity depth",
    )
    return OpacityDepths(*found)
