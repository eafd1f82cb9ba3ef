"""Room for the tip: a place that is asked for, or how near to it the wall lets the tip come."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from ..centerline import Centerline

CLOSE_MM = 0.05
"""A tip this near to where it is wanted, or to a wall, is there."""
SLIDE_MM = 0.5
"""Way along a wall before the tip is pushed off it again."""
MOST_STEPS = 400
GRADIENT_STEP_MM = 0.75


@dataclass(frozen=True, eq=False)
class KeptPlace:
    """position_ras: (3,), with its distance to the wall. moved: whether it is another than was wanted."""

    position_ras: np.ndarray
    clearance_mm: float
    moved: bool


def keep_clear(
    wanted_ras: np.ndarray,
    clearance: Callable[[np.ndarray], np.ndarray],
    margin_mm: float,
    start_ras: np.ndarray,
) -> KeptPlace:
    """A place (3,) if it is `margin_mm` from the wall, else where a tip gets to that is pushed there from `start_ras`.

    clearance: distance (N,) in mm of RAS points (N, 3) to the wall, 0 or less in tissue. The tip goes straight until it
    is `margin_mm` from the wall, as far at a time as it has room, and slides along it as long as that brings it nearer.
    Sim2RealError if it has no room where it starts.
    """

    def room(point: np.ndarray) -> float:
        return float(clearance(point[None])[0]) - margin_mm

    wanted = np.asarray(wanted_ras, np.float64)
    if (free := room(wanted)) >= 0.0:
        return KeptPlace(wanted, free + margin_mm, moved=False)
    place = np.asarray(start_ras, np.float64)
    if room(place) < 0.0:
        raise Sim2RealError(
            f"The lumen at RAS {place.round(1).tolist()} is {room(place) + margin_mm:.1f} mm from its wall; "
            f"{margin_mm:g} mm are asked for. Lower the margin, or begin elsewhere."
        )
    for _ in range(MOST_STEPS):
        way = wanted - place
        left = float(np.linalg.norm(way))
        free = room(place)
        if left <= CLOSE_MM:
            break
        if free > CLOSE_MM:
            place = _furthest(place, way / left, min(left, free), room)
            continue
        ahead = _slid(place, way, clearance, room)
        if ahead is None or np.linalg.norm(wanted - ahead) > left - CLOSE_MM / 10.0:
            break
        place = ahead
    return KeptPlace(place, room(place) + margin_mm, moved=True)


def free_place_near(point_ras: np.ndarray, centerline: Centerline, margin_mm: float) -> float:
    """The arc length in mm of the centreline's point nearest to (3,) that is `margin_mm` from the wall.

    Sim2RealError if none is.
    """
    wide = np.flatnonzero(centerline.radius_mm >= margin_mm)
    if not wide.size:
        raise Sim2RealError(f"The centreline is nowhere {margin_mm:g} mm from the wall. Lower the margin.")
    distance = np.linalg.norm(centerline.points_ras[wide] - point_ras, axis=1)
    return float(centerline.arc_length_mm[wide[distance.argmin()]])


def _furthest(
    place: np.ndarray, direction: np.ndarray, step_mm: float, room: Callable[[np.ndarray], float]
) -> np.ndarray:
    """A step, halved where an interpolated distance promised more room than there is."""
    while step_mm > CLOSE_MM / 10.0:
        ahead = place + step_mm * direction
        if room(ahead) >= 0.0:
            return ahead
        step_mm *= 0.5
    return place


def _slid(
    place: np.ndarray,
    way: np.ndarray,
    clearance: Callable[[np.ndarray], np.ndarray],
    room: Callable[[np.ndarray], float],
) -> np.ndarray | None:
    """A short way along the wall towards where `way` leads, off the wall again; None where it leads into the wall."""
    inward = _off_the_wall(place, clearance)
    along = way - min(float(way @ inward), 0.0) * inward
    length = float(np.linalg.norm(along))
    if length <= CLOSE_MM:
        return None
    ahead = place + min(length, SLIDE_MM) / length * along
    for _ in range(4):
        if (missing := -room(ahead)) <= 0.0:
            return ahead
        ahead = ahead + (missing + CLOSE_MM / 10.0) * _off_the_wall(ahead, clearance)
    return None


def _off_the_wall(place: np.ndarray, clearance: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The direction in which the clearance grows fastest, unit; 0 where it grows nowhere."""
    steps = GRADIENT_STEP_MM * np.concatenate([np.eye(3), -np.eye(3)])
    ahead, behind = clearance(place + steps).reshape(2, 3)
    slope = ahead - behind
    return slope / max(float(np.linalg.norm(slope)), 1e-9)
