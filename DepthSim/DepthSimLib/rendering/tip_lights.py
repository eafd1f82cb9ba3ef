"""The lights at the endoscope's tip, on a backend: disks that shine forward, drawn by what each would contribute."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from ..endoscope.lights import TipLight, disk_axes
from .look_device import DeviceLook


@dataclass(frozen=True, eq=False)
class DeviceLight:
    """A disk in the grid frame: centre, unit axis, and two perpendicular radii (Array3f of opaque Floats, mm)."""

    center: Any
    axis: Any
    first: Any
    second: Any


@dataclass(frozen=True, eq=False)
class LightSample:
    """A point on a light, and for every look the radiant intensity from there towards the lit point, over the
    probability with which the light was drawn."""

    position: Any
    intensities: tuple[Any, ...]


def sample_lights(
    arrays: ModuleType,
    lights: Sequence[DeviceLight],
    looks: Sequence[DeviceLook],
    point: Any,
    choice: Any,
    u: Any,
    v: Any,
) -> LightSample:
    """Draw a point on one of the lights for a lit point, from three uniform numbers."""
    strengths = [_unshadowed(light, looks, number, point) for number, light in enumerate(lights)]
    total = sum(strengths)
    remaining, passed, number = choice * total, arrays.Float(0), arrays.UInt32(0)
    for strength in strengths[:-1]:
        passed += strength
        number += dr.select(remaining >= passed, arrays.UInt32(1), 0)

    def chosen(values: Sequence[Any]) -> Any:
        result = values[0]
        for other in range(1, len(values)):
            result = dr.select(number == other, values[other], result)
        return result

    sine, cosine = dr.sincos(2 * dr.pi * v)
    radius = dr.sqrt(u)
    place = chosen([light.center for light in lights])
    place += chosen([light.first for light in lights]) * (radius * cosine)
    place += chosen([light.second for light in lights]) * (radius * sine)
    forward = dr.dot(chosen([light.axis for light in lights]), dr.normalize(point - place))
    weight = total / dr.maximum(chosen(strengths), TINY)
    return LightSample(
        place,
        tuple(chosen(look.intensities) * dr.exp(-chosen(look.spreads) * (1 - forward)) * weight for look in looks),
    )


TINY = 1e-20


def _unshadowed(light: DeviceLight, looks: Sequence[DeviceLook], number: int, point: Any) -> Any:
    """What a light's centre would contribute without shadows, summed over the looks."""
    away = point - light.center
    squared = dr.maximum(dr.squared_norm(away), 1e-6)
    forward = dr.dot(light.axis, away) * dr.rsqrt(squared)
    return sum(look.intensities[number] * dr.exp(-look.spreads[number] * (1 - forward)) for look in looks) / squared


def upload_lights(
    arrays: ModuleType, lights: Sequence[TipLight], grid_from_camera: np.ndarray
) -> tuple[DeviceLight, ...]:
    """grid_from_camera: 4×4, a rotation or a mirror with an offset. Intensities and spreads belong to the looks."""

    def vector(values: np.ndarray) -> Any:
        return arrays.Array3f(*(dr.opaque(arrays.Float, float(value)) for value in values))

    linear, offset = grid_from_camera[:3, :3], grid_from_camera[:3, 3]

    def device_light(light: TipLight) -> DeviceLight:
        radii = (light.radius_mm * axis for axis in disk_axes(light))
        return DeviceLight(
            vector(linear @ np.array(light.position_mm) + offset),
            vector(linear @ np.array(light.direction)),
            *(vector(linear @ radius) for radius in radii),
        )

    return tuple(device_light(light) for light in lights)
