"""What every camera model offers."""

from dataclasses import asdict
from typing import Annotated, Any, Protocol, Self

import numpy as np
from pydantic import Field

SidePx = Annotated[int, Field(ge=1, le=2**15)]


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
        return np.stack(np.meshgrid(np.arange(self.width_px) + 0.5, np.arange(self.height_px) + 0.5), axis=-1)

    def valid_mask(self) -> np.ndarray:
        """Pixels whose centre has a ray, (H, W) bool."""
        return np.isfinite(self.unproject(self.pixel_centers())).all(axis=-1)


def scaled_side(side_px: int, factor: float) -> int:
    """A side of a scaled image, at least one pixel."""
    return max(1, round(side_px * factor))
