"""A frame of an opened dataset, with its landmarks drawn on it."""

from typing import Any

import numpy as np

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.panels import views

from ..acquisition.carm import XrayView
from ..acquisition.detector_plane import detector_points_ras
from ..frame_record import DrrRecord
from ..mrml.carm_nodes import is_carm
from ..mrml.point_nodes import show_landmarks

LOOK_FROM = np.array([-1.0, 1.5, 0.7])
"""The direction: from in front, where pictures of most views face, a little from the patient's left and from above."""


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


def look_at_frame(record: DrrRecord) -> None:
    """Turn the first 3D view to the beam of a frame: its source and its detector."""
    view = view_of_frame(record)
    width, height = view.camera.width_px, view.camera.height_px
    corners = detector_points_ras(view, np.array([(0, 0), (width, 0), (width, height), (0, height)], float))
    source = np.linalg.inv(view.camera_from_ras)[:3, 3]
    views.look_at(np.vstack([corners, source]), LOOK_FROM)
