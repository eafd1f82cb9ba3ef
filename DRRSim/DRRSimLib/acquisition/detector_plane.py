"""Where an image lies in the room: on the detector, seen from behind it."""

import numpy as np

from Sim2RealLib.geometry import invert_rigid

from .carm import XrayView


def detector_points_ras(view: XrayView, positions_px: np.ndarray) -> np.ndarray:
    """Where image positions (..., 2) lie on the detector, RAS mm: (..., 3)."""
    rays = view.camera.unproject(positions_px)
    ras_from_camera = invert_rigid(view.camera_from_ras)
    on_detector = rays * (view.source_to_detector_mm / rays[..., 2:])
    return on_detector @ ras_from_camera[:3, :3].T + ras_from_camera[:3, 3]


def detector_plane_ras(view: XrayView) -> np.ndarray:
    """The frame of a viewer of the image, rigid 4×4, in RAS: x to the image's right, y up, z towards the viewer, who
    stands behind the detector; the origin is the image's middle."""
    ras_from_plane = np.eye(4)
    ras_from_plane[:3, :3] = invert_rigid(view.camera_from_ras)[:3, :3] @ np.diag([-1.0, -1.0, 1.0])
    middle_px = np.array([view.camera.width_px, view.camera.height_px]) / 2.0
    ras_from_plane[:3, 3] = detector_points_ras(view, middle_px)
    return ras_from_plane


def ras_from_pixels(view: XrayView) -> np.ndarray:
    """The image as a volume of one slice: 4×4, the centre of the pixel in column i and row j in RAS mm, right-handed,
    with a slice of 1 mm."""
    first, right, below = detector_points_ras(view, np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]]))
    i, j = right - first, below - first
    k = np.cross(i, j)
    matrix = np.eye(4)
    matrix[:3, :] = np.column_stack([i, j, k / np.linalg.norm(k), first])
    return matrix
