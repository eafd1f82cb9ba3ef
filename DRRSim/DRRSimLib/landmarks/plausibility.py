"""Whether placed landmarks can be those of a pelvis: sides, and single points that do not fit."""

from collections.abc import Sequence

import numpy as np

from .similarity import fit_similarity, rms

RIGHT_SUFFIX, LEFT_SUFFIX = "_right", "_left"

MIRROR_TURN_DEG, MIRROR_LOSS_MM = 10.0, 2.0
"""Sides are swapped where the mirrored template needs not to be turned as far by so much, and fits hardly worse. Four
points are often so nearly in a plane that both fit; then only the turn tells."""
BAD_FIT_MM = 10.0
"""The similarity leaves 2 to 6 mm (root mean square) on generated pelvises of other shapes."""

OUTLIER_MM, OUTLIER_GAIN = 20.0, 0.5
"""An outlier is at least so far from where the others place it, and without it they fit this much better."""
FEWEST_FOR_OUTLIER = 5
"""Of four points any one can be the wrong one: the other three always fit."""


def warnings_of(names: Sequence[str], template: np.ndarray, placed: np.ndarray) -> tuple[str, ...]:
    """What looks wrong with landmarks placed at (N, 3) RAS whose places in the template are (N, 3) RAS; a sentence
    each."""
    swapped = _swapped_pairs(names, placed)
    if swapped:
        return tuple(f"{name.replace('_', ' ')}: right and left look swapped." for name in swapped)
    if _looks_mirrored(template, placed):
        return ("Right and left look swapped: a mirrored pelvis fits better.",)
    fit = fit_similarity(template, placed)
    residual = rms(placed - fit(template))
    if residual < BAD_FIT_MM:
        return ()
    if len(names) >= FEWEST_FOR_OUTLIER:
        number, distance, rest = min((_without(i, template, placed) for i in range(len(names))), key=lambda e: e[2])
        if distance > OUTLIER_MM and rest < OUTLIER_GAIN * residual:
            name = names[number].replace("_", " ")
            return (f"{name} lies {distance:.0f} mm from where the others place it.",)
    return (f"The landmarks fit the template badly ({residual:.0f} mm): one is wrong, or this pelvis is unusual.",)


def _swapped_pairs(names: Sequence[str], placed: np.ndarray) -> list[str]:
    """Landmarks of which both sides are placed, the left farther right than the right."""
    position = dict(zip(names, placed, strict=True))
    bases = [name.removesuffix(RIGHT_SUFFIX) for name in names if name.endswith(RIGHT_SUFFIX)]
    pairs = [base for base in bases if base + LEFT_SUFFIX in position]
    return [base for base in pairs if position[base + LEFT_SUFFIX][0] > position[base + RIGHT_SUFFIX][0]]


def _looks_mirrored(template: np.ndarray, placed: np.ndarray) -> bool:
    """Whether the template fits better with its right and left exchanged, standing as a patient does in RAS."""
    fit, mirror = (fit_similarity(template, placed, mirrored) for mirrored in (False, True))
    loss = rms(placed - mirror(template)) - rms(placed - fit(template))
    turn, mirror_turn = _angle_deg(fit.rotation), _angle_deg(mirror.rotation @ np.diag([-1.0, 1.0, 1.0]))
    return loss < MIRROR_LOSS_MM and mirror_turn + MIRROR_TURN_DEG < turn


def _angle_deg(rotation: np.ndarray) -> float:
    return float(np.rad2deg(np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0))))


def _without(number: int, template: np.ndarray, placed: np.ndarray) -> tuple[int, float, float]:
    """A point's number, its distance from where the others place it, and how well they fit without it."""
    others = np.arange(len(placed)) != number
    fit = fit_similarity(template[others], placed[others])
    distance = float(np.linalg.norm(placed[number] - fit(template[number])))
    return number, distance, rms(placed[others] - fit(template[others]))
