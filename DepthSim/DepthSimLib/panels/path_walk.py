"""Where on a path the endoscope is, and which way it is turned off the path's direction."""

from typing import Any

import numpy as np

from Sim2RealLib.mrml.transforms import world_from_node

from ..endoscope.curve import CenterlineCurve
from ..mrml.colon_nodes import centerline_of


class PathWalk:
    """A curve node as the way of an endoscope; read anew when it was changed.

    turn: rotation (3, 3) of the camera against the path's direction, kept while it moves along.
    """

    def __init__(self) -> None:
        self._state: Any = None
        self._curve: CenterlineCurve | None = None
        self.turn = np.eye(3)

    def take(self, node: Any) -> bool:
        """Follow a curve node, or none; whether there is a path now."""
        state = None
        if node is not None and node.GetNumberOfControlPoints() > 1:
            state = node.GetID(), node.GetMTime(), world_from_node(node).tobytes()
        if state != self._state:
            self._state = state
            self._curve = None if state is None else CenterlineCurve(centerline_of(node))
        return self._curve is not None

    @property
    def length_mm(self) -> float:
        return self._curve.length_mm

    def pose(self, position_mm: float) -> np.ndarray:
        """ras_from_camera, 4×4, on the path, turned as the camera was."""
        pose = self._curve.pose(position_mm)
        pose[:3, :3] = pose[:3, :3] @ self.turn
        return pose

    def remember(self, ras_from_camera: np.ndarray, position_mm: float) -> None:
        """Keep how a camera is turned against the path at a position."""
        self.turn = self._curve.pose(position_mm)[:3, :3].T @ ras_from_camera[:3, :3]

    def nearest_mm(self, point_ras: np.ndarray) -> float:
        """The position of the path's point that is nearest to (3,)."""
        line = self._curve.centerline
        nearest = int(np.linalg.norm(line.points_ras - point_ras, axis=1).argmin())
        return float(line.arc_length_mm[nearest])

    def segment_at(self, position_mm: float) -> str:
        """The colon's segment there; empty where the path does not tell."""
        line = self._curve.centerline
        if not line.segments:
            return ""
        return line.segments[int(np.abs(line.arc_length_mm - position_mm).argmin())]
