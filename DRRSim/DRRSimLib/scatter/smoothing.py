"""Smooth a noisy scatter image by cubic B-splines: few coefficients suffice, since scatter has no edges (Roser et al.
2020, Deep Scatter Splines, arXiv:2005.03470)."""

import numpy as np
from scipy.interpolate import BSpline

DEGREE = 3


def spline_image(values: np.ndarray, coefficients: int, shape: tuple[int, int]) -> np.ndarray:
    """The least-squares tensor spline through pixels (rows, columns) of an image, in an image of another `shape` that
    covers the same rectangle. coefficients: along each side, at least 4 and at most as many as pixels."""
    fits, draws = zip(
        *(
            (np.linalg.pinv(_basis(coarse, coefficients)), _basis(fine, coefficients))
            for coarse, fine in zip(values.shape, shape, strict=True)
        ),
        strict=True,
    )
    return draws[0] @ (fits[0] @ values @ fits[1].T) @ draws[1].T


def _basis(pixels: int, coefficients: int) -> np.ndarray:
    """B-splines at the centres of pixels between 0 and 1: (pixels, coefficients)."""
    inner = np.linspace(0.0, 1.0, coefficients - DEGREE + 1)
    knots = np.concatenate([np.zeros(DEGREE), inner, np.ones(DEGREE)])
    return BSpline.design_matrix((np.arange(pixels) + 0.5) / pixels, knots, DEGREE).toarray()
