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
        image = shaded(medium, viewpoint, surfaces, look)
        yield Light(image, image)


def shaded(medium: Medium, viewpoint: Viewpoint, surfaces: Sequence[Surface], look: DeviceLook) -> np.ndarray:
    """Synthetic radiance (H, W, 3), the mean over what each pixel shows at some places in it."""
    parts = []
    for surface in surfaces:
        material = _material(medium, viewpoint, surface, look)
        seen = (surface.point, surface.normal, surface.travel, surface.seen)
        parts.append(shade(medium, look, material, viewpoint.lights, *seen))
        dr.eval(parts[-1])
    return image_of(sum(parts) / len(parts), viewpoint.camera)


def _traced(
    medium: Medium, viewpoint: Viewpoint, surface: Surface, looks: Sequence[DeviceLook], rendering: Rendering, seed: int
) -> Iterator[Light]:
    for look, noisy in zip(looks, trace_pictures(medium, viewpoint, looks, rendering, seed), strict=True):
        clean = denoised(noisy, *guides(medium, viewpoint, surface, look)) if rendering.denoise else noisy
        yield Light(clean, noisy)


def trace_pictures(
    medium: Medium, viewpoint: Viewpoint, looks: Sequence[DeviceLook], rendering: Rendering, seed: int
) -> list[np.ndarray]:
    """Linear radiance (H, W, 3) of each look as `rendering.samples` paths a pixel give it."""
    settings = PathSettings(
        rendering.samples, rendering.max_order, rendering.later_extinction, rendering.surface_offset_mm
    )
    traced = trace(medium, looks, viewpoint.lights, viewpoint.camera, settings, seed)
    dr.eval(traced.looks)
    return [image_of(radiance, viewpoint.camera) for radiance in traced.looks]


def guides(medium: Medium, viewpoint: Viewpoint, surface: Surface, look: DeviceLook) -> tuple[np.ndarray, np.ndarray]:
    """What the denoiser goes by: albedo and normals, (H, W, 3), 0 where nothing is seen."""
    material = _material(medium, viewpoint, surface, look)
    parts = (dr.select(surface.seen, guide, 0) for guide in (dr.minimum(material.diffuse, 1), material.normal))
    albedo, normals = (image_of(part, viewpoint.camera) for part in parts)
    return albedo, normals


def _material(medium: Medium, viewpoint: Viewpoint, surface: Surface, look: DeviceLook) -> Material:
    width_mm = dr.select(surface.seen, surface.depth, 0) * viewpoint.pixel_angle
    return seen_material(medium, look, surface.point, surface.travel, surface.normal, width_mm, surface.seen)
