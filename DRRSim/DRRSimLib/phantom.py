"""What every generated anatomy hands over: an image, the truth about it, and where its landmarks are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.volume import Volume


@dataclass(frozen=True, eq=False)
class Phantom:
    """A generated CT with exact labels and landmarks.

    hu: int16 Hounsfield units.
    labels: uint8 on the same grid; the values are TotalSegmentator v2 class ids, 0 is everything unlabelled.
    landmarks: name to RAS position, shape (3,), mm.
    """

    hu: Volume
    labels: Volume
    landmarks: Mapping[str, np.ndarray]
