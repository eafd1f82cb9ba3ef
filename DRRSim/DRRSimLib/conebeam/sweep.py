"""A turn of a C-arm about the patient: views whose focal spots lie on a circle."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, transform_points

from ..acquisition.carm import XrayView

OFF_CIRCLE = 0.01
"""How far a focal spot may be from the circle, as a share of its radius: jitter, which the reconstruction knows of."""

FULL_TURN_GAP_DEG = 20.0
"""With no larger gap between neighbouring views a turn is a full one: RTK's limit for Parker's weights."""

MAX_TILT = 0.02
"""Largest sine of the angle between the detector's rows, along which is filtered, and the plane of the sweep."""

FEWEST_VIEWS = 10


@dataclass(frozen=True, eq=False)
class Sweep:
    """Views of one detector about one axis.

    turn_from_ras: rigid 4×4 into the frame of the turn: its origin is the middle, y the axis, up in the images, z
    towards the first focal spot.
    """

    views: tuple[XrayView, ...]
    turn_from_ras: np.ndarray

    @property
    def radius_mm(self) -> float:
        """From the axis to the focal spot."""
        return float(np.hypot(*self.sources[:, (0, 2)].T).mean())

    @cached_property
    def sources(self) -> np.ndarray:
        """Focal spots in the frame of the turn: (N, 3), mm."""
        return transform_points(self.turn_from_ras, _sources_ras(self.views))

    @property
    def half_field_mm(self) -> tuple[float, float]:
        """Half the width and height that all views see at the axis, at right angles to the central ray."""
        camera = self.views[0].camera
        sides = [
            min(center, size - center) / abs(focal)
            for center, size, focal in (
                (camera.cx_px, camera.width_px, camera.fx_px),
                (camera.cy_px, camera.height_px, camera.fy_px),
            )
        ]
        return tuple(side * self.radius_mm for side in sides)

    @property
    def seen_radius_mm(self) -> float:
        """Of the cylinder about the axis that lies between the left and right edges of every view."""
        half = self.half_field_mm[0]
        return float(half / np.hypot(1.0, half / self.radius_mm))

    def seen_by_all(self, points_ras: np.ndarray) -> np.ndarray:
        """Whether points (..., 3) lie in the field of every view of a full turn."""
        x, y, z = np.moveaxis(transform_points(self.turn_from_ras, points_ras), -1, 0)
        off_axis = np.hypot(x, z)
        reach = self.half_field_mm[1] * (1.0 - off_axis / self.radius_mm)
        return (off_axis <= self.seen_radius_mm) & (np.abs(y) <= reach)


def sweep_of(views: Sequence[XrayView], middle_ras: np.ndarray) -> Sweep:
    """The turn about `middle_ras` that views take.

    Sim2RealError for views that are no turn, of which some differ in detector or distance, that show the middle off
    the detector's, are collimated, or do not go round far enough: half a turn and the angle of the fan.
    """
    _require_one_detector(views)
    sources = _sources_ras(views) - middle_ras
    axis = np.linalg.svd(sources)[2][2]
    up = -views[0].camera_from_ras[1, :3]
    axis *= 1.0 if axis @ up >= 0.0 else -1.0
    towards = sources[0] - (sources[0] @ axis) * axis
    rows = np.stack([np.cross(axis, towards), axis * np.linalg.norm(towards), towards]) / np.linalg.norm(towards)
    turn_from_ras = np.eye(4)
    turn_from_ras[:3, :3], turn_from_ras[:3, 3] = rows, -rows @ middle_ras
    sweep = Sweep(tuple(views), turn_from_ras)
    _require_circle(sweep)
    _require_level_rows(sweep)
    _require_coverage(sweep)
    return sweep


def _sources_ras(views: Sequence[XrayView]) -> np.ndarray:
    return np.array([invert_rigid(view.camera_from_ras)[:3, 3] for view in views])


def _require_one_detector(views: Sequence[XrayView]) -> None:
    if len(views) < FEWEST_VIEWS:
        raise Sim2RealError(f"{len(views)} views are too few for a reconstruction; it takes {FEWEST_VIEWS} or more.")
    camera = views[0].camera
    if any(view.camera != camera for view in views):
        raise Sim2RealError(
            "The views differ in the detector's place or distance. Reconstruction takes frames of one C-arm without "
            "jitter of source_to_detector_mm and detector_offset_mm."
        )
    if any(view.open_field_px != (0, 0, camera.width_px, camera.height_px) for view in views):
        raise Sim2RealError("The views are collimated: what the blades cut off cannot be reconstructed.")
    if not np.allclose((camera.cx_px, camera.cy_px), (camera.width_px / 2, camera.height_px / 2), rtol=0, atol=0.01):
        raise Sim2RealError("The detector is displaced (views.detector_offset_mm), which is not reconstructed.")


def _require_circle(sweep: Sweep) -> None:
    radii, heights = np.hypot(sweep.sources[:, 0], sweep.sources[:, 2]), sweep.sources[:, 1]
    deviation = max(np.abs(radii - sweep.radius_mm).max(), np.abs(heights).max()) / sweep.radius_mm
    if deviation > OFF_CIRCLE:
        raise Sim2RealError(
            f"The focal spots do not lie on a circle, one is {deviation:.0%} of its radius away. Take a sweep: "
            "views.sampler=grid with one secondary angle, such as views.secondary_range_deg=[0, 0]."
        )


def _require_level_rows(sweep: Sweep) -> None:
    tilt = max(abs(view.camera_from_ras[0, :3] @ sweep.turn_from_ras[1, :3]) for view in sweep.views)
    if tilt > MAX_TILT:
        raise Sim2RealError(
            f"The detector's rows are {np.rad2deg(np.arcsin(min(tilt, 1.0))):.0f}° out of the plane of the sweep, in "
            "which they are filtered. Turn the detector by views.in_plane_deg."
        )


def _require_coverage(sweep: Sweep) -> None:
    angles = np.sort(np.rad2deg(np.arctan2(sweep.sources[:, 0], sweep.sources[:, 2])))
    gap = np.diff(np.append(angles, angles[0] + 360.0)).max()
    fan = 2.0 * np.rad2deg(np.arctan2(sweep.half_field_mm[0], sweep.radius_mm))
    if gap > FULL_TURN_GAP_DEG and 360.0 - gap < 180.0 + fan:
        raise Sim2RealError(
            f"The sweep covers {360.0 - gap:.0f}°; with this detector it takes {180.0 + fan:.0f}°, half a turn and the "
            "angle of the fan. Widen views.primary_range_deg."
        )
