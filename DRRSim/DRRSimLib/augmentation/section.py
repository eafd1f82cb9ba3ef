"""The recipe's `augmentation`: which variants of the anatomy there are."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from Sim2RealLib.recipe import StrictModel

from ..physics.tissues import RULES
from .deformation import MAX_AMPLITUDE

Group = Literal[tuple(RULES["tissues"].groups)]
Share = Annotated[float, Field(ge=0, le=0.5)]


class MovedBone(StrictModel):
    """A bone that turns by up to rotation_deg about a random axis and is displaced by up to translation_mm.

    about: "femoral_head", the centre of a sphere in the label's head, or "center", the middle of the label.
    """

    label: str
    rotation_deg: Annotated[float, Field(ge=0, le=90)] = 10.0
    translation_mm: Annotated[float, Field(ge=0, le=50)] = 0.0
    about: Literal["femoral_head", "center"] = "center"


class Deform(StrictModel):
    """Control points spacing_mm apart, displaced by up to amplitude_mm along each axis."""

    amplitude_mm: NonNegativeFloat = 5.0
    spacing_mm: Annotated[float, Field(ge=10, le=500)] = 60.0

    @model_validator(mode="after")
    def _one_to_one(self) -> "Deform":
        if self.amplitude_mm > MAX_AMPLITUDE * self.spacing_mm:
            raise ValueError(f"amplitude_mm must be at most {MAX_AMPLITUDE:g} of spacing_mm, or tissue would fold")
        return self


class Augmentation(StrictModel):
    """variants: how many; the exposures are shared out among them in turn, each getting consecutive ones.

    density: by tissue group, the share by which its attenuation goes up or down.
    """

    variants: Annotated[int, Field(ge=1)] = 1
    bones: tuple[MovedBone, ...] = ()
    deformation: Deform | None = None
    density: dict[Group, Share] = Field({})
