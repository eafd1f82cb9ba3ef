"""The path tracer against furnaces, numeric integrals, the light model's own reference, and itself another way."""

from dataclasses import replace

import numpy as np
import pytest

from DepthSimLib.endoscope.lights import LIGHTS, TipLight, irradiance
from DepthSimLib.rendering.medium import Medium
from rendering_scenes import (
    AIR,
    CAMERA,
    GRIDS,
    TISSUE,
    Look,
    assert_mean,
    box_grid,
    coarse,
    constant,
    medium_of,
    positions,
    ramp,
    render,
    render_sums,
    replicates,
)
from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume

SIZE = 24
OUTSIDE = translation([11.5, 11.5, -9.0])
"""A camera before a cube of SIZE mm that looks at its middle."""
INSIDE = translation([11.5, 11.5, 4.0])
WHITE = (1.0, 1.0, 1.0)


def noise_medium(extinction_mm: float) -> Medium:
    """Gradients everywhere."""
    array = np.random.default_rng(11).integers(AIR, TISSUE + 1, (SIZE,) * 3)
    return medium_of(array, ramp(extinction_mm))


@pytest.mark.parametrize("g", [0.0, 0.6])
def test_a_white_medium_in_white_surroundings_cannot_be_seen(g):
    """Albedo 1: every path leaves with all its light, to float32's rounding over hundreds of collisions."""
    look = Look(albedo=WHITE, g=g, later_g=g, brightness=0.0, background=1.0)
    picture = render(noise_medium(1.0), [look], ras_from_camera=OUTSIDE, samples=4, max_order=10_000)
    assert np.abs(picture - 1).max() < 1e-3


@pytest.mark.parametrize("surface", [1.0, 0.4])
def test_a_white_surface_in_white_surroundings_cannot_be_seen(surface):
    """K_d = 1, F0 = 0, alone and mixed with white scattering: radiance 1 within 4.5 standard errors over the pixels."""
    look = Look(diffuse=WHITE, albedo=WHITE, surface=surface, g=0.3, brightness=0.0, background=1.0)
    picture = render(noise_medium(0.3), [look], ras_from_camera=OUTSIDE, samples=256, max_order=10_000)[..., 0]
    error = picture.std() / picture.size**0.5
    assert 0 < error < 0.005
    assert abs(picture.mean() - 1) < 4.5 * error


def test_white_looks_that_share_paths_are_all_white():
    looks = [
        Look(albedo=WHITE, diffuse=WHITE, g=0.5, later_g=0.5, brightness=0.0, background=1.0),
        Look(albedo=WHITE, diffuse=WHITE, surface=0.5, brightness=0.0, background=1.0),
        Look(albedo=WHITE, diffuse=WHITE, surface=1.0, roughness=0.6, brightness=0.0, background=1.0),
    ]
    pictures = render(noise_medium(0.2), looks, ras_from_camera=OUTSIDE, samples=400, max_order=10_000)[..., 0]
    for picture in pictures:
        error = picture.std() / picture.size**0.5
        assert 0 < error < 0.01
        assert abs(picture.mean() - 1) < 4.5 * error


def test_an_empty_medium_shows_the_background():
    medium = medium_of(np.full((SIZE,) * 3, AIR), constant(1.0))
    assert np.all(render(medium, [Look(background=0.25)], ras_from_camera=INSIDE) == 0.25)


WALL_LIGHTS = {
    "point": (TipLight((0.0, 0.0, 0.0), spread=0.0, radius_mm=1e-3),),
    "olympus_3": LIGHTS["olympus_3"],
    "wide, tilted": (TipLight((3.0, -1.0, 0.0), (-0.3, 0.1, 0.9), 2.0, 1.5, 2.5), TipLight((-2.0, 0.0, 0.5))),
}
DENSE_MM, OFFSET_MM = 80.0, 0.15


@pytest.mark.parametrize("lights", WALL_LIGHTS)
@pytest.mark.parametrize("distance_mm", [5.0, 18.0])
def test_a_flat_wall_is_as_bright_as_its_irradiance(lights, distance_mm):
    """Radiance K_d / π · E of a Lambertian wall, averaged over 2 × 2 places in a pixel; E by numpy.

    Light arrives above the place of the collision, which lies 1/80 mm deep on average. That the depth varies, and that
    the wall's edge is rounded by half a HU, 0.0005 mm, leaves 0.1 % at 5 mm.
    """
    array = np.full((SIZE, 64, 64), AIR)
    array[20:] = TISSUE
    medium = medium_of(array, constant(DENSE_MM))
    pose = translation([31.5, 31.5, 19.5 - distance_mm])
    options = {"ras_from_camera": pose, "lights": WALL_LIGHTS[lights], "max_order": 1, "surface_offset_mm": OFFSET_MM}
    pictures = replicates(10, medium, [Look(surface=1.0)], samples=8, **options)
    at = (np.arange(32 * 2) + 0.5) / 2
    rays = CAMERA.unproject(np.stack(np.meshgrid(at, at), axis=-1))
    points = rays * (distance_mm / rays[..., 2:] + 1 / DENSE_MM) - [0.0, 0.0, OFFSET_MM]
    received = irradiance(points, np.array([0.0, 0.0, -1.0]), WALL_LIGHTS[lights])
    expected = received[..., None] * np.array(Look().diffuse) / np.pi
    assert_mean(pictures, coarse(expected)[None], slack=1e-3)


def test_four_times_the_distance_is_a_sixteenth_of_the_light():
    """The inverse-square law at normal incidence, of distances to where light arrives; the edge is 0.0005 mm off."""
    array = np.full((40, 24, 24), AIR)
    array[36:] = TISSUE
    medium = medium_of(array, constant(DENSE_MM))
    narrow = PinholeCamera(4000.0, 4000.0, 16.0, 16.0, 32, 32)
    near, far = (
        render(
            medium,
            [Look(surface=1.0)],
            camera=narrow,
            ras_from_camera=translation([11.5, 11.5, 35.5 - distance - OFFSET_MM + 1 / DENSE_MM]),
            surface_offset_mm=OFFSET_MM,
            max_order=1,
        ).mean()
        for distance in (8.0, 32.0)
    )
    assert near / far == pytest.approx(16, rel=1e-3)


def single_scattering(
    x: np.ndarray, y: np.ndarray, light: TipLight, g: float, extinction: float, later: float
) -> np.ndarray:
    """Radiance of once scattered light over its albedo along rays through image positions, for the camera INSIDE."""
    ray = CAMERA.unproject(np.stack([x, y], axis=-1))
    eye = INSIDE[:3, 3]
    leave = np.where(ray > 0, (SIZE - 1 - eye) / ray, -eye / ray).min(axis=-1)
    fraction, weight = np.polynomial.legendre.leggauss(200)
    total = np.zeros(x.shape)
    for f, w in zip(fraction, weight, strict=True):
        t = 0.5 * (1 + f) * leave
        to_light = np.array(light.position_mm) - t[..., None] * ray
        far = np.linalg.norm(to_light, axis=-1)
        cosine = np.sum(ray * to_light, axis=-1) / far
        phase = (1 - g * g) / (4 * np.pi * (1 + g * g - 2 * g * cosine) ** 1.5)
        emitted = np.exp(-light.spread * (1 + to_light @ np.array(light.direction) / far))
        total += 0.5 * w * leave * extinction * np.exp(-extinction * (t + later * far)) * phase * emitted / far**2
    return total


@pytest.mark.parametrize(("g", "later"), [(0.0, 1.0), (0.5, 1.0), (0.5, 0.3)])
def test_once_scattered_light_is_its_integral_along_the_ray(g, later):
    """Gauss–Legendre in float64 along each ray, averaged over 4 × 4 places in a pixel.

    later: the factor of the similarity relation, which holds beyond the first collision.
    """
    extinction, light = 0.08, TipLight((4.0, -2.0, 1.0), spread=1.5, radius_mm=1e-3)
    medium = medium_of(np.full((SIZE,) * 3, TISSUE), constant(extinction))
    options = {"ras_from_camera": INSIDE, "lights": [light], "max_order": 1, "later_extinction": later}
    pictures = replicates(10, medium, [Look(g=g)], samples=64, **options)
    at = (np.arange(32 * 4) + 0.5) / 4
    expected = single_scattering(*np.meshgrid(at, at), light, g, extinction, later)
    assert_mean(pictures, coarse(expected[..., None] * np.array(Look().albedo))[None])


def test_the_error_falls_with_the_root_of_the_samples():
    """Four times the samples halve the RMS difference of two pictures: 15 % are five standard deviations of it."""
    look = [Look(surface=0.5, f0=0.025)]
    medium = noise_medium(0.5)
    spread = []
    for samples in (16, 64, 256):
        one, other = (render(medium, look, ras_from_camera=OUTSIDE, samples=samples, seed=seed) for seed in (1, 2))
        spread.append(np.sqrt(np.mean((one - other) ** 2)))
    assert spread[0] / spread[1] == pytest.approx(2, rel=0.15)
    assert spread[1] / spread[2] == pytest.approx(2, rel=0.15)


LOOKS = [
    Look(g=0.7, later_g=0.3, surface=0.8, f0=0.025, roughness=0.2),
    Look(albedo=(0.99, 0.6, 0.5), g=0.0, surface=0.3, f0=0.03, roughness=0.6, spread=2.0),
    Look(albedo=(0.8, 0.8, 0.9), g=-0.2, brightness=3.0, background=0.01),
]


@pytest.mark.slow
def test_looks_traced_together_are_those_traced_alone():
    medium = noise_medium(0.3)
    together = replicates(10, medium, LOOKS, ras_from_camera=OUTSIDE, samples=48)
    for number, look in enumerate(LOOKS):
        alone = replicates(10, medium, [look], ras_from_camera=OUTSIDE, samples=48, first_seed=100)
        assert_mean(together[:, number : number + 1], alone)


def test_a_seed_decides_every_bit():
    scene = noise_medium(0.3), LOOKS[:2]
    one, again, other = (render(*scene, ras_from_camera=INSIDE, samples=4, seed=seed) for seed in (5, 5, 6))
    assert one.tobytes() == again.tobytes()
    assert np.mean(one == other) < 0.2


CORNER = [(0.6, 0.0, 0.8), (-0.8, 0.36, 0.48), (0.0, -0.6, 0.8)]
"""Normals of three walls about the world's origin."""


def corner_medium(axes: np.ndarray) -> Medium:
    """Three flat walls 8 mm away whose HU rise over 6 mm: linear between voxels but at the edges between walls."""
    grid = box_grid(axes, 16.0)
    height = np.max(positions(grid) @ np.array(CORNER).T, axis=-1)
    hu = np.rint(np.clip(AIR + (TISSUE - AIR) * (height - 8) / 6, AIR, TISSUE)).astype(np.int16)
    return medium_of(Volume(hu, grid.ras_from_ijk), ramp(1.5))


@pytest.fixture(scope="module")
def straight_corner() -> np.ndarray:
    return corner_picture(GRIDS["straight"], 1)


def corner_picture(axes: np.ndarray, seed: int) -> np.ndarray:
    pose = translation([1.0, -2.0, -6.0]) @ rotation([0.0, 0.0, 1.0], 30)
    lights = [TipLight((2.5, 1.0, 0.0)), TipLight((-1.0, 2.0, 0.5), (0.2, 0.0, 1.0))]
    return replicates(
        8,
        corner_medium(axes),
        [Look(surface=0.6, f0=0.025, spread=2.0)],
        ras_from_camera=pose,
        lights=lights,
        samples=32,
        first_seed=seed,
    )


@pytest.mark.parametrize("grid", [name for name in GRIDS if name != "straight"])
def test_the_picture_is_that_of_the_world_on_any_grid(grid, straight_corner):
    """Edges between walls are blunted within a voxel of any size: 1 % of slack."""
    assert straight_corner.mean() > 1e-4
    assert_mean(corner_picture(GRIDS[grid], 100), straight_corner, slack=0.01)


def test_nothing_is_lit_behind_a_wall():
    """Light and camera on two sides of a dense wall, at order 1 and beyond: the camera sees no light."""
    array = np.full((SIZE,) * 3, AIR)
    array[10:14] = TISSUE
    light = [TipLight((0.0, 0.0, 16.0), (0.0, 0.0, -1.0))]
    picture = render(
        medium_of(array, constant(20.0)),
        [Look(surface=1.0)],
        ras_from_camera=INSIDE,
        lights=light,
        surface_offset_mm=0.2,
    )
    assert picture.max() < 1e-6


def test_flights_report_a_bound_that_is_too_low():
    medium = noise_medium(0.5)
    low = replace(medium, cells=medium.cells * 0.5)
    assert render_sums(low, [Look()], ras_from_camera=INSIDE).violations.numpy().sum() > 0
