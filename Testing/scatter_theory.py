"""Scattering by integrals: what the photon transport is compared with, written without it."""

from collections.abc import Callable

import numpy as np

ELECTRON_KEV = 510.99895
HALF_RADIUS_SQUARED_CM2 = 0.5 * 2.8179403e-13**2
MM_A_CM = 10.0


def klein_nishina_cm2_sr(energy_kev, cosine):
    """Klein and Nishina 1929, eq. for unpolarised light."""
    ratio = 1 / (1 + energy_kev / ELECTRON_KEV * (1 - cosine))
    return HALF_RADIUS_SQUARED_CM2 * ratio**2 * (ratio + 1 / ratio - 1 + cosine**2)


def single_scatter_ratio(
    slab_mm: float,
    gap_mm: float,
    field: tuple[np.ndarray, np.ndarray],
    energy_kev: float,
    linear_attenuation_cm: Callable,
    scattered_a_cm_sr: Callable,
    energy_after: Callable,
) -> float:
    """Photons scattered once onto a point behind a slab over photons that pass, for a broad parallel beam.

    A flat detector that counts all photons lies `gap_mm` behind the slab. field: distances from the axis, mm, and the
    area, mm², that each stands for. scattered_a_cm_sr, energy_after: functions of cos θ.
    """
    distance_mm, area_mm2 = field
    depths, widths = np.polynomial.legendre.leggauss(96)
    depths, widths = (depths + 1) / 2 * slab_mm, widths / 2 * slab_mm
    total = 0.0
    for depth, width in zip(depths, widths, strict=True):
        height = slab_mm - depth + gap_mm
        ray = np.hypot(height, distance_mm)
        cosine = height / ray
        path_cm = (slab_mm - depth) / cosine / MM_A_CM
        through = np.exp(-linear_attenuation_cm(energy_after(cosine)) * path_cm)
        reaches = scattered_a_cm_sr(cosine) / MM_A_CM * cosine / ray**2 * through
        total += width * np.exp(-linear_attenuation_cm(energy_kev) * depth / MM_A_CM) * np.sum(area_mm2 * reaches)
    return total / np.exp(-linear_attenuation_cm(energy_kev) * slab_mm / MM_A_CM)


def disc(radius_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Rings of a disc, denser towards its centre, where scattering at short distance comes from."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    share = (nodes + 1) / 2
    distance = radius_mm * share**2
    return distance, weights / 2 * 2 * radius_mm * share * 2 * np.pi * distance


def square(side_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of a square, denser towards its centre."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    share = (nodes + 1) / 2
    along, width = side_mm / 2 * share**2, weights / 2 * side_mm * share
    return np.hypot(*np.meshgrid(along, along)).ravel(), 4 * np.outer(width, width).ravel()
