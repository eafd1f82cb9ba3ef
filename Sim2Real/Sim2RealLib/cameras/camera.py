"""What every camera model offers."""

from dataclasses import asdict, fields, replace
from typing import Annotated, Any, Protocol, Self

import numpy as np
from pydantic import Field

SidePx = Annotated[int, Field(ge=1, le=2**15)]

PIXEL_CENTER_PX = 0.5
"""Where the centre of the top-left pixel is in an image, along both axes; 0 where positions count from there."""


class Camera(Protocol):
    """A strict dataclass of numbers, so that recipes hold cameras and records keep them, with these functions.

    model: the name of the formula, by which `camera_from_record` knows it.
    """

    model: str
    width_px: int
    height_px: int

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) in the camera frame to image positions (..., 2); NaN where the model sees no such point."""

    def unproject(self, positions_px: np.ndarray) -> np.ndarray:
        """Image positions (..., 2) to unit rays (..., 3) in the camera frame; NaN outside the model's domain."""

    def scaled(self, factor: float) -> Self:
        """The camera of the same image with `factor` times as many pixels a side; its size is rounded."""
        sides = {name: max(1, round(getattr(self, name) * factor)) for name in ("width_px", "height_px")}
        lengths = [field.name for field in fields(self) if field.name.endswith("_px") and field.name not in sides]
        return replace(self, **sides, **{name: getattr(self, name) * factor for name in lengths})

    @property
    def parameters(self) -> dict[str, Any]:
        """Plain JSON that `camera_from_record` makes into this camera again."""
        return asdict(self)

    def contains(self, positions_px: np.ndarray) -> np.ndarray:
        """Whether image positions (..., 2) lie on the image; NaN does not."""
        x, y = np.moveaxis(np.asarray(positions_px), -1, 0)
        return (x >= 0) & (x < self.width_px) & (y >= 0) & (y < self.height_px)

    def pixel_centers(self) -> np.ndarray:
        """Image positions of all pixel centres, (H, W, 2)."""
        columns, rows = (np.arange(side) + PIXEL_CENTER_PX for side in (self.width_px, self.height_px))
        return np.stack(np.meshgrid(columns, rows), axis=-1)

    def valid_mask(self) -> np.ndarray:
        """Pixels whose centre has a ray, (H, W) bool."""
        return np.isfinite(self.unproject(self.pixel_centers())).all(axis=-1)
