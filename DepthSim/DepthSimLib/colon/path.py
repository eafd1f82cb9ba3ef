"""The course of the colon through the abdomen: a rope of fixed length laid into the cavity.

A polyline through anatomical landmarks is lengthened to the colon's length, segment by segment, while it keeps a
smallest bending radius, clear of itself, of the spine and of the abdominal wall (position-based dynamics: Müller,
Heidelberger, Hennix and Ratcliff, J. Vis. Commun. Image R. 18, 2007). Redundant length so becomes loops of the sigmoid
and sag of the transverse colon.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

NODE_MM = 9.0
ITERATIONS = 240
STEP_MM = 0.5
WALL_GAP_MM = 7.0
"""Between the lumens of neighbouring loops: two walls and some fat."""
BEND_FACTOR = 1.8
"""Smallest bending radius of the rope over the radius of the lumen."""
SMOOTHING_MM, FINAL_SMOOTHING_MM = 11.0, 3.0
MOST_BENT = 0.75
"""Largest curvature of the smooth course times the radius of the lumen, aimed at in STRAIGHTENING_PASSES."""
STRAIGHTENING_PASSES = 10

WAYPOINTS_RAS = (
    # Origin: midline, in front of the sacral promontory. Anus to caecum, mm.
    [[0, -62, -172], [0, -44, -138], [-6, -62, -108], [7, -78, -78], [-4, -76, -46], [0, -52, -14]],
    [[0, -52, -14], [26, -18, 14], [34, 22, -16], [0, 44, -44], [-44, 34, -38], [-84, 14, -8], [-112, -6, 24]],
    [[-112, -6, 24], [-122, -34, 70], [-126, -50, 120], [-124, -54, 172], [-112, -50, 222]],
    [[-112, -50, 222], [-88, 4, 208], [-58, 42, 160], [0, 62, 118], [54, 50, 136], [88, 10, 170], [110, -28, 184]],
    [[110, -28, 184], [118, -42, 140], [122, -40, 92], [116, -26, 48]],
    [[116, -26, 48], [108, -10, 22], [92, 6, -6]],
)
STIFFNESS = (0.25, 0.004, 0.05, 0.006, 0.06, 0.05)
"""How firmly each segment is held in place: sigmoid and transverse hang on a mesentery."""
WANDER_MM = (3.0, 26.0, 8.0, 22.0, 8.0, 8.0)
SAG_MM = np.array([0.0, 0.06, -0.12])
"""Pull on the transverse colon at each iteration."""


def lay_path(lengths_mm: np.ndarray, radii_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth curve from the anus to the caecum, points every STEP_MM, (N, 3) RAS mm.

    lengths_mm, radii_mm: (6,), of each segment; the curve is as long as all of them together.
    """
    counts = np.maximum(np.rint(lengths_mm / NODE_MM).astype(int), 3)
    segment = np.concatenate([np.repeat(np.arange(6), counts), [5]])
    rest = (lengths_mm / counts)[segment[:-1]]
    home = np.concatenate([_spread(way, n) for way, n in zip(WAYPOINTS_RAS, counts, strict=True)])
    home = np.vstack([home, WAYPOINTS_RAS[-1][-1]]).astype(float)
    home += _wander(len(home), rng) * np.array(WANDER_MM)[segment][:, None]
    radius = gaussian_filter1d(radii_mm[segment], 2.0)
    nodes = _relax(home, rest, radius, np.array(STIFFNESS)[segment], segment == 3, rng)
    return _smooth_curve(nodes, radius, lengths_mm.sum())


def _spread(way: list, count: int) -> np.ndarray:
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    return CubicSpline(knots, way)(np.linspace(0.0, knots[-1], count, endpoint=False))


def _wander(count: int, rng: np.random.Generator) -> np.ndarray:
    noise = gaussian_filter1d(rng.standard_normal((count, 3)), 6.0, axis=0, mode="reflect")
    return noise / noise.std()


def _relax(
    home: np.ndarray, rest: np.ndarray, radius: np.ndarray, stiffness: np.ndarray, sagging: np.ndarray, rng
) -> np.ndarray:
    nodes = home + rng.normal(0.0, 1.5, home.shape)
    apart = _least_distance(rest, radius)
    for _ in range(ITERATIONS):
        nodes += stiffness[:, None] * (home - nodes)
        nodes[sagging] += SAG_MM
        nodes[1:-1] += 0.04 * (nodes[:-2] - 2.0 * nodes[1:-1] + nodes[2:])
        _push_apart(nodes, apart)
        _contain(nodes, radius)
        for first in (0, 1, 0, 1):
            _restore_length(nodes, rest, first)
    return nodes


def _least_distance(rest: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How close two nodes may come, (N, N), above the diagonal: chord of the tightest bend, or lumens side by side."""
    rope = np.concatenate([[0.0], np.cumsum(rest)])
    length = rope - rope[:, None]
    mean = (radius + radius[:, None]) / 2.0
    bend = BEND_FACTOR * mean
    chord = 2.0 * bend * np.sin(np.minimum(length / (2.0 * bend), np.pi / 2.0))
    return np.triu(np.where(length < np.pi * bend, chord, 2.0 * mean + WALL_GAP_MM), k=2)


def _restore_length(nodes: np.ndarray, rest: np.ndarray, first: int) -> None:
    """Every second edge to its length: they share no nodes."""
    a, b = nodes[first:-1:2], nodes[first + 1 :: 2]
    edge = b - a
    length = np.linalg.norm(edge, axis=1)
    shift = (0.5 * (1.0 - rest[first::2] / length))[:, None] * edge
    a += shift
    b -= shift


def _push_apart(nodes: np.ndarray, apart: np.ndarray) -> None:
    squares = np.einsum("ij,ij->i", nodes, nodes)
    square = squares[:, None] + squares - 2.0 * nodes @ nodes.T
    i, j = np.divmod(np.flatnonzero(square < apart * apart), len(nodes))
    distance = np.sqrt(np.maximum(square[i, j], 1.0))
    push = (0.3 * (apart[i, j] - distance) / distance)[:, None] * (nodes[j] - nodes[i])
    np.subtract.at(nodes, i, push)
    np.add.at(nodes, j, push)


def _contain(nodes: np.ndarray, radius: np.ndarray) -> None:
    """Keep the lumen within the abdominal and pelvic cavity and off the spine."""
    r, a, s = nodes.T
    above = np.clip((s + 120.0) / 140.0, 0.0, 1.0)
    half_width = 62.0 + 88.0 * above
    front, back = 20.0 + 76.0 * above, -104.0 + 10.0 * above
    middle, half_depth = (front + back) / 2.0, (front - back) / 2.0
    level = np.hypot(r / np.maximum(half_width - radius, 10.0), (a - middle) / np.maximum(half_depth - radius, 10.0))
    outside = (level > 1.0) & (s > -125.0)
    pull = np.where(outside, 1.0 - 0.5 * (1.0 - 1.0 / np.maximum(level, 1.0)), 1.0)
    r *= pull
    a += (pull - 1.0) * (a - middle)
    spine = np.hypot(r, a + 85.0)
    near = (s > 0.0) & (spine < 44.0 + radius)
    out = np.where(near, 0.5 * (44.0 + radius - spine) / np.maximum(spine, 1.0), 0.0)
    r += out * r
    a += out * (a + 85.0)


def _smooth_curve(nodes: np.ndarray, radius: np.ndarray, length_mm: float) -> np.ndarray:
    """A curve through the nodes, evenly spaced, smoothed further where it bends too tightly for its radius."""
    curve = gaussian_filter1d(_resampled(nodes, length_mm), SMOOTHING_MM / STEP_MM, axis=0, mode="nearest")
    tightest = MOST_BENT / np.interp(np.linspace(0.0, 1.0, len(curve)), np.linspace(0.0, 1.0, len(radius)), radius)
    for _ in range(STRAIGHTENING_PASSES):
        tangent = np.gradient(curve, STEP_MM, axis=0)
        excess = np.linalg.norm(np.gradient(tangent, STEP_MM, axis=0), axis=1) > tightest
        weight = np.tanh(3.0 * gaussian_filter1d(excess.astype(float), SMOOTHING_MM / STEP_MM))[:, None]
        curve += weight * (gaussian_filter1d(curve, SMOOTHING_MM / STEP_MM, axis=0, mode="nearest") - curve)
        curve = _resampled(curve, length_mm)
    return _resampled(gaussian_filter1d(curve, FINAL_SMOOTHING_MM / STEP_MM, axis=0, mode="nearest"), length_mm)


def _resampled(curve: np.ndarray, length_mm: float) -> np.ndarray:
    """The curve with points every STEP_MM, scaled about the origin to its length."""
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    even = CubicSpline(knots, curve)(np.linspace(0.0, knots[-1], round(length_mm / STEP_MM) + 1))
    return even * (length_mm / np.linalg.norm(np.diff(even, axis=0), axis=1).sum())
