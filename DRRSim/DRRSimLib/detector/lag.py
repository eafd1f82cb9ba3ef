"""Lag: traps in the photodiodes give charge back in later frames.

The response to one frame is h_k = (1 − Σ b_n / (1 − e^(−a_n))) δ_k + Σ b_n e^(−a_n k), a sum of exponentials in the
number of frames (Hsieh et al. 2000; Starman et al. 2012, Med. Phys. 39:6035). The weights add up to 1: in a lasting
exposure nothing is lost. It is cut off where what follows is less than `LAG_TOLERANCE` of the signal, and that rest is
put into the frame itself.
"""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from Sim2RealLib.recipe import strict_dataclass

LAG_TOLERANCE = 2e-3
MAX_FRAMES = 64
"""As many earlier frames are made again for a frame that is made alone."""

Exponential = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0, lt=1)]]


@strict_dataclass
class Lag:
    """exponentials: (rate a a frame, share b of the signal in the same frame), one or more."""

    exponentials: Annotated[tuple[Exponential, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _possible(self) -> "Lag":
        if sum(share / -np.expm1(-rate) for rate, share in self.exponentials) >= 1:
            raise ValueError("the exponentials hold more than the whole signal")
        if len(lag_weights(self)) > MAX_FRAMES:
            raise ValueError(f"the lag lasts for more than {MAX_FRAMES} frames; leave the slowest exponential out")
        return self


def lag_weights(lag: Lag) -> np.ndarray:
    """The share of a frame's signal that appears in it and in each of the following ones; they add up to 1."""
    rates, shares = np.transpose(lag.exponentials)
    frames = np.arange(MAX_FRAMES + 1)
    rest = np.exp(-rates * frames[:, None]) @ (shares / -np.expm1(-rates))  # in frame k and later
    kept = np.flatnonzero(rest >= LAG_TOLERANCE)
    last = int(kept[-1]) if kept.size else 0
    weights = np.exp(-rates * frames[: last + 1, None]) @ shares
    weights[0] = 1 - weights[1:].sum()
    return weights
