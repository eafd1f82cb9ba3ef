"""Flights and transmittance against integrals of the extinction that numpy and scipy take along the same rays."""

from dataclasses import replace

import drjit as dr
import numpy as np
import pytest
from scipy import ndimage, stats

from DepthSimLib.rendering.medium import NUDGE_MM, Medium, cell_along, free_flight, rays_in, transmittance
from DepthSimLib.rendering.scalar_grid import CELL
from rendering_scenes import AIR, ARRAYS, HU, TISSUE, constant, medium_of, number, points, ramp
from Sim2RealLib.random_streams import random_streams
from Sim2RealLib.volume_io import read_ct

SIZE = 30
SPACING_MM = np.array([0.8, 1.0, 1.25])
END_MM = (SIZE - 1) * SPACING_MM
LANES = 60_000
QUADRATURE_MM = 0.004


def scene(name: str) -> tuple[np.ndarray, Medium]:
    """HU (K, J, I) and a medium: homogeneous; a ramp along i; a wall with nothing before and behind it; noise."""
    array = np.full((SIZE, SIZE, SIZE), TISSUE)
    if name == "ramp":
        array = array + np.round(np.linspace(AIR, TISSUE, SIZE)).astype(int)
    if name == "wall":
        array[:] = AIR
        array[:, :, 14:18] = TISSUE
    if name == "noise":
        array = np.random.default_rng(4).integers(AIR, TISSUE + 1, array.shape)
    extinction = constant(0.2) if name == "homogeneous" else ramp(0.25)
    return array, medium_of(array, extinction, SPACING_MM)


RAYS = [
    ((-7.0, 12.2, 9.1), (1, 0, 0)),
    ((31.0, 12.2, 9.1), (-1, 0, 0)),
    ((6.3, -4.0, 17.0), (0, 1, 0)),
    ((6.3, 14.5, 11.1), (0, 0, -1)),
    ((2.0, 3.0, 30.0), (1, 0, -1)),
    ((9.0, 11.0, 14.0), (0.48, 0.6, -0.64)),
    ((-5.0, -6.0, -7.0), (0.55, 0.6, 0.7)),
    ((22.0, 20.0, 33.0), (-0.9, -0.3, -0.2)),
    ((11.1, 20.0, 33.0), (1e-4, -0.3, -0.2)),
]
"""Origins, outside and inside, and directions, along axes and across, in the grid frame, mm."""


def unit(direction) -> np.ndarray:
    return np.array(direction, float) / np.linalg.norm(direction)


def clip(origin, direction) -> tuple[float, float]:
    """The slab method in float64."""
    enter, leave = 0.0, np.inf
    for o, d, end in zip(origin, direction, END_MM, strict=True):
        if d == 0:
            if not 0 <= o <= end:
                return 0.0, -1.0
            continue
        near, far = sorted([-o / d, (end - o) / d])
        enter, leave = max(enter, near), min(leave, far)
    return enter, leave


def optical_depth(array: np.ndarray, medium: Medium, origin, direction) -> tuple[np.ndarray, np.ndarray]:
    """Distances along a ray and ∫ σ_t up to them, by the midpoint rule."""
    enter, leave = clip(origin, direction)
    edges = np.linspace(enter, leave, int((leave - enter) / QUADRATURE_MM))
    middle = np.asarray(origin) + 0.5 * (edges[1:] + edges[:-1])[:, None] * direction
    hu = ndimage.map_coordinates(array.astype(float), (middle / SPACING_MM)[:, ::-1].T, order=1, mode="nearest")
    extinction = np.interp(hu, HU, medium.extinction.numpy())
    return edges, np.concatenate([[0.0], np.cumsum(extinction * np.diff(edges))])


def lanes(medium: Medium, origin, direction, end=dr.inf):
    repeat = (LANES, 1)
    return rays_in(medium, points(np.tile(origin, repeat)), points(np.tile(direction, repeat)), end)


def test_rays_are_clipped_to_the_grid():
    """float32 positions of up to 100 mm hold to 1e-5, over a direction's smallest component of 0.05 or exactly 0."""
    rng = np.random.default_rng(6)
    directions = rng.normal(size=(4000, 3))
    directions[:1000, 0] = 0
    directions[500:1500, 1] = -0.0
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions[np.all((np.abs(directions) > 0.05) | (directions == 0), axis=1)].astype(np.float32)
    origins = rng.uniform(-20, 50, directions.shape).astype(np.float32)
    origins[::3] = rng.uniform(0.1, 0.9, origins[::3].shape) * END_MM
    rays = rays_in(medium_of(np.zeros((SIZE,) * 3), constant(1.0), SPACING_MM), points(origins), points(directions), 25)
    enter, leave = (end.numpy() for end in (rays.enter, rays.leave))
    expected = np.array([clip(o, d) for o, d in zip(origins.astype(float), directions.astype(float), strict=True)])
    crosses = expected[:, 0] < np.minimum(expected[:, 1], 25)
    assert 0.3 < crosses.mean() < 0.9
    assert np.array_equal(enter < leave, crosses)
    assert np.abs(enter - expected[:, 0])[crosses].max() < 1e-3
    assert np.abs(leave - np.minimum(expected[:, 1], 25))[crosses].max() < 1e-3


def test_a_step_leads_out_of_the_cell_or_of_the_empty_space_around_it():
    array = np.full((SIZE,) * 3, AIR)
    array[20:23, 14, 9] = TISSUE
    medium = medium_of(array, ramp(1.0), SPACING_MM)
    rng = np.random.default_rng(7)
    directions = rng.normal(size=(3000, 3))
    directions[:600, rng.integers(3)] = 0
    directions[:300, 2] = -0.0
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    origins = rng.uniform(0.01, 0.99, directions.shape) * END_MM
    rays = rays_in(medium, points(origins), points(directions), dr.inf)
    code, end = (found.numpy() for found in cell_along(medium, rays, ARRAYS.Float(0), True))
    cell = np.floor(origins / (SPACING_MM * CELL))
    codes = medium.cells.numpy().reshape(medium.cells_shape)
    assert np.array_equal(code, codes[tuple(cell[:, ::-1].astype(int).T)])
    assert code.min() < -1 and code.max() > 0
    clear = np.maximum(-code, 0)[:, None]
    with np.errstate(divide="ignore"):
        side = np.where(directions > 0, cell + 1 + clear, cell - clear) * SPACING_MM * CELL
        exits = np.where(directions == 0, np.inf, (side - origins) / directions).min(axis=1)
    # positions hold to 1e-5 mm, over the component that leads out, which is not small where it counts
    assert np.abs(end - exits - NUDGE_MM).max() < 1e-3


@pytest.mark.parametrize("name", ["homogeneous", "ramp", "wall", "noise"])
def test_transmittance_and_flights_follow_the_optical_depth(name):
    """The mean of 60,000 estimates lies within 4.5 standard errors of exp(−τ), and distances of collisions have the
    distribution 1 − exp(−τ) by a Kolmogorov–Smirnov test at 1e-4; misses stand for its upper end."""
    array, medium = scene(name)
    rng = np.random.default_rng(8)
    for number_of_ray, (origin, direction) in enumerate(RAYS):
        direction = unit(direction)
        distances, depth = optical_depth(array, medium, origin, direction)
        expected = np.exp(-depth[-1])
        rays = lanes(medium, origin, direction)
        streams = random_streams(ARRAYS, LANES, number_of_ray + 1)
        through, streams = transmittance(medium, rays, number(1), streams, True)
        through = through.numpy()
        # the quadrature, and HU that are rounded to whole ones, leave 1e-4 of τ
        slack = 1e-4 * expected * depth[-1]
        assert abs(through.mean() - expected) < 4.5 * through.std() / LANES**0.5 + slack + 1e-7, origin

        found, _, violations = free_flight(medium, rays, number(1), streams)
        assert not violations.numpy().any()
        reached = np.interp(found.numpy(), distances, 1 - np.exp(-depth))
        missed = np.isinf(found.numpy())
        reached[missed] = rng.uniform(1 - expected, 1, missed.sum())
        assert stats.kstest(reached, "uniform").pvalue > 1e-4, origin


def test_extinction_may_be_scaled_and_rays_may_end():
    array, medium = scene("noise")
    origin, direction = RAYS[5][0], unit(RAYS[5][1])
    distances, depth = optical_depth(array, medium, origin, direction)
    rays = lanes(medium, origin, direction, 9.0)
    through, streams = transmittance(medium, rays, number(0.4), random_streams(ARRAYS, LANES, 3), True)
    expected = np.exp(-0.4 * np.interp(9.0, distances, depth))
    assert abs(through.numpy().mean() - expected) < 4.5 * through.numpy().std() / LANES**0.5
    found, _, _ = free_flight(medium, rays, number(0.4), streams)
    missed = np.isinf(found.numpy())
    assert abs(missed.mean() - expected) < 4.5 * (expected * (1 - expected) / LANES) ** 0.5
    assert found.numpy()[~missed].max() < 9.0


def test_faint_beams_keep_their_mean_through_the_roulette():
    """exp(−8) in a medium with a tight bound only here and there, so that estimates fall below the roulette's limit."""
    array, medium = scene("noise")
    origin, direction = RAYS[0][0], unit(RAYS[0][1])
    _, depth = optical_depth(array, medium, origin, direction)
    through, _ = transmittance(
        medium, lanes(medium, origin, direction), number(8 / depth[-1]), random_streams(ARRAYS, LANES, 9), True
    )
    through = through.numpy()
    assert abs(through.mean() - np.exp(-8)) < 4.5 * through.std() / LANES**0.5
    assert through.std() < 0.5 * np.exp(-8) ** 0.5  # binary visibility has √(T (1 − T))


def test_rays_beside_the_grid_meet_nothing():
    _, medium = scene("homogeneous")
    for origin, direction in [((-1, 5, 5), (-1, 0, 0)), ((5, -0.5, 5), (0, 0, 1)), ((40, 40, 40), (1, 2, 3))]:
        rays = lanes(medium, origin, unit(direction))
        found, streams, _ = free_flight(medium, rays, number(1), random_streams(ARRAYS, LANES, 1))
        assert np.all(np.isinf(found.numpy()))
        assert np.all(transmittance(medium, rays, number(1), streams, True)[0].numpy() == 1)


def test_a_bound_that_is_too_low_is_reported():
    _, medium = scene("noise")
    low = replace(medium, cells=medium.cells * 0.5)
    found = free_flight(low, lanes(low, *map(np.array, RAYS[5])), number(1), random_streams(ARRAYS, LANES, 1))
    assert found[2].numpy().sum() > 100


def test_no_bound_is_exceeded_in_the_real_colon(real_data):
    """A table of spikes, which any bin that was left out would betray."""
    volume, _ = read_ct(real_data / "colon" / "pseudo_ct.nii.gz")
    spikes = np.random.default_rng(1).exponential(0.1, len(HU)) ** 2
    medium = medium_of(volume, spikes)
    rng = np.random.default_rng(2)
    size = np.array(volume.shape_ijk) * volume.spacing_mm
    directions = rng.normal(size=(LANES, 3))
    rays = rays_in(medium, points(rng.uniform(0, 1, (LANES, 3)) * size), points([unit(d) for d in directions]), dr.inf)
    found, _, violations = free_flight(medium, rays, number(1), random_streams(ARRAYS, LANES, 1))
    assert not violations.numpy().any()
    assert np.isfinite(found.numpy()).mean() > 0.3
