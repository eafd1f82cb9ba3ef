"""Follow rays through a packed grid: Joseph's method with empty space skipped, on any Dr.Jit backend.

Joseph (IEEE Trans. Med. Imaging 1(3), 1982): a ray is sampled where it crosses the planes of voxel centres of the axis
along which it runs fastest, bilinearly between the four voxels around the crossing, and each sample counts for the
length between two planes. One loop serves all quantities; what becomes of a sample is up to a `visit` function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import drjit as dr

from .device import FAST, PAIR, SLOW, DeviceGrid, Mask, RayParameters
from .packed_grid import BRICK

EDGE = 1e-3
"""How far, in voxels, rays are kept from the grid's outermost border, so that rounding cannot lead outside."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One crossing of a plane: the codes of the four voxels around it and their bilinear weights."""

    codes: tuple[Any, Any, Any, Any]
    weights: tuple[Any, Any, Any, Any]

    def nearest_code(self) -> Any:
        """The code of the nearest voxel, which is the one with the largest weight; 0 where all weights are 0."""
        code, weight = 0, 0
        for other_code, other_weight in zip(self.codes, self.weights, strict=True):
            nearer = other_weight > weight
            code, weight = dr.select(nearer, other_code, code), dr.select(nearer, other_weight, weight)
        return code


def traverse(
    arrays: ModuleType,
    device_grid: DeviceGrid,
    rays: RayParameters,
    x: Any,
    y: Any,
    visit: Callable[[tuple, Sample], tuple],
    state: tuple,
    *,
    between: tuple[Any, Any] | None = None,
    masks: Sequence[Mask] = (),
) -> tuple[tuple, Any]:
    """Run `visit` on every sample of the rays through the normalised image positions x, y (Float arrays).

    visit: takes the state and a sample, returns the new state; it must leave an all-zero state as it is where all codes
        are 0, since empty space is not visited.
    state: zeros to start from, one array an accumulated quantity.
    between: depths at which rays start and end, in mm beyond the anchor depth, one a ray; None where both lie outside
        the grid. A plane at an end counts for the part of its length that is between them, so that sums over stretches
        of a ray add up to that over the whole.

    Returns the final state and, for every ray, the length in mm that one sample stands for.
    """
    axes = _axes(arrays, device_grid, rays, x, y)
    speed = [dr.abs(dr.detach(axis.direction)) for axis in axes]
    along_pair = speed[PAIR] > dr.maximum(speed[FAST], speed[SLOW])
    along_fast = speed[FAST] >= speed[SLOW]
    leading, other = _select_axis(along_fast, axes[FAST], axes[SLOW]), _select_axis(along_fast, axes[SLOW], axes[FAST])
    results = []
    for lines, active in (
        (_Lines(leading, other, axes[PAIR], along_fast), ~along_pair),
        (_Lines(axes[PAIR], axes[FAST], axes[SLOW]), along_pair),
    ):
        final = _march(arrays, device_grid, lines, active, visit, state, between, masks)
        results.append((*final, dr.select(active, lines.main.direction, 1)))
    final = [dr.select(along_pair, unpaired, paired) for paired, unpaired in zip(*results, strict=True)]
    return tuple(final[:-1]), dr.sqrt(x * x + y * y + 1) / dr.abs(final[-1])


class _Axis(NamedTuple):
    """What a kernel needs to know of one grid axis, for every ray: its line along it and the layout of the grid."""

    direction: Any
    anchor: Any
    size: Any
    word_stride: Any
    brick_stride: Any


def _axes(arrays: ModuleType, device_grid: DeviceGrid, rays: RayParameters, x: Any, y: Any) -> list[_Axis]:
    fast, slow, _ = device_grid.grid.size
    fast_bricks, slow_bricks = device_grid.grid.bricks.shape[:0:-1]
    word_strides = (1, fast + 2, (fast + 2) * (slow + 2))
    brick_strides = (1, fast_bricks, fast_bricks * slow_bricks)
    return [
        _Axis(
            row[0] * x + row[1] * y + row[2],
            anchor + rays.anchor_depth_mm * (row[0] * x + row[1] * y),
            arrays.Float(size),
            arrays.UInt32(word_stride),
            arrays.UInt32(brick_stride),
        )
        for row, anchor, size, word_stride, brick_stride in zip(
            rays.axes, rays.anchor, device_grid.grid.size, word_strides, brick_strides, strict=True
        )
    ]


def _select_axis(condition: Any, if_true: _Axis, if_false: _Axis) -> _Axis:
    return _Axis(*(dr.select(condition, a, b) for a, b in zip(if_true, if_false, strict=True)))


class _Lines:
    """Rays as lines over the planes n of their main axis: b = b_start + n · b_slope, and the same for c.

    b and c are positions along the two other axes counted in the bordered grid, one more than in the grid itself.
    Either c is PAIR and `along_fast` says for each ray whether main is FAST and b SLOW or the other way round; or
    main is PAIR, b FAST and c SLOW.
    """

    def __init__(self, main: _Axis, b: _Axis, c: _Axis, along_fast: Any | None = None) -> None:
        self.main, self.b, self.c, self.along_fast = main, b, c, along_fast
        self.b_slope = b.direction / main.direction
        self.c_slope = c.direction / main.direction
        self.b_start = b.anchor - main.anchor * self.b_slope + 1
        self.c_start = c.anchor - main.anchor * self.c_slope + 1

    def planes_in_grid(self) -> tuple[Any, Any]:
        """First and last plane on which a ray is inside the bordered grid, as whole Floats; first > last if on none."""
        first, last = 0, self.main.size - 1
        for start, slope, size in (
            (self.b_start, self.b_slope, self.b.size),
            (self.c_start, self.c_slope, self.c.size),
        ):
            inverse = 1 / dr.select(dr.abs(slope) > 1e-9, slope, 1e-9)
            enter, leave = (EDGE - start) * inverse, (size + 1 - EDGE - start) * inverse
            first, last = dr.maximum(first, dr.minimum(enter, leave)), dr.minimum(last, dr.maximum(enter, leave))
        return dr.ceil(first), dr.floor(last)

    def grid_position(self, plane: Any, b: Any, c: Any) -> tuple[Any, Any, Any]:
        """A sample's position along (FAST, SLOW, PAIR)."""
        if self.along_fast is None:
            return b - 1, c - 1, plane
        return dr.select(self.along_fast, plane, b - 1), dr.select(self.along_fast, b - 1, plane), c - 1

    def end_planes(self, between: tuple[Any, Any]) -> tuple[Any, Any]:
        """The places along the main axis that belong to two depths beyond the anchor, the lower one first."""
        near, far = (dr.fma(depth, self.main.direction, self.main.anchor) for depth in between)
        return dr.minimum(near, far), dr.maximum(near, far)


def _occupied_planes(
    arrays: ModuleType, device_grid: DeviceGrid, lines: _Lines, first: Any, last: Any
) -> tuple[Any, Any]:
    """Narrow a range of planes to the bricks between the first and the last one near which there is anything.

    A step looks at the brick that holds the ray's point in the middle of BRICK planes. Slopes are at most 1, so that
    samples on these planes stay within BRICK/2 + 1 voxels of it, which the neighbours' content in `bricks` covers.
    """
    Float, UInt32 = arrays.Float, arrays.UInt32  # noqa: N806

    def visit_brick(brick: Any, nearest: Any, farthest: Any) -> tuple[Any, Any, Any]:
        middle = brick * BRICK + (BRICK - 1) / 2
        b = UInt32(dr.fma(middle, lines.b_slope, lines.b_start + (BRICK - 1)) * (1 / BRICK))
        c = UInt32(dr.fma(middle, lines.c_slope, lines.c_start + (BRICK - 1)) * (1 / BRICK))
        index = (UInt32(brick) + 1) * lines.main.brick_stride + b * lines.b.brick_stride + c * lines.c.brick_stride
        occupied = dr.gather(arrays.UInt8, device_grid.bricks, index) != 0
        return (
            brick + 1,
            dr.select(occupied, dr.minimum(nearest, brick), nearest),
            dr.select(occupied, dr.maximum(farthest, brick), farthest),
        )

    last_brick = dr.floor(last * (1 / BRICK))
    _, nearest, farthest = dr.while_loop(
        (dr.floor(first * (1 / BRICK)), Float(dr.inf), Float(-dr.inf)),
        lambda brick, nearest, farthest: brick <= last_brick,
        visit_brick,
        label="occupied planes",
    )
    return dr.maximum(first, nearest * BRICK), dr.minimum(last, farthest * BRICK + (BRICK - 1))


def _march(
    arrays: ModuleType,
    device_grid: DeviceGrid,
    lines: _Lines,
    active: Any,
    visit: Callable[[tuple, Sample], tuple],
    state: tuple,
    between: tuple[Any, Any] | None,
    masks: Sequence[Mask],
) -> tuple:
    """Sample every active ray on all planes where it can meet something."""
    Float, UInt32 = arrays.Float, arrays.UInt32  # noqa: N806
    with dr.suspend_grad():
        first, last = lines.planes_in_grid()
        if between is not None:
            start, end = lines.end_planes(between)
            first, last = dr.maximum(first, dr.ceil(start - 0.5)), dr.minimum(last, dr.floor(end + 0.5))
        last = dr.select(active, last, -1)
        first, last = _occupied_planes(arrays, device_grid, lines, first, last)

    def word(offset: Any) -> Any:
        return dr.gather(UInt32, device_grid.words, offset)

    def step(plane: Any, *accumulated: Any) -> tuple:
        b = dr.fma(plane, lines.b_slope, lines.b_start)
        c = dr.fma(plane, lines.c_slope, lines.c_start)
        b_index, c_index = UInt32(b), UInt32(c)
        b_share, c_share = b - Float(b_index), c - Float(c_index)
        offset = (
            UInt32(plane + 1) * lines.main.word_stride + b_index * lines.b.word_stride + c_index * lines.c.word_stride
        )
        if lines.along_fast is not None:
            low, high = word(offset), word(offset + lines.b.word_stride)
            codes = (low & 0xFFFF, low >> 16, high & 0xFFFF, high >> 16)
        else:
            low, high = offset, offset + lines.b.word_stride
            codes = tuple(
                word(corner) & 0xFFFF for corner in (low, low + lines.c.word_stride, high, high + lines.c.word_stride)
            )
        b_rest, c_rest = 1 - b_share, 1 - c_share
        if between is not None:
            covered = dr.minimum(plane + 0.5, end) - dr.maximum(plane - 0.5, start)
            b_share, b_rest = b_share * covered, b_rest * covered
        for mask in masks:
            visible = dr.select(mask.hides(arrays, lines.grid_position(plane, b, c)), Float(0), Float(1))
            b_share, b_rest = b_share * visible, b_rest * visible
        weights = (b_rest * c_rest, b_rest * c_share, b_share * c_rest, b_share * c_share)
        return plane + 1, *visit(accumulated, Sample(codes, weights))

    final = dr.while_loop(
        (first, *state), lambda plane, *accumulated: plane <= last, step, label="march", max_iterations=-1
    )
    return final[1:]
