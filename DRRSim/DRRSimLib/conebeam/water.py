"""From the logarithm of a signal to a length of water: what makes voxels Hounsfield units.

A beam gets harder in the patient, so that −ln(I / I₀) grows less than the length. Behind water the growth is known, and
read backwards it turns every pixel into the length of water that attenuates as much, before the reconstruction: the
water precorrection of scanners (Herman 1979, Phys. Med. Biol. 24:81). A voxel is then a share of water whatever the
spectrum, 1000 (share − 1) its Hounsfield number, and a body of water has no cupping. Bone still hardens the beam more.
"""

import numpy as np

from ..physics.spectra import EnergyBins

LENGTHS_MM = np.arange(-100.0, 3000.0)
"""Of the table; noise in the open beam looks like less than nothing."""


def water_attenuation(bins: EnergyBins, lengths_mm: np.ndarray) -> np.ndarray:
    """−ln(I / I₀) of an ideal energy-integrating detector behind lengths (N,) of water. bins: of the material water."""
    areal_density_g_cm2 = np.asarray(lengths_mm)[:, None] / 10.0
    energy = bins.weights * bins.energies_kev
    transmitted = np.exp(-areal_density_g_cm2 * bins.mass_attenuation_cm2_g[0]) @ energy
    return -np.log(transmitted / energy.sum())


def water_lengths_mm(attenuation: np.ndarray, bins: EnergyBins) -> np.ndarray:
    """The lengths of water that attenuate as much, float32 of any shape."""
    return np.interp(attenuation, water_attenuation(bins, LENGTHS_MM), LENGTHS_MM).astype(np.float32)
