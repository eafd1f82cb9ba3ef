"""What things are made of, and how strongly that attenuates X-rays.

Composition and density come from Resources/Physics/materials.json, the mass attenuation coefficients of the elements
from the attenuation tables beside it (XrayDB, total with coherent scattering, 5 to 150 keV); README.md there says
where both come from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.resources import resource_path

ATTENUATION_TABLES = "Physics/attenuation.csv", "Physics/attenuation_apparatus.csv", "Physics/attenuation_alloys.csv"
"""Elements of patients and implants; those that only tube, filters and detector, or alloys of recipes, are made of."""


@dataclass(frozen=True)
class Material:
    """A material by its elements.

    density_g_cm3: nominal; tissues in a CT have the density that follows from their HU instead.
    composition: mass fraction by element symbol; they add up to 1.
    source: the standard or the recipe that composition and density are from.
    """

    name: str
    density_g_cm3: float
    composition: Mapping[str, float]
    source: str


@dataclass(frozen=True, eq=False)
class AttenuationTable:
    """μ/ρ of the elements. Two rows with the same energy are an absorption edge: just below it and just above."""

    energies_kev: np.ndarray
    log_mass_attenuation: Mapping[str, np.ndarray]


def material_names() -> tuple[str, ...]:
    return tuple(_materials())


def material(name: str) -> Material:
    """A material by name; Sim2RealError if there is none of that name."""
    try:
        return _materials()[name]
    except KeyError:
        raise Sim2RealError(f"There is no material “{name}”; choose one of {', '.join(_materials())}.") from None


def tabulated_elements() -> tuple[str, ...]:
    """The symbols of the elements that materials and alloys may hold."""
    return tuple(sorted(element for table in _attenuation_tables() for element in table.log_mass_attenuation))


def mass_attenuation_cm2_g(substance: str | Material, energies_kev: np.ndarray) -> np.ndarray:
    """μ/ρ of a material, given by name or as itself, in cm²/g, of the shape of `energies_kev`; at an edge's own energy
    the value above the edge.

    The sum over its elements by mass fraction (Hubbell and Seltzer 1995, eq. 1). Raises Sim2RealError for an unknown
    material or an energy outside the table.
    """
    composition = _as_material(substance).composition
    return sum(share * element_attenuation_cm2_g(element, energies_kev) for element, share in composition.items())


def element_attenuation_cm2_g(element: str, energies_kev: np.ndarray) -> np.ndarray:
    """μ/ρ of one of the `tabulated_elements`, interpolated log-log; otherwise like `mass_attenuation_cm2_g`."""
    table = _attenuation_table(element)
    energies_kev = require_tabulated(energies_kev)
    upper = np.searchsorted(table.energies_kev[:-1], energies_kev, side="right")
    low_kev, high_kev = table.energies_kev[upper - 1], table.energies_kev[upper]
    fraction = np.log(energies_kev / low_kev) / np.log(high_kev / low_kev)
    logs = table.log_mass_attenuation[element]
    return np.exp((1 - fraction) * logs[upper - 1] + fraction * logs[upper])


def linear_attenuation_mm(name: str, energies_kev: np.ndarray) -> np.ndarray:
    """μ in 1/mm of a material at its nominal density."""
    return 0.1 * material(name).density_g_cm3 * mass_attenuation_cm2_g(name, energies_kev)


def absorption_edges_kev(substance: str | Material) -> tuple[float, ...]:
    """The energies, ascending, at which a material's μ/ρ jumps."""
    edges = set()
    for element in _as_material(substance).composition:
        table = _attenuation_table(element)
        jumps = (np.diff(table.energies_kev) == 0) & (np.diff(table.log_mass_attenuation[element]) != 0)
        edges |= set(table.energies_kev[:-1][jumps].tolist())
    return tuple(sorted(edges))


def require_tabulated(energies_kev: np.ndarray) -> np.ndarray:
    """`energies_kev` as float64; Sim2RealError if any lies outside the attenuation table."""
    energies_kev = np.asarray(energies_kev, dtype=np.float64)
    low, high = _attenuation_tables()[0].energies_kev[[0, -1]]
    inside = (energies_kev >= low) & (energies_kev <= high)
    if not inside.all():
        raise Sim2RealError(
            f"The attenuation tables run from {low:g} to {high:g} keV; {energies_kev[~inside][0]:g} keV is outside."
        )
    return energies_kev


def _as_material(substance: str | Material) -> Material:
    return material(substance) if isinstance(substance, str) else substance


@cache
def _materials() -> dict[str, Material]:
    records = json.loads(resource_path("Physics/materials.json").read_text(encoding="utf-8"))
    return {name: Material(name, **record) for name, record in records.items()}


def _attenuation_table(element: str) -> AttenuationTable:
    return next(table for table in _attenuation_tables() if element in table.log_mass_attenuation)


@cache
def _attenuation_tables() -> tuple[AttenuationTable, ...]:
    return tuple(map(_read_table, ATTENUATION_TABLES))


def _read_table(name: str) -> AttenuationTable:
    with resource_path(name).open(encoding="utf-8") as file:
        elements = file.readline().strip().split(",")[1:]
        energies_kev, *columns = np.loadtxt(file, delimiter=",", unpack=True)
    return AttenuationTable(energies_kev, dict(zip(elements, np.log(columns), strict=True)))
