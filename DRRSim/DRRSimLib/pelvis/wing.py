"""The iliac wing: a thin curved plate over the sagittal plane, thick at its crest and towards the hip and sacrum.

Outline and middle surface were laid out by eye over the ilium of the example CT of TotalSegmentator (Apache-2.0), with
the flare of its front seen along A, then thinned to the cortex-on-cortex of the iliac fossa that its 3 mm voxels do not
resolve. Its end behind the sacroiliac joint follows axial slices of the Visible Human Male (NLM, public domain).
"""

from collections.abc import Callable

import numpy as np

from .implicit import Field, smooth_intersection
from .sheet import plate_table

Place = Callable[[np.ndarray], np.ndarray]
"""Carries template points (..., 3) to an individual."""

WING_OUTLINE = np.array(
    [
        [50, 80], [46, 89], [36, 101], [18, 116], [-3, 131], [-24, 139], [-44, 129], [-61, 111], [-77, 97], [-88, 87],
        [-92, 80], [-90, 73], [-83, 65], [-71, 58], [-60, 56], [-49, 50], [-42, 40], [-41, 28], [-44, 12], [-38, -4],
        [-10, -2], [14, 4], [28, 18], [37, 30], [42, 41], [40, 52], [42, 64], [48, 72],
    ],
    dtype=float,
)  # fmt: skip
"""Outline of the ilium from the side: (A, S), from the ASIS over crest, PSIS, PIIS and sciatic notch to the AIIS."""

WING_CONTROLS = np.array(
    [
        [-48, 135, 77, 5.5], [-26, 142, 111, 6.5], [-8, 138, 133, 7],
        [-72, 115, 48, 7], [-48, 120, 68, 7.5], [-36, 120, 83, 5], [-24, 120, 102, 1.7], [-12, 120, 122, 1.7],
        [0, 120, 136, 3.5], [12, 120, 141, 7], [22, 120, 139, 6],
        [-84, 100, 39, 10], [-60, 100, 53, 12], [-48, 100, 61, 12.5], [-36, 100, 74, 9], [-24, 100, 93, 1.6],
        [-12, 100, 111, 1.2],
        [0, 100, 125, 1.2], [12, 100, 136, 1.6], [24, 100, 139, 3], [38, 100, 132, 5.5],
        [-90, 80, 35, 9.5], [-60, 80, 54, 11.5], [-48, 80, 62, 13], [-36, 80, 68, 12.5], [-24, 80, 76, 9],
        [-12, 80, 95, 1.7],
        [0, 80, 108, 1.3], [12, 80, 119, 2], [24, 80, 126, 3.5], [36, 80, 124, 4.5], [50, 80, 118, 5],
        [-74, 62, 47, 7.5], [-60, 60, 55, 9], [-36, 60, 67, 12], [-24, 60, 77, 11], [-12, 60, 86, 9], [0, 60, 94, 7],
        [12, 60, 104, 6.5], [24, 60, 111, 6], [40, 60, 111, 5],
        [-36, 40, 74, 8], [-24, 40, 80, 12], [-12, 40, 84, 14], [0, 40, 87, 15], [12, 40, 93, 13], [24, 40, 98, 9],
        [38, 40, 99, 7],
        [-38, 20, 73, 8], [-24, 20, 78, 13], [0, 20, 81, 15], [22, 20, 82, 12], [-40, 0, 69, 8], [-20, 0, 74, 12],
    ],
    dtype=float,
)  # fmt: skip
"""Middle surface and half thickness of the ilium: rows A, S, R, half thickness."""

OUTLINE_HEIGHT = np.array([[0.0, 80.0], [140.0, 100.0]])
"""S and R of the outline, as `place` needs three coordinates: about the middle of the plate."""


def iliac_wing(place: Place, scale: float) -> Field:
    """The right wing, down to the roof of the socket, in the pelvis frame."""
    middle = place(WING_CONTROLS[:, [2, 0, 1]])
    height = np.interp(WING_OUTLINE[:, 1], *OUTLINE_HEIGHT.T)
    outline = place(np.column_stack([height, WING_OUTLINE]))
    table = plate_table(outline[:, 1:], np.column_stack([middle[:, [1, 2, 0]], scale * WING_CONTROLS[:, 3]]))

    def field(p: np.ndarray) -> np.ndarray:
        surface, half, edge, cosine = table(p[:, 1], p[:, 2])
        return smooth_intersection(np.abs(p[:, 0] - surface) * cosine - half, edge, 5.0)

    return field
