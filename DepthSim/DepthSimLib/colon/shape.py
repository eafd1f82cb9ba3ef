"""What a user decides about a generated colon."""

from typing import Literal

from pydantic import Field, model_validator

from Sim2RealLib.recipe import strict_dataclass

ParisClass = Literal["0-Ip", "0-Isp", "0-Is", "0-IIa", "0-IIb", "0-IIc", "III"]
PARIS_CLASSES: tuple[ParisClass, ...] = ("0-Ip", "0-Isp", "0-Is", "0-IIa", "0-IIb", "0-IIc", "III")
"""Superficial neoplastic lesions: Paris endoscopic classification, Gastrointest. Endosc. 58(6) suppl., 2003."""


@strict_dataclass
class PolypPlan:
    """How many polyps there are, and of which kinds.

    classes: those that the polyps take in turn. size_mm: smallest and largest diameter; sizes between are drawn
    log-uniformly. Lesions of a class that cannot be that small or large take the nearest size that they can have.
    """

    count: int = Field(8, ge=0, le=30)
    classes: tuple[ParisClass, ...] = Field(PARIS_CLASSES, min_length=1)
    size_mm: tuple[float, float] = (4.0, 20.0)

    @model_validator(mode="after")
    def _sizes(self) -> "PolypPlan":
        if not 2.0 <= self.size_mm[0] <= self.size_mm[1] <= 40.0:
            raise ValueError("size_mm must be two diameters between 2 and 40, the smaller first")
        return self


@strict_dataclass
class ColonShape:
    """One generated colon. The seed draws an adult's; the factors multiply what it draws.

    length_factor: of the whole length. diameter_factor: of the lumen's diameter, by distension.
    fold_factor: of the height of the haustral folds.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    length_factor: float = Field(1.0, ge=0.7, le=1.3)
    diameter_factor: float = Field(1.0, ge=0.6, le=1.2)
    fold_factor: float = Field(1.0, ge=0.0, le=1.5)
    polyps: PolypPlan = PolypPlan()
