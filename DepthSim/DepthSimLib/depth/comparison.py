"""A prediction for a picture, beside what is known to be there."""

from dataclasses import dataclass

import numpy as np

from Sim2RealLib.cameras import Camera
from Sim2RealLib.errors import Sim2RealError

from .alignment import Aligned, aligned
from .figures import DepthFigures, depth_figures, error_map
from .predictor import DepthPredictor


@dataclass(frozen=True, eq=False)
class Comparison:
    """predicted: at the truth's scale. error_mm: prediction minus truth (H, W), NaN where not known."""

    predicted: Aligned
    error_mm: np.ndarray
    figures: DepthFigures


def compare(predictor: DepthPredictor, picture: np.ndarray, camera: Camera, truth_mm: np.ndarray) -> Comparison:
    """Predict the depth of a picture, uint8 (H, W, 3), whose depth (H, W) is known, and measure it.

    Sim2RealError where the prediction cannot be compared; `aligned` and `depth_figures` say why.
    """
    predicted = np.asarray(predictor.predict(picture, camera), np.float32)
    if predicted.ndim != 2:
        raise Sim2RealError(f"{predictor.name} gave an array of shape {predicted.shape}, no depth image.")
    found = aligned(predicted, truth_mm, predictor.scale)
    return Comparison(found, error_map(found.depth_mm, truth_mm), depth_figures(found.depth_mm, truth_mm))
