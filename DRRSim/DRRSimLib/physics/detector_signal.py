"""What an ideal energy-integrating detector measures behind the materials of a scene.

    I = Σ_E E · w(E) · exp(−Σ_m (μ/ρ)_m(E) · A_m)      keV per emitted photon,

with photon weights w that sum to 1 and areal densities A_m in g/cm² (Unberath et al. 2018, section 2.2).
"""

from dataclasses import dataclass
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.engine import Backend

from .spectra import EnergyBins

LOG2_E = float(np.log2(np.e))


@dataclass(frozen=True, eq=False)
class DeviceSpectrum:
    """Energy bins on a backend: photon weights, energies in keV, and −(μ/ρ) · log₂e in cm²/g, material after material
    for each bin."""

    bins: int
    weights: Any
    energies_kev: Any
    exponents: Any

    open_beam_kev: float


def upload_spectrum(backend: Backend, bins: EnergyBins) -> DeviceSpectrum:
    """Put energy bins on a backend; the order of their materials must be that of the areal densities."""
    Float = backend.arrays.Float  # noqa: N806
    exponents = -LOG2_E * bins.mass_attenuation_cm2_g.T
    return DeviceSpectrum(
        len(bins.weights),
        Float(bins.weights.astype(np.float32)),
        Float(bins.energies_kev.astype(np.float32)),
        Float(np.ascontiguousarray(exponents, np.float32).reshape(-1)),
        float(bins.weights @ bins.energies_kev),
    )


def detector_signal(backend: Backend, areal_densities: list[Any], spectrum: DeviceSpectrum) -> tuple[Any, Any]:
    """The mean signal in keV per emitted photon, and the transmitted share of the photons, for every ray."""
    arrays = backend.arrays
    materials = len(areal_densities)

    def add_bin(number: Any, signal: Any, transmission: Any) -> tuple[Any, Any, Any]:
        exponent = arrays.Float(0)
        for material, areal_density in enumerate(areal_densities):
            coefficient = dr.gather(arrays.Float, spectrum.exponents, number * materials + material)
            exponent = dr.fma(coefficient, areal_density, exponent)
        photons = dr.gather(arrays.Float, spectrum.weights, number) * dr.exp2(exponent)
        energy_kev = dr.gather(arrays.Float, spectrum.energies_kev, number)
        return number + 1, dr.fma(photons, energy_kev, signal), transmission + photons

    _, signal, transmission = dr.while_loop(
        (arrays.UInt32(0), arrays.Float(0), arrays.Float(0)),
        lambda number, signal, transmission: number < spectrum.bins,
        add_bin,
        label="energies",
        max_iterations=-1,
    )
    return signal, transmission
