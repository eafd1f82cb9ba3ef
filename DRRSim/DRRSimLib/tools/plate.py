"""Reconstruction plates: a flat bar with round holes, bent to an arc.

Defaults: the 3.5 mm reconstruction plate, 2.8 mm thick, 10 mm wide, holes 12 mm apart (Wheeless' Textbook of
Orthopaedics, "Reconstruction Plates, 3.5 mm"). Its notches between holes are left out.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.mesh import TriangleMesh

from .section import PlacedSection, Substance, substance
from .surfaces import welded
from .tool import Part

CELL_SIDES = 24
"""Points along each side of the rectangle around a hole."""


class Plate(PlacedSection):
    """bend_radius_mm: of the middle plane, in the direction of its normal; null for a straight plate.

    In its own frame the plate runs along z about the y axis of its bend, from the end at the origin to −z, its width is
    along y, and its normal is x.
    """

    kind: Literal["plate"] = "plate"
    material: Substance = "steel"
    holes: Annotated[int, Field(ge=1, le=30)] = 8
    spacing_mm: Annotated[float, Field(ge=3, le=40)] = 12.0
    width_mm: Annotated[float, Field(ge=2, le=40)] = 10.0
    thickness_mm: Annotated[float, Field(ge=0.3, le=10)] = 2.8
    hole_mm: Annotated[float, Field(ge=0.5, le=20)] = 3.6
    bend_radius_mm: Annotated[float, Field(ge=20, le=1000)] | None = 100.0

    @model_validator(mode="after")
    def _possible(self) -> "Plate":
        if self.hole_mm >= min(self.spacing_mm, self.width_mm):
            raise ValueError("holes must be smaller than their spacing and than the plate's width: hole_mm")
        if self.bend_radius_mm is not None and self.holes * self.spacing_mm > np.pi * self.bend_radius_mm:
            raise ValueError("the plate is longer than half a circle of its bend: bend_radius_mm")
        return self

    @property
    def length_mm(self) -> float:
        return self.holes * self.spacing_mm

    def parts(self) -> tuple[Part, ...]:
        flat = self._flat()
        mesh = TriangleMesh(self._bent(flat.vertices_ras), flat.triangles)
        ends = self._bent(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -self.length_mm]]))
        return (Part("", mesh, substance(self.material), (ends[0], ends[1])),)

    def _bent(self, points: np.ndarray) -> np.ndarray:
        """Lengths along the middle plane are kept."""
        if self.bend_radius_mm is None:
            return points
        x, y, z = points.T
        angle, radius = -z / self.bend_radius_mm, self.bend_radius_mm - x
        return np.stack([self.bend_radius_mm - radius * np.cos(angle), y, -radius * np.sin(angle)], axis=1)

    def _flat(self) -> TriangleMesh:
        """Cells of one hole each, put next to each other along z."""
        outline, hole = self._loops()
        count, half = len(outline), self.thickness_mm / 2
        # Which pieces of an outline lie on the plate's long sides, and which on the cell's two ends
        next_point = np.roll(outline, -1, axis=0)
        long_side = np.abs(outline[:, 0] + next_point[:, 0]) > (1 - 1e-9) * self.width_mm
        start_end, far_end = (~long_side & (side * outline[:, 1] > 0) for side in (1, -1))
        vertices, triangles = [], []
        for cell in range(self.holes):
            middle = -self.spacing_mm * (cell + 0.5)
            loops = [(x, loop) for x in (-half, half) for loop in (outline, hole)]
            vertices += [np.column_stack([np.full(count, x), loop[:, 0], loop[:, 1] + middle]) for x, loop in loops]
            outside = long_side | (start_end if cell == 0 else False) | (far_end if cell == self.holes - 1 else False)
            strips = (_strip(2, 3, count), _strip(1, 0, count), _strip(3, 1, count), _strip(0, 2, count)[:, outside])
            triangles += [4 * count * cell + strip.reshape(-1, 3) for strip in strips]
        return welded(np.concatenate(vertices), np.concatenate(triangles))

    def _loops(self) -> tuple[np.ndarray, np.ndarray]:
        """The rectangle around a hole and the hole, points (N, 2) of y and z, counter-clockwise as seen from +x."""
        half = np.array([self.width_mm, self.spacing_mm]) / 2
        along = np.linspace(-1, 1, CELL_SIDES, endpoint=False)
        corner = np.ones(CELL_SIDES)
        square = np.concatenate([
            np.stack(side, axis=1) for side in ((along, -corner), (corner, along), (-along, corner), (-corner, -along))
        ])  # fmt: skip
        outline = square * half
        return outline, self.hole_mm / 2 * outline / np.linalg.norm(outline, axis=1, keepdims=True)


def _strip(loop: int, other: int, count: int) -> np.ndarray:
    """Triangles between two loops of a cell's vertices, (2, count, 3): along the one and back along the other."""
    here, following = np.arange(count), np.roll(np.arange(count), -1)
    a, b, c, d = loop * count + here, loop * count + following, other * count + following, other * count + here
    return np.stack([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
