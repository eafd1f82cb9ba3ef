"""What the transport kernel looks up about materials: how far photons get, what happens to them, at what angle.

Energies are rows of tables at steps of ENERGY_STEP_KEV. Scattering angles are drawn by inverting their cumulative
distribution, tabulated at ANGLE_NODES energies between which the kernel chooses at random, so that it interpolates in
the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..physics.scattering import (
    AVOGADRO_MOL,
    CLASSICAL_ELECTRON_RADIUS_CM,
    PartialAttenuation,
    electrons_mol_g,
    form_factor_squared_mol_g,
    incoherent_function_mol_g,
    klein_nishina_cm2_sr,
    momentum_transfer_a,
    partial_attenuation_cm2_g,
    thomson_cm2_sr,
)

LOWEST_KEV, HIGHEST_KEV, ENERGY_STEP_KEV = 5.0, 150.0, 0.1
"""Photons below the lowest energy are absorbed where they are: 0.3 mm of soft tissue stop them."""
ENERGIES = round((HIGHEST_KEV - LOWEST_KEV) / ENERGY_STEP_KEV) + 1
ENERGIES_KEV = np.linspace(LOWEST_KEV, HIGHEST_KEV, ENERGIES)

ANGLE_NODES, SHARES = 48, 256
NODES_KEV = np.geomspace(LOWEST_KEV, HIGHEST_KEV, ANGLE_NODES)

TRANSFERS, LARGEST_ROOT_TRANSFER = 512, 3.5
"""Entries of the table of S and √x of the last, x in 1/Å; photons of 150 keV reach 3.48. Even steps of √x resolve S
where it rises."""

COSINES = 1.0 - np.concatenate([[0.0], np.geomspace(1e-7, 2.0, 4000)])
"""Where angular distributions are integrated: dense about 0°, where Rayleigh scattering peaks."""


@dataclass(frozen=True)
class Interactions:
    """Which interactions there are: all by default; less is for comparison with simpler theory.

    bound_electrons: Compton scattering with the incoherent scattering function, otherwise of free electrons at rest.
    rayleigh: coherent scattering.
    """

    bound_electrons: bool = True
    rayleigh: bool = True


ALL_INTERACTIONS = Interactions()


@dataclass(frozen=True, eq=False)
class InteractionTables:
    """Flat Float arrays on a backend, material after material.

    attenuation: μ/ρ in 1/mm a g/cm³, by energy. albedo: the share of it that is scattering. compton_share: the share of
        scattering that is Compton's.
    compton_norm: by energy, what `electrons` and dσ/dΩ of Klein and Nishina in units of r_e² are multiplied by to give
        the probability of an angle in 1/sr.
    electrons: electrons in mol/g that take part in Compton scattering, by √x.
    compton_cosines, rayleigh_cosines: cos θ by node and by share of the photons scattered less far.
    """

    materials: tuple[str, ...]
    attenuation: Any
    albedo: Any
    compton_share: Any
    compton_norm: Any
    electrons: Any
    compton_cosines: Any
    rayleigh_cosines: Any


def upload_tables(
    arrays: ModuleType, materials: Sequence[str], interactions: Interactions = ALL_INTERACTIONS
) -> InteractionTables:
    """The tables of materials, in their order, on a backend."""
    rows = [_material_rows(name, interactions) for name in materials]
    flat = [arrays.Float(np.concatenate(column, axis=None).astype(np.float32)) for column in zip(*rows, strict=True)]
    return InteractionTables(tuple(materials), *flat)


def _material_rows(name: str, interactions: Interactions) -> tuple[np.ndarray, ...]:
    """One material's part of every table, in the order of `InteractionTables`."""
    transfer = momentum_transfer_a(NODES_KEV[:, None], COSINES)
    klein_nishina = klein_nishina_cm2_sr(NODES_KEV[:, None], COSINES) * _electrons_mol_g(name, transfer, interactions)
    compton_cm2_g, compton_cosines = _integral_and_inverse(AVOGADRO_MOL * klein_nishina)
    _, rayleigh_cosines = _integral_and_inverse(thomson_cm2_sr(COSINES) * form_factor_squared_mol_g(name, transfer))
    compton_cm2_g = np.interp(np.log(ENERGIES_KEV), np.log(NODES_KEV), compton_cm2_g)

    parts = partial_attenuation_cm2_g(name, ENERGIES_KEV)
    if not interactions.bound_electrons:
        parts = PartialAttenuation(parts.photoelectric, compton_cm2_g, parts.rayleigh)
    rayleigh = parts.rayleigh if interactions.rayleigh else np.zeros(ENERGIES)
    scattering = parts.compton + rayleigh
    total = parts.photoelectric + scattering
    root_transfer = np.linspace(0.0, LARGEST_ROOT_TRANSFER, TRANSFERS)
    return (
        0.1 * total,
        scattering / total,
        parts.compton / scattering,
        AVOGADRO_MOL * CLASSICAL_ELECTRON_RADIUS_CM**2 / compton_cm2_g,
        _electrons_mol_g(name, root_transfer**2, interactions),
        compton_cosines,
        rayleigh_cosines,
    )


def _electrons_mol_g(name: str, transfer_a: np.ndarray, interactions: Interactions) -> np.ndarray:
    if interactions.bound_electrons:
        return incoherent_function_mol_g(name, transfer_a)
    return np.full(np.shape(transfer_a), electrons_mol_g(name))


def _integral_and_inverse(cross_section: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The integral over the sphere of dσ/dΩ (nodes, COSINES), and cos θ by share of it (nodes, SHARES)."""
    steps = -np.diff(COSINES) * (cross_section[:, 1:] + cross_section[:, :-1]) / 2
    cumulative = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    shares = np.linspace(0.0, 1.0, SHARES)
    inverse = [np.interp(shares, row / row[-1], COSINES) for row in cumulative]
    return 2 * np.pi * cumulative[:, -1], np.array(inverse)
