"""A laparoscopic scene as a recipe holds it: the laparoscope, trocars, tools, and the pressure of the gas.

A scene file is such a description in YAML; `to_yaml` and `validate` of Sim2RealLib.recipe write and read it.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.geometry import rotation
from Sim2RealLib.recipe import StrictModel, strict_dataclass

from .fulcrum import RIGHT, FulcrumPose

MAX_OPENING_DEG = 60.0
"""Between the jaws of a tool (assumed)."""
MAX_PRESSURE_MMHG = 25.0
"""Twice what is usual, 10 to 15 mmHg."""

Point = tuple[float, float, float]
SidePx = Annotated[int, Field(ge=16, le=4096)]
ToolKind = Literal["grasper", "hook", "scissors"]


@strict_dataclass
class Laparoscope:
    """A laparoscope with its camera head fixed to it, so that roll turns both.

    field_of_view_deg: across the picture's diagonal, as if its corners lay on the circle that the optics show.
    tip_angle_deg: how far the optics look off the shaft, downwards in the picture.
    """

    field_of_view_deg: Annotated[float, Field(ge=20.0, le=120.0)] = 70.0
    tip_angle_deg: Literal[0, 30] = 0
    width_px: SidePx = 452
    height_px: SidePx = 256

    def camera(self) -> PinholeCamera:
        """The pinhole of its pictures, square pixels, the axis in the middle."""
        focal_px = np.hypot(self.width_px, self.height_px) / 2.0 / np.tan(np.deg2rad(self.field_of_view_deg) / 2.0)
        middle = self.width_px / 2.0, self.height_px / 2.0
        return PinholeCamera(float(focal_px), float(focal_px), *middle, self.width_px, self.height_px)

    def shaft_from_camera(self) -> np.ndarray:
        """The camera frame (x right, y down, z into the picture) in the shaft frame, 4×4; both begin at the tip."""
        return rotation(RIGHT, -self.tip_angle_deg)


@strict_dataclass
class Tool:
    """An instrument with which the surgeon works. opening_deg: between its jaws; a hook has none."""

    kind: ToolKind
    trocar: str
    pose: FulcrumPose
    opening_deg: Annotated[float, Field(ge=0.0, le=MAX_OPENING_DEG)] = 0.0

    @model_validator(mode="after")
    def _possible(self) -> "Tool":
        if self.kind == "hook" and self.opening_deg:
            raise ValueError("a hook does not open: leave opening_deg at 0")
        return self


@strict_dataclass
class CameraPlace:
    """How the laparoscope lies in which trocar."""

    trocar: str
    pose: FulcrumPose


class LaparoscopicScene(StrictModel):
    """All that is set in a scene beside the anatomy. trocars: entry points by name, RAS."""

    laparoscope: Laparoscope = Laparoscope()
    trocars: dict[str, Point]
    camera: CameraPlace
    tools: tuple[Tool, ...] = ()
    pneumoperitoneum_mmhg: Annotated[float, Field(ge=0.0, le=MAX_PRESSURE_MMHG)] = 12.0

    @model_validator(mode="after")
    def _trocars_are_there(self) -> "LaparoscopicScene":
        used = {self.camera.trocar, *(tool.trocar for tool in self.tools)}
        if missing := sorted(used - self.trocars.keys()):
            raise ValueError(f"the trocars {', '.join(missing)} are used but not among trocars")
        return self
