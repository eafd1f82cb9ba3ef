"""How photons of diagnostic energies interact with a material: absorbed, scattered by an electron, by a whole atom.

Photoelectric absorption, Compton (incoherent) and Rayleigh (coherent) scattering by their shares of μ/ρ, and the angles
into which the two scatter. Data from Resources/Physics/scattering.npz: coherent and incoherent μ/ρ of Elam, Ravel and
Sieber 2002, the atoms' form factors F and incoherent scattering functions S of Hubbell et al. 1975 and 1979, as
XrayDB and xraylib give them. Atoms scatter independently of each other: the interference between the molecules of a
liquid, which moves the peak of Rayleigh scattering away from 0°, is not in it.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from Sim2RealLib.resources import resource_path

from .materials import mass_attenuation_cm2_g, material

ELECTRON_REST_ENERGY_KEV = 510.99895
CLASSICAL_ELECTRON_RADIUS_CM = 2.8179403e-13
HC_KEV_A = 12.398420
"""Planck's constant times the velocity of light."""
AVOGADRO_MOL = 6.02214076e23


@dataclass(frozen=True, eq=False)
class PartialAttenuation:
    """What μ/ρ is made of, in cm²/g, of one shape."""

    photoelectric: np.ndarray
    compton: np.ndarray
    rayleigh: np.ndarray


def partial_attenuation_cm2_g(name: str, energies_kev: np.ndarray) -> PartialAttenuation:
    """The parts of a material's μ/ρ; they add up to `mass_attenuation_cm2_g`. Sim2RealError outside the tables."""
    total = mass_attenuation_cm2_g(name, energies_kev)
    compton = _mixed(name, "incoherent_cm2_g", energies_kev)
    rayleigh = _mixed(name, "coherent_cm2_g", energies_kev)
    return PartialAttenuation(total - compton - rayleigh, compton, rayleigh)


def momentum_transfer_a(energies_kev: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """x = E/hc · sin(θ/2) in 1/Å, the quantity over which F and S are tabulated."""
    return np.asarray(energies_kev) / HC_KEV_A * np.sqrt((1.0 - np.asarray(cosine)) / 2.0)


def electrons_mol_g(name: str) -> float:
    """Electrons of a material in mol/g: Σ w Z / A."""
    return float(_per_mass(name) @ _tables()["atomic_numbers"])


def incoherent_function_mol_g(name: str, transfer_a: np.ndarray) -> np.ndarray:
    """Σ w S(x, Z) / A in mol/g: electrons a gram that take part in incoherent scattering at a momentum transfer."""
    return np.interp(transfer_a, _tables()["momentum_transfer_a"], _per_mass(name) @ _tables()["incoherent_function"])


def form_factor_squared_mol_g(name: str, transfer_a: np.ndarray) -> np.ndarray:
    """Σ w F(x, Z)² / A in mol/g."""
    squares = _per_mass(name) @ _tables()["form_factor"] ** 2
    return np.exp(np.interp(transfer_a, _tables()["momentum_transfer_a"], np.log(squares)))


def klein_nishina_cm2_sr(energies_kev: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """dσ/dΩ of a free electron at rest (Klein and Nishina 1929), cm²/sr."""
    ratio = compton_energy_ratio(energies_kev, cosine)
    sine_squared = 1.0 - np.square(cosine)
    return 0.5 * CLASSICAL_ELECTRON_RADIUS_CM**2 * ratio**2 * (ratio + 1.0 / ratio - sine_squared)


def thomson_cm2_sr(cosine: np.ndarray) -> np.ndarray:
    """dσ/dΩ of a free electron where no energy is lost, cm²/sr."""
    return 0.5 * CLASSICAL_ELECTRON_RADIUS_CM**2 * (1.0 + np.square(cosine))


def compton_energy_ratio(energies_kev: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """E'/E of a photon that an electron at rest scatters (Compton 1923). Doppler broadening is not in it."""
    return 1.0 / (1.0 + np.asarray(energies_kev) / ELECTRON_REST_ENERGY_KEV * (1.0 - np.asarray(cosine)))


def _mixed(name: str, quantity: str, energies_kev: np.ndarray) -> np.ndarray:
    """The sum over the elements by mass fraction of a coefficient, each interpolated log-log."""
    tables, composition = _tables(), material(name).composition
    log_energy = np.log(energies_kev)
    return sum(
        share * np.exp(np.interp(log_energy, np.log(tables["energies_kev"]), np.log(tables[quantity][row])))
        for share, row in zip(composition.values(), _rows(name), strict=True)
    )


def _per_mass(name: str) -> np.ndarray:
    """Mass fraction over molar mass of every element of the tables, mol/g."""
    shares = np.zeros(len(_tables()["elements"]))
    shares[_rows(name)] = list(material(name).composition.values())
    return shares / _tables()["molar_masses_g_mol"]


def _rows(name: str) -> list[int]:
    elements = _tables()["elements"].tolist()
    return [elements.index(element) for element in material(name).composition]


@cache
def _tables() -> dict[str, np.ndarray]:
    with np.load(resource_path("Physics/scattering.npz")) as arrays:
        return {name: arrays[name] if name == "elements" else arrays[name].astype(np.float64) for name in arrays.files}
