"""Keeping the tip out of tissue, in a tube and a room whose distances are known by formula."""

import numpy as np
import pytest

from DepthSimLib.centerline import Centerline
from DepthSimLib.endoscope.room import CLOSE_MM, free_place_near, keep_clear
from Sim2RealLib.errors import Sim2RealError

RADIUS_MM, MARGIN_MM = 20.0, 4.0


def in_tube(points: np.ndarray) -> np.ndarray:
    """A tube along S."""
    return RADIUS_MM - np.hypot(points[:, 0], points[:, 1])


def between_walls(points: np.ndarray) -> np.ndarray:
    """Two rooms, R < −5 and R > 5, 40 mm wide each, and the wall between them, in which a hole at S > 30 is open."""
    r, s = points[:, 0], points[:, 2]
    wall = np.abs(r) - 5.0
    hole = np.where(np.abs(r) < 5.0, s - 30.0, np.hypot(np.abs(r) - 5.0, s - 30.0) * np.sign(s - 30.0))
    open_here = np.maximum(wall, np.minimum(hole, 40.0))
    return np.minimum(open_here, 45.0 - np.abs(r))


def test_a_free_place_is_taken_as_it_is():
    wanted = np.array([10.0, 0.0, 5.0])
    kept = keep_clear(wanted, in_tube, MARGIN_MM, np.zeros(3))
    assert not kept.moved
    np.testing.assert_array_equal(kept.position_ras, wanted)
    assert kept.clearance_mm == 10.0


def test_a_place_in_tissue_becomes_the_nearest_of_the_tube():
    """Pushed out along (1, 1, 0) from anywhere in the tube, the tip ends where that line meets the cylinder of the
    radius less the margin: it slides along the wall until it is there."""
    wanted = np.array([40.0, 40.0, 12.0])
    expected = np.array([1.0, 1.0, 0.0]) / np.sqrt(2.0) * (RADIUS_MM - MARGIN_MM) + [0.0, 0.0, 12.0]
    for start in ([0.0, 0.0, 0.0], [0.0, -10.0, -30.0], [15.0, 0.0, 40.0]):
        kept = keep_clear(wanted, in_tube, MARGIN_MM, np.array(start))
        assert kept.moved
        np.testing.assert_allclose(kept.position_ras, expected, atol=1.0)
        assert MARGIN_MM <= kept.clearance_mm < MARGIN_MM + 2 * CLOSE_MM


def test_a_tip_does_not_go_through_a_wall_to_come_nearer():
    """The place wanted lies in the wall, nearer to the other room: the tip stays in its own."""
    wanted = np.array([3.0, 0.0, 0.0])
    kept = keep_clear(wanted, between_walls, MARGIN_MM, np.array([-20.0, 0.0, 0.0]))
    assert kept.position_ras[0] == pytest.approx(-5.0 - MARGIN_MM, abs=0.1)
    assert between_walls(kept.position_ras[None])[0] >= MARGIN_MM


def test_a_start_without_room_is_said():
    with pytest.raises(Sim2RealError, match=r"1\.0 mm from its wall; 4 mm are asked for"):
        keep_clear(np.array([50.0, 0.0, 0.0]), in_tube, MARGIN_MM, np.array([19.0, 0.0, 0.0]))


def test_the_nearest_free_place_of_a_centreline_skips_where_it_is_narrow():
    points = np.stack([np.zeros(101), np.zeros(101), np.arange(101.0)], axis=1)
    line = Centerline(points, np.where(np.abs(points[:, 2] - 50.0) <= 5.0, 1.0, 9.0))
    assert free_place_near(np.array([7.0, 0.0, 20.2]), line, MARGIN_MM) == 20.0
    assert free_place_near(np.array([7.0, 0.0, 52.0]), line, MARGIN_MM) == 56.0
    with pytest.raises(Sim2RealError, match="nowhere 10 mm from the wall"):
        free_place_near(np.zeros(3), line, 10.0)
