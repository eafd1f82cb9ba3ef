"""The hip bone: iliac wing, ischium and pubis joined about the socket, and cut by its joints.

Everything is drawn for the right side in the pelvis frame: axes R, A, S in mm, origin midway between the hip centres,
before the pelvic tilt. `place` carries template points to the individual.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from .implicit import Field, capsule, half_space, smooth_cut, smooth_intersection, smooth_union, sphere
from .ring import pelvic_ring
from .wing import Place, iliac_wing

HIP_CENTER = np.array([87.0, 0.0, 0.0])
JOINT_SPACE_MM = 4.0
CUP_NORMAL = np.array([0.643, 0.281, -0.713])
"""Opening direction of the right socket: about 42° from the body axis and 20° forward (Murray 1993, anatomical)."""
RIM_TOP, RIM_FRONT = np.array([0.653, 0.286, 0.701]), np.array([-0.401, 0.916, 0.0])
"""Directions of 12 and of 3 o'clock on the face of the right socket."""
RIM_PROFILE_DEG = np.array(
    [
        [0, -9], [35, 0], [80, -9], [122, 1], [162, -5], [205, 0], [240, -9], [275, -18], [305, -21], [330, -18],
        [360, -9],
    ],
    dtype=float,
)  # fmt: skip
"""Rim of the socket: rows clock angle from RIM_TOP by RIM_FRONT, latitude above the hemisphere, degrees.

Three prominences about as high as the hemisphere, anterosuperior, anteroinferior and posteroinferior, and two
depressions, of 9° in the anterior and 21° in the posterosuperior wall (Köhnlein et al. 2009, "Acetabular morphology:
implications for joint-preserving surgery"); the notch lies forward of 6 o'clock by the acetabular tilt found there.
"""
RIM_CLOCK = np.linspace(0.0, 2.0 * np.pi, 181)
RIM_SINE = np.sin(CubicSpline(*np.deg2rad(RIM_PROFILE_DEG.T), bc_type="periodic")(RIM_CLOCK))
"""The profile resampled: sine of its latitude by the clock angle, rad."""
CUP_WALL_MM = 6.0
RIM_WIDTH_MM = 6.0
"""How far from the joint face no bone rises above the rim."""
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
        above_rim = _height_above_rim(p - center.astype(p.dtype))
        d = smooth_union(wing(p), _cup(p, center, socket, scale, above_rim), 13.0 * scale)
        d = smooth_union(d, ring(p), 9.0 * scale) + roughness(p)
        d = smooth_cut(d, sphere(p, center, socket), 1.5)
        d = smooth_cut(d, _mouth(p, center, socket, above_rim), 2.0)
        d = smooth_cut(d, _fossa(p, center, socket, scale), 4.0)
        d = smooth_cut(d, sacrum(p) - SACROILIAC_GAP_MM, 1.0)
        return smooth_cut(d, half_space(p, midline, np.array([1.0, 0.0, 0.0])), 3.0)

    return Hip(field, center, socket, {name: place(np.array(at)) for name, at in GUIDES.items()})


def _height_above_rim(offset: np.ndarray) -> np.ndarray:
    """First-order distance beyond the cone from the hip centre through the rim. offset: (N, 3) from the centre, mm."""
    clock = np.arctan2(offset @ RIM_FRONT.astype(offset.dtype), offset @ RIM_TOP.astype(offset.dtype))
    sine = np.interp(clock % (2.0 * np.pi), RIM_CLOCK, RIM_SINE).astype(offset.dtype)
    radius = np.sqrt(np.einsum("ij,ij->i", offset, offset))
    return offset @ CUP_NORMAL.astype(offset.dtype) - radius * sine


def _cup(p: np.ndarray, center: np.ndarray, socket: float, scale: float, above_rim: np.ndarray) -> np.ndarray:
    """The ball of bone that the socket is hollowed from, up to its rim."""
    ball = sphere(p, center + scale * CUP_SHIFT, socket + CUP_WALL_MM * scale)
    return smooth_intersection(ball, above_rim, 3.0)


def _mouth(p: np.ndarray, center: np.ndarray, socket: float, above_rim: np.ndarray) -> np.ndarray:
    """The way out of the socket, widening from its rim, kept free of bone."""
    within_rim = np.maximum(sphere(p, center, socket + RIM_WIDTH_MM), -above_rim)
    return np.minimum(within_rim, capsule(p, center, center + 60.0 * CUP_NORMAL, socket - 2.0, socket + 12.0))


def _fossa(p: np.ndarray, center: np.ndarray, socket: float, scale: float) -> np.ndarray:
    """The acetabular fossa and, below it, the notch between the horns of the rim."""
    floor = center + np.array([-0.34, 0.02, -0.22]) * socket
    notch = center + np.array([-0.58, 0.08, -0.85]) * socket
    return capsule(p, floor, notch, 0.70 * socket, 12.5 * scale)
