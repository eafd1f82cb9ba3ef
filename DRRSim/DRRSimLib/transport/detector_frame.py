"""Source and detector in the grid frame, with pixels as coarse as a scatter image needs."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.geometry import invert_rigid, transform_points

from ..acquisition.carm import XrayView
from .transport_grid import TransportGrid


@dataclass(frozen=True, eq=False)
class DetectorFrame:
    """A view for the transport kernel: numbers and vectors as backend arrays of one element.

    columns, rows: of the scatter image, which covers the whole detector. area_mm2: of the detector.
    source, corner: of the focal spot and of the image's (0, 0), in the grid frame. column, row: what a pixel to the
        right and one down are there, mm. normal: unit vector from the source towards the detector.
    open_field: left, top, right, bottom of what the blades leave open, in pixels of this image.
    """

    arrays: ModuleType
    columns: int
    rows: int
    area_mm2: Any
    source: Any
    corner: Any
    column: Any
    row: Any
    normal: Any
    open_field: tuple[Any, Any, Any, Any]

    def point(self, u: Any, v: Any) -> Any:
        """Where an image position lies in the grid frame."""
        return self.corner + self.column * u + self.row * v

    def position(self, point: Any) -> tuple[Any, Any]:
        """The image position of a point of the detector plane."""
        offset = point - self.corner
        return tuple(dr.dot(offset, side) / dr.squared_norm(side) for side in (self.column, self.row))

    def distance_mm(self, point: Any) -> Any:
        """How far in front of the detector plane a point lies."""
        return dr.dot(self.corner - point, self.normal)


def detector_frame(
    arrays: ModuleType, view: XrayView, grid: TransportGrid, columns: int, rows: int
) -> tuple[DetectorFrame, np.ndarray]:
    """The frame of a view, and the relative fluence (rows, columns) of its pixels in the open beam."""
    camera, distance = view.camera, view.source_to_detector_mm
    grid_from_camera = grid.grid_from_ras @ invert_rigid(view.camera_from_ras)
    scale = np.array([camera.width_px / columns, camera.height_px / rows])
    corner = distance * np.array([-camera.cx_px / camera.fx_px, -camera.cy_px / camera.fy_px, 1.0])
    pixel = distance * scale / [camera.fx_px, camera.fy_px]
    axes = grid_from_camera[:3, :3]

    def vector(values: np.ndarray) -> Any:
        return arrays.Array3f(*(number(value) for value in values))

    def number(value: float) -> Any:
        return dr.opaque(arrays.Float, float(value))

    frame = DetectorFrame(
        arrays,
        columns,
        rows,
        number(abs(np.prod(pixel)) * columns * rows),
        vector(grid_from_camera[:3, 3]),
        vector(transform_points(grid_from_camera, corner)),
        vector(axes[:, 0] * pixel[0]),
        vector(axes[:, 1] * pixel[1]),
        vector(axes[:, 2]),
        tuple(number(value) for value in np.array(view.open_field_px) / np.tile(scale, 2)),
    )
    x = (np.arange(columns) + 0.5) * scale[0] / camera.fx_px - camera.cx_px / camera.fx_px
    y = (np.arange(rows) + 0.5) * scale[1] / camera.fy_px - camera.cy_px / camera.fy_px
    return frame, (1.0 + x**2 + y[:, None] ** 2) ** -1.5
