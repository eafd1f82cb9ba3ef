"""Make the physics tables beside this file: `python Resources/Physics/make_tables.py` (two minutes).

Needs the packages of the extra `tables` (XrayDB, xraylib and SpekPy); README.md says what the tables hold and where it
comes from. Reads materials.json, which is written by hand, and writes attenuation.csv, attenuation_apparatus.csv,
attenuation_alloys.csv, scattering.npz, air_energy_transfer.csv and spectra.npz.
"""

import json
from pathlib import Path

import numpy as np
import spekpy
import xraydb
import xraylib

FOLDER = Path(__file__).resolve().parent
LOWEST_KEV, HIGHEST_KEV = 5.0, 150.0
GRID_POINTS = 683
"""Steps of 0.5 %, so that log-log interpolation is right to 1e-5, and to 1e-4 at knots of XrayDB's curves."""

APPARATUS = ("Cs", "F", "Gd", "W")
ALLOYS = ("Ag", "Au", "Bi", "Hf", "Ir", "Nb", "Pd", "Pt", "Re", "Sn", "Sr", "Y", "Zn", "Zr")
"""Elements that occur in no patient and no implant of ours: of tube, filters and detector, and of alloys that recipes
describe. They have files of their own: all elements of a file share its rows, and the edges of these would add rows
that move the interpolation of the others."""

EDGE_SEARCH_KEV = 0.01
EDGE_PRECISION_KEV = 1e-5
ELECTRON_REST_ENERGY_KEV = 510.99895
CLASSICAL_ELECTRON_RADIUS_CM = 2.8179403e-13
AVOGADRO = 6.02214076e23

SCATTERING_KEV = np.geomspace(LOWEST_KEV, HIGHEST_KEV, 96)
MOMENTUM_TRANSFER_A = np.concatenate([[0.0], np.geomspace(5e-3, 12.5, 191)])
"""x = sin(θ/2) E / hc in 1/Å; photons of 150 keV scattered back have 12.1."""

TUBE_VOLTAGES_KV = np.arange(40, 151)
ANODE_ANGLES_DEG = np.array([6.0, 9.0, 13.0, 20.0])
BIN_KEV = 0.5
BIN_CENTRES_KEV = np.arange(LOWEST_KEV + BIN_KEV / 2, HIGHEST_KEV, BIN_KEV)


def main() -> None:
    materials = json.loads((FOLDER / "materials.json").read_text())
    elements = sorted({element for material in materials.values() for element in material["composition"]})
    attenuation, header = attenuation_table([element for element in elements if element not in APPARATUS])
    write_csv("attenuation.csv", ["energy_kev", *header], attenuation)
    for name, elements_of_file in (("apparatus", APPARATUS), ("alloys", ALLOYS)):
        table, header = attenuation_table(list(elements_of_file))
        write_csv(f"attenuation_{name}.csv", ["energy_kev", *header], table)
    np.savez_compressed(FOLDER / "scattering.npz", **scattering_tables([*elements, *ALLOYS]))
    energies_kev = attenuation[:, 0]
    air = air_energy_transfer_cm2_g(materials["air"]["composition"], energies_kev)
    write_csv("air_energy_transfer.csv", ["energy_kev", "mass_energy_transfer_cm2_g"], np.stack([energies_kev, air], 1))
    np.savez_compressed(
        FOLDER / "spectra.npz",
        anode_angles_deg=ANODE_ANGLES_DEG,
        tube_voltages_kv=TUBE_VOLTAGES_KV,
        energies_kev=BIN_CENTRES_KEV,
        fluence=np.array([[unfiltered_fluence(kv, angle) for kv in TUBE_VOLTAGES_KV] for angle in ANODE_ANGLES_DEG]),
    )


def attenuation_table(elements: list[str]) -> tuple[np.ndarray, list[str]]:
    """μ/ρ of the elements; at an absorption edge two rows have the same energy, first just below, then just above."""
    grid_kev = np.geomspace(LOWEST_KEV, HIGHEST_KEV, GRID_POINTS)
    edges = {element: edge_energies_kev(element) for element in elements}
    edges_kev = sorted({energy for energies in edges.values() for energy in energies})
    rows = np.sort(np.concatenate([grid_kev, edges_kev, edges_kev]))
    columns = []
    for element in elements:
        column_kev = rows.copy()
        for energy in edges[element]:
            below, above = np.flatnonzero(rows == energy)
            column_kev[below] -= EDGE_PRECISION_KEV
            column_kev[above] += EDGE_PRECISION_KEV
        columns.append(mass_attenuation_cm2_g(element, column_kev))
    return np.stack([rows, *columns], axis=1), elements


def scattering_tables(elements: list[str]) -> dict[str, np.ndarray]:
    """Coherent and incoherent μ/ρ, form factors and incoherent scattering functions of the elements, a row each."""
    numbers = [xraydb.atomic_number(element) for element in elements]
    tables = {
        "coherent_cm2_g": [xraydb.mu_elam(e, 1000.0 * SCATTERING_KEV, kind="coh") for e in elements],
        "incoherent_cm2_g": [xraydb.mu_elam(e, 1000.0 * SCATTERING_KEV, kind="incoh") for e in elements],
        "form_factor": [[z, *(xraylib.FF_Rayl(z, x) for x in MOMENTUM_TRANSFER_A[1:])] for z in numbers],
        "incoherent_function": [[0.0, *(xraylib.SF_Compt(z, x) for x in MOMENTUM_TRANSFER_A[1:])] for z in numbers],
    }
    return {
        "elements": np.array(elements),
        "atomic_numbers": np.array(numbers),
        "molar_masses_g_mol": np.array([xraydb.atomic_mass(element) for element in elements]),
        "energies_kev": SCATTERING_KEV,
        "momentum_transfer_a": MOMENTUM_TRANSFER_A,
        **{name: np.array(rows, np.float32) for name, rows in tables.items()},
    }


def edge_energies_kev(element: str) -> list[float]:
    """Where μ/ρ jumps: near the tabulated edge, found by bisection, since the two differ by some eV."""
    found = []
    for edge in xraydb.xray_edges(element).values():
        low, high = edge.energy / 1000 - EDGE_SEARCH_KEV, edge.energy / 1000 + EDGE_SEARCH_KEV
        if not LOWEST_KEV < low < high < HIGHEST_KEV:
            continue
        while high - low > EDGE_PRECISION_KEV:
            middle = (low + high) / 2
            at_low, at_middle, at_high = mass_attenuation_cm2_g(element, np.array([low, middle, high]))
            low, high = (middle, high) if at_high - at_middle > at_middle - at_low else (low, middle)
        found.append(round((low + high) / 2, 5))
    return found


def mass_attenuation_cm2_g(element: str, energies_kev: np.ndarray) -> np.ndarray:
    return xraydb.mu_elam(element, 1000.0 * energies_kev, kind="total")


def air_energy_transfer_cm2_g(composition: dict[str, float], energies_kev: np.ndarray) -> np.ndarray:
    """μ_tr/ρ: photoelectric absorption, of which air keeps all, and what Compton electrons take (Attix 1986, ch. 7)."""
    photoelectric = sum(
        share * xraydb.mu_elam(element, 1000.0 * energies_kev, kind="photo") for element, share in composition.items()
    )
    electrons_per_g = AVOGADRO * sum(
        share * xraydb.atomic_number(element) / xraydb.atomic_mass(element) for element, share in composition.items()
    )
    return photoelectric + electrons_per_g * compton_energy_transfer_cm2(energies_kev)


def compton_energy_transfer_cm2(energies_kev: np.ndarray) -> np.ndarray:
    """∫ (T/E) dσ/dΩ dΩ of a free electron, with Klein and Nishina's dσ/dΩ and the recoil energy T."""
    cosine, quadrature = np.polynomial.legendre.leggauss(64)
    ratio = 1 / (1 + energies_kev[:, None] / ELECTRON_REST_ENERGY_KEV * (1 - cosine))
    cross_section = 0.5 * CLASSICAL_ELECTRON_RADIUS_CM**2 * ratio**2 * (ratio + 1 / ratio - (1 - cosine**2))
    return 2 * np.pi * ((1 - ratio) * cross_section) @ quadrature


def unfiltered_fluence(tube_voltage_kv: int, anode_angle_deg: float) -> np.ndarray:
    """Photons per cm², keV and mAs at 1 m from a tungsten anode without any filter: float32, (bins,)."""
    energies_kev, fluence = spekpy.Spek(
        kvp=tube_voltage_kv, th=anode_angle_deg, dk=BIN_KEV, physics="casim"
    ).get_spectrum()
    inside = energies_kev > LOWEST_KEV
    spectrum = np.zeros(BIN_CENTRES_KEV.size, np.float32)
    bins = np.rint((energies_kev[inside] - BIN_CENTRES_KEV[0]) / BIN_KEV).astype(int)
    spectrum[bins] = fluence[inside]
    return spectrum


def write_csv(name: str, header: list[str], table: np.ndarray) -> None:
    formats = ["%.5f"] + ["%.6g"] * (len(header) - 1)
    np.savetxt(FOLDER / name, table, formats, ",", header=",".join(header), comments="")


if __name__ == "__main__":
    main()
