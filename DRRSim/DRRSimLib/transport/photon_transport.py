"""The Monte Carlo kernel: what follows a photon's first collision.

A photon that collides goes on with the share of its weight that is scattered and leaves the rest as dose (implicit
capture). What reaches the detector is not waited for but computed at every collision (forced detection; Kalos 1963):
of Compton scattering the probability of being scattered towards a random point of the detector, of Rayleigh scattering,
whose narrow peak such a point would seldom meet, a direction drawn from it, if that meets the detector; both times the
share of the beam that gets there. Sums are whole numbers of SCORE_UNIT, whose order does not matter, so that results
are the same to the last digit for any number of threads.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import drjit as dr

from Sim2RealLib.directions import around
from Sim2RealLib.random_streams import random_streams

from .detector_frame import DetectorFrame
from .first_collision import EmittedEnergies, Photon, first_collisions
from .flight import Medium, Voxel, distances_in_grid, energy_row, free_flight, optical_depth, steps_along, voxel_at
from .interaction_tables import ENERGIES, LOWEST_KEV
from .scattering_angles import compton_energy_kev, compton_probability_sr, sample_cosine

SCORE_UNIT = 2.0**-34
"""Of sums in fixed point: 10⁸ contributions of 10 keV fit into 64 bits."""

DETECTION_STEP_VOXELS = 2.0
"""Steps on the way to the detector. That exp(−x) of an estimate is more than of its mean makes the scatter of a pelvis
0.4 % more than with steps of one voxel, which take 1.4 times as long."""

ROULETTE_BELOW, ROULETTE_SURVIVAL = 0.5, 0.5
"""Photons of less than the first share of their reference weight are dropped, but for the second of them, which count
for all."""

COMPTON, RAYLEIGH, MULTIPLE = range(3)
"""The images that are scored apart: scattered once, by either, and more than once."""


@dataclass(frozen=True, eq=False)
class PhotonSource:
    """What the tube sends out, and response_kev: what the detector registers of a photon, by row of the energy tables
    (Float)."""

    energies: EmittedEnergies
    response_kev: Any


@dataclass(frozen=True, eq=False)
class Scores:
    """Sums over photons in units of SCORE_UNIT, UInt64, and energies in keV, Float, a lane or photon each.

    signal, photons: by image (COMPTON, RAYLEIGH, MULTIPLE) and pixel. dose: keV by voxel, or None.
    """

    signal: Any
    photons: Any
    dose: Any | None
    emitted_kev: Any
    missing_kev: Any
    absorbed_kev: Any
    escaped_kev: Any


def transport(
    medium: Medium,
    detector: DetectorFrame,
    source: PhotonSource,
    lanes: int,
    photons_per_lane: int,
    seed: int,
    shifts: tuple[int, int, int],
    with_dose: bool = False,
) -> Scores:
    """Follow lanes · photons_per_lane photons. seed and shifts (32 bits each) decide all draws.

    missing_kev of the scores is what passed the scene; escaped_kev what left it after collisions.
    """
    arrays = medium.grid.arrays
    count, pixels = lanes * photons_per_lane, detector.columns * detector.rows
    starts, emitted, missing = first_collisions(
        medium, detector, source.energies, count, shifts, random_streams(arrays, count, seed)
    )
    dr.eval(starts, emitted, missing)
    signal, photons = dr.zeros(arrays.UInt64, 3 * pixels), dr.zeros(arrays.UInt64, 3 * pixels)
    dose = dr.zeros(arrays.UInt64, dr.width(medium.grid.words)) if with_dose else None
    lane = dr.arange(arrays.UInt32, lanes)

    def follow(state: _Lanes) -> _Lanes:
        """A collision and the flight to the next; the first of a new photon where the last one is gone."""
        fresh, rng = state.photon.weight == 0, state.rng
        photon = _fetched(starts, lane * photons_per_lane + state.number, fresh, state.photon)
        collision, rng = _collision(medium, photon, rng)
        compton, rayleigh, rng = _rays_to_detector(medium, detector, photon, collision, rng)
        for ray, image in ((compton, COMPTON), (rayleigh, RAYLEIGH)):
            row = energy_row(arrays, ray.energy_kev)
            place = rng.next_float32()
            steps = steps_along(
                medium.grid, photon.position, ray.direction, ray.length_mm, place, DETECTION_STEP_VOXELS
            )
            arriving = ray.weight * dr.exp(-optical_depth(medium, steps, row, ray.weight > 0))
            entry = dr.select(photon.order == 0, arrays.UInt32(image), MULTIPLE) * pixels + ray.pixel
            _score(arrays, photons, arriving, entry, ray.weight > 0)
            registered = arriving * dr.gather(arrays.Float, source.response_kev, row)
            _score(arrays, signal, registered, entry, ray.weight > 0)

        after = collision.after
        slow = after.energy_kev < LOWEST_KEV
        carried = dr.select(slow, 0, after.weight * after.energy_kev)
        kept = photon.weight * photon.energy_kev - carried
        if dose is not None:
            _score(arrays, dose, kept, collision.voxel.index, photon.weight > 0)
        light = after.weight < ROULETTE_BELOW * after.reference
        goes_on = ~slow & (~light | (rng.next_float32() < ROULETTE_SURVIVAL))
        weight = dr.select(light, after.weight * (1 / ROULETTE_SURVIVAL), after.weight)

        end_mm = _flight_end(medium, detector, after)
        flies = goes_on & (end_mm > 0) & (weight > 0)
        row = energy_row(arrays, after.energy_kev)
        distance, collides, rng = free_flight(medium, after.position, after.direction, end_mm, row, rng, flies)
        return _Lanes(
            replace(
                after,
                position=after.position + after.direction * distance,
                weight=dr.select(collides, weight, 0),
                order=photon.order + 1,
            ),
            state.number + dr.select(fresh, arrays.UInt32(1), arrays.UInt32(0)),
            state.absorbed_kev + kept,
            state.escaped_kev + dr.select(goes_on & ~collides, weight * after.energy_kev, 0),
            rng,
        )

    zero = arrays.Float(0)
    nobody = Photon(arrays.Array3f(0), arrays.Array3f(0, 0, 1), arrays.Float(LOWEST_KEV), zero, zero, arrays.UInt32(0))
    state = _Lanes(nobody, dr.zeros(arrays.UInt32, lanes), zero, zero, random_streams(arrays, lanes, seed ^ 1))
    (final,) = dr.while_loop(
        (state,),
        lambda state: (state.photon.weight > 0) | (state.number < photons_per_lane),
        lambda state: (follow(state),),
        label="photons",
    )
    dr.eval(final, signal, photons, dose)
    return Scores(signal, photons, dose, emitted, missing, final.absorbed_kev, final.escaped_kev)


@dataclass
class _Lanes:
    """The photon that a lane follows, how many it has begun, their energies so far, and its random numbers."""

    photon: Photon
    number: Any
    absorbed_kev: Any
    escaped_kev: Any
    rng: Any


class Collision(NamedTuple):
    """Where a photon collides, what share of its scattering there is Compton's, and the photon afterwards."""

    voxel: Voxel
    compton_share: Any
    after: Photon


class DetectorRay(NamedTuple):
    """A way from a collision to the detector and the weight that takes it before attenuation, 0 where there is none."""

    direction: Any
    length_mm: Any
    energy_kev: Any
    weight: Any
    pixel: Any


def _fetched(starts: Photon, index: Any, fresh: Any, present: Photon) -> Photon:
    """The photon of an index where a fresh one is wanted, the present one elsewhere."""
    values = {}
    for field in fields(Photon):
        stored, current = getattr(starts, field.name), getattr(present, field.name)
        values[field.name] = dr.select(fresh, dr.gather(type(stored), stored, index, fresh), current)
    return Photon(**values)


def _collision(medium: Medium, photon: Photon, rng: Any) -> tuple[Collision, Any]:
    """Scatter a photon, with the weight of the share that is not absorbed."""
    arrays, tables = medium.grid.arrays, medium.tables
    active = photon.weight > 0
    voxel = voxel_at(medium.grid, photon.position, active)
    entry = voxel.material * ENERGIES + energy_row(arrays, photon.energy_kev)
    albedo = dr.gather(arrays.Float, tables.albedo, entry, active)
    compton_share = dr.gather(arrays.Float, tables.compton_share, entry, active)
    compton = rng.next_float32() < compton_share
    cosine = _sampled(medium, voxel, photon, rng, tables.compton_cosines)
    rayleigh_cosine = _sampled(medium, voxel, photon, rng, tables.rayleigh_cosines)
    after = replace(
        photon,
        direction=around(arrays, photon.direction, dr.select(compton, cosine, rayleigh_cosine), rng.next_float32()),
        energy_kev=dr.select(compton, compton_energy_kev(photon.energy_kev, cosine), photon.energy_kev),
        weight=photon.weight * albedo,
    )
    return Collision(voxel, compton_share, after), rng


def _sampled(medium: Medium, voxel: Voxel, photon: Photon, rng: Any, table: Any) -> Any:
    at_node, share = rng.next_float32(), rng.next_float32()
    return sample_cosine(medium.grid.arrays, table, voxel.material, photon.energy_kev, at_node, share)


def _rays_to_detector(
    medium: Medium, detector: DetectorFrame, photon: Photon, collision: Collision, rng: Any
) -> tuple[DetectorRay, DetectorRay, Any]:
    """By Compton's effect to a random point of the detector, and by Rayleigh's in a direction drawn from it, each with
    its share: a collision that counted whole where it happens to be Rayleigh's would weigh too much on one pixel."""
    arrays, gap = detector.arrays, detector.distance_mm(photon.position)
    u, v = rng.next_float32() * detector.columns, rng.next_float32() * detector.rows
    target = detector.point(u, v) - photon.position
    length = dr.norm(target)
    direction = target / length
    cosine = dr.dot(photon.direction, direction)
    energy = compton_energy_kev(photon.energy_kev, cosine)
    probability = compton_probability_sr(
        arrays,
        medium.tables,
        collision.voxel.material,
        photon.energy_kev,
        energy_row(arrays, photon.energy_kev),
        cosine,
    )
    weight = collision.after.weight * collision.compton_share * probability
    weight *= detector.area_mm2 * gap / (length * length * length)
    weight = dr.select((gap > 0) & (energy >= LOWEST_KEV), weight, 0)
    compton = DetectorRay(direction, length, energy, weight, _pixel(detector, u, v))

    cosine = _sampled(medium, collision.voxel, photon, rng, medium.tables.rayleigh_cosines)
    direction = around(arrays, photon.direction, cosine, rng.next_float32())
    approach = dr.dot(direction, detector.normal)
    length = gap / dr.maximum(approach, 1e-6)
    u, v = detector.position(photon.position + direction * length)
    arrives = (gap > 0) & (approach > 0) & (u >= 0) & (u < detector.columns) & (v >= 0) & (v < detector.rows)
    weight = dr.select(arrives, collision.after.weight * (1 - collision.compton_share), 0)
    pixel = _pixel(detector, dr.select(arrives, u, 0), dr.select(arrives, v, 0))
    return compton, DetectorRay(direction, length, photon.energy_kev, weight, pixel), rng


def _pixel(detector: DetectorFrame, u: Any, v: Any) -> Any:
    UInt32 = detector.arrays.UInt32  # noqa: N806
    return dr.minimum(UInt32(v), detector.rows - 1) * detector.columns + dr.minimum(UInt32(u), detector.columns - 1)


def _flight_end(medium: Medium, detector: DetectorFrame, photon: Photon) -> Any:
    """How far a photon can fly: to the end of the grid or to the detector, whichever is nearer."""
    enter, leave = distances_in_grid(medium.grid, photon.position, photon.direction)
    approach = dr.dot(photon.direction, detector.normal)
    to_detector = detector.distance_mm(photon.position) / dr.select(dr.abs(approach) > 1e-6, approach, 1e-6)
    return dr.select(enter < leave, dr.select(to_detector > 0, dr.minimum(leave, to_detector), leave), 0)


def _score(arrays: Any, sums: Any, amount: Any, index: Any, active: Any) -> None:
    dr.scatter_reduce(dr.ReduceOp.Add, sums, arrays.UInt64(amount * (1 / SCORE_UNIT)), index, active)
