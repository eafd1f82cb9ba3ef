"""Histograms of a channel's values as SVG."""

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ..simulation import Channel

BINS = 64
DECADES = 5
"""The share of pixels in a bin is drawn on a logarithmic axis from 10⁻⁵ to 1, the same in every plot."""

WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 8, 24


def histogram_svg(images: Sequence[np.ndarray], channel: Channel) -> Markup:
    """How the values of some frames are distributed, in the channel's unit: a thin line a frame, the area their mean.

    The horizontal axis is the whole range of an integer type; for float32 the range of all frames together, rounded.
    """
    values = [image[np.isfinite(image) & _valid(image, channel)] * channel.scale for image in images]
    low, high, ticks = _axis(values, channel)
    shares = np.array([np.histogram(part, BINS, (low, high))[0] / max(1, part.size) for part in values])
    frames = "".join(f'<path class="one" d="{_steps(share)}"/>' for share in shares)
    area = f'<path class="all" d="{_steps(shares.mean(axis=0))}V{HEIGHT - BOTTOM}H{LEFT}Z"/>'
    return Markup(
        f'<svg class="histogram" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{_share_axis()}{area}{frames}'
        f"{_value_axis(low, high, ticks)}</svg>"
    )


def _valid(image: np.ndarray, channel: Channel) -> np.ndarray | bool:
    return True if channel.invalid is None else image != channel.invalid


def _axis(values: Sequence[np.ndarray], channel: Channel) -> tuple[float, float, list[float]]:
    if np.issubdtype(channel.dtype, np.unsignedinteger):
        low, high = 0.0, (np.iinfo(channel.dtype).max + 1) * channel.scale
    else:
        low = min((float(part.min()) for part in values if part.size), default=0.0)
        high = max((float(part.max()) for part in values if part.size), default=1.0)
        low = min(low, 0.0)
    high = high if high > low else low + 1.0
    step = _round_step((high - low) / 4)
    if np.issubdtype(channel.dtype, np.floating):
        low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    count = math.floor((high - low) / step + 1e-6)
    return low, high, [low + place * step for place in range(count + 1)]


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9))


def _steps(shares: np.ndarray) -> str:
    x = LEFT + np.arange(BINS + 1) * (WIDTH - LEFT - RIGHT) / BINS
    y = _height(shares)
    return f"M{x[0]:.1f} {HEIGHT - BOTTOM}" + "".join(f"V{y[n]:.1f}H{x[n + 1]:.1f}" for n in range(BINS))


def _height(share: np.ndarray) -> np.ndarray:
    decades = np.log10(np.maximum(share, 10.0**-DECADES)) + DECADES
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * decades / DECADES


def _share_axis() -> str:
    lines = []
    for exponent, label in ((0, "100 %"), (-2, "1 %"), (-4, "0.01 %")):
        y = float(_height(np.array(10.0**exponent)))
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{label}</text>')
    return "".join(lines)


def _value_axis(low: float, high: float, ticks: Sequence[float]) -> str:
    parts = [f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>']
    for tick in ticks:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (tick - low) / (high - low)
        parts.append(f'<path class="axis" d="M{x:.1f} {HEIGHT - BOTTOM}v3"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 13}" text-anchor="middle">{tick:.6g}</text>')
    return "".join(parts)
