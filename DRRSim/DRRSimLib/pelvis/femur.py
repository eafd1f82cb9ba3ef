"""The proximal femur: head, neck, trochanters with their crest and fossa, and the upper shaft, a right one in RAS."""

import numpy as np

from Sim2RealLib.geometry import rotation

from .implicit import Field, capsule, chain, ellipsoid, smooth_cut, smooth_union, sphere

NECK_MM = 50.0
"""From the centre of the head to the axis of the shaft."""
SHAFT_LEAN_DEG = 6.0
"""Of the shaft towards the midline, feet together."""


def right_femur(
    center: np.ndarray,
    head_radius: float,
    scale: float,
    neck_shaft_deg: float,
    neck_back_deg: float,
    abduction_deg: float,
) -> Field:
    """A right femur about the hip `center`; head_radius in mm, the rest of the template times `scale`.

    neck_back_deg: how far the neck runs backwards from the head, anteversion plus external rotation of the leg.
    """
    turned = rotation(np.array([0.0, 0.0, 1.0]), -neck_back_deg) @ rotation(
        np.array([0.0, 1.0, 0.0]), SHAFT_LEAN_DEG - abduction_deg
    )
    ras_from_femur = scale * turned[:3, :3]
    femur_from_ras = np.linalg.inv(ras_from_femur)
    bend = np.deg2rad(180.0 - neck_shaft_deg)
    base = NECK_MM * np.array([np.sin(bend), 0.0, -np.cos(bend)])

    def by_base(*offsets: tuple[float, float, float]) -> np.ndarray:
        return base + np.array(offsets)

    neck = np.vstack([[8.0, 0.0, -6.0], 0.55 * base, by_base((-2, 0, -4))])
    shaft = by_base((2, -2, -8), (0, -1, -34), (1, 2, -70), (2, 4, -220))
    (apex,) = by_base((11, -7, 11))
    flank = by_base((16, -6, 2), (11, -3, -22))
    lesser = by_base((-8, -8, -38), (-17, -13, -33))
    crest = by_base((8, -19, 10), (-11, -14, -29))
    (fossa,) = by_base((-2, -19, 14))

    def field(points: np.ndarray) -> np.ndarray:
        p = (points - center.astype(points.dtype)) @ femur_from_ras.T.astype(points.dtype)
        greater = smooth_union(ellipsoid(p, apex, np.array([13.5, 17.0, 18.0])), capsule(p, *flank, 12.0, 12.0), 8.0)
        column = smooth_union(chain(p, shaft, np.array([20.0, 17.5, 15.2, 14.5]), 8.0), greater, 10.0)
        head = sphere(p, np.zeros(3), head_radius / scale)
        d = smooth_union(head, chain(p, neck, np.array([19.0, 15.0, 18.0]), 6.0), 4.0)
        d = smooth_union(d, column, 10.0)
        d = smooth_union(d, capsule(p, *crest, 5.5, 5.0), 6.0)
        d = smooth_cut(d, sphere(p, fossa, 6.0), 5.0)
        return smooth_union(d, capsule(p, *lesser, 10.0, 6.5), 7.0) * points.dtype.type(scale)

    return field
