"""Lumbar vertebrae: body, pedicles, processes and arch, in the pelvis frame."""

import numpy as np

from .implicit import Field, capsule, ellipsoid, flat_capsule, smooth_intersection, smooth_union


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

    def plank(p: np.ndarray, a: tuple, b: tuple, radii_a: tuple, radii_b: tuple, normal: tuple) -> np.ndarray:
        ends = unit * np.array([a, b])
        return flat_capsule(
            p, *ends, tuple(unit * np.array(radii_a)), tuple(unit * np.array(radii_b)), np.array(normal)
        )

    def field(points: np.ndarray) -> np.ndarray:
        p = (points - center.astype(points.dtype)) @ local_from_pelvis.T.astype(points.dtype)
        p[:, 0] = np.abs(p[:, 0])
        x, a, s = p.T
        waist = 1.0 - 0.13 * np.clip(1.0 - (s / half_height) ** 2, 0.0, 1.0)
        level = np.sqrt((x / half_width) ** 2 + (a / half_depth) ** 2) / waist
        kidney = 0.10 * np.exp(-((x / (0.45 * half_width)) ** 2)) * np.clip(-a / half_depth, 0.0, 1.0)
        wall = (level + kidney - 1.0) * half_depth
        plate = np.abs(s) - half_height + 2.0 * np.clip(1.0 - level**2, 0.0, 1.0)
        d = smooth_intersection(wall, plate, 5.0)
        d = smooth_union(d, plank(p, (14.5, -10, 5), (16, -27, 5), (7.5, 5.2), (7.0, 5.0), (1, 0.1, 0)), 3.0)
        d = smooth_union(d, plank(p, (18, -27, 5), (transverse / unit, -33, 9), (7.0, 4.0), (4.5, 2.4), (0, 1, 0)), 4.0)
        arch = rod(p, (17.5, -27, 9), (19.5, -28, 20), 5.5, 4.5)
        arch = smooth_union(arch, rod(p, (17, -29, 5), (14, -33, -8), 5.0, 4.2), 3.0)
        arch = smooth_union(arch, rod(p, (14, -33, -8), (13, -36, -22), 4.6, 4.4), 3.0)
        arch = smooth_union(arch, plank(p, (14, -32, -3), (2, -42, -8), (8.5, 3.2), (8.0, 3.0), (0.64, -0.77, 0)), 3.0)
        blade = plank(p, (0, -41, -8), (0, -64, -12), (7.5, 2.6), (9.0, 2.4), (1, 0, 0))
        tip = ellipsoid(p, unit * np.array([0.0, -64.0, -17.0]), unit * np.array([4.6, 6.5, 6.5]))
        return smooth_union(d, smooth_union(arch, smooth_union(blade, tip, 5.0), 4.0), 3.0)

    return field
