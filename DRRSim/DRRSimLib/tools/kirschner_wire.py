"""Kirschner wires: a round wire with a trocar tip (ISO 5838-2: diameters 0.6 to 3 mm)."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from .section import PlacedSection, Substance, substance
from .surfaces import SIDES, circle, rings, solid
from .tool import Part

FACES = 3
"""Of a trocar tip."""

APEX_MM = 1e-3
"""Where the tip's first ring is: a point of that width."""

TIP_RINGS = 24


class KirschnerWire(PlacedSection):
    """tip_angle_deg: between a face of the trocar tip and the wire's axis."""

    kind: Literal["kirschner_wire"] = "kirschner_wire"
    material: Substance = "steel"
    diameter_mm: Annotated[float, Field(ge=0.5, le=10)] = 2.0
    length_mm: Annotated[float, Field(ge=10, le=600)] = 280.0
    tip_angle_deg: Annotated[float, Field(ge=5, le=45)] = 15.0

    def parts(self) -> tuple[Part, ...]:
        """Three planes cut the wire to a point: a section at depth t is what lies within t · tan(angle) of the axis
        towards each face, and within the wire."""
        radius, slope = self.diameter_mm / 2, np.tan(np.deg2rad(self.tip_angle_deg))
        farthest = np.cos(circle(SIDES)[:, None] - 2 * np.pi * np.arange(FACES) / FACES).max(axis=1)
        depth = np.append(np.linspace(APEX_MM, radius / slope, TIP_RINGS), self.length_mm)
        outline = np.minimum(depth[:, None] * slope / farthest, radius)
        mesh = solid(rings(outline[::-1], -depth[::-1]))
        return (Part("", mesh, substance(self.material), (np.zeros(3), np.array([0.0, 0.0, -self.length_mm]))),)
