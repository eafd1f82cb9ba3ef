"""The JSON that a frame carries beside its images: camera, place in the colon."""

from typing import Any

import numpy as np

from Sim2RealLib.cameras import Camera, PinholeCamera
from Sim2RealLib.geometry import invert_rigid

from ..centerline import Centerline
from ..endoscope.poses import TipPose


def camera_record(camera: Camera, ras_from_camera: np.ndarray) -> dict[str, Any]:
    record = {
        "model": camera.model,
        "parameters": camera.parameters,
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "camera_from_world": invert_rigid(ras_from_camera).tolist(),
    }
    return record | ({"matrix": camera.matrix.tolist()} if isinstance(camera, PinholeCamera) else {})


def tip_record(pose: TipPose, centerline: Centerline) -> dict[str, Any]:
    """Distance to the nearest wall, and for a pose made along the centreline its place on it."""
    record: dict[str, Any] = {"wall_distance_mm": pose.wall_distance_mm}
    if pose.arc_length_mm is not None:
        record["arc_length_mm"] = pose.arc_length_mm
        if centerline.segments:
            nearest = int(np.abs(centerline.arc_length_mm - pose.arc_length_mm).argmin())
            record["segment"] = centerline.segments[nearest]
    return record
