"""The tile of mucosa: its vessels, its seams, and how rays read it."""

import drjit as dr
import numpy as np
import pytest
from scipy import ndimage

from DepthSimLib.appearance.mucosa_texture import TEXEL_MM, TEXELS, MucosaTexture, mucosa_texture
from DepthSimLib.appearance.vessels import GREATEST_RADIUS_MM, LEAST_RADIUS_MM, grow_vessels
from DepthSimLib.rendering.texture_device import Averaged, Drawn, upload_texture
from rendering_scenes import ARRAYS, points

SIZE_MM = TEXELS * TEXEL_MM


@pytest.fixture(scope="module")
def texture() -> MucosaTexture:
    return mucosa_texture(1)


def test_vessels_divide_by_murrays_law():
    vessels = grow_vessels(40.0, np.random.default_rng(3))
    assert vessels.radii_mm.min() >= LEAST_RADIUS_MM * (1 - 1e-12)  # some are cube roots of cubes
    assert vessels.radii_mm.max() <= GREATEST_RADIUS_MM
    distal = {tuple(key): number for number, key in enumerate(keys(vessels.points_mm))}
    fed = np.zeros(len(distal))
    for key, radius in zip(keys(vessels.points_mm + vessels.offsets_mm), vessels.radii_mm, strict=True):
        if tuple(key) in distal:
            fed[distal[tuple(key)]] += radius**3
    divided = fed > 0
    assert divided.sum() > 1000
    assert (~divided).sum() > 300
    np.testing.assert_allclose(np.cbrt(fed[divided]), vessels.radii_mm[divided], rtol=1e-6)
    np.testing.assert_allclose(vessels.radii_mm[~divided], LEAST_RADIUS_MM)


def keys(places_mm: np.ndarray) -> np.ndarray:
    """Places on the torus of 40 mm, rounded to a nanometre."""
    return np.rint(places_mm % 40.0 * 1e6).astype(np.int64) % round(40.0 * 1e6)


def test_every_place_has_a_vessel_near():
    """Space colonisation ends when each point of the finest spacing, 0.8 mm, is served from 0.48 mm."""
    vessels = grow_vessels(40.0, np.random.default_rng(3))
    occupied = np.zeros((200, 200), bool)
    occupied[tuple((vessels.points_mm / 0.2).astype(int).T % 200)] = True
    away = ndimage.distance_transform_edt(~np.pad(occupied, 50, mode="wrap"))[50:-50, 50:-50] * 0.2
    assert np.percentile(away, 99) < 2.0


def test_a_tile_follows_from_its_seed(texture):
    mucosa_texture.cache_clear()
    np.testing.assert_array_equal(texture.words, mucosa_texture(1).words)
    assert np.mean(texture.words != mucosa_texture(0).words) > 0.9


@pytest.mark.parametrize("name", ["vessels", "pits", "mottling", "cover", "slope_u", "slope_v"])
def test_a_tile_repeats_without_a_seam(texture, name):
    """Steps across the border are those of rows and columns elsewhere: within their spread over the tile."""
    values = getattr(texture, name)
    for axis in (0, 1):
        steps = np.abs(values - np.roll(values, 1, axis)).mean(1 - axis)
        assert steps[0] < steps[1:].mean() + 5 * steps[1:].std()


def test_maps_have_the_statistics_that_looks_count_on(texture):
    assert texture.vessels.min() >= 0
    assert texture.vessels.max() == 1
    assert texture.pits.mean() == pytest.approx(0.5, abs=0.03)
    assert texture.mottling.mean() == pytest.approx(0.0, abs=1e-3)
    assert texture.mottling.std() == pytest.approx(1.0, abs=1e-3)
    for share in (0.1, 0.5, 0.9):
        assert np.mean(texture.cover < share) == pytest.approx(share, abs=1e-3)
    assert np.mean(texture.slope_u**2 + texture.slope_v**2) == pytest.approx(1.0, abs=1e-3)


def test_slopes_belong_to_one_relief(texture):
    """A gradient has no curl: ∂slope_u/∂v = ∂slope_v/∂u, by the differences that made them."""
    across = np.roll(texture.slope_u, -1, 0) - np.roll(texture.slope_u, 1, 0)
    along = np.roll(texture.slope_v, -1, 1) - np.roll(texture.slope_v, 1, 1)
    np.testing.assert_allclose(across, along, atol=1e-5)
    assert across.std() > 0.05


def decoded(texture: MucosaTexture) -> dict[str, np.ndarray]:
    """The maps as their description says that words hold them."""
    layout = {"vessels": (0, 7, 0, 1), "pits": (7, 1, 0, 1), "mottling": (8, 6, -3, 3), "cover": (14, 6, 0, 1)}
    layout |= {"slope_u": (20, 6, -4, 4), "slope_v": (26, 6, -4, 4)}
    return {
        name: low + (texture.words >> shift & (2**bits - 1)) / (2**bits - 1) * (high - low)
        for name, (shift, bits, low, high) in layout.items()
    }


RANGES = {"vessels": (0, 1, 7), "pits": (0, 1, 1), "cover": (0, 1, 6), "mottling": (-3, 3, 6)}


def test_words_hold_the_maps_to_half_a_step(texture):
    for name, values in decoded(texture).items():
        low, high, bits = RANGES.get(name, (-4, 4, 6))
        clipped = np.clip(getattr(texture, name), low, high)
        np.testing.assert_allclose(values, clipped, atol=0.501 * (high - low) / (2**bits - 1))


AXES = {0: (1, 2), 1: (2, 0), 2: (0, 1)}
"""Which coordinates the columns and rows of the tile run along, when it is projected along an axis."""


@pytest.mark.parametrize("axis", AXES)
def test_paths_read_the_bilinear_mean_of_texels(texture, axis):
    rng = np.random.default_rng([7, axis])
    draws, offset = 4096, (1.3, -2.2, 0.4)
    places = rng.uniform(-2 * SIZE_MM, 2 * SIZE_MM, (40, 3))
    normal = np.zeros(3)
    normal[axis] = -1.0
    uploaded = upload_texture(ARRAYS, texture, offset, 0)
    numbers = (ARRAYS.Float(rng.random(40 * draws, np.float32)) for _ in range(3))
    at = points(np.repeat(places, draws, axis=0))
    grain = Drawn(*numbers).look_up(uploaded, at, points(normal[None]), ARRAYS.Bool(True))
    u, v = ((places + offset)[:, part] / TEXEL_MM - 0.5 for part in AXES[axis])
    maps = decoded(texture)
    read = {name: getattr(grain, name) for name in ("vessels", "pits", "mottling", "cover")}
    read |= {name: grain.slope[part] for name, part in zip(("slope_u", "slope_v"), AXES[axis], strict=True)}
    for name, values in read.items():
        expected = ndimage.map_coordinates(maps[name], [v, u], order=1, mode="grid-wrap")
        samples = np.array(values).reshape(40, draws)
        # Five standard errors, and places rounded to single precision.
        np.testing.assert_array_less(np.abs(samples.mean(1) - expected), 5 * samples.std(1) / draws**0.5 + 2e-3)
    assert not np.array(grain.slope[axis]).any()


def test_pixels_see_the_mean_over_their_width(texture):
    """Three texels wide: the box filter of three texels, at the centres of texels."""
    columns, rows = np.random.default_rng(5).integers(0, TEXELS, (2, 200))
    places = np.stack([(columns + 0.5) * TEXEL_MM, (rows + 0.5) * TEXEL_MM, np.zeros(200)], axis=1)
    averaged = Averaged(ARRAYS.Float(3 * TEXEL_MM))
    uploaded = upload_texture(ARRAYS, texture, (0, 0, 0), 0)
    grain = averaged.look_up(uploaded, points(places), points([[0, 0, 1]]), ARRAYS.Bool(True))
    for name, values in (("vessels", grain.vessels), ("pits", grain.pits), ("slope_u", grain.slope.x)):
        expected = ndimage.uniform_filter(decoded(texture)[name], 3, mode="wrap")[rows, columns]
        np.testing.assert_allclose(np.array(values), expected, atol=1e-5)


def test_projections_are_mixed_by_the_normal(texture):
    """Along a diagonal of two axes each projection is read half of the time, the third never."""
    count = 20_000
    rng = np.random.default_rng(9)
    uploaded = upload_texture(ARRAYS, texture, (0, 0, 0), 0)
    normal = points([[0.5**0.5, 0.0, 0.5**0.5]])
    numbers = [ARRAYS.Float(rng.random(count, np.float32)) for _ in range(3)]
    place = points([[3.0, 11.0, 29.0]])
    slope = Drawn(*numbers).look_up(uploaded, place, normal, ARRAYS.Bool(True)).slope
    dr.eval(slope)
    x, z = (np.broadcast_to(np.array(part), count) for part in (slope.x, slope.z))
    assert np.mean(x == 0) == pytest.approx(0.5, abs=0.02)
    assert np.mean(z == 0) == pytest.approx(0.5, abs=0.02)
