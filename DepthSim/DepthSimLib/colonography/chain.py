"""Which pieces of lumen are the colon, in which order, and where it is collapsed between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from Sim2RealLib.errors import Sim2RealError

from .passages import Piece

COLON_CALIBRE_MM = 25.0
"""Gas-filled small bowel is narrower; the limit of its normal calibre is 25–30 mm in radiology."""
COLON_ELONGATION = 2.0
COLON_VOLUME_ML = 10.0
LONGEST_COLLAPSE_MM = 100.0
"""Pieces farther apart end to end are not taken for the same colon. These four are assumed."""

End = tuple[int, int]
"""A piece, by its place in a list, and 0 or 1 for one of its ends."""


@dataclass(frozen=True, eq=False)
class Collapse:
    """A stretch without a passage between two pieces of the colon, from the rectum's side to the caecum's.

    from_ras, to_ras: (3,), where the lumen ends and where it begins again, mm. gap_mm: the straight distance.
    """

    from_ras: np.ndarray
    to_ras: np.ndarray

    @property
    def gap_mm(self) -> float:
        return float(np.linalg.norm(self.to_ras - self.from_ras))

    def __str__(self) -> str:
        ends = (", ".join(f"{x:.0f}" for x in end) for end in (self.from_ras, self.to_ras))
        return f"{self.gap_mm:.0f} mm from ({') to ('.join(ends)})"


@dataclass(frozen=True)
class Link:
    """Two ends that follow each other along the colon; `bridge_ras`, (2, 3), where the user joined them."""

    ends: tuple[End, End]
    bridge_ras: np.ndarray | None = None


def is_colon(piece: Piece) -> bool:
    """Whether a piece is too wide, long and large for gas of the small bowel and no ball like that of the stomach."""
    return (
        piece.calibre_mm >= COLON_CALIBRE_MM
        and piece.elongation >= COLON_ELONGATION
        and piece.volume_ml >= COLON_VOLUME_ML
    )


def join(pieces: Sequence[Piece], bridges: Sequence[Link]) -> tuple[list[End], list[Link]]:
    """The colon as a chain: the end each piece is entered by, from rectum to caecum, and the links between them.

    Ends of colon pieces are linked nearest first, after the user's bridges, so that each end is used once and no ring
    arises; the most caudal and posterior one is left as the rectum's. The chain with the largest piece is the colon.
    Narrow pieces that lie between two linked ends are put in. Sim2RealError if no piece is colon.
    """
    bridged = {piece for link in bridges for piece, _ in link.ends}
    colon = [i for i, piece in enumerate(pieces) if is_colon(piece) or i in bridged]
    if not colon:
        raise Sim2RealError(
            "No gas-filled colon was found: no gas inside the body is as wide (25 mm) and long. Is this a CT "
            "colonography, in Hounsfield units, and is the colon not cut off by a side of the image?"
        )
    links = _nearest_first(pieces, colon, bridges)
    largest = max(colon, key=lambda i: pieces[i].volume_ml)
    entries, used = _walk(largest, links)
    loose = [i for i, piece in enumerate(pieces) if i not in colon and piece.elongation >= COLON_ELONGATION]
    while (better := _stepping_stone(pieces, used, loose)) is not None:
        place, stone, entry = better
        first, last = used[place].ends
        used[place : place + 1] = [Link((first, (stone, entry))), Link(((stone, 1 - entry), last))]
        entries.insert(place + 1, (stone, entry))
        loose.remove(stone)
    tail = (entries[-1][0], 1 - entries[-1][1])
    if _caudal_posterior(pieces, tail) > _caudal_posterior(pieces, entries[0]):
        entries = [(piece, 1 - end) for piece, end in reversed(entries)]
        used = [Link(link.ends[::-1], _reversed(link.bridge_ras)) for link in reversed(used)]
    return entries, used


def collapse(pieces: Sequence[Piece], link: Link) -> Collapse:
    """The stretch that a link spans: the two points nearest to each other about its ends."""
    from_ras, to_ras = (pieces[place].near_ends_ras[end] for place, end in link.ends)
    distance, nearest = cKDTree(to_ras).query(from_ras)
    return Collapse(from_ras[distance.argmin()], to_ras[nearest[distance.argmin()]])


def _nearest_first(pieces: Sequence[Piece], colon: list[int], bridges: Sequence[Link]) -> list[Link]:
    links, group = [], {i: i for i in colon}
    free = {(i, end) for i in colon for end in (0, 1)}
    linked = free - {max(free, key=lambda end: _caudal_posterior(pieces, end))}
    pairs = [(_gap_mm(pieces, a, b), a, b) for a in linked for b in linked if a[0] < b[0]]
    near = [Link((a, b)) for gap, a, b in sorted(pairs) if gap <= LONGEST_COLLAPSE_MM]
    for link in [*bridges, *near]:
        a, b = link.ends
        if a in free and b in free and group[a[0]] != group[b[0]]:
            links.append(link)
            free -= {a, b}
            old, new = group[b[0]], group[a[0]]
            group = {i: new if g == old else g for i, g in group.items()}
        elif link.bridge_ras is not None:
            raise Sim2RealError(
                "The bridges join a piece of the colon to itself or one of its ends twice: give one bridge for each "
                "collapsed stretch."
            )
    return links


def _walk(piece: int, links: list[Link]) -> tuple[list[End], list[Link]]:
    """The chain of linked pieces that holds one of them: where each is entered, and the links in their order."""
    after = {link.ends[0]: link for link in links}
    after |= {link.ends[1]: Link(link.ends[::-1], _reversed(link.bridge_ras)) for link in links}
    entry = (piece, 0)
    while entry in after:
        previous = after[entry].ends[1]
        entry = (previous[0], 1 - previous[1])
    entries, used = [entry], []
    while (way_out := (entry[0], 1 - entry[1])) in after:
        used.append(after[way_out])
        entry = after[way_out].ends[1]
        entries.append(entry)
    return entries, used


def _stepping_stone(pieces: Sequence[Piece], links: list[Link], loose: list[int]) -> tuple[int, int, int] | None:
    """The link, narrow piece and its end to enter that shorten what is collapsed most, or None."""
    best, found = 0.0, None
    for place, link in enumerate(links):
        if link.bridge_ras is not None:
            continue
        (first, last), whole = link.ends, _gap_mm(pieces, *link.ends)
        for stone in loose:
            for entry in (0, 1):
                parts = _gap_mm(pieces, first, (stone, entry)), _gap_mm(pieces, (stone, 1 - entry), last)
                if whole - sum(parts) > best:
                    best, found = whole - sum(parts), (place, stone, entry)
    return found


def _gap_mm(pieces: Sequence[Piece], a: End, b: End) -> float:
    return collapse(pieces, Link((a, b))).gap_mm


def _caudal_posterior(pieces: Sequence[Piece], end: End) -> float:
    return float(-pieces[end[0]].ends_ras[end[1]][1:].sum())


def _reversed(bridge_ras: np.ndarray | None) -> np.ndarray | None:
    return None if bridge_ras is None else bridge_ras[::-1]
