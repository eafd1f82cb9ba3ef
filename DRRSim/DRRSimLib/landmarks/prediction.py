"""From four or five placed landmarks to all of a template.

A similarity lays the template over the placed points. What then remains at them is spread to their surroundings by
Gaussian process regression (kriging) with a squared exponential kernel, so that a prediction beside a placed landmark
follows it and one far from all is that of the similarity. The more points, the less is left to the template.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.errors import Sim2RealError

from .plausibility import warnings_of
from .similarity import fit_similarity

FEWEST = 4
"""Three points leave the fit next to nothing to check, and mirror images cannot be told apart in their plane."""

THINNEST_MM = 15.0
"""Least spread (root mean square) of the placed points across the line through them."""

DEVIATION_MM, REACH_MM, CLICK_MM = 4.0, 60.0, 1.0
"""Of a patient from the fitted template: standard deviation a direction, and over what distance it is shared; the
uncertainty of a click. Chosen on generated pelvises; anything near gives the same to 0.1 mm."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """positions_ras: of the template's landmarks that are not placed, (3,) in mm. residuals_mm: how far each placed one
    lies from the fitted template. warnings: sentences on what looks wrong with the placed ones; empty where nothing.
    """

    positions_ras: Mapping[str, np.ndarray]
    residuals_mm: Mapping[str, float]
    warnings: tuple[str, ...]


def predict_landmarks(placed: Mapping[str, np.ndarray], template: Mapping[str, np.ndarray]) -> Prediction:
    """Where the landmarks of `template` are that are not `placed`; RAS positions (3,) by name, mm.

    Placed landmarks that the template does not know do not count. Sim2RealError for fewer than FEWEST that it knows,
    and for points that lie nearly on a line.
    """
    known = [name for name in template if name in placed]
    if len(known) < FEWEST:
        raise Sim2RealError(
            f"{len(known)} landmarks of the template are placed; {FEWEST} are needed to predict the rest."
        )
    positions = np.array([placed[name] for name in known], dtype=np.float64)
    spread = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False) / np.sqrt(len(known))
    if spread[1] < THINNEST_MM:
        raise Sim2RealError("The placed landmarks lie nearly on a line. Place one more, far from that line.")
    at = np.array([template[name] for name in known])
    fit = fit_similarity(at, positions)
    fitted, residuals = fit(at), positions - fit(at)
    others = [name for name in template if name not in placed]
    predicted = {}
    if others:
        start = fit(np.array([template[name] for name in others]))
        covariance = _kernel(fitted, fitted) + CLICK_MM**2 * np.eye(len(known))
        moved = start + _kernel(start, fitted) @ np.linalg.solve(covariance, residuals)
        predicted = dict(zip(others, moved, strict=True))
    lengths = np.linalg.norm(residuals, axis=1).tolist()
    return Prediction(predicted, dict(zip(known, lengths, strict=True)), warnings_of(known, at, positions))


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Covariance in mm² a direction of the deviations at points (N, 3) and (M, 3): (N, M)."""
    squares = ((first[:, None] - second[None]) ** 2).sum(axis=-1)
    return DEVIATION_MM**2 * np.exp(-squares / (2.0 * REACH_MM**2))
