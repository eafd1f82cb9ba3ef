"""Collimator blades of finite thickness, with the penumbra that the focal spot gives them.

A blade at distance d from a focal spot of width f has an image in which the light falls off over f (D − d) / d on a
detector at D (similar triangles); for an evenly emitting spot it falls off linearly.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from Sim2RealLib.recipe import strict_dataclass

from ..acquisition.carm import XrayView

BLADE_MATERIAL = "lead"


@strict_dataclass
class Blades:
    """lead_mm: thickness of the blades. distance_mm: from the focal spot."""

    lead_mm: Annotated[float, Field(gt=0, le=20)] = 2.0
    distance_mm: Annotated[float, Field(gt=0, le=1000)] = 200.0


def penumbra_mm(blades: Blades, spot_mm: float, source_to_detector_mm: float) -> float:
    """Width on the detector over which the field's edge falls off."""
    return spot_mm * (source_to_detector_mm - blades.distance_mm) / blades.distance_mm


def open_share(view: XrayView, blades: Blades, spot_mm: tuple[float, float]) -> np.ndarray:
    """The share of the focal spot that every pixel sees past the blades, (H, W); at a sharp edge that of its area.

    spot_mm: width and height of the focal spot, 0 for a point. An edge of the open field on the detector's own edge is
    no blade's: there the field reaches farther.
    """
    left, top, right, bottom = view.open_field_px
    widths_px = [
        penumbra_mm(blades, spot, view.source_to_detector_mm) * abs(focal_px) / view.source_to_detector_mm
        for spot, focal_px in zip(spot_mm, (view.camera.fx_px, view.camera.fy_px), strict=True)
    ]
    columns = _slit(view.camera.width_px, left, right, widths_px[0])
    rows = _slit(view.camera.height_px, top, bottom, widths_px[1])
    return rows[:, None] * columns


def _slit(size_px: int, low: float, high: float, width_px: float) -> np.ndarray:
    center = np.arange(size_px) + 0.5
    ramp = max(width_px, 1.0)
    share = np.ones(size_px)
    if low > 0:
        share *= np.clip((center - low) / ramp + 0.5, 0, 1)
    if high < size_px:
        share *= np.clip((high - center) / ramp + 0.5, 0, 1)
    return share
