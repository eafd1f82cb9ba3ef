"""A frame of an opened dataset, with its landmarks drawn on it."""

from typing import Any

import numpy as np

from Sim2RealLib.cameras import PinholeCamera

from ..acquisition.carm import XrayView
from ..frame_record import DrrRecord
from ..mrml.carm_nodes import is_carm
from ..mrml.point_nodes import show_landmarks


def view_of_frame(record: DrrRecord) -> XrayView:
    """The geometry of the exposure."""
    (fx, _, cx), (_, fy, cy), _ = record.camera.matrix
    camera = PinholeCamera(fx, fy, cx, cy, record.camera.width_px, record.camera.height_px)
    placed = np.array(record.camera.camera_from_world)
    return XrayView(camera, placed, record.carm.source_to_detector_mm, record.carm.open_field_px)


def show_stored_landmarks(carm: Any, record: DrrRecord) -> None:
    """Draw the landmarks of a frame on its image."""
    if is_carm(carm):
        landmarks = {name: entry.model_dump() for name, entry in record.landmarks.items()}
        show_landmarks(carm, view_of_frame(record), landmarks)
