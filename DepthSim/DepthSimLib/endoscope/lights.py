"""The lights at the tip of an endoscope, in the camera frame.

A light has the radiant intensity of the spot light source of Modrzejewski et al. (Med. Image Anal. 60, 2020), which
EndoMapper is calibrated with:

    I(ω) = σ exp(−μ (1 − D · ω)),

σ along its axis D and less beside it; μ = 0 shines alike in all directions. It is emitted from a disk of radius R that
faces along D, evenly over the disk, so that a wall at the tip receives a bounded irradiance.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat

from Sim2RealLib.recipe import strict_dataclass

Vector = tuple[float, float, float]

SPREAD = 2.767
"""μ of the photometric calibration that EndoMapper publishes as its example (Batlle et al., IROS 2022)."""

EMITTER_RADIUS_MM = 0.75
"""Of the lens in front of a light guide or of an LED (assumed; 0.5 to 1 mm are usual)."""

REFERENCE_SAMPLES = 256
"""Points on each disk at which `irradiance` integrates."""


def _unit(direction: Vector) -> Vector:
    length = float(np.linalg.norm(direction))
    if length == 0.0:
        raise ValueError("a direction is not 0 long")
    return tuple((np.array(direction) / length).tolist())


@strict_dataclass
class TipLight:
    """position_mm: centre of the disk. direction: its axis D, normalised. intensity: σ, relative to the other lights.
    spread: μ. radius_mm: R.
    """

    position_mm: Vector
    direction: Annotated[Vector, AfterValidator(_unit)] = (0.0, 0.0, 1.0)
    intensity: PositiveFloat = 1.0
    spread: NonNegativeFloat = SPREAD
    radius_mm: PositiveFloat = EMITTER_RADIUS_MM


TipLights = Annotated[tuple[TipLight, ...], Field(min_length=1, max_length=4)]

OLYMPUS_POSITIONS_MM = ((3.236, 0.554, 0.0), (-2.774, 2.657, 0.0), (-1.272, -3.140, 0.0))
"""The three light guides of an Olympus CF-H190L, tip 13.2 mm wide, as in EndoMapper's photometric calibration."""

RING_RADIUS_MM = 2.5
"""Of the four LEDs around the lens of a small video module (assumed)."""

LIGHTS: dict[str, tuple[TipLight, ...]] = {
    "olympus_3": tuple(TipLight(position) for position in OLYMPUS_POSITIONS_MM),
    "olympus_2": tuple(TipLight(position) for position in OLYMPUS_POSITIONS_MM[:2]),
    # The one light that explains EndoMapper's calibration frames best; it comes out 3.6 mm behind the lens.
    "endomapper": (TipLight((-0.061, -1.135, -3.612), (0.011092, 0.0, 0.999938)),),
    "ring_4": tuple(
        TipLight((RING_RADIUS_MM * x, RING_RADIUS_MM * y, 0.0)) for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))
    ),
    # A light in the lens, alike in all directions, as in the shading models of depth networks.
    "coaxial": (TipLight((0.0, 0.0, 0.0), spread=0.0),),
}
"""Presets by name."""


def irradiance(
    points: np.ndarray, normals: np.ndarray, lights: Sequence[TipLight], samples: int = REFERENCE_SAMPLES
) -> np.ndarray:
    """Irradiance (...,) of surface points (..., 3), mm, with unit normals (..., 3), in the camera frame; no shadows.

    In units of relative intensity a mm². The reference for renderers: the mean over each disk of I(ω) cos θ / r², θ
    being the angle of incidence at the surface.
    """
    total = np.zeros(np.broadcast_shapes(points.shape, normals.shape)[:-1])
    for light in lights:
        for emitter in light.position_mm + light.radius_mm * disk_points(light, samples):
            to_light = emitter - points
            distance = np.linalg.norm(to_light, axis=-1)
            to_light = to_light / distance[..., None]
            emitted = light.intensity * np.exp(-light.spread * (1.0 + to_light @ np.array(light.direction)))
            received = np.maximum(np.sum(to_light * normals, axis=-1), 0.0)
            total += emitted * received / (samples * distance**2)
    return total


def disk_points(light: TipLight, count: int) -> np.ndarray:
    """Points (count, 3) spread evenly over the unit disk across a light's axis: Vogel's spiral (Math. Biosci. 1979)."""
    number = np.arange(count)
    radius, angle = np.sqrt((number + 0.5) / count), number * np.pi * (3.0 - 5.0**0.5)
    first, second = disk_axes(light)
    return radius[:, None] * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)


def disk_axes(light: TipLight) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors across a light's axis, perpendicular to each other."""
    axis = np.array(light.direction)
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)
