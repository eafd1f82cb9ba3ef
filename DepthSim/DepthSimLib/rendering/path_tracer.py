"""The path tracer: light from the tip, scattered in tissue and reflected at its surface, as the camera sees it.

At a collision the material is a mixture of a surface and a phase function, f = P · f_r cosθ + (1 − P) · albedo · p,
with the share P of the surface growing with the gradient (Kroes, Post and Botha 2012, "Exposure Render"). One of the
two is drawn and alone evaluated, one light is drawn for next-event estimation, and Russian roulette ends paths: all
unbiased.

The looks of a scene share its extinction, and so they share paths: a direction is drawn for one of them, and counts for
each with its own material over the mean of their densities (the one-sample model of Veach and Guibas 1995).

A lane follows the samples of its pixel one after the other, so that a packet need not wait for its longest path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

import drjit as dr

from Sim2RealLib.random_streams import random_streams

from . import surface_brdf
from .camera_rays import CameraRays
from .look_device import DeviceLook, Material, materials_at, place_at
from .medium import NOTHING, Medium, free_flight, rays_in, transmittance
from .phase import sample_henyey_greenstein
from .texture_device import Drawn
from .tip_lights import DeviceLight, sample_lights

ROULETTE_FROM_ORDER = 2
"""Collisions after which a path may end by chance."""


@dataclass(frozen=True)
class PathSettings:
    """How light is followed.

    samples: paths a pixel. max_order: collisions a path may have; the light of longer ones is missing.
    later_extinction: factor on σ_t after the first collision; 1 is exact, less is the similarity relation.
    surface_offset_mm: how far above a reflecting surface light arrives and leaves, beyond the blur of the CT's edge.
    """

    samples: int
    max_order: int
    later_extinction: float
    surface_offset_mm: float


@dataclass(frozen=True, eq=False)
class Radiance:
    """Sums over the paths of every pixel: RGB (Array3f) for each look, and how often a majorant was exceeded."""

    looks: tuple[Any, ...]
    violations: Any


def trace(
    medium: Medium,
    looks: Sequence[DeviceLook],
    lights: Sequence[DeviceLight],
    camera: CameraRays,
    settings: PathSettings,
    seed: int,
) -> Radiance:
    """Mean radiance of every pixel, row by row, in each look. `seed` alone decides the random numbers."""
    arrays = medium.arrays
    Float, UInt32, Array3f = arrays.Float, arrays.UInt32, arrays.Array3f  # noqa: N806
    samples, max_order = dr.opaque(UInt32, settings.samples), dr.opaque(UInt32, settings.max_order)
    later, offset_mm = (dr.opaque(Float, value) for value in (settings.later_extinction, settings.surface_offset_mm))
    pixel = dr.arange(UInt32, camera.width * camera.height)

    def follow(state: _Paths) -> _Paths:
        first, rng = state.order == 0, state.rng
        x, y = rng.next_float32(), rng.next_float32()
        travel = dr.select(first, camera.direction(pixel, x, y, first), state.travel)
        betas = [dr.select(first, Array3f(1), beta) for beta in state.betas]
        rays = rays_in(medium, dr.select(first, camera.origin, state.origin), travel, dr.inf)
        distance, rng, exceeded = free_flight(medium, rays, dr.select(first, Float(1), later), rng)

        hit = dr.isfinite(distance)
        point = rays.at(dr.select(hit, distance, 0))
        place = place_at(medium, point, travel, first, hit)
        grain = Drawn(rng.next_float32(), rng.next_float32(), rng.next_float32())
        materials = materials_at(arrays, looks, place, grain, hit)
        drawn = _one_of(arrays, materials, rng.next_float32())
        on_surface = rng.next_float32() < drawn.surface_share
        start = dr.select(on_surface, point + place.normal * offset_mm, point)

        light = sample_lights(arrays, lights, looks, start, rng.next_float32(), rng.next_float32(), rng.next_float32())
        to_light = light.position - start
        far = dr.norm(to_light)
        to_light /= far
        surface_chance = sum(material.surface_share for material in materials) / len(materials)
        chance = dr.select(on_surface, surface_chance, 1 - surface_chance)
        direct = [
            beta * material.value(on_surface, to_light, travel) * (intensity / (chance * far * far))
            for beta, material, intensity in zip(betas, materials, light.intensities, strict=True)
        ]
        lit = hit & (dr.max(sum(direct)) > NOTHING)
        through, rng = transmittance(medium, rays_in(medium, start, to_light, far), later, rng, lit)

        lobe, u, v = rng.next_float32(), rng.next_float32(), rng.next_float32()
        bounced = surface_brdf.draw(arrays, drawn.roughness, drawn.normal, -travel, lobe, u, v)
        turned = sample_henyey_greenstein(arrays, travel, drawn.phase_g, u, v)
        onward = dr.select(on_surface, bounced, turned)
        density = sum(material.density(on_surface, onward, travel) for material in materials) / len(materials)
        onward_betas = [
            dr.select(density > 0, beta * material.value(on_surface, onward, travel) / density, 0)
            for beta, material in zip(betas, materials, strict=True)
        ]
        order = state.order + 1
        survival = dr.select(order >= ROULETTE_FROM_ORDER, dr.minimum(_brightest(onward_betas), 1), 1)
        goes_on = hit & (order < max_order) & (survival > NOTHING) & (rng.next_float32() < survival)
        sums = [
            total + dr.select(hit, dr.select(lit, value * through, 0), beta * look.background)
            for total, value, beta, look in zip(state.sums, direct, betas, looks, strict=True)
        ]
        return _Paths(
            dr.select(goes_on, state.sample, state.sample + 1),
            dr.select(goes_on, order, UInt32(0)),
            start,
            onward,
            [beta / dr.maximum(survival, NOTHING) for beta in onward_betas],
            sums,
            state.violations + exceeded,
            rng,
        )

    dark = [Array3f(0) for _ in looks]
    none = dr.zeros(UInt32, camera.width * camera.height)
    rng = random_streams(arrays, camera.width * camera.height, seed)
    begun = _Paths(none, UInt32(0), Array3f(0), Array3f(0, 0, 1), dark, dark, UInt32(0), rng)
    (ended,) = dr.while_loop(
        (begun,), lambda paths: paths.sample < samples, lambda paths: (follow(paths),), label="paths"
    )
    means = tuple(dr.select(total > NOTHING, total, 0) / Float(samples) for total in ended.sums)
    return Radiance(means, ended.violations)


@dataclass
class _Paths:
    """The path that each lane is on. sample: its number; order: collisions so far; betas, sums: one of each look."""

    sample: Any
    order: Any
    origin: Any
    travel: Any
    betas: list[Any]
    sums: list[Any]
    violations: Any
    rng: Any


def _one_of(arrays: ModuleType, materials: Sequence[Material], choice: Any) -> Material:
    """One of the looks' materials, each with the same probability."""
    drawn = materials[0]
    for number in range(1, len(materials)):
        take = choice * len(materials) >= number
        pairs = ((getattr(materials[number], f.name), getattr(drawn, f.name)) for f in fields(Material))
        drawn = Material(*(dr.select(take, new, old) for new, old in pairs))
    return drawn


def _brightest(colors: Sequence[Any]) -> Any:
    brightest = dr.max(colors[0])
    for color in colors[1:]:
        brightest = dr.maximum(brightest, dr.max(color))
    return brightest
