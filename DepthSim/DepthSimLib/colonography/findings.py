"""What was made of a CT colonography, for its dataset's record, and what of it is doubtful, for the user."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..centerline import Centerline
from .branches import branches_off
from .lumen import ColonLumen

SHORT_MM = 1000.0
"""Shortest colon that passes without a word; the shortest of Khashab et al. 2009 and Utano et al. 2021 are longer."""


def findings(lumen: ColonLumen, centerline: Centerline) -> dict[str, Any]:
    """Plain JSON, RAS mm: the centreline's length, bridges, branches that it does not follow, gas that is not colon."""
    return {
        "centerline_mm": _rounded(centerline.arc_length_mm[-1]),
        "bridged": [
            {"from_ras": _rounded(gap.from_ras), "to_ras": _rounded(gap.to_ras), "gap_mm": _rounded(gap.gap_mm)}
            for gap in lumen.bridged
        ],
        "branches": [
            {"tip_ras": _rounded(branch.tip_ras), "length_mm": _rounded(branch.length_mm)}
            for branch in branches_off(lumen, centerline)
        ],
        "left_out": [
            {"point_ras": _rounded(gas.point_ras), "volume_ml": _rounded(gas.volume_ml)} for gas in lumen.left_out
        ],
    }


@dataclass(frozen=True)
class Doubt:
    """Something to look at before believing a colon: a sentence, and the places it is about, RAS mm, if it has some.

    kind: `collapse` for a stretch that a bridge may join, `branch` for lumen that may be left out, else empty.
    """

    text: str
    places_ras: tuple[tuple[float, float, float], ...] = ()
    kind: str = ""


def open_collapses(lumen: ColonLumen) -> Iterator[Doubt]:
    """Where the colon is collapsed and not bridged: a centreline does not get there."""
    for gap in lumen.collapses:
        ends = tuple(tuple(_rounded(end)) for end in (gap.from_ras, gap.to_ras))
        yield Doubt(f"The colon is collapsed, RAS: {gap}.", ends, "collapse")


def doubts(found: dict[str, Any]) -> Iterator[str]:
    """What of `findings` a user should look at before believing the colon, each a sentence."""
    return (doubt.text for doubt in doubtful(found))


def doubtful(found: dict[str, Any]) -> Iterator[Doubt]:
    """The same with its places."""
    if found["centerline_mm"] < SHORT_MM:
        length_cm = found["centerline_mm"] / 10.0
        yield Doubt(
            f"Only {length_cm:.0f} cm of colon were found; a whole one has 120 cm and more. Does the image show all "
            "of it, open and filled with gas?"
        )
    for gap in found["bridged"]:
        ends = gap["from_ras"], gap["to_ras"]
        yield Doubt(
            f"{gap['gap_mm']:.0f} mm without lumen were bridged, from RAS {ends[0]} to {ends[1]}.",
            tuple(tuple(end) for end in ends),
        )
    for branch in found["branches"]:
        yield Doubt(
            f"{branch['length_mm']:.0f} mm of lumen lead away from the centreline, to RAS {branch['tip_ras']}: a loop "
            "cut short, or another bowel, which input.exclude_ras leaves out.",
            (tuple(branch["tip_ras"]),),
            "branch",
        )
    if found["left_out"]:
        largest = max(found["left_out"], key=lambda gas: gas["volume_ml"])
        yield Doubt(
            f"{len(found['left_out'])} other volumes of bowel gas were left out, the largest with "
            f"{largest['volume_ml']:.0f} ml at RAS {largest['point_ras']}.",
            (tuple(largest["point_ras"]),),
        )


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, np.float64), 1).tolist()
