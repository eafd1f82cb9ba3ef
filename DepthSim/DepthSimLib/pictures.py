"""The light of a frame in each of its looks, synthetic or cinematic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import drjit as dr
import numpy as np

from .frames.ground_truth import Surface, visible_surface
from .recipe import Rendering
from .rendering.denoiser import denoised
from .rendering.look_device import DeviceLook, Material, seen_material
from .rendering.medium import Medium
from .rendering.path_tracer import PathSettings, trace
from .rendering.surface_shading import shade
from .scene import Viewpoint, image_of

SUBPIXELS = ((1 / 6, 5 / 6), (5 / 6, 1 / 6))
"""Places in a pixel, beside its centre, over which a synthetic picture is averaged: one in each third along either
axis."""


@dataclass(frozen=True, eq=False)
class Light:
    """Linear radiance (H, W, 3) float32 of one look; noisy: before denoising, the same where there was none."""

    radiance: np.ndarray
    noisy: np.ndarray


def render(
    medium: Medium, viewpoint: Viewpoint, surface: Surface, looks: Sequence[DeviceLook], rendering: Rendering, seed: int
) -> Iterator[Light]:
    """One image a look."""
    if rendering.mode == "synthetic":
        return _shaded(medium, viewpoint, surface, looks)
    return _traced(medium, viewpoint, surface, looks, rendering, seed)


def _shaded(medium: Medium, viewpoint: Viewpoint, surface: Surface, looks: Sequence[DeviceLook]) -> Iterator[Light]:
    surfaces = [surface, *(visible_surface(medium, viewpoint.camera, place) for place in SUBPIXELS)]
    for look in looks:
        parts = []
        for part in surfaces:
            material = _material(medium, viewpoint, part, look)
            seen = (part.point, part.normal, part.travel, part.seen)
            parts.append(shade(medium, look, material, viewpoint.lights, *seen))
            dr.eval(parts[-1])
        image = image_of(sum(parts) / len(parts), viewpoint.camera)
        yield Light(image, image)


def _traced(
    medium: Medium, viewpoint: Viewpoint, surface: Surface, looks: Sequence[DeviceLook], rendering: Rendering, seed: int
) -> Iterator[Light]:
    settings = PathSettings(
        rendering.samples, rendering.max_order, rendering.later_extinction, rendering.surface_offset_mm
    )
    traced = trace(medium, looks, viewpoint.lights, viewpoint.camera, settings, seed)
    dr.eval(traced.looks)
    for look, radiance in zip(looks, traced.looks, strict=True):
        noisy = image_of(radiance, viewpoint.camera)
        if not rendering.denoise:
            yield Light(noisy, noisy)
            continue
        material = _material(medium, viewpoint, surface, look)
        guides = (dr.select(surface.seen, guide, 0) for guide in (dr.minimum(material.diffuse, 1), material.normal))
        yield Light(denoised(noisy, *(image_of(guide, viewpoint.camera) for guide in guides)), noisy)


def _material(medium: Medium, viewpoint: Viewpoint, surface: Surface, look: DeviceLook) -> Material:
    width_mm = dr.select(surface.seen, surface.depth, 0) * viewpoint.pixel_angle
    return seen_material(medium, look, surface.point, surface.travel, surface.normal, width_mm, surface.seen)
