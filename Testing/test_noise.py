"""Noise against the Poisson distribution and the closed form of filtered white noise."""

import drjit as dr
import numpy as np
import pytest
from scipy import stats

from DRRSimLib.acquisition.carm import DEVICES, CArmPose, view_from_pose
from DRRSimLib.physics.noise import CROSSTALK, FEW_PHOTONS, READOUT_ROW, NoiseModel, _poisson, noise_kev_per_photon
from Sim2RealLib.engine import open_backend

SIZE = 512
ENERGY_KEV = 50.0


@pytest.fixture(scope="module")
def arrays():
    return open_backend().arrays


def noise_image(arrays, model: NoiseModel, share: float, seed: int = 1, frame: int = 0) -> np.ndarray:
    """Noise of a flat field in keV per emitted photon, with all pixels equally irradiated."""
    device = DEVICES["siemens_cios_spin"]
    view = view_from_pose(device, CArmPose(0, 0, (0, 0, 0), 1020, 530))
    view = type(view)(
        type(view.camera)(*([1.0] * 4), SIZE, SIZE),
        view.camera_from_ras,
        view.source_to_detector_mm,
        view.open_field_px,
    )
    pixels = SIZE * SIZE
    noise = noise_kev_per_photon(
        arrays,
        view,
        dr.full(arrays.Float, ENERGY_KEV * share, pixels),
        dr.full(arrays.Float, share, pixels),
        dr.full(arrays.Float, 1.0, pixels),
        model,
        seed,
        frame,
    )
    return noise.numpy().reshape(SIZE, SIZE).astype(np.float64)


@pytest.mark.parametrize("mean", [0.0, 0.02, 1.0, 7.5, 63.9, 64.1, 200.0, 5e3, 4e5])
def test_counts_follow_the_poisson_distribution(arrays, mean):
    draws = 2**20
    counts = _poisson(arrays, dr.full(arrays.Float, mean, draws), dr.arange(arrays.UInt32, draws), 3, 5).numpy()
    if mean == 0.0:
        assert not counts.any()
        return
    assert np.all(counts == np.rint(counts)) and counts.min() >= 0
    # Standard errors of mean and variance over the draws; five of them are exceeded once in a million tests.
    assert abs(counts.mean() - mean) < 5 * np.sqrt(mean / draws)
    assert abs(counts.astype(float).var() / mean - 1) < 5 * np.sqrt((2 + 1 / mean) / draws)
    # Kolmogorov distance of the discrete distribution: the bound for 10⁶ draws, plus that of single-precision quantiles
    # where the numbers are large (z has a step of 1e-7, and at 4e5 one photon is 1/630 of a standard deviation).
    values = np.unique(counts)
    empirical = np.searchsorted(np.sort(counts), values, side="right") / draws
    assert np.abs(empirical - stats.poisson.cdf(values, mean)).max() < 2.0 / np.sqrt(draws) + 2e-4


def test_no_outliers_in_the_tail_of_the_inversion(arrays):
    draws = 2**22
    counts = _poisson(arrays, dr.full(arrays.Float, 5.0, draws), dr.arange(arrays.UInt32, draws), 1, 1).numpy()
    assert counts.max() <= stats.poisson.isf(1e-9, 5.0)


@pytest.mark.parametrize("share", [0.0, 1e-45, 1e-40, 1e-38, 1.2e-38, 1e-30])
def test_behind_thick_metal_noise_is_finite(arrays, share):
    """Down to shares that single precision cannot hold: no photon is counted, which is less than none by the mean."""
    assert np.abs(noise_image(arrays, NoiseModel(), share)).max() < 1e-20


def test_large_means_follow_the_exact_quantiles():
    """The Cornish–Fisher quantile is at most one photon away from scipy's exact one, down to the smallest mean used."""
    z = np.linspace(-5.5, 5.5, 2001)
    for mean in (FEW_PHOTONS, 100.0, 1e3, 1e5):
        root = np.sqrt(mean)
        approximate = np.rint(mean + root * z + (z**2 - 1) / 6 + (z - z**3) / (72 * root))
        assert np.abs(approximate - stats.poisson.ppf(stats.norm.cdf(z), mean)).max() <= 1.0


@pytest.mark.parametrize(("share", "photons"), [(1.0, 1e4), (1e-3, 5e5)])
def test_quantum_variance_is_that_of_counting_photons(arrays, share, photons):
    """Without crosstalk: variance Ē² λ / N² with λ = N p; four standard errors of a variance over SIZE² pixels."""
    one_pixel = ((0, 0, 0), (0, 1, 0), (0, 0, 0))
    noise = noise_image(arrays, NoiseModel(photons, crosstalk=one_pixel), share)
    expected = ENERGY_KEV**2 * share / photons
    assert noise.var() == pytest.approx(expected, rel=4 * np.sqrt(2) / SIZE)
    assert abs(noise.mean()) < 4 * np.sqrt(expected) / SIZE


def test_noise_power_spectrum_is_white_times_the_crosstalk(arrays):
    """NPS(f) = |H(f)|² σ² with H the transfer function of the crosstalk, and H(0) = 1: no gain at zero frequency."""
    photons = 1e4
    frames = [noise_image(arrays, NoiseModel(photons), 1.0, frame=frame) for frame in range(8)]
    power = np.mean([np.abs(np.fft.fft2(frame)) ** 2 for frame in frames], axis=0) / SIZE**2
    kernel = np.zeros((SIZE, SIZE))
    kernel[:3, :3] = np.array(CROSSTALK) / np.sum(CROSSTALK)
    expected = np.abs(np.fft.fft2(kernel)) ** 2 * ENERGY_KEV**2 / photons
    bands = (power / expected).reshape(16, SIZE // 16, 16, SIZE // 16).mean(axis=(1, 3))
    # A band averages 8 · 32² periodogram values, each with a relative standard deviation of 1.
    assert np.abs(bands - 1).max() < 5 / np.sqrt(8 * 32**2)


def test_noise_is_stationary_up_to_the_border(arrays):
    frames = np.array([noise_image(arrays, NoiseModel(1e4), 1.0, frame=frame) for frame in range(16)])
    border = np.concatenate([frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]])
    assert border.var() == pytest.approx(frames[:, 8:-8, 8:-8].var(), rel=0.05)


def test_electronic_noise_has_its_variance_and_its_row_correlation(arrays):
    """With no photon transmitted only electronic noise is left: σ in keV, spread over N photons."""
    photons, sigma_kev = 1e3, 400.0
    noise = noise_image(arrays, NoiseModel(photons, electronic_kev=sigma_kev), 0.0)
    assert noise.std() == pytest.approx(sigma_kev / photons, rel=0.01)
    row = np.array(READOUT_ROW) / np.linalg.norm(READOUT_ROW)
    expected = float(np.correlate(row, row, "full")[len(row)])
    measured = float((noise[:, 1:] * noise[:, :-1]).mean() / noise.var())
    assert measured == pytest.approx(expected, abs=5 / SIZE)
    assert abs((noise[1:] * noise[:-1]).mean() / noise.var()) < 5 / SIZE


def test_the_same_seed_and_frame_give_the_same_noise_and_others_another(arrays):
    model = NoiseModel(1e4, electronic_kev=10.0)
    first = noise_image(arrays, model, 0.5)
    assert np.array_equal(first, noise_image(arrays, model, 0.5))
    for other in (noise_image(arrays, model, 0.5, seed=2), noise_image(arrays, model, 0.5, frame=1)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 5 / SIZE
