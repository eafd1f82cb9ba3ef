"""Attenuation against NIST's tables, materials against arithmetic, density against its published pieces."""

import numpy as np
import pytest

from DRRSimLib.physics.density import density_from_hu
from DRRSimLib.physics.materials import (
    absorption_edges_kev,
    element_attenuation_cm2_g,
    mass_attenuation_cm2_g,
    material,
    material_names,
)
from Sim2RealLib.errors import Sim2RealError

# Hubbell and Seltzer 1995, NIST SRD 126, μ/ρ in cm²/g.
NIST_KEV = [20.0, 30.0, 40.0, 60.0, 80.0, 100.0]
NIST = {
    "water": [0.8096, 0.3756, 0.2683, 0.2058, 0.1836, 0.1707],
    "soft_tissue": [0.8230, 0.3790, 0.2688, 0.2048, 0.1823, 0.1693],
    "cortical_bone": [4.001, 1.331, 0.6655, 0.3148, 0.2229, 0.1855],
    "air": [0.7779, 0.3538, 0.2485, 0.1875, 0.1662, 0.1541],
}
NIST_ELEMENTS = {
    "Al": [3.441, 1.128, 0.5685, 0.2778, 0.2018, 0.1704],
    "Ti": [15.85, 4.972, 2.214, 0.7661, 0.4052, 0.2721],
    "Fe": [25.68, 8.176, 3.629, 1.205, 0.5952, 0.3717],
    "Cu": [33.79, 10.92, 4.862, 1.593, 0.7630, 0.4584],
    "I": [25.43, 8.561, 22.10, 7.579, 3.510, 1.942],
    "Pb": [86.36, 30.32, 14.36, 5.021, 2.419, 5.549],
}
NIST_TOLERANCE = 5e-3


@pytest.mark.parametrize("name", NIST)
def test_attenuation_is_that_of_nist(name):
    assert mass_attenuation_cm2_g(name, NIST_KEV) == pytest.approx(NIST[name], rel=NIST_TOLERANCE)


def test_attenuation_at_50_kev_is_that_of_nist():
    values = [float(mass_attenuation_cm2_g(name, 50.0)) for name in ("water", "cortical_bone", "aluminium", "copper")]
    assert values == pytest.approx([0.2269, 0.4242, 0.3681, 2.613], rel=NIST_TOLERANCE)


@pytest.mark.parametrize("element", NIST_ELEMENTS)
def test_attenuation_of_elements_is_that_of_nist(element):
    assert element_attenuation_cm2_g(element, NIST_KEV) == pytest.approx(NIST_ELEMENTS[element], rel=NIST_TOLERANCE)


def test_attenuation_of_the_elements_of_alloys_is_that_of_nist():
    """At 40, 60, 80 and 100 keV; their K edges lie between: Ag 25.5, W 69.5, Au 80.7 keV."""
    nist = {
        "Ag": [17.20, 5.766, 2.651, 1.470],
        "W": [10.67, 3.713, 7.810, 4.438],
        "Au": [12.98, 4.528, 2.185, 5.158],
    }
    for element, values in nist.items():
        found = element_attenuation_cm2_g(element, np.array([40.0, 60.0, 80.0, 100.0]))
        assert found == pytest.approx(values, rel=NIST_TOLERANCE), element


def test_lead_jumps_at_its_k_edge():
    """NIST: 1.910 below and 7.683 above 88.0045 keV; XrayDB's curve jumps 4 eV below that energy."""
    (edge,) = [energy for energy in absorption_edges_kev("lead") if energy > 20.0]
    assert edge == pytest.approx(88.0045, abs=0.006)
    below, above = mass_attenuation_cm2_g("lead", [edge - 1e-6, edge])
    assert (below, above) == pytest.approx((1.910, 7.683), rel=NIST_TOLERANCE)


def test_iodine_jumps_at_its_k_edge():
    """NIST: 6.553 below and 35.82 above 33.1694 keV."""
    (edge,) = [energy for energy in absorption_edges_kev("iodine_contrast") if energy > 20.0]
    assert edge == pytest.approx(33.1694, abs=0.006)
    below, above = element_attenuation_cm2_g("I", [edge - 1e-6, edge])
    assert (below, above) == pytest.approx((6.553, 35.82), rel=NIST_TOLERANCE)


def test_attenuation_falls_between_edges():
    """Above 5 keV every μ/ρ falls with energy, except where it jumps up at an edge."""
    energies = np.linspace(5.0, 150.0, 20001)
    for name in material_names():
        rises = energies[1:][np.diff(mass_attenuation_cm2_g(name, energies)) > 0]
        edges = [energy for energy in absorption_edges_kev(name) if energy > energies[0]]
        assert len(rises) <= len(edges), name
        assert all(np.min(np.abs(np.subtract(edges, rise))) < 0.01 for rise in rises), name


def test_attenuation_keeps_the_shape_of_the_energies():
    assert mass_attenuation_cm2_g("water", np.full((2, 3), 60.0)).shape == (2, 3)


def test_every_composition_is_complete():
    required = {"air", "lung", "adipose", "soft_tissue", "muscle", "blood", "trabecular_bone", "cortical_bone", "skin"}
    required |= {"cartilage", "iodine_contrast", "titanium", "titanium_alloy", "steel", "cobalt_chromium", "pmma"}
    required |= {"bone_cement", "uhmwpe", "water", "aluminium", "copper", "lead"}
    assert required <= set(material_names())
    for name in material_names():
        assert sum(material(name).composition.values()) == pytest.approx(1.0, abs=1e-6), name
        assert material(name).density_g_cm3 > 0
        assert material(name).source


def test_contrast_medium_holds_twelve_milligrams_of_iodine_per_millilitre():
    contrast = material("iodine_contrast")
    assert 1000 * contrast.density_g_cm3 * contrast.composition["I"] == pytest.approx(12.0, rel=1e-3)


@pytest.mark.parametrize("energy_kev", [4.9, 150.5, 0.0, np.nan])
def test_energies_outside_the_table_are_refused(energy_kev):
    with pytest.raises(Sim2RealError, match="5 to 150 keV"):
        mass_attenuation_cm2_g("water", energy_kev)


def test_an_unknown_material_is_refused_with_the_known_ones():
    with pytest.raises(Sim2RealError, match=r"unobtainium.*water"):
        material("unobtainium")


def test_density_passes_through_water_and_air():
    assert density_from_hu(0) == 1.0
    assert density_from_hu(-1000) == pytest.approx(1.205e-3)
    assert density_from_hu(np.int16(-1024)) == density_from_hu(-1000.0)


def test_density_follows_schneider_outside_the_soft_tissues():
    """Schneider, Bortfeld and Schlegel 2000: the adipose piece below −98 HU and the bone piece above 100 HU."""
    low, high = np.arange(-1000, -97), np.arange(100, 3072)
    assert density_from_hu(low) == pytest.approx(1.03091 + 1.0297e-3 * low, abs=1e-4)
    assert density_from_hu(high) == pytest.approx(1.017 + 0.592e-3 * high, abs=1e-9)


def test_density_stays_near_schneider_in_the_soft_tissues():
    """The published pieces between −98 and 100 HU leave gaps of up to 0.044 and miss water by 0.018: within 0.045."""
    hu = np.arange(-98, 101)
    pieces = [1.018 + 0.893e-3 * hu, np.full(hu.shape, 1.03), 1.003 + 1.169e-3 * hu]
    published = np.select([hu <= 14, hu <= 23], pieces[:2], pieces[2])
    assert np.abs(density_from_hu(hu) - published).max() < 0.045


def test_density_is_continuous_and_rising():
    hu = np.arange(-1000.0, 4000.0, 0.25)
    steps = np.diff(density_from_hu(hu))
    assert (steps > 0).all()
    assert steps.max() < 0.25 * 1.5e-3


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_density_keeps_shape_for_every_dtype(dtype):
    hu = np.array([[-1000, 0, 40], [300, 1000, 3000]], dtype)
    assert density_from_hu(hu) == pytest.approx(density_from_hu(hu.astype(float)))
    assert density_from_hu(hu).shape == (2, 3)
