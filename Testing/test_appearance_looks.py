"""Looks: their presets, their variations, and what they make of light on a backend."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError
from scipy.special import ndtr

from DepthSimLib.appearance.looks import LOOKS, Look, Mucosa, Surface
from DepthSimLib.appearance.mucosa_texture import TEXEL_MM, TEXELS, mucosa_texture
from DepthSimLib.appearance.randomization import randomised
from DepthSimLib.appearance.tissue import (
    WHITE_LIGHT_NM,
    blood_absorption_cm,
    diffuse_reflectance,
    reduced_scattering_cm,
)
from DepthSimLib.appearance.transfer_function import LUMEN
from DepthSimLib.appearance.upload import film_roughness, upload_look
from DepthSimLib.endoscope.lights import LIGHTS, SPREAD
from DepthSimLib.rendering.camera_rays import upload_camera
from DepthSimLib.rendering.look_device import DeviceLook, Place, materials_at, seen_material
from DepthSimLib.rendering.path_tracer import PathSettings, trace
from DepthSimLib.rendering.texture_device import Drawn
from DepthSimLib.rendering.tip_lights import upload_lights
from rendering_scenes import ARRAYS, CAMERA, POINT, medium_of, points

SMOOTH = Look(Mucosa(mottling=0.0, vessels=0.0), Surface(bump=0.0))
"""Without texture."""


def at_texels(columns: np.ndarray, rows: np.ndarray, first: bool = True, lesion: float = 0.0) -> tuple[Place, Drawn]:
    """Places at centres of texels of a plane across z, seen from above, at the middle of an edge."""
    centers = np.stack([(columns + 0.5) * TEXEL_MM, (rows + 0.5) * TEXEL_MM, 0.0 * rows], axis=1)
    flat = Place(
        points(centers),
        points([[0, 0, -1.0]]),
        points([[0, 0, 1.0]]),
        ARRAYS.Float(600.0),
        ARRAYS.UInt32(2000),
        ARRAYS.Bool(first),
        ARRAYS.Float(lesion),
    )
    return flat, Drawn(ARRAYS.Float(0.5), ARRAYS.Float(0.5), ARRAYS.Float(0.5))


def material(look: Look, columns: np.ndarray, rows: np.ndarray, first: bool = True, lesion: float = 0.0):
    uploaded = upload_look(ARRAYS, look, [POINT])
    return materials_at(ARRAYS, [uploaded], *at_texels(columns, rows, first, lesion), ARRAYS.Bool(True))[0]


TEXEL = np.random.default_rng(11).integers(0, TEXELS, (2, 400))


def test_blood_is_where_texture_has_vessels_and_patches():
    """K_d is the diffuse reflectance at the local blood fraction; its table's rows are finer than half a percent."""
    look = Look(Mucosa(blood_fraction=0.03, mottling=0.4, vessels=1.0, vessel_density=1.0))
    columns, rows = TEXEL
    texture = mucosa_texture(0)
    local = 0.03 * np.exp(0.4 * np.clip(texture.mottling, -3, 3)) + 0.2 * texture.vessels
    absorption = local[rows, columns][:, None] * blood_absorption_cm(WHITE_LIGHT_NM, 0.7) + 0.3
    expected = diffuse_reflectance(absorption, reduced_scattering_cm(WHITE_LIGHT_NM))
    found = np.array(material(look, columns, rows).diffuse).T
    # Codes of six bits hold mottling to 0.05 standard deviations, which change blood by 2 % and R_d by at most that.
    np.testing.assert_allclose(found, expected, rtol=0.035)
    assert expected[:, 1].max() > 3 * expected[:, 1].min()


def test_tumour_has_its_own_blood_in_a_pattern_of_pits_without_vessels():
    """K_d at 3 % · 1.6 more by 0.3 in pits and less between them, whatever vessels and patches are there; halfway into
    the tumour the mean of both bloods."""
    look = Look(Mucosa(blood_fraction=0.03, mottling=0.4, vessels=1.0, vessel_density=1.0, lesion_blood=1.6))
    columns, rows = TEXEL
    texture = mucosa_texture(0)
    tumour = 0.03 * 1.6 * np.where(texture.pits, 1.3, 0.7)
    wall = 0.03 * np.exp(0.4 * np.clip(texture.mottling, -3, 3)) + 0.2 * texture.vessels
    scattering = reduced_scattering_cm(WHITE_LIGHT_NM)
    for share in (0.5, 1.0):
        local = ((1.0 - share) * wall + share * tumour)[rows, columns][:, None]
        expected = diffuse_reflectance(local * blood_absorption_cm(WHITE_LIGHT_NM, 0.7) + 0.3, scattering)
        found = np.array(material(look, columns, rows, lesion=share).diffuse).T
        np.testing.assert_allclose(found, expected, rtol=0.035)


def test_relief_tilts_the_normal_by_its_slope():
    columns, rows = TEXEL
    texture, bump = mucosa_texture(0), 0.2
    slopes = np.stack([texture.slope_u, texture.slope_v, -np.ones_like(texture.slope_u) / bump], axis=-1)
    slopes = np.clip(slopes[rows, columns], -1 / bump, 4)
    expected = -slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    normals = np.array(material(replace(SMOOTH, surface=Surface(bump=bump)), columns, rows).normal).T
    # Codes of six bits hold slopes to 0.064 standard deviations, each of 0.2.
    np.testing.assert_allclose(normals, expected, atol=0.015)
    assert np.arccos(normals[:, 2]).std() > 0.05


def test_a_film_covers_the_share_of_the_surface_it_is_to_cover():
    columns, rows = np.meshgrid(np.arange(0, TEXELS, 8), np.arange(0, TEXELS, 8))
    film = Surface(bump=0.0, cover=0.3, cover_opacity=1.0, cover_color=(0.0, 0.0, 1.0))
    blue = np.array(material(replace(SMOOTH, surface=film), columns.ravel(), rows.ravel()).diffuse)[2]
    assert np.mean(blue > blue.min() + 1e-3) == pytest.approx(0.3, abs=0.02)


def test_later_scattering_has_the_reduced_albedo():
    """μ_s′ / (μ_a + μ_s′): 0.914, 0.525 and 0.449 at 3 % blood."""
    columns, rows = TEXEL[:, :1]
    expected = reduced_scattering_cm(WHITE_LIGHT_NM)
    expected = expected / (expected + 0.03 * blood_absorption_cm(WHITE_LIGHT_NM, 0.7) + 0.3)
    assert expected[0] == pytest.approx(0.914, abs=5e-4)
    found = np.array(material(SMOOTH, columns, rows, first=False).albedo).ravel()
    np.testing.assert_allclose(found, expected, rtol=5e-3)
    first = np.array(material(SMOOTH, columns, rows).albedo).ravel()
    np.testing.assert_allclose(first, (0.9907, 0.9169, 0.8909), atol=1e-3)


def blurred_wall() -> np.ndarray:
    """HU of a plane wall across z at 16 mm."""
    profile = -980.0 + 1020.0 * ndtr((np.arange(24.0) - 16.0) / 0.6)
    return np.broadcast_to(np.rint(profile)[:, None, None], (24, 32, 32))


def pictures(looks: list[DeviceLook], seed: int = 1) -> list[np.ndarray]:
    medium = medium_of(blurred_wall(), LUMEN.extinction_mm())
    ras_from_camera = np.eye(4)
    ras_from_camera[:3, 3] = 16.0, 16.0, 4.0
    grid = medium.device_grid.grid
    lights = upload_lights(ARRAYS, [POINT], grid.grid_from_ras @ ras_from_camera)
    camera = upload_camera(ARRAYS, CAMERA, ras_from_camera, grid)
    traced = trace(medium, looks, lights, camera, PathSettings(16, 8, 0.11, 1.0), seed)
    assert not np.any(traced.violations.numpy())
    return [np.array(look).T for look in traced.looks]


def test_a_look_without_texture_is_plain_mucosa():
    """The same paths as with tables over HU that hold the published coefficients at 3 % blood."""
    physical = upload_look(ARRAYS, SMOOTH, [POINT])

    def everywhere(rgb: tuple[float, ...]) -> tuple:
        return tuple(ARRAYS.Float(np.full(4096, value, np.float32)) for value in rgb)

    plain = replace(
        physical, skin=None, diffuse=everywhere((0.309, 0.080, 0.062)), albedo=everywhere((0.9907, 0.917, 0.891))
    )
    one, other = (pictures([look])[0].mean(0) for look in (physical, plain))
    np.testing.assert_allclose(one, other, rtol=0.01)
    assert np.all(one > 0)


def test_looks_that_are_traced_together_are_those_traced_alone():
    looks = [upload_look(ARRAYS, LOOKS[name], [POINT]) for name in ("normal", "ct")]
    together = [picture.mean(0) for picture in pictures(looks, seed=5)]
    alone = [pictures([look], seed=6)[0].mean(0) for look in looks]
    # 16,384 paths each; the spread of the mean over seeds is below 1 %.
    np.testing.assert_allclose(together, alone, rtol=0.05)


def test_relief_reflects_the_sky_the_same_however_directions_are_drawn():
    """A bright sky seen in a wall with strong relief: alone, and with directions half drawn for a smooth wall."""
    relief, smooth = (
        replace(
            upload_look(ARRAYS, replace(SMOOTH, surface=Surface(bump=bump, gradient_factor=2.0)), [POINT]),
            background=ARRAYS.Array3f(1.0),
        )
        for bump in (0.6, 0.0)
    )
    alone, together = pictures([relief])[0].mean(0), pictures([relief, smooth], seed=2)[0].mean(0)
    # 16,384 paths each; the spread over seeds is below 0.5 %.
    np.testing.assert_allclose(together, alone, rtol=0.02)
    assert np.all(alone > 0.03)


def test_a_pixel_sees_the_mean_of_what_paths_meet():
    """The denoiser's guide is what paths scatter the pixel's diffuse light with, on average."""
    look = upload_look(ARRAYS, LOOKS["inflamed"], [POINT])
    medium = medium_of(blurred_wall(), LUMEN.extinction_mm())
    rng = np.random.default_rng(13)
    square = rng.uniform(-0.3, 0.3, (20_000, 3)) * (1, 1, 0) + (14.2, 17.3, 15.9)
    numbers = (ARRAYS.Float(rng.random(len(square), np.float32)) for _ in range(3))
    down, up, yes = points([[0, 0, 1.0]]), points([[0, 0, -1.0]]), ARRAYS.Bool(True)
    seen = seen_material(medium, look, points([[14.2, 17.3, 15.9]]), down, up, ARRAYS.Float(0.6), yes)
    place = Place(points(square), down, up, ARRAYS.Float(0), ARRAYS.UInt32(0), yes, ARRAYS.Float(0))
    met = materials_at(ARRAYS, [look], place, Drawn(*numbers), yes)[0]
    # Nine taps of an area of 56 texels, and R_d of the mean blood instead of the mean R_d.
    np.testing.assert_allclose(np.array(seen.diffuse).ravel(), np.array(met.diffuse).mean(1), rtol=0.1)


def test_a_dry_surface_is_matte_and_a_wet_one_is_not():
    assert film_roughness(Surface(roughness=0.05, wetness=1.0)) == pytest.approx(0.05)
    assert film_roughness(Surface(roughness=0.05, wetness=0.0)) == pytest.approx(0.6)


def test_there_are_presets_and_recipes_can_hold_them():
    class Section(BaseModel):
        looks: dict[str, Look]

    assert len(LOOKS) >= 8
    written = Section(looks=LOOKS).model_dump(mode="json")
    assert Section.model_validate(written).looks == LOOKS


@pytest.mark.parametrize(
    "wrong",
    [
        {"g": 1.0},
        {"pattern": 99},
        {"tissue": {"blood": 0.1}},
        {"tissue": {"blood_fraction": 0.0}},
        {"tissue": {"light": "blue"}},
        {"surface": {"roughness": 0.0}},
        {"illumination": {"balance": (1.0, 1.0, -1.0, 1.0)}},
    ],
)
def test_impossible_looks_are_refused(wrong):
    class Section(BaseModel):
        look: Look

    with pytest.raises(ValidationError):
        Section.model_validate({"look": wrong})


APPENDIX_D = {
    # research/endoscopy.md, appendix D
    "tissue": {"blood_fraction": (0.01, 0.08), "oxygenation": (0.5, 0.9), "base_absorption_cm": (0.1, 0.6)},
    "surface": {"f0": (0.02, 0.035), "roughness": (0.05, 0.4), "gradient_factor": (0.3, 0.9), "exponent": (0.5, 2.0)},
}


@pytest.mark.parametrize("name", LOOKS)
def test_variations_stay_within_what_is_found_in_patients(name):
    for index in range(60):
        varied = randomised(LOOKS[name], 3, index)
        for section, ranges in APPENDIX_D.items():
            part = getattr(varied, section)
            for field, (low, high) in ranges.items():
                if hasattr(part, field):
                    assert low <= getattr(part, field) <= high
        assert 0.8 <= varied.g <= 0.95
        assert 1.0 <= varied.illumination.spread_factor * SPREAD <= 5.0
        assert all(0.85 <= factor <= 1.15 for factor in varied.illumination.balance)


def test_variations_follow_from_seed_and_index_and_share_their_place():
    assert randomised(LOOKS["wet"], 1, 2) == randomised(LOOKS["wet"], 1, 2)
    drawn = {randomised(LOOKS["wet"], 1, index) for index in range(20)}
    assert len(drawn) == 20
    one, other = (randomised(LOOKS[name], 1, 2) for name in ("wet", "pale"))
    assert (one.pattern, one.pattern_offset_mm) == (other.pattern, other.pattern_offset_mm)
    assert one.tissue.blood_fraction > other.tissue.blood_fraction


def test_every_preset_can_be_lit_by_every_set_of_lights():
    for lights in LIGHTS.values():
        for look in LOOKS.values():
            assert len(upload_look(ARRAYS, look, lights).intensities) == len(lights)
