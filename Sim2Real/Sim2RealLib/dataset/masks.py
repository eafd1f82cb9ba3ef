"""Binary masks as COCO compressed run lengths.

Runs count pixels in column-major order, the first run being background; each is written as base-32 digits, the third
and later ones as differences from the run two before (COCO API, maskApi.c, rleToString). pycocotools writes them;
reading is done here, because its decoder returns uninitialised memory where the runs do not fill the image.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ..errors import Sim2RealError


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """A boolean (H, W) mask as ``size`` [H, W], ``counts``, ``box_px`` [x, y, width, height] and ``area_px``."""
    runs = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "size": list(mask.shape),
        "counts": runs["counts"].decode("ascii"),
        "box_px": coco_mask.toBbox(runs).tolist(),
        "area_px": int(coco_mask.area(runs)),
    }


def decode_mask(entry: Mapping[str, Any]) -> np.ndarray:
    """The boolean (H, W) mask of an entry of a frame's ``masks``; Sim2RealError if its runs do not fill the image."""
    height, width = entry["size"]
    runs = _runs(entry["counts"])
    if np.any(runs < 0) or runs.sum() != height * width:
        raise Sim2RealError(f"the run lengths of a mask do not fill its {height}×{width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def _runs(counts: str) -> np.ndarray:
    """Run lengths (N,) of a COCO string: digits of five bits; the sixth bit says that more follow."""
    digits = np.frombuffer(counts.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if len(digits) == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 0x20:
        raise Sim2RealError("a mask is not a COCO run-length string")
    last = np.flatnonzero(~digits & 0x20)
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() > 6:
        raise Sim2RealError("a mask has a run longer than any image")
    place = 5 * (np.arange(len(digits)) - np.repeat(first, last - first + 1))
    values = np.add.reduceat((digits & 0x1F) << place, first)
    values -= np.where(digits[last] & 0x10, 1 << (5 * (last - first + 1)), 0)
    for parity in (1, 2):
        values[parity::2] = np.cumsum(values[parity::2])
    return values
