"""What each place in a generated colon belongs to."""

import numpy as np

from Sim2RealLib.simulation import LabelClass
from Sim2RealLib.volume import Volume

from .anatomy import SEGMENTS
from .colon import Colon
from .feature import Feature
from .valve import APPENDIX_LABEL, VALVE_LABEL

SCAN_ERROR_MM = 0.5
"""Between the wall and the surface that a scan shows of it: 0.3 mm at the 95th percentile, with voxels of 1 mm."""

SEGMENT_COLORS = ((196, 78, 82), (221, 132, 82), (204, 185, 116), (85, 168, 104), (100, 181, 205), (129, 114, 179))


def label_points(colon: Colon, points_ras: np.ndarray, margin_mm: float = 0.5) -> np.ndarray:
    """Labels of points (N, 3) on or near the wall: (N,) uint8, never 0.

    1 to 6: the segment whose stretch of the midline is nearest. 7: ileocaecal valve and ileum. 8: opening of the
    appendix. 101 + id: a polyp. A feature owns the points at most `margin_mm` outside it to which the bare
    wall is not nearer by more than half of that.
    """
    points = np.asarray(points_ras, dtype=np.float32)
    return label_located(colon, points, colon.evaluate(points)[1], margin_mm)


def label_surface(colon: Colon, map_of_scan: Volume, points_ras: np.ndarray) -> np.ndarray:
    """Labels of points (N, 3) on the surface that a scan of the colon shows: (N,) uint8.

    map_of_scan: labels of the scan, where features reach a voxel and more onto the wall; there the formula decides.
    """
    labels = map_of_scan.nearest(points_ras)
    feature = labels > len(SEGMENTS)
    labels[feature] = label_points(colon, points_ras[feature], SCAN_ERROR_MM)
    return labels


def label_located(colon: Colon, points: np.ndarray, arc_length: np.ndarray, margin_mm: float) -> np.ndarray:
    """As `label_points`, for points whose arc length on the midline is known."""
    labels = (1 + np.clip(np.searchsorted(colon.bounds_mm, arc_length, side="right") - 1, 0, 5)).astype(np.uint8)
    for feature in colon.features:
        offset = points - feature.foot.point_ras.astype(np.float32)
        near = np.flatnonzero(np.einsum("ij,ij->i", offset, offset) < (feature.size_mm + margin_mm) ** 2)
        if len(near):
            labels[near[_owned(colon, feature, points[near], margin_mm)]] = feature.label
    return labels


def _owned(colon: Colon, feature: Feature, points: np.ndarray, margin_mm: float) -> np.ndarray:
    height = -colon.bare_distance(points)
    local = feature.foot.local(points)
    owned = np.zeros(len(points), dtype=bool)
    if feature.tissue:
        distance = feature.tissue(local, height)
        owned |= (distance < margin_mm) & (distance < np.abs(height) + margin_mm / 2.0)
    if feature.cavity:
        distance = feature.cavity(local, height)
        owned |= (distance < margin_mm) & ((height < margin_mm) | (distance < 0.0))
    return owned


def label_classes(colon: Colon) -> tuple[LabelClass, ...]:
    """The classes of a colon's labels; polyps are named by class, size and segment."""
    segments = [
        LabelClass(i + 1, name, color) for i, (name, color) in enumerate(zip(SEGMENTS, SEGMENT_COLORS, strict=True))
    ]
    places = [
        LabelClass(VALVE_LABEL, "ileocaecal valve", (255, 214, 0)),
        LabelClass(APPENDIX_LABEL, "appendix orifice", (150, 100, 60)),
    ]
    polyps = [
        LabelClass(p.label, f"polyp {p.id}: {p.paris_class}, {p.size_mm:.1f} mm, {p.segment}", _polyp_color(p.id))
        for p in colon.polyps
    ]
    return (*segments, *places, *polyps)


def _polyp_color(number: int) -> tuple[int, int, int]:
    return 255, 40 + 53 * number % 160, 60 + 97 * number % 190
