"""Which views a dataset takes: directions spread over a spherical segment, and the jitter of everything else.

The primary angle is the longitude of the beam direction and the secondary angle its latitude, so that equal areas on
the sphere are equal steps of the primary angle and of the sine of the secondary angle. View i depends on the plan, the
seed and i alone.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy.stats import qmc

from .carm import CArmDevice, CArmPose

GOLDEN_RATIO = (1.0 + 5.0**0.5) / 2.0

DIRECTION_STREAM, JITTER_STREAM = 1, 2
"""Numbers that keep the random streams of a frame apart."""


class Sampler(StrEnum):
    """How directions are spread.

    grid: equal angular steps from edge to edge of both ranges, row by row; the count is split as squarely as it can be.
    uniform: independent draws, uniform in area.
    fibonacci: a spherical Fibonacci lattice (González, Math. Geosci. 42, 2010), the most even spread of a known count;
        its points are taken in an order that spreads the first ones too.
    sobol: a scrambled Sobol sequence (Owen 1998), even at every count, so that a dataset can be extended.
    """

    GRID = "grid"
    UNIFORM = "uniform"
    FIBONACCI = "fibonacci"
    SOBOL = "sobol"


@dataclass(frozen=True)
class Jitter:
    """Half-widths of uniform distributions around the nominal pose, in degrees and mm; 0 is none."""

    primary_deg: float = 0.0
    secondary_deg: float = 0.0
    in_plane_deg: float = 0.0
    isocenter_mm: float = 0.0
    source_to_detector_mm: float = 0.0
    source_to_isocenter_mm: float = 0.0
    detector_offset_mm: float = 0.0
    collimation_mm: float = 0.0


@dataclass(frozen=True)
class ViewPlan:
    """Everything that decides the poses of a dataset's frames; ranges are inclusive, distances come from the device.

    The default ranges are those of Bier et al. 2018: 120° from RAO to LAO and 90° from caudal to cranial.
    """

    count: int
    sampler: Sampler = Sampler.FIBONACCI
    primary_range_deg: tuple[float, float] = (-60.0, 60.0)
    secondary_range_deg: tuple[float, float] = (-45.0, 45.0)
    in_plane_deg: float = 0.0
    detector_offset_mm: tuple[float, float] = (0.0, 0.0)
    collimation_mm: tuple[float, float] | None = None
    jitter: Jitter = field(default_factory=Jitter)


def grid_shape(plan: ViewPlan) -> tuple[int, int]:
    """Primary by secondary steps of a grid of at least `count` nodes whose angular steps are as equal as possible."""
    primary, secondary = (np.ptp(r) for r in (plan.primary_range_deg, plan.secondary_range_deg))
    if min(primary, secondary) == 0.0:
        return (plan.count, 1) if secondary == 0.0 else (1, plan.count)
    columns = max(1, round(float(np.sqrt(plan.count * primary / secondary))))
    return columns, -(-plan.count // columns)


def direction(plan: ViewPlan, seed: int, index: int) -> tuple[float, float]:
    """Primary and secondary angle of view `index`, in degrees, before jitter."""
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
    column, row = index % grid_shape(plan)[0], index // grid_shape(plan)[0]
    angles = []
    for (low, high), node, nodes in zip(
        (plan.primary_range_deg, plan.secondary_range_deg), (column, row), grid_shape(plan), strict=True
    ):
        angles.append(float(low + node * (high - low) / (nodes - 1)) if nodes > 1 else (low + high) / 2)
    return angles[0], angles[1]


def sample_pose(plan: ViewPlan, device: CArmDevice, isocenter_ras: np.ndarray, seed: int, index: int) -> CArmPose:
    """The pose of view `index`; it may leave the device's range, which `carm.view_from_pose` refuses."""
    primary, secondary = direction(plan, seed, index)
    rng = np.random.default_rng([seed, JITTER_STREAM, index])
    jitter = plan.jitter

    def around(center: float, half_width: float) -> float:
        return float(center + half_width * rng.uniform(-1.0, 1.0))

    return CArmPose(
        primary_deg=around(primary, jitter.primary_deg),
        secondary_deg=around(secondary, jitter.secondary_deg),
        in_plane_deg=around(plan.in_plane_deg, jitter.in_plane_deg),
        isocenter_ras=tuple(around(value, jitter.isocenter_mm) for value in isocenter_ras),
        source_to_detector_mm=around(device.source_to_detector_mm, jitter.source_to_detector_mm),
        source_to_isocenter_mm=around(device.source_to_isocenter_mm, jitter.source_to_isocenter_mm),
        detector_offset_mm=tuple(around(value, jitter.detector_offset_mm) for value in plan.detector_offset_mm),
        collimation_mm=None
        if plan.collimation_mm is None
        else tuple(around(value, jitter.collimation_mm) for value in plan.collimation_mm),
    )
