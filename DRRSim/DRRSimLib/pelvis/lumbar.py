"""Lumbar vertebrae: body, pedicles, processes and arch, in the pelvis frame."""

import numpy as np

from .implicit import Field, capsule, flat_capsule, smooth_intersection, smooth_union


def vertebra(center: np.ndarray, tilt_deg: float, size: np.ndarray, transverse: float) -> Field:
    """A lumbar vertebra. center: middle of the body; tilt_deg: forward tilt of its lower end plate.

    size: half width, half depth, half height of the body, mm; transverse: reach of the transverse processes, mm.
    """
    half_width, half_depth, half_height = size
    angle = np.deg2rad(tilt_deg)
    local_from_pelvis = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    unit = half_width / 25.0

    def rod(p: np.ndarray, a: tuple, b: tuple, radius_a: float, radius_b: float) -> np.ndarray:
        return capsule(p, unit * np.array(a), unit * np.array(b), unit * radius_a, unit * radius_b)

    def field(points: np.ndarray) -> np.ndarray:
        p = (points - center.astype(points.dtype)) @ local_from_pelvis.T.astype(points.dtype)
        p[:, 0] = np.abs(p[:, 0])
        x, a, s = p.T
        waist = 1.0 - 0.09 * np.clip(1.0 - (s / half_height) ** 2, 0.0, 1.0)
        level = np.sqrt((x / half_width) ** 2 + (a / half_depth) ** 2) / waist
        kidney = 0.10 * np.exp(-((x / (0.45 * half_width)) ** 2)) * np.clip(-a / half_depth, 0.0, 1.0)
        wall = (level + kidney - 1.0) * half_depth
        plate = np.abs(s) - half_height + 1.5 * np.clip(1.0 - level**2, 0.0, 1.0)
        d = smooth_intersection(wall, plate, 3.0)
        d = smooth_union(d, rod(p, (15, -12, 4), (15.5, -25, 4), 6.0, 5.5), 4.0)
        d = smooth_union(d, rod(p, (18, -24, 4), (transverse / unit, -29, 7), 6.5, 3.6), 4.0)
        arch = rod(p, (17, -27, 18), (17, -30, -4), 5.5, 6.0)
        arch = smooth_union(arch, rod(p, (16, -31, -4), (13, -35, -20), 6.0, 5.0), 3.0)
        arch = smooth_union(arch, rod(p, (14, -32, -2), (3, -41, -7), 5.0, 4.0), 3.0)
        spinous = flat_capsule(
            p,
            unit * np.array([0, -42, -6]),
            unit * np.array([0, -60, -12]),
            (9.0 * unit, 3.5 * unit),
            (11.0 * unit, 3.8 * unit),
            np.array([1.0, 0.0, 0.0]),
        )
        return smooth_union(d, smooth_union(arch, spinous, 3.0), 3.0)

    return field
