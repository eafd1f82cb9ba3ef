"""The sacrum with the coccyx: a curved wedge with its canal and foramina, in the pelvis frame.

It is drawn in the coordinates of its own curve, in mm of the template: x, distance from the midline; along, distance
down the front face from the promontory; front, distance before the front face.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from .implicit import Field, capsule, ellipsoid, smooth_cut, smooth_intersection, smooth_union
from .sheet import STEP_MM, Table

MIDLINE = np.array(
    [[-26, 106], [-43, 90], [-61, 73], [-75, 54], [-82, 34], [-83, 16], [-77, 0], [-66, -13]], dtype=float
)
"""Front face of the vertebral bodies in the midsagittal plane, (A, S), from the promontory to the tip of the coccyx."""

PROFILE = np.array(
    [
        [-15, 57, 29, 44], [0, 58, 30, 46], [12, 57, 27, 45], [30, 53, 20, 37], [48, 47, 15, 30], [66, 39, 13, 24],
        [88, 31, 11, 18], [104, 24, 10, 13], [115, 13, 9, 10], [128, 9, 7, 7.5], [145, 4, 5, 5.5],
    ],
    dtype=float,
)  # fmt: skip
"""Rows along, half width, depth of the bodies, depth with the posterior wall."""

REMNANT_DISC = (np.array([0.0, 32.0, -9.5]), np.array([16.0, 2.0, 6.5]))
"""Centre and radii of what is left of the disc between the first two bodies."""
TIP_MM = 138.0
CANAL_END_MM = 100.0
FORAMINA_MM = ((27.0, 22.0), (49.0, 19.5), (69.0, 17.5), (87.0, 15.5))
"""Along and x of the four pairs of foramina."""
TUBERCLES = (((0, 22, -46), (5.5, 13, 10)), ((0, 45, -34), (5, 13, 8)), ((0, 66, -26), (5, 12, 6)))
"""Centres and radii of the median crest's spinous tubercles."""
AURICULAR_WAVE_MM = 1.2
LIGAMENT_MM = 5.0
"""Relief of the joint face, and how much wider than the joint the gap for the interosseous ligament is."""
BEYOND_MM = 45.0
"""How far the front face is prolonged above the promontory."""


def sacrum_field(scale: np.ndarray) -> tuple[Field, np.ndarray]:
    """The sacrum, and about where its promontory lies, (3,). scale: factors (3,) on the template along R, A, S."""
    table = _curve_table(scale[1:])
    profile = CubicSpline(PROFILE[:, 0], PROFILE[:, 1:])
    mean = float(scale.mean())

    def field(p: np.ndarray) -> np.ndarray:
        along, front = table(p[:, 1], p[:, 2]) / p.dtype.type(mean)
        x = np.abs(p[:, 0]) / p.dtype.type(scale[0])
        half_width, body, depth = profile(np.clip(along, *PROFILE[[0, -1], 0])).T.astype(p.dtype)
        d = smooth_union(_wedge(x, along, front, half_width, depth), _processes(x, along, front), 4.0)
        d = smooth_cut(d, _canal(x, along, front, body, depth), 1.5)
        d = smooth_cut(d, ellipsoid(np.column_stack([x, along, front]), *REMNANT_DISC), 1.0)
        for level, out in FORAMINA_MM:
            d = smooth_cut(d, _foramen(x, along, front, level, out), 2.5)
        return d * p.dtype.type(mean)

    return field, np.array([0.0, *(MIDLINE[0] * scale[1:])])


def _wedge(
    x: np.ndarray, along: np.ndarray, front: np.ndarray, half_width: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Bodies and lateral masses, wider in front than behind, between the upper end plate and the tip of the coccyx."""
    face = 0.85 * (front - _ala(x, along) + _roundness(x, along))
    back = -front - depth * (1.0 - 0.60 * np.minimum(x / half_width, 1.2) ** 2)
    side = 0.87 * (x - half_width - _auricular_relief(along, front))
    aside = _step(x, 20.0, 54.0)
    top = 0.85 * (8.0 * aside + 8.0 * _step(-front, 32.0, 44.0) + 9.0 * aside * _step(-front, 4.0, 34.0) - along)
    d = smooth_intersection(smooth_intersection(face, back, 6.0), side, 7.0)
    d = smooth_intersection(d, top, 3.0 + 7.0 * _step(x, 18.0, 40.0))
    return smooth_intersection(d, along - TIP_MM, 4.0)


def _auricular_relief(along: np.ndarray, front: np.ndarray) -> np.ndarray:
    """How far the side that faces the ilium stands out from the half width of the sacrum.

    It converges backwards at S1 and no more at S3 (Solonen 1957, "The sacroiliac joint in the light of anatomical,
    roentgenological and clinical studies"), waves, and recedes behind the L of the joint face for the interosseous
    ligament.
    """
    lean = 0.42 - 0.42 * _step(along, 12.0, 58.0)
    wave = AURICULAR_WAVE_MM * np.sin(along / 7.0) * np.cos((front + 8.0) / 9.0)
    behind_joint = _step(-front, 10.0, 22.0) * (1.0 - _step(along, 24.0, 38.0))
    return lean * np.clip(front - 10.0, -50.0, 6.0) + wave - LIGAMENT_MM * behind_joint


def _ala(x: np.ndarray, along: np.ndarray) -> np.ndarray:
    """How far the wings of the upper sacrum stand forward of its vertebral bodies."""
    level = np.clip(1.0 - np.abs(along - 26.0) / 46.0, 0.0, 1.0)
    return 26.0 * _step(x, 24.0, 66.0) * level * (2.0 - level)


def _roundness(x: np.ndarray, along: np.ndarray) -> np.ndarray:
    """How far the front of the first bodies recedes beside the midline: the promontory bulges into the inlet."""
    return 6.0 * _step(x, 0.0, 30.0) * (1.0 - _step(along, 10.0, 45.0))


def _processes(x: np.ndarray, along: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Median crest and superior articular processes."""
    q = np.column_stack([x, along, front])
    d = capsule(q, np.array([21.0, 14.0, -40.0]), np.array([21.0, -4.0, -41.0]), 6.5, 5.5)
    for center, radii in TUBERCLES:
        d = smooth_union(d, ellipsoid(q, np.array(center), np.array(radii)), 6.0)
    return d


def _canal(x: np.ndarray, along: np.ndarray, front: np.ndarray, body: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The sacral canal, flat and narrowing downwards, behind the bodies."""
    wall = depth - body
    tube = np.sqrt((x / 1.9) ** 2 + (front + body + 0.5 * wall) ** 2) - np.maximum(0.27 * wall, 0.5)
    return np.maximum(tube, along - CANAL_END_MM)


def _foramen(x: np.ndarray, along: np.ndarray, front: np.ndarray, level: float, out: float) -> np.ndarray:
    """A channel from front to back; in front it opens wide and runs out sideways, as the groove of its nerve."""
    open_front = _step(front, -14.0, 2.0)
    aside = x - out - 0.12 * np.clip(-front, 0.0, 20.0)
    aside = np.where(aside > 0.0, aside / (1.0 + 0.6 * open_front), aside)
    channel = np.sqrt((along - level - 0.15 * np.maximum(aside, 0.0)) ** 2 + aside**2)
    return 0.85 * (channel - (3.8 - 0.012 * level) - 3.2 * open_front)


def _step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _curve_table(scale: np.ndarray) -> Table:
    """`along` and `front` over the midsagittal plane of an individual, mm. scale: factors along A, S."""
    points = MIDLINE * scale
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    spline = CubicSpline(knots, points)
    at = np.arange(-BEYOND_MM, knots[-1])
    on_face = np.maximum(at, 0.0)
    tangent = spline(on_face, 1) / np.linalg.norm(spline(on_face, 1), axis=1)[:, None]
    line = spline(on_face) + np.minimum(at, 0.0)[:, None] * tangent
    lower, upper = np.array([-150.0, -50.0]), np.array([40.0, 170.0])
    axes = [np.arange(lo, hi + STEP_MM, STEP_MM) for lo, hi in zip(lower, upper, strict=True)]
    plane = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    _, nearest = cKDTree(line).query(plane)
    offset, t = plane - line[nearest], tangent[nearest]
    along = at[nearest] + np.einsum("ijk,ijk->ij", offset, t)
    front = offset[..., 1] * t[..., 0] - offset[..., 0] * t[..., 1]
    return Table(lower, np.stack([along, front]))
