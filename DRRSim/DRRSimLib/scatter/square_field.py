"""The square field of few pixels in which scatter is computed, and back from there to the detector's pixels."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..acquisition.carm import XrayView


def square_view(view: XrayView, side_px: int) -> XrayView:
    """The same exposure on a square as wide as the detector is long, about its middle, in `side_px` pixels a side.

    What the square has more than the detector lies outside the open field, so that no more is irradiated.
    """
    camera = view.camera
    scale = side_px / max(camera.width_px, camera.height_px)
    left, top = _margins(view)
    square = replace(
        camera,
        fx_px=camera.fx_px * scale,
        fy_px=camera.fy_px * scale,
        cx_px=(camera.cx_px + left) * scale,
        cy_px=(camera.cy_px + top) * scale,
        width_px=side_px,
        height_px=side_px,
    )
    field = np.add(view.open_field_px, (left, top, left, top)) * scale
    return XrayView(square, view.camera_from_ras, view.source_to_detector_mm, tuple(field.tolist()))


def on_detector(image: np.ndarray, view: XrayView) -> np.ndarray:
    """The part of an image of the `square_view` that the detector covers, float32 (H, W) of the detector."""
    camera, (left, top) = view.camera, _margins(view)
    scale = image.shape[0] / max(camera.width_px, camera.height_px)
    rows = (np.arange(camera.height_px) + 0.5 + top) * scale - 0.5
    columns = (np.arange(camera.width_px) + 0.5 + left) * scale - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    return ndimage.map_coordinates(image, places, order=1, mode="nearest", output=np.float32)


def _margins(view: XrayView) -> tuple[float, float]:
    """What the square has more than the detector at its left and at its top, in pixels of the detector."""
    side = max(view.camera.width_px, view.camera.height_px)
    return (side - view.camera.width_px) / 2.0, (side - view.camera.height_px) / 2.0
