"""Where the patient's body is in a CT."""

import numpy as np
from scipy import ndimage

from .errors import Sim2RealError
from .geometry import transform_points
from .volume import Volume

BODY_ABOVE_HU = -300.0
"""Between lung or foam (below −500 HU) and fat (about −100 HU)."""
_SAMPLING_MM = 4.0
_FEWEST_SAMPLES = 32
"""Small volumes are sampled more finely, with at least this many samples an axis, or every voxel."""
_FULL_PLANE = 0.25
"""Share of the fullest plane's body that a plane must hold to count."""
_THIN_MM = 8.0
"""Parts thinner than twice this (table shells, tubes, sheets) are not taken for the body."""


def body_center_ras(volume: Volume) -> np.ndarray:
    """The middle of the body in R, A and S, in mm, shape (3,).

    Along each axis of the volume it is the middle of the planes that hold at least a quarter as much body as the
    fullest one, so that hands on the belly do not count. The body is the largest connected part above −300 HU that
    stays when everything thinner than 16 mm is taken away (or, in a small object, thinner than half its thickest part),
    on a grid thinned to about 4 mm: the result is good to 4 mm, in small volumes better. Parts that the field of view
    cuts off are not imagined.

    volume: HU. Sim2RealError if nothing is above −300 HU.
    """
    shape = np.array(volume.shape_ijk)
    steps = np.clip(np.floor(_SAMPLING_MM / volume.spacing_mm).astype(int), 1, np.maximum(1, shape // _FEWEST_SAMPLES))
    starts = (shape - 1) % steps // 2
    thinned = volume.array[
        tuple(slice(start, None, step) for start, step in zip(starts[::-1], steps[::-1], strict=True))
    ]
    body = _thickest_part(thinned > BODY_ABOVE_HU, (volume.spacing_mm * steps)[::-1])
    if body is None:
        raise Sim2RealError(f"{volume.name} shows no body: nothing in it is above {BODY_ABOVE_HU:g} HU.")
    middle_ijk = starts + steps * np.array([_middle_of_planes(body, axis) for axis in (2, 1, 0)])
    return transform_points(volume.ras_from_ijk, middle_ijk)


def _middle_of_planes(body: np.ndarray, axis: int) -> float:
    profile = body.sum(axis=tuple(other for other in range(3) if other != axis))
    planes = np.flatnonzero(profile >= _FULL_PLANE * profile.max())
    return (planes[0] + planes[-1]) / 2.0


def _thickest_part(mask: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray | None:
    """The largest connected part of a morphological opening of `mask` by a ball; the volume's border does not erode."""
    if not mask.any():
        return None
    if mask.all():
        return mask
    depth = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    radius = min(_THIN_MM, depth.max() / 2.0)
    parts, _ = ndimage.label(depth > radius)
    largest = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    return ndimage.distance_transform_edt(~largest, sampling=spacing_mm) <= radius
