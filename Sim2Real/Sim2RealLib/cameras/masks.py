"""Which part of the sensor shows the scene; the rest of an endoscope's image is black."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from ..recipe import strict_dataclass


@strict_dataclass
class CircularMask:
    """Inside a circle about a position."""

    center_x_px: float
    center_y_px: float
    radius_px: PositiveFloat
    shape: Literal["circle"] = "circle"

    def contains(self, positions_px: np.ndarray) -> np.ndarray:
        """Whether image positions (..., 2) show the scene, (...,) bool."""
        offset = np.asarray(positions_px) - (self.center_x_px, self.center_y_px)
        return np.hypot(offset[..., 0], offset[..., 1]) <= self.radius_px

    def scaled(self, factor: float) -> "CircularMask":
        """The mask of the same image with `factor` times as many pixels a side."""
        return CircularMask(self.center_x_px * factor, self.center_y_px * factor, self.radius_px * factor)


@strict_dataclass
class OctagonMask:
    """Inside a box with its four corners cut off straight, as colonoscopes show it.

    corner_width_px and corner_height_px: how much of the horizontal and the vertical sides each cut takes away.
    """

    left_px: float
    top_px: float
    right_px: float
    bottom_px: float
    corner_width_px: PositiveFloat
    corner_height_px: PositiveFloat
    shape: Literal["octagon"] = "octagon"

    @model_validator(mode="after")
    def _possible(self) -> "OctagonMask":
        if 2 * self.corner_width_px > self.right_px - self.left_px:
            raise ValueError("the corners leave nothing of the upper and lower side: right - left >= 2 corner widths")
        if 2 * self.corner_height_px > self.bottom_px - self.top_px:
            raise ValueError("the corners leave nothing of the sides: bottom - top >= 2 corner heights")
        return self

    def contains(self, positions_px: np.ndarray) -> np.ndarray:
        """Whether image positions (..., 2) show the scene, (...,) bool."""
        x, y = np.moveaxis(np.asarray(positions_px), -1, 0)
        from_side = np.minimum(x - self.left_px, self.right_px - x)
        from_top = np.minimum(y - self.top_px, self.bottom_px - y)
        uncut = from_side / self.corner_width_px + from_top / self.corner_height_px >= 1.0
        return (from_side >= 0.0) & (from_top >= 0.0) & uncut

    def scaled(self, factor: float) -> "OctagonMask":
        """The mask of the same image with `factor` times as many pixels a side."""
        box = (self.left_px, self.top_px, self.right_px, self.bottom_px)
        return OctagonMask(
            *(side * factor for side in box), self.corner_width_px * factor, self.corner_height_px * factor
        )


AnyMask = Annotated[CircularMask | OctagonMask, Field(discriminator="shape")]
"""The type of a recipe's field that holds either."""
