"""Cannulated screws: hollow, with a hemispherical head and a cancellous thread at the tip.

Defaults: the 7.0 mm cannulated screw of the AO system (head 8.0 mm, shaft 4.5 mm, guide wire 2.0 mm, thread lengths of
16 and 32 mm: Synthes, technique guide "7.0 mm Cannulated Screws"), with the thread of ISO 5835's HB: pitch 2.75 mm and
a thin crest.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from .section import PlacedSection, Substance, substance
from .surfaces import SIDES, circle, hollow, rings
from .tool import Part

RINGS_A_TURN = 16
"""Rings a turn of the thread."""

CREST, FLANK = 0.1, 0.25
"""Of a turn: the crest, and each of the flanks; the rest is root."""

HEAD_RINGS = 16


class CannulatedScrew(PlacedSection):
    """length_mm: from the tip to the top of the head. core_mm: diameter at the thread's root. cannulation_mm: bore."""

    kind: Literal["cannulated_screw"] = "cannulated_screw"
    material: Substance = "titanium_alloy"
    length_mm: Annotated[float, Field(ge=10, le=200)] = 80.0
    thread_diameter_mm: Annotated[float, Field(ge=1, le=12)] = 7.0
    core_mm: Annotated[float, Field(ge=0.8, le=12)] = 4.5
    shaft_mm: Annotated[float, Field(ge=0.8, le=12)] = 4.5
    cannulation_mm: Annotated[float, Field(ge=0.3, le=10)] = 2.1
    thread_length_mm: Annotated[float, Field(ge=1, le=200)] = 32.0
    pitch_mm: Annotated[float, Field(ge=0.3, le=6)] = 2.75
    head_diameter_mm: Annotated[float, Field(ge=1, le=20)] = 8.0

    @model_validator(mode="after")
    def _possible(self) -> "CannulatedScrew":
        if not self.cannulation_mm < min(self.core_mm, self.shaft_mm):
            raise ValueError("the bore must be thinner than core and shaft: cannulation_mm")
        if not max(self.core_mm, self.shaft_mm) < min(self.thread_diameter_mm, self.head_diameter_mm):
            raise ValueError("thread and head must be wider than core and shaft")
        if self.thread_length_mm + self.head_diameter_mm / 2 >= self.length_mm:
            raise ValueError("thread and head are longer than the screw: length_mm")
        return self

    def parts(self) -> tuple[Part, ...]:
        thread_z = np.linspace(0, self.thread_length_mm, self._thread_rings())
        outer = [rings(self._thread_radius(thread_z), -thread_z)]
        # The head: a hemisphere, its round side towards the shaft, from where the shaft leaves it
        head_radius = self.head_diameter_mm / 2
        polar = np.linspace(np.arcsin(self.shaft_mm / self.head_diameter_mm), np.pi / 2, HEAD_RINGS)
        head_z = head_radius * np.cos(polar) - self.length_mm
        outer.append(rings([self.shaft_mm / 2] * 2, [-self.thread_length_mm, head_z[0]]))
        outer.append(rings(head_radius * np.sin(polar[1:]), head_z[1:]))
        bore = rings([self.cannulation_mm / 2] * 2, [0.0, -self.length_mm])
        # Bottom to top outside, then down the bore
        mesh = hollow(np.concatenate([np.concatenate(outer)[::-1], bore]))
        return (Part("", mesh, substance(self.material), (np.zeros(3), np.array([0.0, 0.0, -self.length_mm]))),)

    def _thread_rings(self) -> int:
        return int(np.ceil(self.thread_length_mm / self.pitch_mm * RINGS_A_TURN)) + 1

    def _thread_radius(self, depth_mm: np.ndarray) -> np.ndarray:
        """Radii (R, S) of a right-handed helix whose profile is a trapezium."""
        phase = (depth_mm[:, None] / self.pitch_mm + circle(SIDES) / (2 * np.pi)) % 1.0
        height = np.clip((FLANK + CREST / 2 - np.abs(phase - 0.5)) / FLANK, 0, 1)
        return self.core_mm / 2 + (self.thread_diameter_mm - self.core_mm) / 2 * height
