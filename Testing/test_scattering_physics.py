"""Cross sections against NIST and against integrals of what they are integrals of."""

import numpy as np
import pytest

from DRRSimLib.physics.materials import mass_attenuation_cm2_g, material_names
from DRRSimLib.physics.scattering import (
    AVOGADRO_MOL,
    compton_energy_ratio,
    electrons_mol_g,
    form_factor_squared_mol_g,
    incoherent_function_mol_g,
    klein_nishina_cm2_sr,
    momentum_transfer_a,
    partial_attenuation_cm2_g,
    thomson_cm2_sr,
)
from Sim2RealLib.errors import Sim2RealError

COSINE = 1 - np.concatenate([[0], np.geomspace(1e-8, 2, 8000)])
BARN_CM2 = 1e-24


def over_sphere(values):
    return 2 * np.pi * -np.trapezoid(values, COSINE, axis=-1)


@pytest.mark.parametrize(
    ("name", "energy_kev", "photoelectric", "rayleigh", "compton"),
    [
        # XCOM (Berger and Hubbell 1987), cm²/g, rounded to the digits of the tables.
        ("water", 30.0, 0.1458, 0.0469, 0.1829),
        ("water", 40.0, 0.0568, 0.0287, 0.1827),
        ("water", 60.0, 0.0149, 0.0139, 0.1770),
        ("water", 80.0, 0.0058, 0.0082, 0.1697),
        ("water", 100.0, 0.0028, 0.0053, 0.1626),
        ("cortical_bone", 30.0, 1.0774, 0.0908, 0.1629),
        ("cortical_bone", 60.0, 0.1255, 0.0284, 0.1609),
        ("cortical_bone", 100.0, 0.0251, 0.0112, 0.1493),
    ],
)
def test_partial_attenuation_is_the_tabulated_one(name, energy_kev, photoelectric, rayleigh, compton):
    parts = partial_attenuation_cm2_g(name, energy_kev)
    found = [float(part) for part in (parts.photoelectric, parts.rayleigh, parts.compton)]
    assert found == pytest.approx([photoelectric, rayleigh, compton], rel=0.01, abs=6e-5)  # of the last digit


@pytest.mark.parametrize("name", material_names())
def test_parts_add_up_and_none_is_negative(name):
    energies = np.geomspace(5, 150, 300)
    parts = partial_attenuation_cm2_g(name, energies)
    total = parts.photoelectric + parts.compton + parts.rayleigh
    assert total == pytest.approx(mass_attenuation_cm2_g(name, energies), rel=1e-12)
    assert min(part.min() for part in (parts.photoelectric, parts.compton, parts.rayleigh)) > 0


@pytest.mark.parametrize(
    ("energy_kev", "barn"), [(30, 0.5975), (40, 0.5787), (60, 0.5456), (80, 0.5173), (100, 0.4927), (120, 0.4713)]
)
def test_klein_nishina_has_its_closed_cross_section(energy_kev, barn):
    a = energy_kev / 510.99895
    closed = (1 + a) / a**2 * (2 * (1 + a) / (1 + 2 * a) - np.log(1 + 2 * a) / a)
    closed += np.log(1 + 2 * a) / (2 * a) - (1 + 3 * a) / (1 + 2 * a) ** 2  # Evans 1955, ch. 23, eq. 2.6
    closed *= 2 * np.pi * 2.8179403e-13**2
    found = over_sphere(klein_nishina_cm2_sr(energy_kev, COSINE))
    assert found == pytest.approx(closed, rel=1e-5)
    assert found / BARN_CM2 == pytest.approx(barn, abs=6e-5)


@pytest.mark.parametrize(("energy_kev", "at_90_deg", "mean"), [(60, 53.70, 54.4), (100, 83.63, 86.2)])
def test_compton_energies(energy_kev, at_90_deg, mean):
    assert energy_kev * compton_energy_ratio(energy_kev, 0.0) == pytest.approx(at_90_deg, abs=0.01)
    cross_section = klein_nishina_cm2_sr(energy_kev, COSINE)
    scattered = energy_kev * compton_energy_ratio(energy_kev, COSINE)
    assert over_sphere(cross_section * scattered) / over_sphere(cross_section) == pytest.approx(mean, abs=0.05)


def test_electrons_of_water():
    """10 electrons in 18.0153 g/mol."""
    assert electrons_mol_g("water") == pytest.approx(10 / 18.0153, rel=1e-4)


@pytest.mark.parametrize("name", ["water", "adipose", "soft_tissue", "cortical_bone", "aluminium"])
@pytest.mark.parametrize("energy_kev", [20.0, 40.0, 60.0, 100.0, 140.0])
def test_differential_cross_sections_integrate_to_the_tabulated_totals(name, energy_kev):
    """Form factors (xraylib) and totals (XrayDB) come from different compilations; 1 % is how well they agree."""
    transfer = momentum_transfer_a(energy_kev, COSINE)
    parts = partial_attenuation_cm2_g(name, energy_kev)
    compton = over_sphere(klein_nishina_cm2_sr(energy_kev, COSINE) * incoherent_function_mol_g(name, transfer))
    rayleigh = over_sphere(thomson_cm2_sr(COSINE) * form_factor_squared_mol_g(name, transfer))
    assert AVOGADRO_MOL * compton == pytest.approx(float(parts.compton), rel=0.01)
    assert AVOGADRO_MOL * rayleigh == pytest.approx(float(parts.rayleigh), rel=0.01)


def test_no_electron_scatters_by_nothing_and_all_do_at_large_transfer():
    """S(0) = 0; S → Z, F(0) = Z and F → 0 of every atom of water."""
    electrons = electrons_mol_g("water")
    assert float(incoherent_function_mol_g("water", 0.0)) == 0.0
    assert float(incoherent_function_mol_g("water", 12.0)) == pytest.approx(electrons, rel=1e-3)
    assert float(form_factor_squared_mol_g("water", 0.0)) == pytest.approx(66 / 18.0153, rel=1e-3)  # (1 + 1 + 64) / A
    assert float(form_factor_squared_mol_g("water", 12.0)) < 1e-4


def test_energies_outside_the_tables_are_refused():
    with pytest.raises(Sim2RealError, match="5 to 150 keV"):
        partial_attenuation_cm2_g("water", 200.0)
