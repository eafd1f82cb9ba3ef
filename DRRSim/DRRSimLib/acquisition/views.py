"""Which views a dataset takes: directions spread over a spherical segment, and the jitter of everything else.

The primary angle is the longitude of the beam direction and the secondary angle its latitude, so that equal areas on
the sphere are equal steps of the primary angle and of the sine of the secondary angle. View i depends on the plan, the
seed and i alone.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, model_validator
from scipy.stats import qmc

from Sim2RealLib.recipe import strict_dataclass

from .carm import CArmDevice, CArmPose, Range

GOLDEN_RATIO = (1.0 + 5.0**0.5) / 2.0

MAX_EXPOSURES = 5_000_000

DIRECTION_STREAM, PATIENT_STREAM, PLANE_STREAM = 1, 2, 3
"""Numbers that keep the random streams of an exposure apart."""

LATERAL_FROM_FRONTAL_DEG = 90.0
"""Primary angle from the first plane of a biplane to the second, whose secondary angle is 0: the beams are
perpendicular whatever the frontal angles are."""


class Sampler(StrEnum):
    """How directions are spread.

    grid: equal angular steps from edge to edge of both ranges, row by row, as nearly the same for both as they can be.
    uniform: independent draws, uniform in area.
    fibonacci: a spherical Fibonacci lattice (González, Math. Geosci. 42, 2010), the most even spread of a known count;
        its points are taken in an order that spreads the first ones too.
    sobol: a scrambled Sobol sequence (Owen 1998), even at every count, so that a dataset can be extended.
    """

    GRID = "grid"
    UNIFORM = "uniform"
    FIBONACCI = "fibonacci"
    SOBOL = "sobol"


@strict_dataclass
class Jitter:
    """Half-widths of uniform distributions around the nominal pose, in degrees and mm; 0 is none."""

    primary_deg: NonNegativeFloat = 0.0
    secondary_deg: NonNegativeFloat = 0.0
    in_plane_deg: NonNegativeFloat = 0.0
    isocenter_mm: NonNegativeFloat = 0.0
    source_to_detector_mm: NonNegativeFloat = 0.0
    source_to_isocenter_mm: NonNegativeFloat = 0.0
    detector_offset_mm: NonNegativeFloat = 0.0
    collimation_mm: NonNegativeFloat = 0.0


@strict_dataclass
class ViewPlan:
    """Everything that decides the poses of a dataset's exposures; ranges are inclusive, distances are the device's.

    The default ranges are those of Bier et al. 2018: 120° from RAO to LAO and 90° from caudal to cranial.
    on_limit: what happens to a pose that the device cannot reach.
    """

    count: Annotated[int, Field(ge=1, le=MAX_EXPOSURES)] = 200
    sampler: Sampler = Sampler.FIBONACCI
    primary_range_deg: Range = (-60.0, 60.0)
    secondary_range_deg: Range = (-45.0, 45.0)
    in_plane_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0
    detector_offset_mm: tuple[float, float] = (0.0, 0.0)
    collimation_mm: tuple[float, float] | None = None
    jitter: Jitter = Jitter()
    on_limit: Literal["error", "clamp"] = "error"

    @model_validator(mode="after")
    def _possible(self) -> "ViewPlan":
        if self.collimation_mm is not None and min(self.collimation_mm) <= self.jitter.collimation_mm:
            raise ValueError("the collimated field must stay open: collimation_mm larger than its jitter")
        if max(map(abs, self.secondary_range_deg)) > 90.0:
            raise ValueError("secondary angles lie between -90 and 90 degrees")
        if self.sampler is Sampler.GRID and not _fills_a_grid(self, self.count):
            below = next((count for count in range(self.count, 0, -1) if _fills_a_grid(self, count)), 1)
            above = next(count for count in range(self.count, 2 * self.count + 2) if _fills_a_grid(self, count))
            raise ValueError(
                f"a grid over these ranges has {below} or {above} views, not {self.count}: set views.count"
            )
        return self


def grid_shape(plan: ViewPlan, count: int) -> tuple[int, int]:
    """Primary by secondary nodes of a grid of at least `count` nodes whose angular steps are as equal as possible."""
    primary, secondary = (np.ptp(r) for r in (plan.primary_range_deg, plan.secondary_range_deg))
    if min(primary, secondary) == 0.0:
        return (count, 1) if secondary == 0.0 else (1, count)
    columns = max(1, round(float(np.sqrt(count * primary / secondary))))
    return columns, -(-count // columns)


def _fills_a_grid(plan: ViewPlan, count: int) -> bool:
    return math.prod(grid_shape(plan, count)) == count


def direction(plan: ViewPlan, seed: int, index: int) -> tuple[float, float]:
    """Primary and secondary angle of exposure `index`, in degrees, before jitter."""
    if plan.sampler is Sampler.GRID:
        return _grid_direction(plan, index)
    if plan.sampler is Sampler.FIBONACCI:
        point = index * _scattering_step(plan.count) % plan.count
        unit = np.array([(point / GOLDEN_RATIO) % 1.0, (point + 0.5) / plan.count])
    elif plan.sampler is Sampler.SOBOL:
        sequence = qmc.Sobol(2, rng=np.random.default_rng([seed, DIRECTION_STREAM]))
        if index > 0:
            sequence.fast_forward(index)
        unit = sequence.random(1)[0]
    else:
        unit = np.random.default_rng([seed, DIRECTION_STREAM, index]).random(2)
    low, high = plan.primary_range_deg
    sine_low, sine_high = np.sin(np.deg2rad(plan.secondary_range_deg))
    secondary = np.rad2deg(np.arcsin(sine_low + unit[1] * (sine_high - sine_low)))
    return float(low + unit[0] * (high - low)), float(secondary)


def _scattering_step(count: int) -> int:
    """A step through the points of a lattice that visits all of them and spreads the first few over the whole."""
    return next(step for step in range(max(1, round(count / GOLDEN_RATIO)), 2 * count) if math.gcd(step, count) == 1)


def _grid_direction(plan: ViewPlan, index: int) -> tuple[float, float]:
    shape = grid_shape(plan, plan.count)
    row, column = divmod(index, shape[0])
    angles = []
    for (low, high), node, nodes in zip(
        (plan.primary_range_deg, plan.secondary_range_deg), (column, row), shape, strict=True
    ):
        angles.append(float(low + node * (high - low) / (nodes - 1)) if nodes > 1 else (low + high) / 2)
    return angles[0], angles[1]


def angle_ranges(plan: ViewPlan, plane: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Primary and secondary angles that views of the plan can take on one plane, jitter included, in degrees."""
    jitter = plan.jitter
    ranges = (plan.primary_range_deg, jitter.primary_deg), (plan.secondary_range_deg, jitter.secondary_deg)
    if plane > 0:
        primary = tuple(angle + LATERAL_FROM_FRONTAL_DEG for angle in plan.primary_range_deg)
        ranges = (primary, jitter.primary_deg), ((0.0, 0.0), jitter.secondary_deg)
    return tuple((low - half_width, high + half_width) for (low, high), half_width in ranges)


def sample_pose(
    plan: ViewPlan, planes: Sequence[CArmDevice], isocenter_ras: np.ndarray, seed: int, index: int
) -> CArmPose:
    """The pose of frame `index`; it may leave the device's range, which `carm.view_from_pose` refuses.

    planes: one C-arm, or the two of a biplane, which take frames 2e and 2e + 1 of exposure e: the patient, and with it
    the displacement of the isocentre, is the same for both, the second stands perpendicular to the first, and each has
    its own jitter.
    """
    exposure, plane = divmod(index, len(planes))
    primary, secondary = direction(plan, seed, exposure)
    if plane > 0:
        primary, secondary = primary + LATERAL_FROM_FRONTAL_DEG, 0.0
    device, jitter = planes[plane], plan.jitter
    patient = np.random.default_rng([seed, PATIENT_STREAM, exposure])
    rng = np.random.default_rng([seed, PLANE_STREAM, exposure, plane])

    def around(center: float, half_width: float) -> float:
        return float(center + half_width * rng.uniform(-1.0, 1.0))

    return CArmPose(
        primary_deg=around(primary, jitter.primary_deg),
        secondary_deg=around(secondary, jitter.secondary_deg),
        in_plane_deg=around(plan.in_plane_deg, jitter.in_plane_deg),
        isocenter_ras=tuple((isocenter_ras + jitter.isocenter_mm * patient.uniform(-1.0, 1.0, 3)).tolist()),
        source_to_detector_mm=around(device.source_to_detector_mm, jitter.source_to_detector_mm),
        source_to_isocenter_mm=around(device.source_to_isocenter_mm, jitter.source_to_isocenter_mm),
        detector_offset_mm=tuple(around(value, jitter.detector_offset_mm) for value in plan.detector_offset_mm),
        collimation_mm=None
        if plan.collimation_mm is None
        else tuple(around(value, jitter.collimation_mm) for value in plan.collimation_mm),
    )
