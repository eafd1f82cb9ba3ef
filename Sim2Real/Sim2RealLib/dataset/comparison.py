"""A stored frame beside the same frame made again."""

import json
from collections.abc import Iterable, Iterator

import numpy as np

from ..simulation import Frame
from .reader import StoredFrame
from .schema import RECORD_SEAL, to_json

BACKEND_TOLERANCE = 1e-3
"""`relative_rms` at which images that two backends made of the same frame count as equal. Sums differ in the last of 24
bits; where that decides a comparison (a draw on the edge of a step, a ray at a silhouette) single pixels differ."""


def byte_differences(frame: StoredFrame, again: Frame) -> Iterator[str]:
    """What of a frame is not exactly what was made again."""
    for name, image in again.channels.items():
        if not np.array_equal(image, frame.channel(name)):
            yield f"{name} is not what the input gives"
    expected = json.loads(to_json(again.record))
    stored = {key: value for key, value in frame.record.items() if key not in ("index", "files", RECORD_SEAL)}
    for part in sorted(expected.keys() | stored.keys()):
        if expected.get(part) != stored.get(part):
            yield f"{part} in the record is not what the input gives"


def image_differences(frame: StoredFrame, again: Frame, channels: Iterable[str]) -> Iterator[str]:
    """Which of these channels differ by more than `BACKEND_TOLERANCE` from what was made again elsewhere."""
    for name in channels:
        difference = relative_rms(frame.channel(name), again.channels[name])
        if difference > BACKEND_TOLERANCE:
            yield f"{name} differs by {difference:.2%} from what the input gives here"


def relative_rms(stored: np.ndarray, expected: np.ndarray) -> float:
    """The root-mean-square difference over the expected image's root mean square."""
    difference = np.linalg.norm(stored - expected.astype(float))
    return float(difference / np.linalg.norm(expected.astype(float))) if difference else 0.0
