"""What a detector registers behind the materials of a scene, on average.

    I = Σ_E R(E) · w(E) · exp(−Σ_m (μ/ρ)_m(E) · A_m)      keV per emitted photon,

with photon weights w that sum to 1, areal densities A_m in g/cm² and the response R, the energy that a photon of E
leaves in the detector on average: E itself for an ideal energy integrator (Unberath et al. 2018, section 2.2).
"""

from dataclasses import dataclass
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.engine import Backend

from .spectra import EnergyBins

LOG2_E = float(np.log2(np.e))


@dataclass(frozen=True, eq=False)
class Response:
    """What a photon leaves in the detector, by energy, both of shape (B,).

    mean_kev: on average. mean_square_kev2: the average of its square, which quantum noise follows from.
    """

    mean_kev: np.ndarray
    mean_square_kev2: np.ndarray


@dataclass(frozen=True, eq=False)
class DeviceSpectrum:
    """Energy bins on a backend.

    weights, responses_kev: photon weights, and R in keV. squares: what `detector_signal` sums up for the noise: 1 for
    a count of photons, the response's mean square in keV² for the second moment. exponents: −(μ/ρ) · log₂e in cm²/g,
    material after material for each bin. heel_depths: as `beam.heel.mean_depths`, None without a heel effect.
    open_beam_kev: the signal of the open beam on the central ray.
    """

    bins: int
    weights: Any
    responses_kev: Any
    squares: Any
    exponents: Any

    open_beam_kev: float
    counts_photons: bool
    heel_depths: Any = None


def upload_spectrum(
    backend: Backend,
    bins: EnergyBins,
    response: Response | None = None,
    heel_depths: np.ndarray | None = None,
) -> DeviceSpectrum:
    """Put energy bins on a backend; the order of their materials must be that of the areal densities.

    response: of the bins' energies; by default that of an ideal energy integrator whose noise is that of the number of
    photons, all with the mean energy (Unberath et al. 2018, section 2.4).
    """
    Float = backend.arrays.Float  # noqa: N806
    exponents = -LOG2_E * bins.mass_attenuation_cm2_g.T
    mean_kev = bins.energies_kev if response is None else response.mean_kev
    squares = np.ones(len(bins.weights)) if response is None else response.mean_square_kev2
    return DeviceSpectrum(
        len(bins.weights),
        Float(bins.weights.astype(np.float32)),
        Float(mean_kev.astype(np.float32)),
        Float(squares.astype(np.float32)),
        Float(np.ascontiguousarray(exponents, np.float32).reshape(-1)),
        float(bins.weights @ mean_kev),
        counts_photons=response is None,
        heel_depths=None if heel_depths is None else Float(heel_depths.astype(np.float32)),
    )


def detector_signal(
    backend: Backend, areal_densities: list[Any], spectrum: DeviceSpectrum, heel: tuple[Any, float] | None = None
) -> tuple[Any, Any]:
    """The mean signal in keV per emitted photon, and the sum of `spectrum.squares` over the photons, for every ray.

    heel: 1 / sine of the take-off angle, of every ray and of the central one, where the spectrum has `heel_depths`.
    """
    arrays = backend.arrays
    materials = len(areal_densities)

    def add_bin(number: Any, signal: Any, moment: Any) -> tuple[Any, Any, Any]:
        exponent = arrays.Float(0)
        for material, areal_density in enumerate(areal_densities):
            coefficient = dr.gather(arrays.Float, spectrum.exponents, number * materials + material)
            exponent = dr.fma(coefficient, areal_density, exponent)
        photons = dr.gather(arrays.Float, spectrum.weights, number) * dr.exp2(exponent)
        if heel is not None:
            depth = dr.gather(arrays.Float, spectrum.heel_depths, number)
            photons *= _escape(depth * heel[0]) / _escape(depth * heel[1])
        response_kev = dr.gather(arrays.Float, spectrum.responses_kev, number)
        square = dr.gather(arrays.Float, spectrum.squares, number)
        return number + 1, dr.fma(photons, response_kev, signal), dr.fma(photons, square, moment)

    _, signal, moment = dr.while_loop(
        (arrays.UInt32(0), arrays.Float(0), arrays.Float(0)),
        lambda number, signal, moment: number < spectrum.bins,
        add_bin,
        label="energies",
        max_iterations=-1,
    )
    return signal, moment


def counted_share(signal: Any, moment: Any, spectrum: DeviceSpectrum) -> Any:
    """The share of the emitted photons that a Poisson count of equal energies must have to fluctuate like the signal.

    The registered energy is a compound Poisson sum: with N photons emitted its mean is N S and its variance N V, V the
    second moment (Swank 1973). N S² / V photons of energy V / S have both.
    """
    return moment if spectrum.counts_photons else dr.select(moment > 0, signal * signal / moment, 0)


def _escape(depths: Any) -> Any:
    """(1 − exp(−u)) / u: what leaves the anode of photons made evenly down to u mean free paths."""
    small = depths < 1e-2
    u = dr.select(small, 1, depths)
    return dr.select(small, 1 - depths * (0.5 - depths / 6), (1 - dr.exp2(-LOG2_E * u)) / u)
