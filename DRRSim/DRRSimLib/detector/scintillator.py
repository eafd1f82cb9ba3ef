"""Scintillator: how much of a photon's energy stays in it.

Of photons of energy E the share η = 1 − exp(−μ t) interacts. An interaction leaves E, or E less the energy of a K X-ray
that escapes. That happens with probability Σ_lines s f ω r P: s is the element's share of the interactions, f = 1 − 1/J
that of the K shell (J: the jump at the edge), ω the fluorescence yield, r the line's share, and P the probability that
a line photon, sent anywhere from where it was made, leaves through the front or the back:

    P = ∫₀ᵗ μ e^(−μz) ½ [E₂(μ' z) + E₂(μ' (t − z))] dz / η,     E₂ the exponential integral,

as in the calculations of Chan and Doi 1983 (Phys. Med. Biol. 28:565) for slabs. Every interaction counts as absorption;
scattering in the scintillator, and spreading by the X-rays that are reabsorbed elsewhere in it, are left out.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.special import expn

from Sim2RealLib.recipe import strict_dataclass

from ..physics.detector_signal import Response
from ..physics.materials import element_attenuation_cm2_g, mass_attenuation_cm2_g, material

DEPTHS = 48
"""Nodes of the integral over depth; P is then right to 1e-4."""


@dataclass(frozen=True)
class KShell:
    """Of an element, as in XrayDB 4.5.8 (Elam, Ravel and Sieber 2002): edge, jump ratio, fluorescence yield, and mean
    energy and share of the Kα and the Kβ lines."""

    edge_kev: float
    jump: float
    fluorescence_yield: float
    lines: tuple[tuple[float, float], ...]


K_SHELLS = {
    "I": KShell(33.169, 6.039, 0.8934, ((28.508, 0.8219), (32.424, 0.1781))),
    "Cs": KShell(35.985, 5.949, 0.9118, ((30.851, 0.8177), (35.128, 0.1823))),
    "Gd": KShell(50.239, 5.537, 0.9660, ((42.751, 0.8030), (48.950, 0.1970))),
}


@strict_dataclass
class Scintillator:
    """thickness_mm: of the layer. packing: the share of it that is crystal; columns of CsI have gaps, powder a binder.

    escape: whether K X-rays may leave it.
    """

    material: Literal["caesium_iodide", "gadolinium_oxysulfide"] = "caesium_iodide"
    thickness_mm: Annotated[float, Field(gt=0, le=10)] = 0.55
    packing: Annotated[float, Field(gt=0, le=1)] = 0.75
    escape: bool = True

    @property
    def areal_density_g_cm2(self) -> float:
        return material(self.material).density_g_cm3 * self.packing * self.thickness_mm / 10.0


def scintillator_response(scintillator: Scintillator, energies_kev: np.ndarray) -> Response:
    """What photons of these energies (B,) leave in the layer."""
    energies_kev = np.asarray(energies_kev, float)
    depth = mass_attenuation_cm2_g(scintillator.material, energies_kev) * scintillator.areal_density_g_cm2
    absorbed = -np.expm1(-depth)
    mean, square = absorbed * energies_kev, absorbed * energies_kev**2
    if scintillator.escape:
        for line_kev, probability in _escapes(scintillator, energies_kev, depth):
            mean -= absorbed * probability * line_kev
            square -= absorbed * probability * (energies_kev**2 - (energies_kev - line_kev) ** 2)
    return Response(mean, square)


def _escapes(scintillator: Scintillator, energies_kev: np.ndarray, depth: np.ndarray):
    """Every K line with the probability (B,) that an interaction sends one out of the layer."""
    name = scintillator.material
    total = mass_attenuation_cm2_g(name, energies_kev)
    for element, share in material(name).composition.items():
        shell = K_SHELLS.get(element)
        if shell is None:
            continue
        interactions = share * element_attenuation_cm2_g(element, energies_kev) / total
        emitted = np.where(energies_kev > shell.edge_kev, interactions, 0) * (1 - 1 / shell.jump)
        for line_kev, line_share in shell.lines:
            line_depth = float(mass_attenuation_cm2_g(name, line_kev)) * scintillator.areal_density_g_cm2
            leaving = escape_probability(depth, line_depth)
            yield line_kev, emitted * shell.fluorescence_yield * line_share * leaving


def escape_probability(depth: np.ndarray, line_depth: float) -> np.ndarray:
    """P of the module's docstring for layers of `depth` mean free paths of the photon and `line_depth` of the line."""
    nodes, weights = np.polynomial.legendre.leggauss(DEPTHS)
    # Nodes even in the share that has interacted, not in depth: a thick layer absorbs near its front.
    share = (nodes + 1) / 2 * -np.expm1(-depth)[..., None]
    position = -np.log1p(-share) / depth[..., None]
    leaving = (expn(2, line_depth * position) + expn(2, line_depth * (1 - position))) / 2
    return leaving @ weights / 2
