"""The generated colon against anatomy: published sizes measured on its wall, its course, and its sections."""

import numpy as np
import pytest
from pydantic import ValidationError

from DepthSimLib.colon import ColonShape, PolypPlan
from DepthSimLib.colon.anatomy import DIAMETER_RANGE_MM, FOLD_HEIGHT_MM, SEGMENTS, TOTAL_LENGTH_CM
from DepthSimLib.colon.draw import Tube, draw_tube
from DepthSimLib.colon.measurement import Sizes, fold_heights, measure, wall_radii

SEEDS = range(50)


@pytest.fixture(scope="module")
def tubes() -> list[Tube]:
    return [draw_tube(ColonShape(seed=seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def sizes(tubes: list[Tube]) -> list[Sizes]:
    return [measure(tube) for tube in tubes]


def part(tube: Tube, segment: str) -> np.ndarray:
    """Points of the midline in a segment."""
    start, stop = tube.bounds_mm[SEGMENTS.index(segment) :][:2]
    return tube.curve.points_ras[round(start / tube.curve.step_mm) : round(stop / tube.curve.step_mm)]


def test_mean_length_lies_between_the_two_published_means(sizes: list[Sizes]) -> None:
    lengths = np.array([size.total_length_mm for size in sizes]) / 10.0
    (shorter, narrow), (longer, wide) = TOTAL_LENGTH_CM
    assert shorter < lengths.mean() < longer
    assert 0.6 * narrow < lengths.std() < 1.4 * wide


@pytest.mark.parametrize("segment", SEGMENTS)
def test_mean_diameter_is_that_of_a_distended_colon(sizes: list[Sizes], segment: str) -> None:
    low, high = DIAMETER_RANGE_MM[segment]
    assert low < np.mean([size.diameter_mm[segment] for size in sizes]) < high


@pytest.mark.parametrize("segment", FOLD_HEIGHT_MM)
def test_fold_heights_are_those_of_thompson_2016(sizes: list[Sizes], segment: str) -> None:
    """The means differ by less than 15 %: 2079 published folds and ours are measured by different rulers."""
    heights = np.concatenate([size.fold_height_mm[segment] for size in sizes])
    mean, spread = FOLD_HEIGHT_MM[segment]
    assert heights.mean() == pytest.approx(mean, rel=0.15)
    assert 0.6 * spread < heights.std() < 1.3 * spread


def test_the_ruler_measures_a_known_fold() -> None:
    """A ridge of 8 mm over a third of the circumference of a tube of 20 mm, and a lesser one on the other side."""
    radii = np.full((80, 18), 20.0)
    radii[30, 3:9] -= 8.0
    radii[50, 12:16] -= 5.0
    assert sorted(set(fold_heights(radii, 1.5))) == [5.0, 8.0]


def test_the_factors_of_a_shape_act_on_what_is_measured() -> None:
    plain = measure(draw_tube(ColonShape(seed=3)))
    changed = measure(draw_tube(ColonShape(seed=3, length_factor=0.85, diameter_factor=0.8, fold_factor=0.5)))
    assert changed.total_length_mm == pytest.approx(0.85 * plain.total_length_mm, rel=0.02)
    assert changed.diameter_mm["ascending"] == pytest.approx(0.8 * plain.diameter_mm["ascending"], rel=0.1)
    assert changed.fold_height_mm["ascending"].mean() < 0.65 * plain.fold_height_mm["ascending"].mean()


def test_the_colon_frames_the_abdomen(tubes: list[Tube]) -> None:
    """Descending colon on the patient's left, ascending on the right, the splenic flexure mostly the higher one, the
    transverse colon sagging between them and in front, the rectum behind in the midline, the caecum at the lower
    right."""
    higher = 0
    for tube in tubes:
        descending, transverse, ascending = (part(tube, name) for name in ("descending", "transverse", "ascending"))
        assert np.median(descending[:, 0]) < -60.0 and np.median(ascending[:, 0]) > 60.0
        flexures = transverse[0], transverse[-1]
        assert transverse[:, 2].min() < min(flexures[0][2], flexures[1][2]) - 15.0
        assert transverse[:, 1].max() > max(flexures[0][1], flexures[1][1]) + 15.0
        higher += descending[:, 2].max() > ascending[:, 2].max()
        rectum = part(tube, "rectum")
        assert np.abs(rectum[:, 0]).max() < 40.0 and rectum[:, 1].mean() < -40.0
        caecum = part(tube, "caecum")
        assert caecum[:, 0].mean() > 50.0 and caecum[:, 2].mean() < ascending[:, 2].max() - 80.0
    assert higher > 0.8 * len(tubes)


def test_the_midline_never_bends_tighter_than_the_lumen_is_wide(tubes: list[Tube]) -> None:
    """Otherwise sections of the lumen would cross one another on the inside of the bend."""
    for tube in tubes:
        turn = np.gradient(np.gradient(tube.curve.points_ras, 0.5, axis=0), 0.5, axis=0)
        assert np.max(np.linalg.norm(turn, axis=1) * tube.curve.radius_mm) < 0.95


def test_only_the_proximal_colon_is_triangular(tubes: list[Tube]) -> None:
    """Looking along the lumen over 45 mm, the clear opening between the folds is three-sided where they are high:
    the third harmonic of its radius. In the rectum, with folds from left and right (Houston), it is two-sided."""
    third = {}
    for segment in ("transverse", "ascending", "rectum"):
        waves = []
        for tube in tubes[:12]:
            middle = np.mean(tube.bounds_mm[SEGMENTS.index(segment) :][:2])
            opening = wall_radii(tube.wall, tube.curve, np.linspace(middle - 22.0, middle + 22.0, 23)).min(axis=0)
            waves.append(np.abs(np.fft.rfft(opening)) / opening.sum())
        second, third[segment] = np.mean(waves, axis=0)[2:4]
        assert (second > third[segment]) == (segment == "rectum")
    assert third["transverse"] > 2.0 * third["rectum"] and third["ascending"] > 4.0 * third["rectum"]


def test_wrong_shapes_are_refused() -> None:
    for wrong in ({"seed": -1}, {"length_factor": 3.0}, {"folds": 2.0}, {"polyps": {"size_mm": (9.0, 3.0)}}):
        with pytest.raises(ValidationError):
            ColonShape(**wrong)
    with pytest.raises(ValidationError):
        PolypPlan(classes=("0-IV",))
