"""Tip lights against closed forms, and the endoscopes' fields of view against their publications."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from DepthSimLib.endoscope.lights import LIGHTS, TipLight, TipLights, disk_axes, irradiance
from DepthSimLib.endoscope.presets import ENDOSCOPES, Endoscope

FACING = np.array([0.0, 0.0, -1.0])


def lit(light: TipLight, point: tuple, normal: np.ndarray = FACING, samples: int = 256) -> float:
    return float(irradiance(np.array(point), np.array(normal), (light,), samples))


def test_far_away_light_falls_off_with_the_square_of_the_distance():
    light = TipLight((0.0, 0.0, 0.0), radius_mm=0.5, spread=2.0)
    near, far = lit(light, (0.0, 0.0, 50.0)), lit(light, (0.0, 0.0, 100.0))
    assert near / far == pytest.approx(4.0, rel=1e-3)  # the disk's size changes it by (R/r)² = 1e-4
    assert far == pytest.approx(1.0 / 100.0**2, rel=1e-3)


@pytest.mark.parametrize("distance", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_on_the_axis_of_a_disk_irradiance_has_a_closed_form_that_stays_bounded(distance):
    """∫ h / (r² + h²)^{3/2} 2 r dr / R² = 2/R² (1 − h / √(h² + R²)) for a disk that shines alike in all directions."""
    radius = 0.75
    light = TipLight((1.0, -2.0, 0.5), radius_mm=radius, spread=0.0)
    expected = 2.0 / radius**2 * (1.0 - distance / np.hypot(distance, radius))
    # Below a tenth of the radius the samples themselves are seen.
    assert lit(light, (1.0, -2.0, 0.5 + distance), samples=20_000) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("angle_deg", [0.0, 30.0, 60.0, 90.0])
def test_the_spot_profile_and_the_cosine_of_incidence(angle_deg):
    mu, distance, angle = 2.767, 40.0, np.deg2rad(angle_deg)
    light = TipLight((0.0, 0.0, 0.0), spread=mu, intensity=3.0, radius_mm=0.01)
    to_point = np.array([np.sin(angle), 0.0, np.cos(angle)])
    for incidence_deg in (0.0, 50.0):
        incidence = np.deg2rad(incidence_deg)
        side = np.array([np.cos(angle), 0.0, -np.sin(angle)])
        normal = -np.cos(incidence) * to_point + np.sin(incidence) * side
        expected = 3.0 * np.exp(-mu * (1.0 - np.cos(angle))) * np.cos(incidence) / distance**2
        assert lit(light, distance * to_point, normal) == pytest.approx(expected, rel=1e-3)
    assert lit(light, distance * to_point, to_point) == 0.0  # a surface that faces away


def test_lights_add_up_and_shapes_broadcast():
    points = np.random.default_rng(0).uniform([-10, -10, 5], [10, 10, 30], (4, 5, 3))
    lights = LIGHTS["olympus_3"]
    total = irradiance(points, FACING, lights)
    assert total.shape == (4, 5)
    assert total == pytest.approx(sum(irradiance(points, FACING, (light,)) for light in lights))


def test_a_tilted_light_is_an_upright_one_in_turned_coordinates():
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    upright = TipLight((0.3, 0.2, 0.1))
    turned = TipLight(tuple(turn @ upright.position_mm), tuple(turn @ upright.direction))
    point, normal = np.array([2.0, 1.0, 6.0]), np.array([0.6, 0.0, -0.8])
    assert lit(turned, turn @ point, turn @ normal, 4096) == pytest.approx(lit(upright, point, normal, 4096), rel=1e-3)
    first, second = disk_axes(turned)
    axes = np.stack([first, second, turned.direction])
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-12)


def test_the_olympus_lights_are_where_endomapper_found_them():
    positions = np.array([light.position_mm for light in LIGHTS["olympus_3"]])
    assert np.linalg.norm(positions, axis=1) == pytest.approx([3.28, 3.84, 3.39], abs=0.01)
    assert np.rad2deg(np.arctan2(positions[:, 1], positions[:, 0])) == pytest.approx([10, 136, -112], abs=0.6)


def test_directions_are_normalised_and_impossible_lights_refused():
    assert TipLight((0, 0, 0), (0.0, 3.0, 4.0)).direction == pytest.approx((0.0, 0.6, 0.8))
    for wrong in ({"direction": (0, 0, 0)}, {"radius_mm": 0.0}, {"intensity": -1.0}, {"spread": -0.1}):
        with pytest.raises(ValidationError):
            TipLight((0, 0, 0), **wrong)
    for count, allowed in ((0, False), (1, True), (4, True), (5, False)):
        lights = [TipLight((0, 0, 0))] * count
        if allowed:
            assert len(TypeAdapter(TipLights).validate_python(lights)) == count
        else:
            with pytest.raises(ValidationError):
                TypeAdapter(TipLights).validate_python(lights)


def half_angles(endoscope: Endoscope) -> list[float]:
    """Angles in degrees from the axis to the left, right, upper and lower edge of the image."""
    camera = endoscope.camera
    edges = [[0, camera.cy_px], [camera.width_px, camera.cy_px], [camera.cx_px, 0], [camera.cx_px, camera.height_px]]
    return np.rad2deg(np.arccos(camera.unproject(np.array(edges, float))[:, 2])).tolist()


def test_presets_have_the_fields_of_view_of_their_publications():
    # EndoMapper's four edges; half a pixel is 0.4° at the left one, where the polynomial is nearly flat.
    assert half_angles(ENDOSCOPES["olympus_cf_h190l"]) == pytest.approx([81.6, 72.2, 49.2, 46.4], abs=0.45)
    fields = {
        "olympus_cf_hq190l": (126.0, 91.0),
        "olympus_cf_hq190l_c3vdv3": (123.0, 91.0),
        "endomapper_simulation": (91.0, 75.0),
        "simcol3d": (92.4, 90.0),
        "industrial": (120.0, None),
        "pinhole": (90.0, 90.0),
    }
    for name, (horizontal, vertical) in fields.items():
        left, right, up, down = half_angles(ENDOSCOPES[name])
        assert left + right == pytest.approx(horizontal, abs=0.6), name
        assert vertical is None or up + down == pytest.approx(vertical, abs=0.6), name


@pytest.mark.parametrize("name", ENDOSCOPES)
def test_a_preset_shows_a_scene_survives_a_recipe_and_can_be_taken_smaller(name):
    endoscope = ENDOSCOPES[name]
    adapter = TypeAdapter(Endoscope)
    assert adapter.validate_json(adapter.dump_json(endoscope)) == endoscope
    small = endoscope.scaled(0.25)
    rays, small_rays = endoscope.rays(), small.rays()
    assert rays.shape == (endoscope.camera.height_px, endoscope.camera.width_px, 3)
    shown, small_shown = np.isfinite(rays).all(axis=-1), np.isfinite(small_rays).all(axis=-1)
    assert 0.7 < shown.mean() <= 1.0
    assert small_shown.mean() == pytest.approx(shown.mean(), abs=0.02)
    if endoscope.mask is not None:
        assert not shown[0, 0] and shown[shown.shape[0] // 2, shown.shape[1] // 2]
