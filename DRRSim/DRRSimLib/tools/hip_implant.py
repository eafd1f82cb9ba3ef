"""Total hip replacements: stem with neck, head, liner and cup, each of its own material.

Dimensions are those common to many makes, not those of one: heads of 28, 32 and 36 mm on a 12/14 taper (diameters of
its ends in mm), 5° 42′; shells of 42 to 72 mm for heads of 22 to 44 mm (J. Bone Joint Surg. Open Access 8(3), 2023,
e22.00108, table II); the cup's angles are radiographic (Murray, J. Bone Joint Surg. 75-B:228, 1993).
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.geometry import frame_along
from Sim2RealLib.mesh import TriangleMesh

from .section import PlacedSection, Substance, substance
from .surfaces import SIDES, circle, joined, moved, solid, turned
from .tool import Part

TAPER_MM = (12.0, 14.0)
NECK_PAST_CENTER = 0.3
"""How far the taper reaches past the head's centre, in its radii."""

ARC_POINTS = 48
STEM_RINGS = 32


class HipImplant(PlacedSection):
    """In its own frame the stem's tip is at the origin and points along +z, and x is medial. The neck leaves the stem's
    axis at stem_length_mm, and the head's centre is offset_mm from that axis.

    stem_width_mm, stem_depth_mm: across the stem at the neck, along x and y. cup_anteversion_deg: towards +y, which is
    anterior in a right hip and posterior in a left one.
    """

    kind: Literal["hip_implant"] = "hip_implant"
    stem_material: Substance = "titanium_alloy"
    head_material: Substance = "cobalt_chromium"
    liner_material: Substance = "uhmwpe"
    cup_material: Substance = "titanium"
    stem_length_mm: Annotated[float, Field(ge=40, le=300)] = 140.0
    stem_tip_mm: Annotated[float, Field(ge=4, le=25)] = 9.0
    stem_width_mm: Annotated[float, Field(ge=6, le=60)] = 28.0
    stem_depth_mm: Annotated[float, Field(ge=4, le=40)] = 14.0
    neck_shaft_angle_deg: Annotated[float, Field(ge=110, le=150)] = 130.0
    offset_mm: Annotated[float, Field(ge=20, le=70)] = 42.0
    head_mm: Annotated[float, Field(ge=20, le=48)] = 32.0
    cup_mm: Annotated[float, Field(ge=36, le=80)] = 52.0
    shell_mm: Annotated[float, Field(ge=1, le=10)] = 4.0
    cup_inclination_deg: Annotated[float, Field(ge=0, le=90)] = 42.0
    cup_anteversion_deg: Annotated[float, Field(ge=-60, le=60)] = 15.0

    @model_validator(mode="after")
    def _possible(self) -> "HipImplant":
        if self.head_mm + 2 * self.shell_mm >= self.cup_mm:
            raise ValueError("head and shell leave no room for a liner in the cup: cup_mm")
        if self.head_mm <= TAPER_MM[1]:
            raise ValueError(f"the head must be wider than the taper of {TAPER_MM[1]:g} mm: head_mm")
        return self

    @property
    def head_center_mm(self) -> np.ndarray:
        """In the implant's own frame."""
        angle = np.deg2rad(180 - self.neck_shaft_angle_deg)
        return np.array([self.offset_mm, 0.0, -self.stem_length_mm - self.offset_mm / np.tan(angle)])

    def parts(self) -> tuple[Part, ...]:
        """The stem comes first: where its taper is in the head, the head has its bore."""
        center, head = self.head_center_mm, self.head_mm / 2
        inclination, anteversion = np.deg2rad([self.cup_inclination_deg, self.cup_anteversion_deg])
        dome = np.array([
            np.cos(anteversion) * np.sin(inclination), -np.sin(anteversion), -np.cos(anteversion) * np.cos(inclination)
        ])  # fmt: skip
        tool_from_cup, outer = frame_along(dome, center), self.cup_mm / 2
        ball = moved(turned(_arc(head, np.pi)), tool_from_cup)
        liner = moved(_bowl(head, outer - self.shell_mm), tool_from_cup)
        cup = moved(_bowl(outer - self.shell_mm, outer), tool_from_cup)
        axis = (np.zeros(3), np.array([0.0, 0.0, -self.stem_length_mm]))
        return (
            Part("stem", joined(self._stem(), self._neck()), substance(self.stem_material), axis),
            Part("head", ball, substance(self.head_material), None),
            Part("liner", liner, substance(self.liner_material), None),
            Part("cup", cup, substance(self.cup_material), None),
        )

    def _stem(self) -> TriangleMesh:
        """Ellipses that grow from a half ball at the tip to the neck."""
        tip = self.stem_tip_mm / 2
        polar = np.linspace(0.02, np.pi / 2, STEM_RINGS)
        depth = np.concatenate([tip - tip * np.cos(polar), [self.stem_length_mm]])
        half_x = np.append(tip * np.sin(polar), self.stem_width_mm / 2)
        half_y = np.append(tip * np.sin(polar), self.stem_depth_mm / 2)
        angle = circle(SIDES)
        x, y = half_x[:, None] * np.cos(angle), half_y[:, None] * np.sin(angle)
        return solid(np.stack([x, y, np.broadcast_to(-depth[:, None], x.shape)], axis=-1)[::-1])

    def _neck(self) -> TriangleMesh:
        """A cone from inside the stem to past the head's centre, as thick as the taper at its two ends."""
        start = np.array([0.0, 0.0, -self.stem_length_mm + self.stem_depth_mm / 2])
        along = self.head_center_mm - start
        length = np.linalg.norm(along) + NECK_PAST_CENTER * self.head_mm / 2
        thin, thick = (diameter / 2 for diameter in TAPER_MM)
        profile = np.array([[0.0, 0.0], [thick, 0.0], [thin, length], [0.0, length]])
        return moved(turned(profile), frame_along(along, start))


def _arc(radius: float, polar_end: float) -> np.ndarray:
    """A profile (N, 2) on a sphere from its pole on +z."""
    polar = np.linspace(0, polar_end, ARC_POINTS)
    return radius * np.stack([np.sin(polar), np.cos(polar)], axis=1)


def _bowl(inner_radius: float, outer_radius: float) -> TriangleMesh:
    """Half a spherical shell, its dome towards +z."""
    return turned(np.concatenate([_arc(inner_radius, np.pi / 2), _arc(outer_radius, np.pi / 2)[::-1]]))
