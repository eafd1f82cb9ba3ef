"""How tissue looks, on a backend: what the looks of a scene make of light at a collision."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr

from . import surface_brdf
from .medium import Medium
from .phase import henyey_greenstein
from .texture_device import Averaged, DeviceTexture, Drawn, Grain

BLOOD_ROWS = 1024
"""Of a table over blood fraction; row r is the fraction (r / (BLOOD_ROWS − 1))²."""

LEAST_COSINE = 0.05
"""Between a bump's normal and the view; where relief would turn it further away it counts as smooth."""

PIT_CONTRAST = 0.3
"""By how much blood in the grooves of a tumour's surface exceeds its mean, and on the ridges falls short (assumed)."""

GRAZING_COSINE, FACING_COSINE = 0.5, 0.02
"""Of the angle between a ray and a normal that leads away from it: up to the first it grazes the surface; a bent normal
faces the ray by the second."""


@dataclass(frozen=True, eq=False)
class DeviceBlood:
    """Where blood is; numbers are opaque Floats.

    fraction: of the tissue's volume, on average. mottling: standard deviation of its logarithm from patch to patch.
    vessels: blood fraction that the most visible vessel adds. spared: vessels up to this visibility are left out.
    lesion: factor on the fraction in tumour, where pits take the place of vessels and patches.
    """

    fraction: Any
    mottling: Any
    vessels: Any
    spared: Any
    lesion: Any


@dataclass(frozen=True, eq=False)
class DeviceSkin:
    """Texture of a look.

    bump: root mean square slope of the relief. cover: share of the surface under a film of diffuse reflectance
    cover_color, and of opacity cover_opacity where it is deepest. blood: None where the tables of the look are over HU.
    """

    texture: DeviceTexture
    bump: Any
    cover: Any
    cover_opacity: Any
    cover_color: Any
    blood: DeviceBlood | None


@dataclass(frozen=True, eq=False)
class DeviceLook:
    """One look; numbers are opaque Floats, colours RGB.

    diffuse, albedo: three Float tables each, over blood fraction where the skin has blood, over HU elsewhere; K_d of
        the surface and the single-scattering albedo.
    surface: by HU, the share of surface reflection where the gradient is steep.
    gradient_factor: mm/HU; the share grows as 1 − exp(−factor · |∇HU|).
    f0, roughness: of the wet film. g: of the phase function at the first collision, later_g at the others, where the
        similarity relation gives the albedo that goes with it.
    intensities, spreads: of each light; its spot profile is intensity · exp(−spread (1 − cosθ)).
    background: radiance of what rays meet beyond the volume.
    """

    diffuse: tuple[Any, Any, Any]
    albedo: tuple[Any, Any, Any]
    surface: Any
    gradient_factor: Any
    f0: Any
    roughness: Any
    g: Any
    later_g: Any
    intensities: tuple[Any, ...]
    spreads: tuple[Any, ...]
    background: Any
    skin: DeviceSkin | None = None


@dataclass(frozen=True, eq=False)
class Place:
    """Where light meets tissue, in the grid frame.

    normal: unit, towards where the ray that ran along `travel` came from. steepness: |∇HU|, HU a mm. row: of the tables
    over HU. first: whether it is the path's first collision. lesion: share of tumour.
    """

    point: Any
    travel: Any
    normal: Any
    steepness: Any
    row: Any
    first: Any
    lesion: Any


@dataclass(frozen=True, eq=False)
class Material:
    """One look at one collision. normal: of the relief; surface_share: P of the surface; phase_g: of the phase function
    there."""

    normal: Any
    surface_share: Any
    diffuse: Any
    albedo: Any
    f0: Any
    roughness: Any
    phase_g: Any

    def value(self, on_surface: Any, incoming: Any, travel: Any) -> Any:
        """P · f_r cosθᵢ, or (1 − P) · albedo · p, RGB: of light from direction `incoming` into a path that ran along
        `travel`."""
        reflected = surface_brdf.reflected(self.diffuse, self.f0, self.roughness, self.normal, incoming, -travel)
        scattered = self.albedo * henyey_greenstein(dr.dot(travel, incoming), self.phase_g)
        return dr.select(on_surface, self.surface_share * reflected, (1 - self.surface_share) * scattered)

    def density(self, on_surface: Any, incoming: Any, travel: Any) -> Any:
        """Probability density with which this look draws the component and the direction."""
        reflected = surface_brdf.density(self.roughness, self.normal, incoming, -travel)
        scattered = henyey_greenstein(dr.dot(travel, incoming), self.phase_g)
        return dr.select(on_surface, self.surface_share * reflected, (1 - self.surface_share) * scattered)


def surface_at(medium: Medium, point: Any, travel: Any, active: Any) -> tuple[Any, Any]:
    """The unit normal that faces where a ray comes from, and the steepness |∇HU|, HU a mm.

    The normal leads towards gas. A ray that grazes the blurred edge of a fold meets it where the normal already leads a
    little away: it is then bent to the ray's perpendicular. Where it leads further away, the ray comes out of tissue
    and meets the surface from behind.
    """
    gradient = medium.device_grid.gradient(point, active)
    steepness = dr.norm(gradient)
    normal = -gradient / dr.maximum(steepness, 1e-6)
    away = dr.dot(normal, travel)
    bent = dr.normalize(normal - (away + FACING_COSINE) * travel)
    behind = dr.select(away > GRAZING_COSINE, -normal, bent)
    return dr.select(away > -FACING_COSINE, behind, normal), steepness


def place_at(medium: Medium, point: Any, travel: Any, first: Any, active: Any) -> Place:
    """point, travel: Array3f in the grid frame, of rays that collide there."""
    normal, steepness = surface_at(medium, point, travel, active)
    row, lesion = medium.tissue_at(point, active)
    return Place(point, travel, normal, steepness, row, first, lesion)


def materials_at(
    arrays: ModuleType, looks: Sequence[DeviceLook], place: Place, lookup: Drawn | Averaged, active: Any
) -> list[Material]:
    """Every look there. lookup: how textures are read; looks that have the same one share what is read."""
    textures = {look.skin.texture.key: look.skin.texture for look in looks if look.skin is not None}
    grains = {key: lookup.look_up(texture, place.point, place.normal, active) for key, texture in textures.items()}
    return [
        _material(arrays, look, place, None if look.skin is None else grains[look.skin.texture.key], active)
        for look in looks
    ]


def _material(arrays: ModuleType, look: DeviceLook, place: Place, grain: Grain | None, active: Any) -> Material:
    normal, row, cover = place.normal, place.row, None
    if grain is not None:
        normal = _relief(place, grain, look.skin.bump)
        low = dr.lerp(grain.cover, grain.pits, place.lesion)
        thickness = dr.maximum(low - (1 - look.skin.cover), 0) * dr.rcp(dr.maximum(look.skin.cover, 1e-6))
        cover = thickness * look.skin.cover_opacity
        if look.skin.blood is not None:
            row = _blood_row(arrays, look.skin.blood, grain, place.lesion)

    def color(table: tuple) -> Any:
        return arrays.Array3f(*(dr.gather(arrays.Float, channel, row, active) for channel in table))

    diffuse, albedo = color(look.diffuse), color(look.albedo)
    if cover is not None:
        diffuse = dr.lerp(diffuse, look.skin.cover_color, cover)
    edge = 1 - dr.exp(-look.gradient_factor * place.steepness)
    share = dr.gather(arrays.Float, look.surface, place.row, active) * edge
    g = dr.select(place.first, look.g, look.later_g)
    similar = albedo * (1 - look.g) / (albedo * (1 - look.g) + (1 - albedo) * (1 - look.later_g))
    return Material(normal, share, diffuse, dr.select(place.first, albedo, similar), look.f0, look.roughness, g)


def seen_material(
    medium: Medium, look: DeviceLook, point: Any, travel: Any, normal: Any, width_mm: Any, seen: Any
) -> Material:
    """The material of surface points as pixels of a width see it: the texture's mean over them, without chance."""
    arrays = medium.arrays
    row, lesion = medium.tissue_at(point, seen)
    place = Place(point, travel, normal, arrays.Float(0), row, arrays.Bool(True), lesion)
    return materials_at(arrays, [look], place, Averaged(width_mm), seen)[0]


def _relief(place: Place, grain: Grain, bump: Any) -> Any:
    """The normal tilted against the slope along the surface."""
    slope = grain.slope * bump
    tilted = dr.normalize(place.normal - (slope - place.normal * dr.dot(slope, place.normal)))
    return dr.select(-dr.dot(tilted, place.travel) > LEAST_COSINE, tilted, place.normal)


def _blood_row(arrays: ModuleType, blood: DeviceBlood, grain: Grain, lesion: Any) -> Any:
    seen = dr.maximum(grain.vessels - blood.spared, 0) / (1 - blood.spared)
    wall = blood.fraction * dr.exp(blood.mottling * grain.mottling) + blood.vessels * seen
    tumour = blood.fraction * blood.lesion * (1 + PIT_CONTRAST * (2 * grain.pits - 1))
    fraction = dr.lerp(wall, tumour, lesion)
    return arrays.UInt32(dr.sqrt(dr.minimum(fraction, 1)) * (BLOOD_ROWS - 1) + 0.5)
