"""Heel effect: towards the anode, photons run a longer way through the tungsten they were made in.

Electrons of E₀ slow down so that they can make photons of energy E down to the depth D (1 − (E / E₀)²) and no deeper
(Thomson's and Whiddington's law, 1912). Of photons made evenly down to there, (1 − exp(−u)) / u leave the anode, with
u = (μ/ρ)_W(E) · D (1 − (E / E₀)²) / sin α and α the take-off angle between ray and anode face. The beam at a ray is
that of the central ray times the ratio of these shares.

D, the only free number, is fitted to spectra that SpekPy 2.5.4 (model casim) gives for 50 to 140 kV, anode angles of 8°
to 12° and rays within 6° towards the anode and 8° towards the cathode: there the signal behind 4 mm of aluminium agrees
within 3.5 % and the mean energy within 1 % (`Testing/test_beam.py`).
"""

from typing import Any, Literal

import drjit as dr
import numpy as np

from Sim2RealLib.engine import Backend
from Sim2RealLib.recipe import strict_dataclass

from ..physics.materials import mass_attenuation_cm2_g

ANODE_MATERIAL = "tungsten"
DEPTH_AT_90_KV_G_CM2 = 6.35e-3
DEPTH_EXPONENT = 1.6
"""D = DEPTH_AT_90_KV_G_CM2 (kV / 90)^DEPTH_EXPONENT."""

GRAZING = 1e-4
"""Sine of the take-off angle of rays that would have to pass through the anode: practically nothing of them is left."""

ANODE_SIDES = {"left": (1.0, 0.0), "right": (-1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
"""Direction of a side of the image in the source frame (x, y); the image is mirrored."""


@strict_dataclass
class Heel:
    """anode: the side of the image that the anode is at; at an upright detector up is the patient's head."""

    anode: Literal["left", "right", "up", "down"] = "up"


def emission_depths(energies_kev: np.ndarray, kvp: float) -> np.ndarray:
    """(μ/ρ)_W · D (1 − (E / E₀)²): mean free paths of tungsten down to which photons of these energies are made, (B,).

    The few photons that a bin's width or an interpolation puts above kvp are made at the surface.
    """
    depth_g_cm2 = DEPTH_AT_90_KV_G_CM2 * (kvp / 90.0) ** DEPTH_EXPONENT
    within = np.maximum(1.0 - (energies_kev / kvp) ** 2, 0.0)
    return mass_attenuation_cm2_g(ANODE_MATERIAL, energies_kev) * depth_g_cm2 * within


def inverse_sines(backend: Backend, heel: Heel, anode_angle_deg: float, x: Any, y: Any) -> tuple[Any, float]:
    """1 / sin α of rays at normalised image positions x, y, as a Float array, and of the central ray."""
    sine, cosine = np.sin(np.deg2rad(anode_angle_deg)), np.cos(np.deg2rad(anode_angle_deg))
    right, below = ANODE_SIDES[heel.anode]
    towards_anode = float(cosine * right) * x + float(cosine * below) * y
    take_off = (float(sine) - towards_anode) * dr.rsqrt(1 + x * x + y * y)
    return dr.rcp(dr.maximum(backend.arrays.Float(take_off), GRAZING)), float(1 / sine)
