"""Generated pelves whose materials are known, with what misleads thresholds: bone poor in mineral, contrast, metal."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from Sim2RealLib.label_table import label_groups

from ..pelvis.bowel import BLADDER, COLON, SMALL_BOWEL
from ..pelvis.phantom import build_pelvis
from ..pelvis.shape import sample_shape
from .classes import AIR, BODY_ABOVE_HU, BONE, SOFT_TISSUE

HU_LIMITS = (-1024, 3071)
CONTRAST_HU, CONTRAST_SHARE = (100.0, 900.0), 0.5
"""Diluted oral contrast and excreted iodine; the share of organs that hold some."""
ORGANS, ORGAN_RADIUS_MM, ORGAN_HU = 3, (10.0, 45.0), (0.0, 220.0)
"""Parenchyma before and after contrast."""
VESSELS, VESSEL_RADIUS_MM, VESSEL_HU = 5, (2.5, 7.0), (120.0, 450.0)
CALCIFICATIONS, CALCIFICATION_RADIUS_MM, CALCIFICATION_HU = 12, (1.0, 4.0), (250.0, 1200.0)
FATTY_MARROW_HU = 80.0
"""Red marrow turns to fat with age: up to this much less between the trabeculae."""
METAL_SHARE, METAL_HU, METAL_RADIUS_MM, METAL_LENGTH_MM = 0.35, 3071.0, (2.0, 16.0), (15.0, 120.0)
STREAK_HU, STREAK_REACH_MM = (100.0, 500.0), 45.0
TABLE_SHARE, TABLE_HU, TABLE_MM = 0.5, (-450.0, 150.0), (3.0, 9.0)


@dataclass(frozen=True, eq=False)
class MaterialPhantom:
    """hu: (K, J, I) int16, axes along S, A, R. truth: the class of every voxel, uint8; metal counts as bone."""

    hu: np.ndarray
    truth: np.ndarray


def material_phantom(seed: int, spacing_mm: float, mineral: float, plain: bool = False) -> MaterialPhantom:
    """The generated pelvis of `seed` whose bones have `mineral` times the HU of a healthy one's mean.

    plain: without contrast medium, other bright spots, table and metal.
    """
    phantom = build_pelvis(replace(sample_shape(seed), bone_density=mineral), spacing_mm)
    rng = np.random.default_rng([seed, 20])
    hu, labels = phantom.hu.array.astype(np.float32), phantom.labels.array
    groups = label_groups("totalsegmentator_v2")
    bone = np.isin(labels, [label for label, group in groups.items() if group == "bone"])
    truth = np.where(hu > BODY_ABOVE_HU, SOFT_TISSUE, AIR).astype(np.uint8)
    truth[bone] = BONE
    _make_marrow_fatty(hu, bone, rng)
    if not plain:
        _fill_with_contrast(hu, labels, rng)
        _draw_bright_spots(hu, truth == SOFT_TISSUE, spacing_mm, rng)
        _put_on_table(hu, truth, spacing_mm, rng)
        if rng.random() < METAL_SHARE:
            _implant_metal(hu, truth, spacing_mm, rng)
    return MaterialPhantom(np.rint(hu.clip(*HU_LIMITS)).astype(np.int16), truth)


def _make_marrow_fatty(hu: np.ndarray, bone: np.ndarray, rng: np.random.Generator) -> None:
    inside = ndimage.binary_erosion(bone)
    hu[inside] -= rng.uniform(0.0, FATTY_MARROW_HU) * np.clip(1.0 - hu[inside] / 300.0, 0.0, 1.0)


def _fill_with_contrast(hu: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> None:
    for organ in (SMALL_BOWEL, COLON, BLADDER):
        level = rng.uniform(*CONTRAST_HU)
        if rng.random() < CONTRAST_SHARE:
            content = ndimage.binary_erosion((labels == organ) & (hu > -200.0))
            _blend(hu, level, ndimage.gaussian_filter(content.astype(np.float32), 0.6))


def _draw_bright_spots(hu: np.ndarray, soft: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> None:
    """Balls of parenchyma, vessels with contrast along random curves, calcifications: where there is soft tissue."""
    for _ in range(rng.integers(0, ORGANS + 1)):
        centre = rng.uniform(0.2, 0.8, (1, 3)) * hu.shape
        _draw_around(hu, centre, rng.uniform(*ORGAN_RADIUS_MM), rng.uniform(*ORGAN_HU), spacing_mm, soft)
    for _ in range(rng.integers(0, VESSELS + 1)):
        course = _random_course(hu.shape, rng)
        _draw_around(hu, course, rng.uniform(*VESSEL_RADIUS_MM), rng.uniform(*VESSEL_HU), spacing_mm, soft)
    for _ in range(rng.integers(0, CALCIFICATIONS + 1)):
        spot = rng.uniform(0.1, 0.9, (1, 3)) * hu.shape
        radius_mm, level = rng.uniform(*CALCIFICATION_RADIUS_MM), rng.uniform(*CALCIFICATION_HU)
        _draw_around(hu, spot, radius_mm, level, spacing_mm, soft)


def _random_course(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Points (N, 3), in voxels, along a bent line through the middle of the body."""
    ends = rng.uniform([0.1, 0.35, 0.25], [0.9, 0.75, 0.75], (3, 3)) * shape
    t = np.linspace(0.0, 1.0, 2 * max(shape))[:, None]
    return (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]


def _draw_around(
    hu: np.ndarray, points: np.ndarray, radius_mm: float, level: float, spacing_mm: float, where: np.ndarray
) -> np.ndarray:
    """Blend `level` into what lies within a radius of points (N, 3) in voxels; returns the share of each voxel."""
    reach = int(np.ceil(radius_mm / spacing_mm)) + 2
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - reach, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + reach + 1, hu.shape)
    window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    away = np.ones(high - low, bool)
    at = np.clip(np.rint(points).astype(int) - low, 0, high - low - 1)
    away[tuple(at.T)] = False
    distance_mm = ndimage.distance_transform_edt(away, sampling=spacing_mm)
    share = np.zeros(hu.shape, np.float32)
    share[window] = np.clip(0.5 - (distance_mm - radius_mm) / spacing_mm, 0.0, 1.0) * where[window]
    _blend(hu, level, share)
    return share


def _put_on_table(hu: np.ndarray, truth: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> None:
    level, rows = rng.uniform(*TABLE_HU), max(1, round(rng.uniform(*TABLE_MM) / spacing_mm))
    if rng.random() < TABLE_SHARE:
        under = hu[:, :rows] < BODY_ABOVE_HU
        hu[:, :rows][under] = level
        truth[:, :rows][under] = SOFT_TISSUE


def _implant_metal(hu: np.ndarray, truth: np.ndarray, spacing_mm: float, rng: np.random.Generator) -> None:
    """A rod or ball of metal that begins in bone, and streaks from it in the planes that it lies in."""
    begin = np.argwhere(truth == BONE)[rng.integers(int((truth == BONE).sum()))]
    direction = rng.normal(size=3)
    length_mm = rng.uniform(*METAL_LENGTH_MM)
    along = np.linspace(0.0, length_mm / spacing_mm, 2 * int(length_mm / spacing_mm) + 2)[:, None]
    points = begin + along * direction / np.linalg.norm(direction)
    points = points[np.all((points >= 0) & (points < hu.shape), axis=1)]
    share = _draw_around(hu, points, rng.uniform(*METAL_RADIUS_MM), METAL_HU, spacing_mm, np.ones(hu.shape, bool))
    metal = share > 0.5
    truth[metal] = BONE
    amplitude, waves = rng.uniform(*STREAK_HU), rng.integers(2, 7)
    for k in np.flatnonzero(metal.any(axis=(1, 2))):
        j, i = np.nonzero(metal[k])
        rows, columns = np.ogrid[: hu.shape[1], : hu.shape[2]]
        down, across = (rows - j.mean()) * spacing_mm, (columns - i.mean()) * spacing_mm
        wave = np.cos(waves * np.arctan2(down, across) + rng.uniform(0.0, 1.0))
        fade = np.exp(-np.hypot(down, across) / STREAK_REACH_MM)
        hu[k] += np.where(metal[k] | (truth[k] == AIR), 0.0, amplitude * wave * fade)


def _blend(hu: np.ndarray, level: float, share: np.ndarray) -> None:
    hu += (level - hu) * share
