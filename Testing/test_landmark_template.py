"""The template's predictions against generated pelvises, whose landmarks are known, and the warnings against errors
that are put in."""

import numpy as np
import pytest

from DRRSimLib.landmarks.prediction import predict_landmarks
from DRRSimLib.landmarks.similarity import fit_similarity
from DRRSimLib.landmarks.template import LANDMARK_NAMES, PLACED_FIRST, pelvis_template
from DRRSimLib.pelvis.bones import build_skeleton
from DRRSimLib.pelvis.landmarks import find_landmarks
from DRRSimLib.pelvis.shape import sample_shape
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points


def some_pelvises(count):
    """Landmarks of generated pelvises that the constants were not chosen on."""
    return [find_landmarks(build_skeleton(sample_shape(seed))) for seed in range(100, 100 + count)]


@pytest.fixture(scope="module")
def pelvises():
    return some_pelvises(8)


def clicked(landmarks, count, click_mm=1.0, seed=0):
    """The first landmarks of the suggested order with an error of `click_mm` a direction."""
    rng = np.random.default_rng(seed)
    return {name: landmarks[name] + click_mm * rng.standard_normal(3) for name in PLACED_FIRST[:count]}


def errors_mm(pelvises, count):
    template, found = pelvis_template(), []
    for seed, truth in enumerate(pelvises):
        predicted = predict_landmarks(clicked(truth, count, seed=seed), template).positions_ras
        assert predicted.keys() == template.keys() - set(PLACED_FIRST[:count])
        found += [np.linalg.norm(at - truth[name]) for name, at in predicted.items()]
    return np.array(found)


def test_the_fit_finds_a_known_similarity_and_its_mirror_image():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(7, 3)) * 50
    turn = rotation([0.6, 0.0, 0.8], 130.0)[:3, :3]
    for mirrored in (False, True):
        mirror = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
        moved = 1.3 * points @ (turn @ mirror).T + [10.0, -20.0, 30.0]
        fit = fit_similarity(points, moved, mirrored)
        assert (fit.scale, fit.rotation) == (pytest.approx(1.3), pytest.approx(turn @ mirror))
        assert fit(points) == pytest.approx(moved)


MEDIAN_MM = {4: 3.2, 5: 3.1, 6: 3.0}
"""By the number of clicks, each off by 1 mm a direction: what the code's documentation and the panel promise."""


@pytest.mark.parametrize("count", MEDIAN_MM)
def test_a_few_clicks_give_the_rest_of_another_pelvis(pelvises, count):
    """Medians of 8 pelvises scatter by some 0.3 mm about those of many."""
    errors = errors_mm(pelvises, count)
    assert np.median(errors) == pytest.approx(MEDIAN_MM[count], abs=0.6)
    assert np.percentile(errors, 90) < 8.0


@pytest.mark.slow
def test_the_errors_over_fifty_pelvises_are_those_that_are_stated():
    many = some_pelvises(50)
    for count, median_mm in MEDIAN_MM.items():
        errors = errors_mm(many, count)
        assert np.median(errors) == pytest.approx(median_mm, abs=0.1)
        assert np.percentile(errors, 90) == pytest.approx(6.5, abs=0.3)


def test_what_the_fit_leaves_is_of_use_around_it(pelvises):
    """With six clicks the similarity alone is off by 3.5 mm (median); what remains at them improves it by a tenth."""
    template = pelvis_template()
    at = np.array(list(template.values()))
    alone = []
    for seed, truth in enumerate(pelvises):
        placed = clicked(truth, 6, seed=seed)
        fit = fit_similarity(at[:6], np.array(list(placed.values())))
        alone += np.linalg.norm(fit(at[6:]) - [truth[name] for name in list(template)[6:]], axis=1).tolist()
    assert np.median(errors_mm(pelvises, 6)) < 0.93 * np.median(alone)


def test_a_patient_lying_anywhere_is_predicted_alike(pelvises):
    """Prediction and a rigid motion commute."""
    placed = clicked(pelvises[0], 5)
    motion = rotation([0.0, 0.6, 0.8], 40.0)
    motion[:3, 3] = 300.0, -200.0, 1000.0
    there = predict_landmarks({n: transform_points(motion, p) for n, p in placed.items()}, pelvis_template())
    for name, at in predict_landmarks(placed, pelvis_template()).positions_ras.items():
        assert there.positions_ras[name] == pytest.approx(transform_points(motion, at), abs=1e-6)


def test_the_template_is_symmetric_and_lies_like_a_patient(pelvises):
    template = pelvis_template()
    assert template.keys() == pelvises[0].keys() and len(template) == 23
    assert tuple(template) == LANDMARK_NAMES and LANDMARK_NAMES[: len(PLACED_FIRST)] == PLACED_FIRST
    for name, at in template.items():
        if name.endswith("_right"):
            assert at[0] > 0
            # bones are a little wavy, on either side by itself
            assert template[name.replace("_right", "_left")] == pytest.approx(at * [-1, 1, 1], abs=1.5)


def test_placed_landmarks_are_kept_and_unknown_ones_do_not_count(pelvises):
    placed = clicked(pelvises[1], 4)
    with_other = placed | {"screw_tip": np.array([500.0, 0.0, 0.0])}
    assert predict_landmarks(with_other, pelvis_template()).residuals_mm.keys() == placed.keys()
    assert not predict_landmarks(pelvises[1], pelvis_template()).positions_ras


def test_well_placed_landmarks_raise_no_warning(pelvises):
    for count in (4, 5, 6):
        for seed, truth in enumerate(pelvises):
            assert predict_landmarks(clicked(truth, count, 2.0, seed), pelvis_template()).warnings == ()


def test_swapped_sides_are_noticed(pelvises):
    spine_right, spine_left, ischium_right, ischium_left = PLACED_FIRST[:4]
    for truth in pelvises:
        one_pair = clicked(truth, 5)
        one_pair[spine_right], one_pair[spine_left] = one_pair[spine_left], one_pair[spine_right]
        (warning,) = predict_landmarks(one_pair, pelvis_template()).warnings
        assert warning == "anterior superior iliac spine: right and left look swapped."
        every_pair = one_pair | {ischium_right: one_pair[ischium_left], ischium_left: one_pair[ischium_right]}
        assert len(predict_landmarks(every_pair, pelvis_template()).warnings) == 2


def other_side(name):
    return name.replace("_right", "_?").replace("_left", "_right").replace("_?", "_left")


@pytest.mark.parametrize("swapped", [False, True])
def test_a_swap_is_noticed_without_pairs_and_only_then(pelvises, swapped):
    """Four to six landmarks, none with its counterpart, under the names of their sides or of the other one: a draw in
    which both sides of a landmark come is another test's, one in which all lie on a line is refused."""
    rng = np.random.default_rng(0)
    names, told = list(pelvis_template()), []
    for truth in pelvises:
        for _ in range(50):
            drawn = [str(name) for name in rng.choice(names, rng.integers(4, 7), replace=False)]
            one_of_each = not any(other_side(name) != name and other_side(name) in drawn for name in drawn)
            if not one_of_each or sum(other_side(name) != name for name in drawn) < 2:
                continue
            at = {n: truth[other_side(n) if swapped else n] + 2.0 * rng.standard_normal(3) for n in drawn}
            try:
                told.append(any("swapped" in w for w in predict_landmarks(at, pelvis_template()).warnings))
            except Sim2RealError:
                continue
    assert len(told) > 80
    assert np.mean(told) > 0.98 if swapped else not any(told)


def test_a_patient_who_lies_the_other_way_round_is_not_called_swapped(pelvises):
    """A CT that a transform has turned upside down: landmarks that are not in a plane tell that nothing is swapped."""
    upside_down = rotation([0.0, 1.0, 0.0], 150.0)
    names = (*PLACED_FIRST[:1], *PLACED_FIRST[2:3], *PLACED_FIRST[4:], "ischial_spine_right", "obturator_canal_right")
    for truth in pelvises:
        placed = {name: transform_points(upside_down, truth[name]) for name in names}
        assert predict_landmarks(placed, pelvis_template()).warnings == ()


def test_one_wrong_landmark_is_named(pelvises):
    rng = np.random.default_rng(5)
    for truth in pelvises:
        placed = clicked(truth, 6)
        name = PLACED_FIRST[rng.integers(2, 6)]
        direction = rng.standard_normal(3) * [0.3, 1.0, 1.0]
        placed[name] = placed[name] + 60.0 * direction / np.linalg.norm(direction)
        (warning,) = predict_landmarks(placed, pelvis_template()).warnings
        assert warning.startswith(name.replace("_", " ")) and "mm from where the others place it" in warning


def test_of_four_landmarks_the_wrong_one_cannot_be_named(pelvises):
    placed = clicked(pelvises[0], 4)
    placed[PLACED_FIRST[2]] = placed[PLACED_FIRST[2]] + [0.0, 60.0, 0.0]
    (warning,) = predict_landmarks(placed, pelvis_template()).warnings
    assert "fit the template badly" in warning


def test_too_few_and_collinear_landmarks_are_refused(pelvises):
    with pytest.raises(Sim2RealError, match="3 landmarks of the template are placed; 4 are needed"):
        predict_landmarks(clicked(pelvises[0], 3), pelvis_template())
    line = {name: np.array([i * 40.0, 0.0, 0.0]) for i, name in enumerate(PLACED_FIRST)}
    with pytest.raises(Sim2RealError, match="nearly on a line"):
        predict_landmarks(line, pelvis_template())
