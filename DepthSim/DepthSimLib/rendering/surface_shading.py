"""The synthetic mode: light falls on a surface once, with the inverse square of its distance, and casts shadows.

The forward model of Mahmood et al. 2018 and of most depth networks: I = Σ K_d / π · I_l(ω) cosθ / r² over the lights,
here with the film's reflection too where the look has one.
"""

from collections.abc import Sequence
from typing import Any

import drjit as dr

from . import surface_brdf
from .look_device import DeviceLook, Material
from .medium import Medium, rays_in
from .opacity_depth import opacity_depths
from .tip_lights import DeviceLight

CLEAR_MM = 1.0
"""How far above the surface shadow rays begin, beyond the blur of its edge in a CT."""


def shade(
    medium: Medium,
    look: DeviceLook,
    material: Material,
    lights: Sequence[DeviceLight],
    point: Any,
    normal: Any,
    travel: Any,
    seen: Any,
) -> Any:
    """Radiance (Array3f) from surface points towards rays that ran along `travel`; 0 where nothing is seen.

    normal: of the surface, above which light is free; the material has that of its relief.
    """
    radiance = medium.arrays.Array3f(0)
    start = point + normal * CLEAR_MM
    for number, light in enumerate(lights):
        to_light = light.center - point
        squared = dr.squared_norm(to_light)
        to_light *= dr.rsqrt(squared)
        forward = -dr.dot(light.axis, to_light)
        intensity = look.intensities[number] * dr.exp(-look.spreads[number] * (1 - forward)) / squared
        reflected = surface_brdf.reflected(
            material.diffuse, material.f0, material.roughness, material.normal, to_light, -travel
        )
        lit = seen & (dr.max(reflected) > 0)
        way = light.center - start
        length = dr.norm(way)
        rays = rays_in(medium, start, way / length, dr.select(lit, length, 0))
        blocked = dr.isfinite(opacity_depths(medium, rays).middle)
        radiance += dr.select(lit & ~blocked, reflected * intensity, 0)
    return radiance
