"""The optics of mucosa against published numbers and the integral of their theory."""

import numpy as np
import pytest
from scipy.integrate import quad

from DepthSimLib.appearance.tissue import (
    NARROW_BAND_NM,
    WHITE_LIGHT_NM,
    blood_absorption_cm,
    diffuse_reflectance,
    normal_reflectance,
    reduced_scattering_cm,
    single_scattering_albedo,
)

TABLE = {
    # blood fraction: μ_a, albedo at g = 0.9, R_d at 620, 550 and 450 nm; research/endoscopy.md, section 4
    0.02: ((0.58, 5.24, 8.33), (0.9925, 0.942, 0.924), (0.338, 0.107, 0.086)),
    0.03: ((0.72, 7.71, 12.3), (0.9907, 0.917, 0.891), (0.309, 0.080, 0.062)),
    0.06: ((1.14, 15.1, 24.4), (0.985, 0.849, 0.805), (0.251, 0.045, 0.034)),
}


@pytest.mark.parametrize("fraction", TABLE)
def test_mucosa_has_the_coefficients_that_were_computed_elsewhere(fraction):
    absorption, albedo, reflectance = TABLE[fraction]
    ours = fraction * blood_absorption_cm(WHITE_LIGHT_NM, 0.7) + 0.3
    scattering = reduced_scattering_cm(WHITE_LIGHT_NM)
    np.testing.assert_allclose(scattering, (7.69, 8.51, 10.1), atol=0.05)
    # The table has three digits.
    np.testing.assert_allclose(ours, absorption, rtol=0.005)
    np.testing.assert_allclose(single_scattering_albedo(ours, scattering, 0.9), albedo, atol=5.1e-4)
    np.testing.assert_allclose(diffuse_reflectance(ours, scattering), reflectance, atol=5.1e-4)


def test_scattering_passes_through_what_was_measured_on_human_colon():
    np.testing.assert_allclose(reduced_scattering_cm((300.0, 800.0)), (14.2, 6.2), rtol=0.01)


@pytest.mark.parametrize(("absorption", "scattering"), [(0.5, 8.0), (5.0, 8.5), (12.0, 10.0)])
def test_diffuse_reflectance_is_the_integral_of_the_radial_profile(absorption, scattering):
    """Farrell, Patterson and Wilson 1992, eq. 14: a source at z₀ and its image about an extrapolated boundary."""
    n = 1.38
    internal = -1.440 / n**2 + 0.710 / n + 0.668 + 0.0636 * n
    total = absorption + scattering
    effective, depth = np.sqrt(3.0 * absorption * total), 1.0 / total
    image = depth * (1.0 + 4.0 / 3.0 * (1.0 + internal) / (1.0 - internal))

    def reflected(radius: float) -> float:
        terms = ((z, np.hypot(radius, z)) for z in (depth, image))
        profile = sum(z * (effective + 1.0 / far) * np.exp(-effective * far) / far**2 for z, far in terms)
        return scattering / total / (4.0 * np.pi) * profile * 2.0 * np.pi * radius

    expected, _ = quad(reflected, 0.0, np.inf)
    assert diffuse_reflectance(np.array(absorption), np.array(scattering)) == pytest.approx(expected, rel=1e-6)


def test_tissue_that_absorbs_nothing_gives_back_all_light():
    assert diffuse_reflectance(np.array(0.0), np.array(8.0)) == pytest.approx(1.0)


def test_oxygenated_blood_is_brighter_in_red_and_crosses_over_in_green():
    red, green, _ = blood_absorption_cm(WHITE_LIGHT_NM, 1.0) / blood_absorption_cm(WHITE_LIGHT_NM, 0.0)
    assert red < 0.2  # arterial blood is bright red, venous blood dark
    assert 0.5 < green < 1.5  # near an isosbestic point


def test_narrow_bands_lie_where_blood_absorbs_most():
    assert np.all(blood_absorption_cm(NARROW_BAND_NM, 0.7) > blood_absorption_cm(WHITE_LIGHT_NM, 0.7))


def test_a_film_of_water_reflects_two_percent():
    assert normal_reflectance(1.33) == pytest.approx(0.0201, abs=5e-5)
