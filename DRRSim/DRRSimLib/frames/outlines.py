"""Outlines of overlapping masks in one picture."""

from collections.abc import Mapping

import numpy as np

MARGIN_PX = 3
"""More than closing and shrinking a mask reach, so that the image's border is no edge."""


def outlines(masks: Mapping[int, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The label of each pixel that lies in a mask and touches a pixel beside it, uint16 (H, W), elsewhere 0.

    masks: by label, bool (H, W), fastest in column order. Holes of a pixel or two, which thin bone has, get no outline,
    nor has the image's border. Where outlines cross, that of the smaller mask is on top.
    """
    picture = np.zeros(shape, np.uint16, order="F")
    for label, mask in sorted(masks.items(), key=lambda entry: -np.count_nonzero(entry[1])):
        closed = _shrunk(_grown(np.pad(mask.T, MARGIN_PX, mode="edge")))
        edge = closed & ~_shrunk(closed)
        picture.T[edge[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]] = label
    return np.ascontiguousarray(picture)


def _grown(mask: np.ndarray) -> np.ndarray:
    """A mask with the pixels beside, above and below its own."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask whose neighbours beside, above and below are in it too."""
    return ~_grown(~mask)
