"""Masks of the visible field against OpenCV's polygons and the area of the figures."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from Sim2RealLib.cameras import CircularMask, OctagonMask, PinholeCamera

OLYMPUS = OctagonMask(70.0, 0.0, 1420.0, 1080.0, 185.0, 220.0)
VERTICES = [(255, 0), (1235, 0), (1420, 220), (1420, 860), (1235, 1080), (255, 1080), (70, 860), (70, 220)]


def test_octagon_is_its_polygon():
    points = np.random.default_rng(0).uniform([-50, -50], [1490, 1130], (4000, 2))
    polygon = np.array(VERTICES, np.float32)
    signed = np.array([cv2.pointPolygonTest(polygon, tuple(point), True) for point in points.tolist()])
    clear = np.abs(signed) > 1e-3  # OpenCV's distance is in single precision
    assert np.array_equal(OLYMPUS.contains(points)[clear], signed[clear] > 0)


def test_masks_cover_the_area_of_their_figures_and_scale_with_the_image():
    octagon = 1350 * 1080 - 2 * 185 * 220
    for factor in (1.0, 0.5):
        width, height = round(1440 * factor), round(1080 * factor)
        pixels = PinholeCamera(1.0, 1.0, 0.0, 0.0, width, height).pixel_centers()
        assert OLYMPUS.scaled(factor).contains(pixels).sum() == pytest.approx(octagon * factor**2, rel=1e-3)
        circle = CircularMask(720.0, 540.0, 500.0).scaled(factor)
        assert circle.contains(pixels).sum() == pytest.approx(np.pi * (500 * factor) ** 2, rel=1e-3)


def test_a_circle_holds_what_is_within_its_radius():
    circle = CircularMask(10.0, 20.0, 5.0)
    assert circle.contains([[10, 20], [14.9, 20], [10, 25.1], [13, 24]]).tolist() == [True, True, False, True]


def test_corners_that_leave_nothing_are_refused():
    with pytest.raises(ValidationError, match="corners leave nothing"):
        OctagonMask(0.0, 0.0, 100.0, 100.0, 51.0, 10.0)
    with pytest.raises(ValidationError, match="corners leave nothing"):
        OctagonMask(0.0, 0.0, 100.0, 100.0, 10.0, 51.0)
