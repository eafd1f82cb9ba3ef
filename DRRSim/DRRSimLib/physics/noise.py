"""Quantum and electronic noise of an energy-integrating flat detector (Unberath et al. 2018, section 2.4).

A pixel that N · p photons reach on average, p being their transmitted share, counts a Poisson number of them. The
deviation from the mean, times the mean energy of a photon in that pixel, is spread to the neighbours by the crosstalk
of the scintillator. Electronic noise is added, correlated along the rows that are read out together. All draws come
from a counter-based generator (Philox, Salmon et al. 2011) indexed by seed, frame and pixel.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from ..acquisition.carm import XrayView

CROSSTALK = ((0.03, 0.06, 0.02), (0.11, 0.98, 0.11), (0.02, 0.06, 0.03))
"""Crosstalk weights of Wang 2014 as Unberath et al. 2018 use them; they sum to 1.42 and are normalised to 1 before use,
since a detector spreads signal but does not make any: the noise power at zero frequency must be that of the photons."""

READOUT_ROW = (0.01, 0.01, 0.98, 0.01, 0.01)
"""Correlation of electronic noise along a row, as in Unberath et al. 2018; normalised to keep the variance."""

FEW_PHOTONS = 64.0
"""Mean below which Poisson numbers are drawn by exact inversion."""

NEGLIGIBLE_PROBABILITY = 1e-9
"""Where inversion stops in the upper tail; below the spacing of the single-precision uniform numbers, 6e-8."""

SMALLEST_SHARE = float(np.finfo(np.float32).tiny)
"""Below it, behind thick metal, single-precision numbers lose digits, and GPUs take them for 0."""

PHOTON_STREAM, ELECTRONIC_STREAM = 0, 1


@dataclass(frozen=True)
class NoiseModel:
    """photons_per_pixel: photons that a pixel on the central ray would receive in the open beam (the paper: 5 · 10⁵).
    electronic_kev: standard deviation of a pixel's electronic noise, as energy deposited in it.
    crosstalk: 3×3 weights; normalised to sum 1.
    """

    photons_per_pixel: float = 5e5
    electronic_kev: float = 0.0
    crosstalk: tuple[tuple[float, float, float], ...] = CROSSTALK


def relative_fluence(arrays: ModuleType, x: Any, y: Any) -> Any:
    """Photons a pixel gets in the open beam relative to one on the central ray perpendicular to the detector.

    Inverse square of the distance times the cosine of incidence: (1 + x² + y²)^(−3/2) at normalised positions x, y.
    """
    square = 1 + x * x + y * y
    return dr.rcp(square * dr.sqrt(square))


def noise_kev_per_photon(
    arrays: ModuleType,
    view: XrayView,
    intensity: Any,
    transmission: Any,
    fluence: Any,
    model: NoiseModel,
    seed: int,
    frame: int,
) -> Any:
    """The noise of one frame in keV per emitted photon, to be added to `intensity`: a Float array, row by row.

    intensity: mean signal, keV per emitted photon; transmission: transmitted share of the photons; fluence: their
    number relative to the central ray's, `relative_fluence`. All evaluated Float arrays of height · width elements.
    """
    width, height = view.camera.width_px, view.camera.height_px
    margin = 2
    wide, high = width + 2 * margin, height + 2 * margin
    index = dr.arange(arrays.UInt32, wide * high)
    column = dr.clip(arrays.Int32(index % wide) - margin, 0, width - 1)
    row = dr.clip(arrays.Int32(index // wide) - margin, 0, height - 1)
    pixel = arrays.UInt32(row * width + column)
    photons = dr.opaque(arrays.Float, model.photons_per_pixel)

    signal, share = dr.gather(arrays.Float, intensity, pixel), dr.gather(arrays.Float, transmission, pixel)
    mean_count = photons * dr.gather(arrays.Float, fluence, pixel) * share
    energy_kev = dr.select(share >= SMALLEST_SHARE, signal / share, 0)
    counts = _poisson(arrays, mean_count, index, seed, frame)
    quantum = (counts - mean_count) * energy_kev / (photons * dr.gather(arrays.Float, fluence, pixel))
    electronic = dr.opaque(arrays.Float, model.electronic_kev) * _normal(arrays, index, seed, frame)
    dr.eval(quantum, electronic)

    inner = dr.arange(arrays.UInt32, width * height)
    left = (inner // width + margin) * wide + inner % width
    above = left - (wide - 1)
    kernel = np.array(model.crosstalk) / np.sum(model.crosstalk)
    row_kernel = np.array(READOUT_ROW) / np.linalg.norm(READOUT_ROW)
    noise = arrays.Float(0)
    for (dy, dx), weight in np.ndenumerate(kernel):
        noise += float(weight) * dr.gather(arrays.Float, quantum, above + (dy * wide + dx))
    for dx, weight in enumerate(row_kernel):
        noise += float(weight) * dr.gather(arrays.Float, electronic, left + dx) / (photons * fluence)
    return noise


def _philox(arrays: ModuleType, index: Any, seed: int, frame: int, stream: int) -> Any:
    return arrays.Philox4x32(
        dr.opaque(arrays.UInt64, seed), index, dr.opaque(arrays.UInt32, frame), dr.opaque(arrays.UInt32, stream)
    )


def _normal(arrays: ModuleType, index: Any, seed: int, frame: int) -> Any:
    return _philox(arrays, index, seed, frame, ELECTRONIC_STREAM).next_float32x4_normal()[0]


def _poisson(arrays: ModuleType, mean: Any, index: Any, seed: int, frame: int) -> Any:
    """Poisson numbers, one an element of `mean`, as Floats.

    Below FEW_PHOTONS by inversion of the distribution function. Above, by its Cornish–Fisher quantile to third order,
    k = λ + √λ z + (z² − 1)/6 + (z − z³)/(72 √λ), rounded: it follows the exact quantile within one photon, that is,
    within 1/8 standard deviation at worst, and its mean, variance and skewness are exact to O(1/λ).
    """
    Float = arrays.Float  # noqa: N806
    generator = _philox(arrays, index, seed, frame, PHOTON_STREAM)
    uniform = generator.next_float32x4()[0]
    z = generator.next_float32x4_normal()[0]

    root = dr.sqrt(dr.maximum(mean, FEW_PHOTONS))
    many = dr.round(mean + root * z + (z * z - 1) * (1 / 6) + (z - z * z * z) / (72 * root))

    few = mean < FEW_PHOTONS
    probability = dr.select(few, dr.exp(-mean), 1)
    _, counted, _, _ = dr.while_loop(
        (dr.select(few, uniform, 0), Float(0), probability, probability),
        lambda uniform, count, probability, cumulative: (
            (uniform > cumulative) & ((count < mean) | (probability > NEGLIGIBLE_PROBABILITY))
        ),
        lambda uniform, count, probability, cumulative: (
            uniform,
            count + 1,
            probability * mean / (count + 1),
            cumulative + probability * mean / (count + 1),
        ),
        label="poisson inversion",
    )
    return dr.select(few, counted, many)
