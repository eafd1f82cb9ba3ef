"""Reflection at a wet surface: Lambert's diffuse part under a rough dielectric film.

f = K_d / π · (1 − F(θᵢ)) (1 − F(θₒ)) / (1 − F̄) + D F G / (4 cosθᵢ cosθₒ), with the microfacet distribution D of
Trowbridge and Reitz (GGX; Walter et al. 2007), Smith's height-correlated masking G and Schlick's Fresnel term F (1994).
Only what the film lets through reaches the diffuse part, and F̄ is what it reflects of light from everywhere, so that a
white surface under a smooth film reflects all (Kelemen and Szirmay-Kalos 2001). Directions are unit vectors that point
away from the surface; roughness is GGX's α.
"""

from types import ModuleType
from typing import Any

import drjit as dr

from Sim2RealLib.directions import around

SPECULAR_SHARE = 0.25
"""Share of directions that are drawn from the specular lobe."""

LEAST_COSINE = 1e-4

GRAZING_PER_F0 = 50.0
"""Reflectance at grazing incidence over F0, at most 1: below 2 %, that of water, films fade to none (assumed)."""


def reflected(diffuse: Any, f0: Any, roughness: Any, normal: Any, incoming: Any, outgoing: Any) -> Any:
    """f · cosθᵢ (RGB); 0 where either direction is below the surface."""
    cos_in, cos_out = dr.dot(normal, incoming), dr.dot(normal, outgoing)
    half = dr.normalize(incoming + outgoing)
    grazing = dr.minimum(GRAZING_PER_F0 * f0, 1)

    def fresnel(cosine: Any) -> Any:
        return f0 + (grazing - f0) * _fifth_power(1 - dr.clip(cosine, 0, 1))

    through = (1 - fresnel(cos_in)) * (1 - fresnel(cos_out)) / (1 - f0 - (grazing - f0) / 21)
    alpha2 = roughness * roughness
    visibility = 0.5 / (
        cos_out * dr.sqrt(alpha2 + (1 - alpha2) * cos_in * cos_in)
        + cos_in * dr.sqrt(alpha2 + (1 - alpha2) * cos_out * cos_out)
    )
    specular = _microfacets(dr.dot(normal, half), alpha2) * visibility * fresnel(dr.dot(half, outgoing))
    above = (cos_in > LEAST_COSINE) & (cos_out > LEAST_COSINE)
    return dr.select(above, (diffuse * (through / dr.pi) + specular) * cos_in, 0)


def draw(arrays: ModuleType, roughness: Any, normal: Any, outgoing: Any, lobe: Any, u: Any, v: Any) -> Any:
    """A direction in which light may have come in, from three uniform numbers; its density is `density`."""
    alpha2 = roughness * roughness
    half = around(arrays, normal, dr.safe_sqrt((1 - u) / (1 + (alpha2 - 1) * u)), v)
    mirrored = 2 * dr.dot(outgoing, half) * half - outgoing
    return dr.select(lobe < SPECULAR_SHARE, mirrored, around(arrays, normal, dr.sqrt(1 - u), v))


def density(roughness: Any, normal: Any, incoming: Any, outgoing: Any) -> Any:
    """Probability density, a steradian, with which `draw` gives a direction."""
    half = dr.normalize(incoming + outgoing)
    cos_half = dr.abs(dr.dot(normal, half))
    specular = _microfacets(cos_half, roughness * roughness) * cos_half
    specular /= 4 * dr.maximum(dr.abs(dr.dot(outgoing, half)), LEAST_COSINE)
    diffuse = dr.maximum(dr.dot(normal, incoming), 0) / dr.pi
    return SPECULAR_SHARE * specular + (1 - SPECULAR_SHARE) * diffuse


def _microfacets(cos_half: Any, alpha2: Any) -> Any:
    denominator = cos_half * cos_half * (alpha2 - 1) + 1
    return alpha2 / (dr.pi * denominator * denominator)


def _fifth_power(x: Any) -> Any:
    square = x * x
    return square * square * x
