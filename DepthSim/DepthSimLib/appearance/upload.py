"""A look on a backend: tables of what it makes of light, and its texture."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from ..endoscope.lights import TipLight
from ..rendering.look_device import BLOOD_ROWS, DeviceBlood, DeviceLook, DeviceSkin
from ..rendering.texture_device import upload_texture
from .looks import VESSEL_BLOOD, Look, Mucosa, Surface
from .mucosa_texture import mucosa_texture
from .tissue import (
    NARROW_BAND_NM,
    WHITE_LIGHT_NM,
    blood_absorption_cm,
    diffuse_reflectance,
    pigment_absorption_cm,
    reduced_scattering_cm,
    single_scattering_albedo,
)
from .transfer_function import LUMEN, OpacityFunction

STEEP_HU_MM = 600.0
"""Gradient of a gas–tissue edge of 1000 HU that a Gaussian of 0.66 mm has blurred, to which G_f is relative."""

MATTE_ROUGHNESS = 0.6
"""GGX's α of a dry surface (assumed)."""


def upload_look(
    arrays: ModuleType,
    look: Look,
    lights: Sequence[TipLight],
    opacity: OpacityFunction = LUMEN,
    similarity: bool = True,
) -> DeviceLook:
    """lights: the endoscope's. opacity: of the scene's geometry.

    similarity: whether scattering after the first counts as isotropic, with the extinction of the path tracer's
    `later_extinction`; without, g stays what it is, for a `later_extinction` of 1.
    """

    def number(value: float) -> Any:
        return dr.opaque(arrays.Float, float(value))

    def color(rgb: Sequence[float]) -> Any:
        return arrays.Array3f(*(number(value) for value in rgb))

    def tables(values: np.ndarray) -> tuple[Any, ...]:
        return tuple(arrays.Float(np.ascontiguousarray(channel, np.float32)) for channel in values.T)

    surface, illumination = look.surface, look.illumination
    blood = None
    if isinstance(look.tissue, Mucosa):
        diffuse, albedo = mucosa_tables(look.tissue, look.g)
        blood = DeviceBlood(
            number(look.tissue.blood_fraction),
            number(look.tissue.mottling),
            number(VESSEL_BLOOD * look.tissue.vessels),
            number(min(1.0 - look.tissue.vessel_density, 0.99)),
            number(look.tissue.lesion_blood),
        )
    else:
        diffuse = albedo = look.tissue.rgb()
    extinction = opacity.extinction_mm()
    place = (look.pattern_offset_mm, (look.pattern, look.pattern_offset_mm))
    skin = DeviceSkin(
        upload_texture(arrays, mucosa_texture(look.pattern), *place),
        number(surface.bump),
        number(surface.cover),
        number(surface.cover_opacity),
        color(surface.cover_color),
        blood,
    )
    balance = illumination.balance[: len(lights)]
    return DeviceLook(
        tables(diffuse),
        tables(albedo),
        arrays.Float((extinction / extinction.max()) ** np.float32(surface.exponent)),
        number(25.0 * surface.gradient_factor**3 / STEEP_HU_MM),
        number(surface.f0),
        number(film_roughness(surface)),
        number(look.g),
        number(0.0 if similarity else look.g),
        tuple(number(light.intensity * factor) for light, factor in zip(lights, balance, strict=True)),
        tuple(number(light.spread * illumination.spread_factor) for light in lights),
        color((0.0, 0.0, 0.0)),
        skin,
    )


def mucosa_tables(mucosa: Mucosa, g: float) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse reflectance and single-scattering albedo over blood fraction, (BLOOD_ROWS, 3) each."""
    bands_nm = WHITE_LIGHT_NM if mucosa.light == "white" else NARROW_BAND_NM
    fraction = (np.arange(BLOOD_ROWS) / (BLOOD_ROWS - 1)) ** 2
    tissue = mucosa.base_absorption_cm + mucosa.pigment_fraction * pigment_absorption_cm(bands_nm)
    absorption = fraction[:, None] * blood_absorption_cm(bands_nm, mucosa.oxygenation) + tissue
    scattering = mucosa.scattering * reduced_scattering_cm(bands_nm)
    return diffuse_reflectance(absorption, scattering), single_scattering_albedo(absorption, scattering, g)


def film_roughness(surface: Surface) -> float:
    """GGX's α between the wet film's and a matte surface's, by wetness."""
    return surface.roughness**surface.wetness * MATTE_ROUGHNESS ** (1.0 - surface.wetness)
