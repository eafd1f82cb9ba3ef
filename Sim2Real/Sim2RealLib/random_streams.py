"""Independent random numbers for every lane of a kernel."""

from types import ModuleType
from typing import Any

import drjit as dr


def random_streams(arrays: ModuleType, count: int, seed: int) -> Any:
    """`count` generators (PCG32; O'Neill 2014) that `seed` alone decides.

    Their states come from a counter-based generator (Philox; Salmon et al. 2011): PCG32's own streams, numbered in
    order, follow each other with correlations of several per cent, which the mean over a picture's noise shows.
    """
    UInt32, UInt64 = arrays.UInt32, arrays.UInt64  # noqa: N806
    words = arrays.Philox4x32(UInt64(dr.opaque(UInt64, seed)), dr.arange(UInt32, count)).next_uint32x4()
    state, stream = ((UInt64(words[n]) << 32) | UInt64(words[n + 1]) for n in (0, 2))
    return arrays.PCG32(1, initstate=state, initseq=stream)
