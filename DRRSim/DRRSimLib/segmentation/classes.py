"""The three classes of Unberath et al. 2018, how they are told apart by thresholds, and how often that is wrong."""

import numpy as np
from scipy import ndimage

CLASSES = ("air", "soft tissue", "bone")
AIR, SOFT_TISSUE, BONE = range(3)

AIR_THRESHOLD_HU, BONE_THRESHOLD_HU = -800, 350
"""Of the public software of Unberath et al. 2018, where no network segments the CT: air up to the first, bone above."""

BODY_ABOVE_HU = -500
"""Half of the way between air and soft tissue."""

BEST_BONE_THRESHOLD_HU = 130
"""With air up to BODY_ABOVE_HU, the multiple of 10 HU that misclassifies fewest voxels of the first 20 phantoms that
materials_narrow.yaml trains on."""


def thresholded(hu: np.ndarray, air_hu: float = AIR_THRESHOLD_HU, bone_hu: float = BONE_THRESHOLD_HU) -> np.ndarray:
    """The class of every voxel by its HU alone: uint8."""
    return ((hu > air_hu).astype(np.uint8) + (hu > bone_hu)).astype(np.uint8)


def body_mask(hu: np.ndarray) -> np.ndarray:
    """The body with the gas in it: the largest part above −500 HU, its holes filled in every plane (K, J, I) of K."""
    parts, _ = ndimage.label(hu > BODY_ABOVE_HU)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = parts == np.argmax(sizes)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def misclassified_percent(found: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> float:
    """Of the voxels that are counted, how many have another class than the truth."""
    return 100.0 * float(np.mean(found[counted] != truth[counted]))


def dice(found: np.ndarray, truth: np.ndarray, counted: np.ndarray) -> float:
    """Overlap of two masks within the voxels that are counted; 1 where both are empty."""
    found, truth = found & counted, truth & counted
    together = int(found.sum()) + int(truth.sum())
    return 2.0 * float((found & truth).sum()) / together if together else 1.0
