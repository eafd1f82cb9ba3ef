"""The CT of a generated colon: tissues, noise and blur, fluid, decoys, and labels that fit the wall."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from DepthSimLib.colon import (
    Colon,
    ColonScan,
    ColonShape,
    PolypPlan,
    ScannedColon,
    colon_mesh,
    generate_colon,
    label_points,
    scan_colon,
)
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.volume import Volume

SPACING_MM = 2.0
SCAN = ColonScan(spacing_mm=SPACING_MM, fluid_depth=0.3, psf_mm=1.4)
CLEAN = ColonScan(spacing_mm=2.5, wall_mm=5.0, fluid_depth=0.35, psf_mm=0.0, noise_hu=0.0, gas_pockets=5)


@pytest.fixture(scope="module")
def colon() -> Colon:
    return generate_colon(ColonShape(seed=6, polyps=PolypPlan(count=7, size_mm=(8.0, 16.0))))


@pytest.fixture(scope="module")
def scanned(colon: Colon) -> ScannedColon:
    return scan_colon(colon, SCAN)


@pytest.fixture(scope="module")
def clean(colon: Colon) -> ScannedColon:
    return scan_colon(colon, CLEAN)


def sample(volume: Volume, points: np.ndarray) -> np.ndarray:
    """Nearest voxels."""
    i, j, k = np.rint(transform_points(volume.ijk_from_ras, points)).astype(int).T
    return volume.array[k, j, i]


def test_air_wall_and_fat_have_their_hounsfield_units(colon: Colon, scanned: ScannedColon) -> None:
    ct = scanned.ct
    assert ct.array.dtype == np.int16 and scanned.labels.array.dtype == np.uint8 and ct.same_grid(scanned.labels)
    rng = np.random.default_rng(2)
    points = colon.curve.points_ras[rng.integers(0, len(colon.curve.points_ras), 40_000)] + rng.normal(
        0, 18, (40_000, 3)
    )
    distance, values = colon.lumen_distance(points), sample(ct, points)
    deep = values[distance < -6.0]
    assert abs(np.median(deep[deep < -500]) + 1000.0) < 5.0
    assert abs(np.median(values[(distance > 8.0) & (distance < 12.0)]) + 100.0) < 8.0
    assert abs(np.median(ct.array[:, :8, :8]) + 1000.0) < 2.0  # room air


def test_the_wall_is_as_dense_as_soft_tissue(colon: Colon, clean: ScannedColon) -> None:
    """Without blur and noise the middle of a 5 mm wall is 40 HU."""
    k, j, i = np.nonzero(clean.labels.array)
    centers = transform_points(clean.ct.ras_from_ijk, np.column_stack([i, j, k]))
    middle = np.abs(colon.lumen_distance(centers) - 2.5) < 0.4
    assert middle.sum() > 1000 and np.mean(clean.ct.array[k, j, i][middle] == 40) > 0.99


def test_noise_is_as_strong_as_asked_and_as_smooth_as_the_blur(scanned: ScannedColon) -> None:
    """White noise under a Gaussian of standard deviation s: neighbours at h correlate by exp(−h²/4s²)."""
    _, j, i = scanned.ct.array.shape
    quiet = scanned.ct.array[:9, j // 2 - 25 : j // 2 + 25, i // 2 - 40 : i // 2 + 40].astype(float)  # below the anus
    assert quiet.std() == pytest.approx(SCAN.noise_hu, rel=0.05)
    centred = quiet - quiet.mean()
    correlation = np.mean(centred[:, :, 1:] * centred[:, :, :-1]) / np.mean(centred**2)
    assert correlation == pytest.approx(np.exp(-((SPACING_MM / SCAN.psf_mm) ** 2) / 4.0), abs=0.04)


@pytest.mark.parametrize("position, up", [("supine", 1), ("prone", -1)])
def test_fluid_lies_at_the_bottom_with_a_level_surface(
    colon: Colon, clean: ScannedColon, position: str, up: int
) -> None:
    scanned = clean if position == CLEAN.position else scan_colon(colon, replace(CLEAN, position=position))
    fluid = scanned.ct.array > 450
    assert np.mean(scanned.ct.array[fluid] == 500) > 0.6
    pools, _ = ndimage.label(fluid)
    big = np.flatnonzero(np.bincount(pools.ravel())[1:] > 150) + 1
    assert len(big) >= 2
    gas = (scanned.ct.array < -950) & (scanned.labels.array > 0)
    open_pools = 0
    for pool in big:
        k, j, i = np.nonzero(pools == pool)
        surface = j[gas[k, j + 2 * up, i]]
        open_pools += len(surface) > 20  # others lie under a fold
        assert len(surface) == 0 or np.ptp(surface) <= 1
        assert not gas[k, j - 2 * up, i].any()
    assert open_pools >= 2


def test_labels_fit_the_wall_within_a_voxel(colon: Colon, scanned: ScannedColon) -> None:
    """A ray that stops up to a voxel before or behind the wall reads what stands there. Features reach half a voxel and
    more onto the wall around them, on 2 % of it."""
    mesh = colon_mesh(colon, SPACING_MM)
    points = mesh.vertices_ras.astype(np.float64)
    truth = label_points(colon, points, margin_mm=0.2)
    away = label_points(colon, points, margin_mm=3.0 * SPACING_MM) <= 6
    step = 0.1 * np.eye(3)
    inward = -np.stack([colon.lumen_distance(points + e) - colon.lumen_distance(points - e) for e in step], axis=1)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    for offset in (-SPACING_MM, 0.0, SPACING_MM):
        read = sample(scanned.labels, points + offset * inward)
        assert np.all(read > 0)
        for polyp in colon.polyps:
            own = truth == polyp.label
            assert np.mean(read[own] == polyp.label) > 0.8, (offset, polyp)  # beside a stalk the wall may be nearer
        assert np.mean(read[truth <= 6] == truth[truth <= 6]) > 0.98
        assert np.mean(read[away] == truth[away]) > 0.99


def test_lungs_and_bowel_gas_are_there_and_apart_from_the_colon(clean: ScannedColon) -> None:
    parts, count = ndimage.label(clean.ct.array < -600)
    labelled = ndimage.sum_labels(clean.labels.array > 0, parts, range(1, count + 1))
    assert np.count_nonzero(labelled == 0) == 1 + 2 + CLEAN.gas_pockets  # room and two lungs
    assert np.count_nonzero(labelled > 1000) <= 4  # the colon, parted by narrow flexures and its fluid at most
