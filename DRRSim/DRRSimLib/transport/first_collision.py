"""Photons from the source to their first collision.

Every photon is made to collide, with a weight that makes up for it, and as often near the detector as near the source:
behind a body of optical depth T only the share exp(−T) of the photons would otherwise get to where most of what leaves
the body is scattered last. Optical depths τ are drawn with density s exp(−sτ) / (1 − exp(−sT)), which for s = 1 is
nature's and for s = 0 even (exponential transform with forced collisions; Spanier and Gelbard 1969, ch. 3).
"""

from dataclasses import dataclass
from typing import Any

import drjit as dr

from .detector_frame import DetectorFrame
from .flight import Medium, distances_in_grid, energy_row, optical_depth, point_at_depth, steps_along

STRETCH = 0.15
"""The s of the density above: nearly even over the ten mean free paths of a wide patient."""

LATTICE = (3518319155, 2882110345, 2360945575)
"""Steps, of 2³², of an additive lattice in three dimensions, the powers of 1/1.22074408 (Roberts 2018): where in the
field successive photons are aimed, and their energy."""

QUANTILES = 4096
"""Energies that stand for a spectrum."""


@dataclass
class Photon:
    """Photons in the grid frame at a collision that is about to happen: unit directions, energies in keV, weights, and
    how many collisions they had. reference: the weight that they had at the first one."""

    position: Any
    direction: Any
    energy_kev: Any
    weight: Any
    reference: Any
    order: Any


@dataclass(frozen=True, eq=False)
class EmittedEnergies:
    """QUANTILES energies, drawn equally often, and what each counts for: Float arrays, the weights of mean 1."""

    kev: Any
    weight: Any


def first_collisions(
    medium: Medium,
    detector: DetectorFrame,
    energies: EmittedEnergies,
    count: int,
    shifts: tuple[int, int, int],
    rng: Any,
) -> tuple[Photon, Any, Any]:
    """`count` photons at their first collisions, and what they carried off the source and past the scene, weight × keV.

    shifts: of the lattice, 32 bits each. Weights are relative to a photon on the central ray; those of photons that
    meet nothing are 0.
    """
    arrays = detector.arrays
    index = dr.arange(arrays.UInt32, count)
    across, down, of_energy = (
        arrays.Float((index * arrays.UInt32(step) + dr.opaque(arrays.UInt32, shift)) >> 8) * 2.0**-24
        for step, shift in zip(LATTICE, shifts, strict=True)
    )
    left, top, right, bottom = detector.open_field
    aim = detector.point(left + across * (right - left), top + down * (bottom - top))
    direction = dr.normalize(aim - detector.source)
    quantile = arrays.UInt32(of_energy * QUANTILES)
    energy = dr.gather(arrays.Float, energies.kev, quantile)
    emitted = dr.power(dr.dot(direction, detector.normal), 3) * dr.gather(arrays.Float, energies.weight, quantile)

    enter, leave = distances_in_grid(medium.grid, detector.source, direction)
    meets = enter < leave
    entry = detector.source + direction * dr.select(meets, enter, 0)
    to_detector = detector.distance_mm(entry) / dr.dot(direction, detector.normal)
    steps = steps_along(medium.grid, entry, direction, dr.select(meets, to_detector, 0), rng.next_float32())
    row = energy_row(arrays, energy)
    depth = optical_depth(medium, steps, row, meets)

    span = 1 - dr.exp(-STRETCH * depth)
    wanted = dr.minimum(-dr.log(1 - rng.next_float32() * span) * (1 / STRETCH), depth)
    position = point_at_depth(medium, steps, row, wanted, meets)
    weight = emitted * span * (1 / STRETCH) * dr.exp((STRETCH - 1) * wanted)
    photon = Photon(position, direction, energy, weight, weight, dr.zeros(arrays.UInt32, count))
    return photon, emitted * energy, emitted * energy * dr.exp(-depth)
