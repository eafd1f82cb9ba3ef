"""The omnidirectional model of Scaramuzza."""

from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import PositiveFloat, model_validator

from ..recipe import strict_dataclass
from .camera import Camera, SidePx
from .radial import invert_increasing, plane_polar, point_polar, rays, smallest_positive_root


@strict_dataclass
class ScaramuzzaCamera(Camera):
    """The ray through an image position is that of the point (u, v, f(ρ)) with ρ² = u² + v² and

        f(ρ) = a0 + a2 ρ² + a3 ρ³ + a4 ρ⁴,      position = [[c, d], [e, 1]] (u, v) + (cx, cy)

    Scaramuzza, Martinelli and Siegwart, ICVS 2006, with z towards the scene and the stretch matrix on (x, y) as in
    C3VD (Bobrow et al., Med. Image Anal. 90, 2023); u, v, ρ and f are in px. A point is imaged at the smallest positive
    ρ whose ray passes through it. The model ends where the ray's angle stops increasing with ρ, and at the image corner
    farthest from the centre, since nothing is known of the polynomial beyond.
    """

    cx_px: float
    cy_px: float
    width_px: SidePx
    height_px: SidePx
    a0: PositiveFloat
    a2: float
    a3: float
    a4: float
    c: float = 1.0
    d: float = 0.0
    e: float = 0.0
    model: Literal["scaramuzza"] = "scaramuzza"

    @model_validator(mode="after")
    def _invertible(self) -> "ScaramuzzaCamera":
        if self.c - self.d * self.e <= 0.0:
            raise ValueError("the stretch matrix [[c, d], [e, 1]] must not mirror or flatten the image: c > d e")
        return self

    @cached_property
    def max_radius_px(self) -> float:
        """The largest ρ of the model."""
        corners = np.array([[x, y] for x in (0.0, self.width_px) for y in (0.0, self.height_px)])
        farthest, _ = plane_polar(self._unstretched(corners))
        # The slope of the angle atan2(ρ, f) has the sign of f − ρ f′.
        end = smallest_positive_root((self.a0, 0.0, -self.a2, -2.0 * self.a3, -3.0 * self.a4))
        return min(end, float(farthest.max()))

    def project(self, points: np.ndarray) -> np.ndarray:
        angle, azimuth = point_polar(points)
        radius = invert_increasing(self._angle_and_slope, angle, self.max_radius_px)
        return (radius[..., None] * azimuth) @ self._stretch.T + (self.cx_px, self.cy_px)

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        radius, azimuth = plane_polar(self._unstretched(positions_px))
        angle, _ = self._angle_and_slope(np.where(radius <= self.max_radius_px, radius, np.nan))
        return rays(angle, azimuth)

    def scaled(self, factor: float) -> "ScaramuzzaCamera":
        lens = {"a0": self.a0 * factor, "a2": self.a2 / factor, "a3": self.a3 / factor**2, "a4": self.a4 / factor**3}
        return replace(super().scaled(factor), **lens)

    @property
    def _stretch(self) -> np.ndarray:
        return np.array([[self.c, self.d], [self.e, 1.0]])

    def _unstretched(self, positions_px: np.ndarray) -> np.ndarray:
        offset_px = np.asarray(positions_px, dtype=np.float64) - (self.cx_px, self.cy_px)
        return offset_px @ np.linalg.inv(self._stretch).T

    def _angle_and_slope(self, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        square = radius * radius
        height = self.a0 + square * (self.a2 + radius * (self.a3 + radius * self.a4))
        rise = self.a0 - square * (self.a2 + radius * (2 * self.a3 + radius * 3 * self.a4))
        return np.arctan2(radius, height), rise / (square + height * height)
