"""Labels drawn over a frame as SVG: mask outlines in the colours of their classes, landmarks with their names.

Names of landmarks stand in a column at each side of the image, as in an anatomical atlas, with a line to the spot.
"""

from dataclasses import dataclass

import numpy as np
from contourpy import contour_generator
from scipy.ndimage import gaussian_filter

from ..dataset.masks import decode_mask
from ..dataset.reader import StoredFrame
from ..dataset.schema import LandmarkEntry
from ..simulation import LabelClass
from .pictures import jpeg_uri

SMOOTHING_PX = 1.0
"""Standard deviation of the blur that turns the staircase of a mask's border into a line; keeps it within a pixel."""

OUTLINE_STEP = 3
"""Every third point of a contour is drawn."""

FONT_PER_HEIGHT = 0.026
"""Size of the names beside the image, relative to its height."""

LETTER_PER_FONT = 0.56
"""Mean width of a letter of a sans-serif font, relative to its size."""

LINE_PER_FONT = 1.4
"""Least distance of two names in a column, relative to their size."""

GAP_PER_FONT = 1.0
"""Distance of the names from the image and from the border of the figure, relative to their size."""


@dataclass(frozen=True)
class Outline:
    label: LabelClass
    path: str
    area_px: int


@dataclass(frozen=True)
class Mark:
    """A visible landmark at (x, y) with its name at (text_x, text_y), all in image pixels."""

    name: str
    x: float
    y: float
    text_x: float
    text_y: float
    anchor: str


@dataclass(frozen=True)
class Overlay:
    index: int
    uri: str
    width: int
    height: int
    margin: float
    font: float
    outlines: tuple[Outline, ...]
    marks: tuple[Mark, ...]


def overlay_of(frame: StoredFrame, display: np.ndarray) -> Overlay:
    """What to draw of the labels of a frame over its display image, (H, W) or (H, W, 3) uint8."""
    height, width = display.shape[:2]
    masks = frame.parsed.masks
    outlines = (
        Outline(label, _outline(decode_mask(masks[str(label.id)].model_dump())), masks[str(label.id)].area_px)
        for label in frame.dataset.header.classes
        if str(label.id) in masks and masks[str(label.id)].area_px > 0
    )
    font = FONT_PER_HEIGHT * height
    marks = _marks(frame.parsed.landmarks, width, height, font)
    letters = max((len(mark.name) for mark in marks), default=0)
    margin = font * (2 * GAP_PER_FONT + LETTER_PER_FONT * letters) if marks else 0.0
    return Overlay(frame.index, jpeg_uri(display), width, height, margin, font, tuple(outlines), marks)


def _outline(mask: np.ndarray) -> str:
    """The border of a mask (H, W) as an SVG path in image coordinates; borders on the image's edge are closed."""
    padded = np.pad(mask, 2).astype(np.float32)
    blurred = gaussian_filter(padded, SMOOTHING_PX)
    parts = []
    for line in contour_generator(z=blurred).lines(0.5):
        points = line[::OUTLINE_STEP] - 2 + 0.5  # from the padded grid's pixel centres
        if len(points) > 2:
            parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(parts)


def _marks(landmarks: dict[str, LandmarkEntry], width: int, height: int, font: float) -> tuple[Mark, ...]:
    visible = {name: entry.position_px for name, entry in landmarks.items() if entry.visible}
    middle = np.median([x for x, _ in visible.values()]) if visible else 0.0
    left = {name: position for name, position in visible.items() if position[0] <= middle}
    right = {name: position for name, position in visible.items() if name not in left}
    gap, line = GAP_PER_FONT * font, LINE_PER_FONT * font
    return (*_column(left, -gap, "end", line, height), *_column(right, width + gap, "start", line, height))


def _column(
    landmarks: dict[str, tuple[float, float]], text_x: float, anchor: str, line: float, height: int
) -> list[Mark]:
    """Names beside the image in the order of their spots, as near to their height as their neighbours let them be."""
    spots = sorted(landmarks.items(), key=lambda item: item[1][1])
    rows = spread_out(np.array([y for _, (_, y) in spots]), line, height)
    return [
        Mark(name.replace("_", " "), x, y, text_x, row, anchor)
        for (name, (x, y)), row in zip(spots, rows.tolist(), strict=True)
    ]


def spread_out(wanted: np.ndarray, distance: float, height: float) -> np.ndarray:
    """Ascending positions at least `distance` apart, nearest to the ascending `wanted` in the sum of squares.

    Positions minus multiples of the distance must not fall: isotonic regression, by pooling adjacent violators
    (Ayer et al. 1955). They stay within the height as long as there is room.
    """
    offsets = distance * np.arange(len(wanted))
    pools: list[tuple[float, int]] = []
    for value in wanted - offsets:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean, count = (before * size + mean * count) / (size + count), size + count
        pools.append((mean, count))
    level = np.concatenate([np.full(count, mean) for mean, count in pools]) if pools else np.empty(0)
    lowest = 0.75 * distance
    highest = max(lowest, height - lowest - (offsets[-1] if len(wanted) else 0.0))
    return np.clip(level, lowest, highest) + offsets
