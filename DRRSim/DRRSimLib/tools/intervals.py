"""From crossings to lengths: what each tool attenuates, and between which depths a ray is in tissue.

Tools are in order of priority: where several overlap, the first counts. Inside is where a surface's winding number is
not 0, so that parts of one mesh may overlap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from Sim2RealLib.cameras import PIXEL_CENTER_PX

from ..acquisition.carm import XrayView
from .crossings import Crossings, pixel_crossings, position_crossings
from .tool import Mode, Tool


@dataclass(frozen=True, eq=False)
class Gap:
    """A stretch of some rays that replacing tools leave: what is there attenuates.

    rays: their numbers, ascending, int64. start_mm, end_mm: depths (z in the source frame), float64, one a ray.
    """

    rays: np.ndarray
    start_mm: np.ndarray
    end_mm: np.ndarray


@dataclass(frozen=True, eq=False)
class ToolHits:
    """What a view's rays meet of tools.

    count: of all rays. rays: (M,) int64, ascending: those that meet any tool.
    length_mm: of each tool, in their order: the length of these rays in it where no tool before it is, float64 (M,).
    touched: of each tool: which of these rays pass through it, whatever else is there, bool (M,).
    gaps: the first, second … stretch that is left of the rays of which tools replace anything, in front of, between and
        behind what they replace. The other rays are left whole. Empty where nothing is replaced.
    """

    count: int
    rays: np.ndarray
    length_mm: tuple[np.ndarray, ...]
    touched: tuple[np.ndarray, ...]
    gaps: tuple[Gap, ...]


@lru_cache(maxsize=1)
def pixel_hits(tools: tuple[Tool, ...], view: XrayView) -> ToolHits:
    """Of the rays through all pixel centres, numbered row by row. The last result is kept: all images and labels of an
    exposure need it. Sim2RealError for a tool that reaches to the source."""
    found = [pixel_crossings(tool, view) for tool in tools]
    count = view.camera.width_px * view.camera.height_px

    def positions_px(rays: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(rays, view.camera.width_px)
        return np.stack([columns, rows], axis=1) + PIXEL_CENTER_PX

    return _hits(tools, view, found, count, positions_px)


def position_hits(tools: tuple[Tool, ...], view: XrayView, positions_px: np.ndarray) -> ToolHits:
    """Of the rays through image positions (N, 2)."""
    found = [position_crossings(tool, view, positions_px) for tool in tools]
    return _hits(tools, view, found, len(positions_px), lambda rays: positions_px[rays])


def _hits(
    tools: tuple[Tool, ...],
    view: XrayView,
    found: Sequence[Crossings],
    count: int,
    positions_px: Callable[[np.ndarray], np.ndarray],
) -> ToolHits:
    ray = np.concatenate([crossings.ray for crossings in found])
    depth_mm = np.concatenate([crossings.depth_mm for crossings in found])
    sign = np.concatenate([crossings.sign for crossings in found])
    owner = np.repeat(np.arange(len(found)), [len(crossings.ray) for crossings in found])
    order = np.lexsort((depth_mm, ray))
    ray, sign, owner = ray[order], sign[order], owner[order]
    depth_mm = np.minimum(depth_mm[order], view.source_to_detector_mm)
    rays, place = np.unique(ray, return_inverse=True)

    # From each crossing to the next one: after a ray's last crossing all winding numbers are 0 again.
    inside = [np.cumsum(np.where(owner == number, sign, 0)) != 0 for number in range(len(tools))]
    length_mm = np.append(np.diff(depth_mm), 0.0)
    slant = 1 / view.camera.unproject(positions_px(rays))[:, 2]
    free, replaced = np.ones(len(ray), bool), np.zeros(len(ray), bool)
    lengths, touched = [], []
    for tool, within in zip(tools, inside, strict=True):
        lengths.append(np.bincount(place, np.where(within & free, length_mm, 0.0), len(rays)) * slant)
        touched.append(np.bincount(place, within & (length_mm > 0), len(rays)) > 0)
        free &= ~within
        if tool.mode is Mode.REPLACE:
            replaced |= within
    gaps = _gaps(ray, depth_mm, replaced, view.source_to_detector_mm)
    return ToolHits(count, rays, tuple(lengths), tuple(touched), gaps)


def _gaps(ray: np.ndarray, depth_mm: np.ndarray, replaced: np.ndarray, detector_mm: float) -> tuple[Gap, ...]:
    """replaced: of sorted crossings, whether the stretch after each is taken by a tool."""
    before = np.append(False, replaced)[:-1]
    enters, leaves = replaced & ~before, before & ~replaced
    taken_ray, start_mm, end_mm = ray[enters], depth_mm[enters], depth_mm[leaves]
    first = np.append(True, taken_ray[1:] != taken_ray[:-1])[: len(taken_ray)]
    last = np.append(taken_ray[1:] != taken_ray[:-1], True)[: len(taken_ray)]
    # A stretch ends where what follows on its ray is taken, and behind the last one at the detector.
    following_mm = np.where(last, detector_mm, np.append(start_mm[1:], 0.0)[: len(start_mm)])
    number = np.arange(len(taken_ray)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    gaps = [Gap(taken_ray[first], np.zeros(np.count_nonzero(first)), start_mm[first])]
    for k in range(number.max(initial=-1) + 1):
        gaps.append(Gap(taken_ray[number == k], end_mm[number == k], following_mm[number == k]))
    return tuple(gaps) if len(taken_ray) else ()
