"""How much of a Monte Carlo image is noise."""

import numpy as np


def noise_power(image: np.ndarray) -> float:
    """Variance of white noise on a smooth image, by the mixed second difference, whose squared weights sum to 4."""
    mixed = image[1:, 1:] - image[1:, :-1] - image[:-1, 1:] + image[:-1, :-1]
    return float(np.mean(mixed**2) / 4)
