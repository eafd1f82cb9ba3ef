"""Ischium and pubis: the rods around the obturator foramen, and the spines of the hip bone. Right side."""

import numpy as np

from .implicit import Field, chain, flat_capsule, smooth_union
from .wing import Place

POSTERIOR_COLUMN = np.array(
    [[77, -25, 26, 12], [68, -30, 4, 12], [62, -32, -20, 11.5], [58, -33, -42, 13], [55, -30, -52, 14]]
)
"""From above the socket to the ischial tuberosity: rows R, A, S, radius, mm of the template."""

INFERIOR_RAMUS = np.array(
    [[50, -24, -55, 11, 9], [40, -10, -55, 8.5, 6], [26, 5, -51, 7.5, 5], [14, 20, -36, 8, 5.5], [10, 29, -25, 9, 6.5]]
)
"""From the tuberosity to the pubic body: rows R, A, S, half width, half thickness."""

SUPERIOR_RAMUS = np.array([[74, 16, 9, 13], [60, 26, 7, 10], [45, 35, 2, 8.2], [30, 43, -7, 7.6], [12, 41, -16, 8]])
"""From the socket over the iliopubic eminence to the pubic body."""

PUBIC_BODY = np.array([[12.5, 41, -17, 11, 8], [12, 31, -26, 10, 6.5]])
PUBIC_TUBERCLE = np.array([[25, 45, -12, 4.5], [26, 51, -11.5, 3.6]])
ISCHIAL_SPINE = np.array([[66, -36, 6, 11, 6], [53, -55, 2, 3.5, 2.5]])
ANTERIOR_INFERIOR_SPINE = np.array([[92, 24, 38, 7], [95, 33, 41, 5.5]])
ANTERIOR_SUPERIOR_SPINE = np.array([[120, 34, 83, 6], [116, 43, 79, 6]])

PELVIC_BRIM = np.array(
    [[59, -38, 72, 4], [63.5, -27, 61, 4], [67, -14, 47, 4], [67.5, -2, 34, 4], [65.5, 9, 23, 4], [59.5, 20, 15.5, 4],
     [50, 30, 10, 3.5], [39, 38.5, 4, 3], [28, 45, -4, 3]]
)  # fmt: skip
"""Crest of the arcuate and pectineal lines, from the sacroiliac joint to the pubic tubercle."""

RAMUS_NORMAL = np.array([0.35, 0.6, -0.6])
PUBIS_NORMAL = np.array([0.0, 0.7, -0.7])
SPINE_NORMAL = np.array([1.0, 0.7, 0.0])
"""The directions across which the flat rods are thin."""


def pelvic_ring(place: Place, scale: float) -> Field:
    """Ischium, pubis, brim and spines as one solid of the pelvis frame. scale: factor on all radii."""

    def individual(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return place(rows[:, :3]), scale * rows[:, 3:]

    column, inferior, superior, body, tubercle, spine, lower, upper, brim = (
        individual(rows)
        for rows in (
            POSTERIOR_COLUMN,
            INFERIOR_RAMUS,
            SUPERIOR_RAMUS,
            PUBIC_BODY,
            PUBIC_TUBERCLE,
            ISCHIAL_SPINE,
            ANTERIOR_INFERIOR_SPINE,
            ANTERIOR_SUPERIOR_SPINE,
            PELVIC_BRIM,
        )
    )

    def field(p: np.ndarray) -> np.ndarray:
        pubis = _flat_chain(p, *inferior, RAMUS_NORMAL, 4.0 * scale)
        pubis = smooth_union(pubis, _round_chain(p, *superior, 5.0 * scale), 4.0 * scale)
        pubis = smooth_union(pubis, _flat_chain(p, *body, PUBIS_NORMAL, 1.0), 5.0 * scale)
        pubis = smooth_union(pubis, _round_chain(p, *tubercle, 1.0), 4.0 * scale)
        d = smooth_union(_round_chain(p, *column, 6.0 * scale), pubis, 6.0 * scale)
        d = smooth_union(d, _flat_chain(p, *spine, SPINE_NORMAL, 1.0), 8.0 * scale)
        d = smooth_union(d, _round_chain(p, *lower, 1.0), 7.0 * scale)
        d = smooth_union(d, _round_chain(p, *upper, 1.0), 6.0 * scale)
        return smooth_union(d, _round_chain(p, *brim, 3.0 * scale), 5.0 * scale)

    return field


def _round_chain(p: np.ndarray, points: np.ndarray, radii: np.ndarray, blend: float) -> np.ndarray:
    return chain(p, points, radii[:, 0], blend)


def _flat_chain(p: np.ndarray, points: np.ndarray, radii: np.ndarray, normal: np.ndarray, blend: float) -> np.ndarray:
    distance = flat_capsule(p, points[0], points[1], radii[0], radii[1], normal)
    for i in range(1, len(points) - 1):
        rod = flat_capsule(p, points[i], points[i + 1], radii[i], radii[i + 1], normal)
        distance = smooth_union(distance, rod, blend)
    return distance
