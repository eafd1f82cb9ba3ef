"""How much of what is scattered in a patient each pixel can catch, by the size of the field and the air gap."""

import numpy as np

from Sim2RealLib.geometry import transform_points

from ..acquisition.carm import XrayView


def solid_angles_sr(view: XrayView, middle_ras: np.ndarray) -> np.ndarray:
    """Solid angle of the open field at the depth of the patient's middle (3,), as every pixel sees it: float32 (H, W).

    Scattered photons of a pixel against those of the open beam are in proportion to it where the patient is thin and
    scatters to all sides alike: as many more photons come in as the field is larger, and of what they scatter the
    square of the distance decides.
    """
    camera, distance_mm = view.camera, view.source_to_detector_mm
    depth_mm = float(transform_points(view.camera_from_ras, middle_ras)[2])
    left, top, right, bottom = view.open_field_px
    axes = [
        (camera.width_px, camera.cx_px, camera.fx_px, left, right),
        (camera.height_px, camera.cy_px, camera.fy_px, top, bottom),
    ]
    (x0, x1), (y0, y1) = (
        [
            ((edge - center) * depth_mm - (np.arange(pixels) + 0.5 - center) * distance_mm) / abs(focal)
            for edge in (low, high)
        ]
        for pixels, center, focal, low, high in axes
    )
    gap_mm = distance_mm - depth_mm
    corners = [
        (_corner_sr(x[None, :], y[:, None], gap_mm), sign)
        for x, y, sign in ((x1, y1, 1), (x0, y1, -1), (x1, y0, -1), (x0, y0, 1))
    ]
    return sum(sign * part for part, sign in corners).astype(np.float32)


def _corner_sr(x_mm: np.ndarray, y_mm: np.ndarray, distance_mm: float) -> np.ndarray:
    """Solid angle of the rectangle from (0, 0) to (x, y), seen from above (0, 0); negative where one of both is."""
    return np.arctan(x_mm * y_mm / (distance_mm * np.sqrt(x_mm**2 + y_mm**2 + distance_mm**2)))
