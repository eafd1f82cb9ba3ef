"""The phase function and the surface's reflection as densities: normalised, sampled as stated, reciprocal, passive."""

import numpy as np
import pytest
from scipy import stats

from DepthSimLib.rendering import surface_brdf
from DepthSimLib.rendering.phase import henyey_greenstein, sample_henyey_greenstein
from rendering_scenes import ARRAYS, number, points
from Sim2RealLib.random_streams import random_streams

COUNT = 200_000
NORMAL = np.array([0.48, -0.6, 0.64])
"""A surface's, away from any axis."""
ASYMMETRIES = [-0.6, 0.0, 5e-4, 2e-3, 0.5, 0.95]


def spread(vector: np.ndarray):
    return points(np.tile(vector, (COUNT, 1)))


def uniforms(count: int, seed: int = 1) -> list:
    streams = random_streams(ARRAYS, COUNT, seed)
    return [streams.next_float32() for _ in range(count)]


@pytest.mark.parametrize("g", ASYMMETRIES)
def test_henyey_greenstein_is_normalised_and_its_mean_cosine_is_g(g):
    """The mean of COUNT sampled cosines, of a variance of at most 1/3, within 4.5 standard errors."""
    travel = np.array([0.36, 0.48, -0.8])

    cosines, weights = np.polynomial.legendre.leggauss(160)
    values = henyey_greenstein(ARRAYS.Float(cosines.astype(np.float32)), number(g)).numpy().astype(float)
    assert 2 * np.pi * weights @ values == pytest.approx(1, abs=2e-5)
    assert 2 * np.pi * weights @ (values * cosines) == pytest.approx(g, abs=2e-5)

    drawn = sample_henyey_greenstein(ARRAYS, spread(travel), number(g), *uniforms(2)).numpy()
    assert np.abs(np.linalg.norm(drawn, axis=0) - 1).max() < 1e-5
    cosine = travel @ drawn
    assert cosine.mean() == pytest.approx(g, abs=4.5 * (cosine.var() / COUNT) ** 0.5)
    # azimuths are even: the part across the travel has no mean
    across = drawn - np.outer(travel, cosine)
    assert np.abs(across.mean(axis=1)).max() < 4.5 / COUNT**0.5

    def below(cosine: np.ndarray) -> np.ndarray:
        """The distribution function of the density, in closed form."""
        if g == 0:
            return (1 + cosine) / 2
        return (1 - g * g) / (2 * g) * (1 / np.sqrt(1 + g * g - 2 * g * cosine) - 1 / (1 + g))

    assert stats.kstest(cosine, below).pvalue > 1e-4


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0, -1, 0), (0.6, 0, -0.8), (1e-4, 0, -1)])
def test_directions_may_be_drawn_about_any_axis(axis):
    travel = np.array(axis, float) / np.linalg.norm(axis)
    drawn = sample_henyey_greenstein(ARRAYS, spread(travel), number(0.7), *uniforms(2)).numpy()
    assert (travel @ drawn).mean() == pytest.approx(0.7, abs=4.5 * (1 / 3 / COUNT) ** 0.5)
    assert np.abs(np.linalg.norm(drawn, axis=0) - 1).max() < 1e-5


def hemisphere(steps: int = 700) -> tuple[np.ndarray, float]:
    """Directions about NORMAL that stand for equal solid angles, and that angle: a midpoint grid over cosine, turn."""
    cosine = (np.arange(steps) + 0.5) / steps
    turn = (np.arange(steps) + 0.5) / steps * 2 * np.pi
    cosine, turn = (grid.ravel() for grid in np.meshgrid(cosine, turn, indexing="ij"))
    sine = np.sqrt(1 - cosine**2)
    first = np.cross(NORMAL, [1.0, 0, 0])
    first /= np.linalg.norm(first)
    second = np.cross(NORMAL, first)
    across = np.outer(sine * np.cos(turn), first) + np.outer(sine * np.sin(turn), second)
    return across + np.outer(cosine, NORMAL), 2 * np.pi / steps**2


def outgoing_at(cosine: float) -> np.ndarray:
    across = np.cross(NORMAL, [0, 1.0, 0])
    return cosine * NORMAL + (1 - cosine**2) ** 0.5 * across / np.linalg.norm(across)


def reflected(diffuse, f0, roughness, incoming, outgoing) -> np.ndarray:
    normal, incoming, outgoing = (points(np.atleast_2d(v)) for v in (NORMAL, incoming, outgoing))
    color = ARRAYS.Array3f(diffuse, diffuse, diffuse)
    return surface_brdf.reflected(color, number(f0), number(roughness), normal, incoming, outgoing).numpy()[0]


@pytest.mark.parametrize("roughness", [0.15, 0.4, 1.0])
@pytest.mark.parametrize("cosine", [1.0, 0.6, 0.3])
def test_directions_are_drawn_with_the_stated_density(roughness, cosine):
    """The density integrates to 1 over the sphere, and sampled cosines to the normal and to the outgoing direction are
    distributed by it: 20 bins each, every one within 4.5 standard errors and 1e-3 for the grid that integrates it."""
    outgoing = outgoing_at(cosine)
    upper, solid_angle = hemisphere()
    directions = np.concatenate([upper, -upper])
    densities = surface_brdf.density(
        number(roughness), points(NORMAL[None]), points(directions), points(outgoing[None])
    )
    mass = densities.numpy().astype(float) * solid_angle
    assert mass.sum() == pytest.approx(1, abs=2e-3)

    drawn = surface_brdf.draw(ARRAYS, number(roughness), spread(NORMAL), spread(outgoing), *uniforms(3)).numpy()
    assert np.abs(np.linalg.norm(drawn, axis=0) - 1).max() < 1e-4
    for axis in (NORMAL, outgoing, outgoing_at(-cosine)):
        bins = np.linspace(-1.0001, 1.0001, 21)
        expected, _ = np.histogram(directions @ axis, bins, weights=mass)
        found = np.histogram(axis @ drawn, bins)[0] / COUNT
        assert np.all(np.abs(found - expected) < 4.5 * np.sqrt(np.maximum(expected, 1e-5) / COUNT) + 1e-3)


def test_reflection_is_reciprocal():
    """f · cosθᵢ over cosθᵢ, both ways round; float32."""
    rng = np.random.default_rng(9)
    upper, _ = hemisphere(60)
    one, other = upper[rng.integers(len(upper), size=(2, 2000))]
    steep = np.minimum(one @ NORMAL, other @ NORMAL) > 0.05
    one, other = one[steep], other[steep]
    there = reflected(0.6, 0.025, 0.3, one, other) / (one @ NORMAL)
    back = reflected(0.6, 0.025, 0.3, other, one) / (other @ NORMAL)
    assert np.all(there > 0)
    assert np.allclose(there, back, rtol=1e-4)


@pytest.mark.parametrize("roughness", [0.1, 0.3, 0.8])
@pytest.mark.parametrize("cosine", [1.0, 0.8, 0.6, 0.4, 0.2, 0.05])
def test_no_more_light_leaves_than_came(roughness, cosine):
    """A white surface under a film: what it reflects of light from everywhere. Fresnel's term of a rough film exceeds
    the smooth one's, by which the diffuse part is dimmed, a little at middle angles: 0.3 %."""
    upper, solid_angle = hemisphere()
    outgoing = outgoing_at(cosine)
    assert reflected(1.0, 0.025, roughness, upper, outgoing).sum() * solid_angle < 1.003
    assert reflected(0.7, 0.0, roughness, upper, outgoing).sum() * solid_angle == pytest.approx(0.7, abs=1e-4)


def test_a_film_reflects_f0_seen_from_above():
    """A nearly smooth film (α = 0.05) mirrors F0 at normal incidence, otherwise Fresnel's equations within 1.5 %."""
    upper, solid_angle = hemisphere(1500)
    n = 1.38
    for cosine in (1.0, 0.7, 0.4):
        refracted = (1 - (1 - cosine**2) / n**2) ** 0.5
        perpendicular = (cosine - n * refracted) / (cosine + n * refracted)
        parallel = (refracted - n * cosine) / (refracted + n * cosine)
        expected = (perpendicular**2 + parallel**2) / 2
        found = reflected(0.0, ((n - 1) / (n + 1)) ** 2, 0.05, upper, outgoing_at(cosine)).sum() * solid_angle
        assert found == pytest.approx(expected, abs=0.015)


def test_nothing_is_reflected_through_the_surface():
    upper, _ = hemisphere(40)
    assert np.all(reflected(0.6, 0.025, 0.3, -upper, outgoing_at(0.5)) == 0)
    assert np.all(reflected(0.6, 0.025, 0.3, upper, outgoing_at(-0.5)) == 0)


def test_a_rougher_film_has_a_wider_highlight():
    upper, _ = hemisphere(200)
    mirrored = 2 * (outgoing_at(0.7) @ NORMAL) * NORMAL - outgoing_at(0.7)
    widths = []
    for roughness in (0.1, 0.2, 0.4):
        light = reflected(0.0, 0.025, roughness, upper, outgoing_at(0.7))
        widths.append((light * np.arccos(np.clip(upper @ mirrored, -1, 1))).sum() / light.sum())
    assert widths[0] < widths[1] < widths[2]
