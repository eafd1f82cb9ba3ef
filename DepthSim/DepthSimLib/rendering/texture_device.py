"""A tile of tissue texture on a backend, laid on any surface along the three axes of the grid frame.

Triplanar mapping (Geiss, GPU Gems 3, ch. 1, 2007): the tile is projected along each axis, and the three are mixed by
the normal. A path looks up one texel of one projection, drawn so that its mean is the bilinear mixture of all
(stochastic texture filtering, Fajardo, Wronski, Salvi and Pharr 2023): one memory access.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr

from ..appearance.mucosa_texture import MOTTLING_RANGE, SLOPE_RANGE, TEXEL_MM, TEXELS, MucosaTexture

BLEND_POWER = 6
"""Weights of the projections go as |n|^power: the more, the narrower the stretch where two are seen at once."""

TAPS = 3
"""Texels a side that a mean over an area is made of."""


@dataclass(frozen=True, eq=False)
class Grain:
    """The texture at a place: see `MucosaTexture`. slope: of the relief, a vector in the grid frame."""

    vessels: Any
    pits: Any
    mottling: Any
    cover: Any
    slope: Any


@dataclass(frozen=True, eq=False)
class DeviceTexture:
    """words: `MucosaTexture.words`, flat. offset: by which the tile is moved, Array3f, mm. key: says which it is."""

    key: Hashable
    arrays: ModuleType
    words: Any
    offset: Any

    def texel(self, point: Any, axis: Any, u: Any, v: Any, active: Any) -> Grain:
        """The texel of the projection along axis 0, 1 or 2 at a point that is moved by u and v texels."""
        Float, UInt32, Array3f = self.arrays.Float, self.arrays.UInt32, self.arrays.Array3f  # noqa: N806
        at = (point + self.offset) * (1.0 / TEXEL_MM)
        along_x, along_y = axis == 0, axis == 1
        column = dr.select(along_x, at.y, dr.select(along_y, at.z, at.x)) + u
        row = dr.select(along_x, at.z, dr.select(along_y, at.x, at.y)) + v
        column, row = (UInt32(self.arrays.Int32(dr.floor(value))) & (TEXELS - 1) for value in (column, row))
        word = dr.gather(UInt32, self.words, row * TEXELS + column, active)

        def unpacked(shift: int, bits: int, low: float, high: float) -> Any:
            return low + Float((word >> shift) & (2**bits - 1)) * ((high - low) / (2**bits - 1))

        du, dv = (unpacked(shift, 6, -SLOPE_RANGE, SLOPE_RANGE) for shift in (20, 26))
        slope = Array3f(
            dr.select(along_x, 0, dr.select(along_y, dv, du)),
            dr.select(along_x, du, dr.select(along_y, 0, dv)),
            dr.select(along_x, dv, dr.select(along_y, du, 0)),
        )
        mottling = unpacked(8, 6, -MOTTLING_RANGE, MOTTLING_RANGE)
        vessels, pits, cover = (unpacked(shift, bits, 0.0, 1.0) for shift, bits in ((0, 7), (7, 1), (14, 6)))
        return Grain(vessels, pits, mottling, cover, slope)


def upload_texture(
    arrays: ModuleType, texture: MucosaTexture, offset_mm: Sequence[float], key: Hashable
) -> DeviceTexture:
    """key: alike for the same texture at the same offset, and for no other."""
    offset = arrays.Array3f(*(dr.opaque(arrays.Float, float(value)) for value in offset_mm))
    return DeviceTexture(key, arrays, arrays.UInt32(texture.words.reshape(-1)), offset)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One texel by three uniform numbers: what a path sees. Its mean is the bilinear mixture of the projections."""

    choice: Any
    u: Any
    v: Any

    def look_up(self, texture: DeviceTexture, point: Any, normal: Any, active: Any) -> Grain:
        x, y, z = _weights(normal)
        pick = self.choice * (x + y + z)
        axis = dr.select(pick < x, texture.arrays.UInt32(0), dr.select(pick < x + y, texture.arrays.UInt32(1), 2))
        return texture.texel(point, axis, self.u - 0.5, self.v - 0.5, active)


@dataclass(frozen=True, eq=False)
class Averaged:
    """The mean over a square of `width_mm`, what a pixel sees, without chance: for shading, and for the denoiser."""

    width_mm: Any

    def look_up(self, texture: DeviceTexture, point: Any, normal: Any, active: Any) -> Grain:
        arrays, weights = texture.arrays, _weights(normal)
        apart = dr.maximum(self.width_mm * (1.0 / TEXEL_MM), 1.0) * (1.0 / TAPS)
        sums = [*(arrays.Float(0) for _ in range(4)), arrays.Array3f(0)]
        for axis in range(3):
            for tap in range(TAPS**2):
                u, v = ((number - (TAPS - 1) / 2) * apart for number in divmod(tap, TAPS))
                grain = texture.texel(point, arrays.UInt32(axis), u, v, active)
                share = weights[axis] * (1.0 / TAPS**2)
                values = (grain.vessels, grain.pits, grain.mottling, grain.cover, grain.slope)
                sums = [total + share * value for total, value in zip(sums, values, strict=True)]
        return Grain(*(total / sum(weights) for total in sums))


def _weights(normal: Any) -> tuple[Any, Any, Any]:
    return tuple(dr.power(dr.abs(normal[axis]), BLEND_POWER) for axis in range(3))
