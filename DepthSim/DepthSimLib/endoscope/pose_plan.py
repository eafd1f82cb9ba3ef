"""What a recipe says of where the endoscope's camera is: four ways, told apart by `mode`.

Every pose keeps `min_wall_mm` from the wall. Angles of the look are measured from the centreline's direction of
insertion, towards the caecum, in which a scope looks also while it is withdrawn.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from Sim2RealLib.recipe import RecipePath, strict_dataclass

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Degrees = Annotated[float, Field(ge=0.0, le=180.0)]

MIN_WALL_MM = 3.0
"""Nearest that the lens comes to the wall (assumed); colonoscopes focus from 3 to 5 mm on, or 2 mm near focus."""


@strict_dataclass
class CenterlinePlan:
    """Single frames along the centreline, evenly spread at every count.

    span: part of the centreline, from its start to its end. offset: how far the camera may stand off it, evenly in a
    disk across it, as a share of the room between centreline and wall. tilt_deg: largest angle between the look and
    the direction of insertion, all angles alike likely, to any side. roll_deg: largest turn about the look, either way,
    evenly.
    """

    count: PositiveInt = 200
    span: tuple[Share, Share] = (0.0, 1.0)
    offset: Share = 0.6
    tilt_deg: Degrees = 60.0
    roll_deg: Degrees = 180.0
    min_wall_mm: NonNegativeFloat = MIN_WALL_MM
    mode: Literal["centerline"] = "centerline"

    @model_validator(mode="after")
    def _ascending(self) -> "CenterlinePlan":
        if self.span[0] >= self.span[1]:
            raise ValueError(f"span runs from a lower to a higher share, not from {self.span[0]:g} to {self.span[1]:g}")
        return self


@strict_dataclass
class FreePlan:
    """Single frames anywhere in the lumen, looking anywhere, evenly in volume and orientation."""

    count: PositiveInt = 200
    min_wall_mm: NonNegativeFloat = MIN_WALL_MM
    mode: Literal["free"] = "free"


@strict_dataclass
class FilePlan:
    """The poses of a file, in its order; see `pose_file`. count: how many of them; None for all."""

    file: RecipePath
    count: PositiveInt | None = None
    min_wall_mm: NonNegativeFloat = 0.0
    mode: Literal["file"] = "file"


@strict_dataclass
class FlyThroughPlan:
    """Successive frames of one way along the centreline, moving smoothly.

    start: where it begins, as a share of the centreline between the ends of which `min_wall_mm` are kept.
    direction: towards its end, or back towards its start.
    look_ahead_mm: the camera looks at the point of the centreline so far ahead, which evens out its bends.
    sway: largest distance from the centreline as a share of the room between it and the wall; wander_deg and roll_deg:
    largest turns of the look and about it; sway_period_s: about how long one swing takes.
    """

    count: PositiveInt = 200
    start: Share = 0.0
    direction: Literal["insertion", "withdrawal"] = "insertion"
    speed_mm_s: PositiveFloat = 15.0
    frames_per_second: PositiveFloat = 30.0
    look_ahead_mm: PositiveFloat = 20.0
    sway: Annotated[float, Field(ge=0.0, le=0.9)] = 0.4
    wander_deg: Annotated[float, Field(ge=0.0, le=60.0)] = 15.0
    roll_deg: Degrees = 30.0
    sway_period_s: PositiveFloat = 4.0
    min_wall_mm: NonNegativeFloat = MIN_WALL_MM
    mode: Literal["fly_through"] = "fly_through"


PosePlan = Annotated[CenterlinePlan | FreePlan | FilePlan | FlyThroughPlan, Field(discriminator="mode")]
"""The type of a recipe's field that holds any of them."""
