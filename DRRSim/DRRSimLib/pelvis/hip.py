"""The hip bone: iliac wing, ischium and pubis joined about the socket, and cut by its joints.

Everything is drawn for the right side in the pelvis frame: axes R, A, S in mm, origin midway between the hip centres,
before the pelvic tilt. `place` carries template points to the individual.
"""

from dataclasses import dataclass

import numpy as np

from .implicit import Field, capsule, half_space, smooth_cut, smooth_intersection, smooth_union, sphere
from .ring import pelvic_ring
from .wing import Place, iliac_wing

HIP_CENTER = np.array([87.0, 0.0, 0.0])
JOINT_SPACE_MM = 4.0
CUP_NORMAL = np.array([0.643, 0.281, -0.713])
"""Opening direction of the right socket: about 42° from the body axis and 20° forward (Murray 1993, anatomical)."""
CUP_DEPTH_MM = 3.0
"""How far along CUP_NORMAL the plane of the rim lies from the hip centre."""
CUP_WALL_MM = 6.0
CUP_SHIFT = np.array([-3.0, -1.5, 1.5])
"""The bone around the socket is thicker medially, behind and above."""
HALF_SYMPHYSIS_MM = 2.2
SACROILIAC_GAP_MM = 2.5

GUIDES = {
    "foramen": (41.0, 4.0, -30.0),
    "superior_ramus": (45.0, 35.0, 0.0),
    "spine": (52.0, -57.0, 2.0),
    "tuberosity": (52.0, -30.0, -62.0),
    "aiis": (95.0, 36.0, 42.0),
    "asis": (116.0, 51.0, 78.0),
    "tubercle": (26.0, 52.0, -13.0),
    "symphysis_superior": (4.0, 45.0, -13.0),
    "symphysis_inferior": (4.0, 24.0, -34.0),
    "sacroiliac": (57.0, -40.0, 73.0),
}
"""Where to start looking for landmarks on the template; the landmarks themselves are found on the surface."""


@dataclass(frozen=True, eq=False)
class Hip:
    """A right hip bone with what its landmarks are found from, in the pelvis frame.

    guides: the GUIDES of this individual, each (3,).
    """

    field: Field
    center: np.ndarray
    socket_radius: float
    guides: dict[str, np.ndarray]


def right_hip(place: Place, head_radius: float, scale: float, sacrum: Field, roughness: Field) -> Hip:
    """Build a right hip bone whose sacroiliac face follows the sacrum's. scale: factor on all thicknesses."""
    center = place(HIP_CENTER)
    socket = head_radius + JOINT_SPACE_MM
    wing, ring = iliac_wing(place, scale), pelvic_ring(place, scale)
    midline = np.array([HALF_SYMPHYSIS_MM, 0.0, 0.0])

    def field(p: np.ndarray) -> np.ndarray:
        d = smooth_union(wing(p), _cup(p, center, socket, scale), 13.0 * scale)
        d = smooth_union(d, ring(p), 9.0 * scale) + roughness(p)
        d = smooth_cut(d, sphere(p, center, socket), 1.5)
        d = smooth_cut(d, _mouth(p, center, socket), 2.0)
        d = smooth_cut(d, _fossa(p, center, socket, scale), 4.0)
        d = smooth_cut(d, sacrum(p) - SACROILIAC_GAP_MM, 1.0)
        return smooth_cut(d, half_space(p, midline, np.array([1.0, 0.0, 0.0])), 3.0)

    return Hip(field, center, socket, {name: place(np.array(at)) for name, at in GUIDES.items()})


def _cup(p: np.ndarray, center: np.ndarray, socket: float, scale: float) -> np.ndarray:
    """The ball of bone that the socket is hollowed from, up to the plane of its rim."""
    ball = sphere(p, center + scale * CUP_SHIFT, socket + CUP_WALL_MM * scale)
    return smooth_intersection(ball, half_space(p, center + CUP_DEPTH_MM * CUP_NORMAL, CUP_NORMAL), 3.0)


def _mouth(p: np.ndarray, center: np.ndarray, socket: float) -> np.ndarray:
    """The way out of the socket, widening, kept free of bone."""
    return capsule(p, center, center + 60.0 * CUP_NORMAL, socket - 2.0, socket + 12.0)


def _fossa(p: np.ndarray, center: np.ndarray, socket: float, scale: float) -> np.ndarray:
    """The acetabular fossa and, below it, the notch between the horns of the rim."""
    floor = center + np.array([-0.34, 0.02, -0.22]) * socket
    notch = center + np.array([-0.58, 0.08, -0.85]) * socket
    return capsule(p, floor, notch, 0.70 * socket, 12.5 * scale)
