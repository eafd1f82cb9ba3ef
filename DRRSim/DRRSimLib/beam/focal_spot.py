"""Focal-spot blur by geometry: the image of an extended source is the mean over the images of its points.

Exact for any depth of the object, where a blur of the image would know only one. The source points are those of a
Gauss–Legendre quadrature over an evenly emitting rectangle, so that with n points a side the image of a point at depth
z has the right moments up to order 2n − 1; its width is f (D − z) / z.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from Sim2RealLib.geometry import translation
from Sim2RealLib.recipe import strict_dataclass

from ..acquisition.carm import XrayView


@strict_dataclass
class FocalSpot:
    """width_mm, height_mm: size of the spot as the detector sees it, along the image's rows and columns.

    points: of the quadrature along each side; the scene is projected points² times.
    """

    width_mm: Annotated[float, Field(ge=0, le=5)] = 0.6
    height_mm: Annotated[float, Field(ge=0, le=5)] = 0.6
    points: Annotated[int, Field(ge=1, le=9)] = 3


def source_views(view: XrayView, spot: FocalSpot) -> Iterator[tuple[float, XrayView]]:
    """A view from every point of the spot, with its weight; the weights add up to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(spot.points)
    for right, right_weight in zip(nodes, weights, strict=True):
        for below, below_weight in zip(nodes, weights, strict=True):
            moved = view_from_point(view, right * spot.width_mm / 2, below * spot.height_mm / 2)
            yield float(right_weight * below_weight / 4), moved


def view_from_point(view: XrayView, x_mm: float, y_mm: float) -> XrayView:
    """`view` from the point (x, y, 0) of its source frame; the detector stays where it is."""
    camera, distance = view.camera, view.source_to_detector_mm
    moved = replace(
        camera,
        cx_px=camera.cx_px + camera.fx_px * x_mm / distance,
        cy_px=camera.cy_px + camera.fy_px * y_mm / distance,
    )
    return replace(view, camera=moved, camera_from_ras=translation([-x_mm, -y_mm, 0.0]) @ view.camera_from_ras)
