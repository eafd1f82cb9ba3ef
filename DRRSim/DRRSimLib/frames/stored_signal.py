"""The detector's signal of a stored frame, whichever of its channels holds it."""

import numpy as np

from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.errors import Sim2RealError

from ..frame_record import drr_extra
from .display import log_attenuation

SIGNALS = ("attenuation", "fraction", "intensity")


def require_signal(dataset: Dataset) -> None:
    """Sim2RealError if no channel holds the signal."""
    if not set(SIGNALS) & dataset.header.channels.keys():
        raise Sim2RealError(
            f"{dataset.folder} has no channel with the detector's signal, only {', '.join(dataset.header.channels)}. "
            f"Export it with one of output.channels={', '.join(SIGNALS)}."
        )


def stored_attenuation(frame: StoredFrame) -> np.ndarray:
    """−ln(I / I₀) of a frame with a signal, float32 (H, W); +inf where there is none."""
    channels = frame.dataset.header.channels
    if "attenuation" in channels:
        attenuation = frame.channel("attenuation")
        return np.where(attenuation == channels["attenuation"].invalid, np.float32(np.inf), attenuation)
    if "fraction" in channels:
        return log_attenuation(frame.channel("fraction"), 1.0)
    return log_attenuation(frame.channel("intensity"), drr_extra(frame.dataset).open_beam_kev)
