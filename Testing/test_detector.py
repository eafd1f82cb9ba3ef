"""The detector's effects, each against a closed form, a standard or a published property."""

import numpy as np
import pytest
from scipy.special import k0

from DRRSimLib.detector.blur import Blur, blurred, pixel_transfer, scintillator_mtf
from DRRSimLib.detector.chain import Charge, readout_noise, with_lag
from DRRSimLib.detector.detector import Detector, registered, response
from DRRSimLib.detector.gain import Gain, defects, gain_map, without_defects
from DRRSimLib.detector.glare import Glare, with_glare
from DRRSimLib.detector.grid import AntiscatterGrid, cut_off, primary_transmission, scatter_transmission, transmission
from DRRSimLib.detector.lag import LAG_TOLERANCE, Lag, lag_weights
from DRRSimLib.detector.presets import DETECTORS
from DRRSimLib.detector.scintillator import Scintillator, escape_probability, scintillator_response
from DRRSimLib.physics.materials import mass_attenuation_cm2_g
from DRRSimLib.physics.noise import READOUT_ROW
from DRRSimLib.physics.spectra import monoenergetic, preset_spectrum
from xray_scenes import view


def test_without_escape_a_scintillator_takes_what_it_attenuates():
    layer = Scintillator(thickness_mm=0.5, packing=0.8, escape=False)
    energies = np.array([20.0, 40.0, 60.0, 100.0])
    absorbed = 1 - np.exp(-mass_attenuation_cm2_g("caesium_iodide", energies) * 4.51 * 0.8 * 0.05)
    found = scintillator_response(layer, energies)
    assert found.mean_kev == pytest.approx(absorbed * energies)
    assert found.mean_square_kev2 == pytest.approx(absorbed * energies**2)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 4.0])
def test_a_thick_layer_lets_escape_what_fluorescence_formulae_say(ratio):
    """½ (1 − (μ'/μ) ln(1 + μ/μ')) leaves a half-space through its front (Fernández 1989, from the same integral)."""
    depth = 60.0
    expected = 0.5 * (1 - ratio * np.log(1 + 1 / ratio))
    assert escape_probability(np.array([depth]), ratio * depth) == pytest.approx(expected, rel=2e-3)


def test_a_thin_layer_lets_everything_escape():
    assert escape_probability(np.array([1e-4]), 1e-4) == pytest.approx(1, abs=2e-3)


def test_escape_lowers_response_and_statistics_above_the_k_edges():
    """Below 33.17 keV nothing escapes. Above, the statistics of absorbed energy are those of I and Cs: M₁² / M₀ M₂ of
    0.83 to 0.90 behind the edges, rising to 0.98 at 100 keV: a K X-ray that leaves takes most of a photon of 40 keV, a
    third of one of 100 keV."""
    energies = np.array([30.0, 40.0, 100.0])
    layer = Scintillator()
    found, whole = scintillator_response(layer, energies), scintillator_response(Scintillator(escape=False), energies)
    absorbed = whole.mean_kev / energies
    statistics = found.mean_kev**2 / found.mean_square_kev2 / absorbed
    assert statistics[0] == pytest.approx(1) and 0.83 < statistics[1] < 0.90 and 0.97 < statistics[2] < 0.995
    assert np.all(found.mean_kev[1:] < whole.mean_kev[1:])


def test_an_ideal_detector_registers_all_energy_and_its_square():
    energies = np.array([20.0, 80.0])
    assert np.array_equal(registered(Detector(), energies).mean_kev, energies)
    assert np.array_equal(registered(Detector(), energies).mean_square_kev2, energies**2)


GRID = AntiscatterGrid(ratio=10, lines_per_cm=40, lead_mm=0.05, interspace="aluminium")


def test_primary_photons_pass_between_lamellae():
    """0.2 of 0.25 mm are open, behind 2 mm of aluminium: 0.8 exp(−0.2778 · 2.699 · 0.2) with NIST's μ/ρ at 60 keV."""
    expected = 0.8 * np.exp(-0.2778 * 2.699 * 0.2)
    assert primary_transmission(GRID, np.array([60.0])) == pytest.approx(expected, rel=2e-3)
    passed = response(Detector(grid=GRID), np.array([60.0]))
    assert passed.mean_kev == pytest.approx(60 * expected, rel=2e-3)
    assert passed.mean_square_kev2 == pytest.approx(3600 * expected, rel=2e-3)


@pytest.mark.parametrize("across", [0.002, 0.03, 0.0995, 0.3, 0.9])
def test_transmission_across_is_the_mean_over_places_of_entry(across):
    """The closed form against a sum over 20 000 places of entry, whose paths through lead are counted."""
    energy = np.array([60.0])
    along = np.sqrt(1 - across**2 - 0.01)
    lead, gap = (
        float(mass_attenuation_cm2_g(name, 60.0)) * rho / 10 for name, rho in (("lead", 11.35), ("aluminium", 2.699))
    )
    moved = GRID.height_mm * across / along
    start = (np.arange(20000) + 0.5) / 20000 * 0.25

    def lead_before(place):
        return np.floor(place / 0.25) * 0.05 + np.minimum(place % 0.25, 0.05)

    through_lead = (lead_before(start + moved) - lead_before(start)) / across
    expected = np.exp(-gap * (GRID.height_mm / along - through_lead) - lead * through_lead).mean()
    assert transmission(GRID, energy, np.array([across]), np.array([along])) == pytest.approx(expected, rel=1e-3)


def test_scatter_passes_less_than_primary_and_less_of_it_a_higher_grid():
    spectrum = preset_spectrum("90kV_Al4.0")
    low, high = (scatter_transmission(AntiscatterGrid(ratio=ratio), spectrum) for ratio in (6, 14))
    assert 0.03 < high < low < 0.25


def test_no_lead_stops_no_scatter():
    """Lamellae as thin as nothing, of an interspace of fibre: what is left is the obliquity through 1.1 mm of it."""
    open_grid = AntiscatterGrid(ratio=5, lines_per_cm=40, lead_mm=1e-6)
    assert scatter_transmission(open_grid, monoenergetic(60.0)) > 0.95


def test_cut_off_is_the_shadow_of_the_lamellae():
    """Focus at 800 instead of 1000 mm, ratio 10: at 100 mm off the middle r c |1/f − 1/D| = 25 % are lost."""
    grid = AntiscatterGrid(ratio=10, focal_distance_mm=800.0)
    loss = 1 - cut_off(grid, view())[5]
    offsets = np.abs(np.arange(160) + 0.5 - 80) * 2.0
    assert loss == pytest.approx(10 * offsets * (1 / 800 - 1 / 1000))
    assert np.all(cut_off(AntiscatterGrid(), view()) == 1)


@pytest.mark.parametrize("pixel_mm", [0.2, 0.3])
def test_the_mtf_of_sine_patterns_is_the_given_one_with_its_aliases(pixel_mm):
    """Presampled, T times the sinc of the pixel; sampled at pixel centres, the sum of its aliases. 24 Gaussians and 81²
    aliases: 0.004."""
    blur = Blur(1.5)
    frequency = np.fft.rfftfreq(128, pixel_mm)
    orders = np.arange(-40, 41) / pixel_mm
    across, along = frequency[:, None, None] + orders[:, None], orders
    aliases = scintillator_mtf(blur, np.hypot(across, along)) * np.sinc(across * pixel_mm) * np.sinc(along * pixel_mm)
    transfer = pixel_transfer(blur, (512, 128), pixel_mm)[0]
    assert transfer[0] == pytest.approx(1, abs=1e-12)
    assert transfer == pytest.approx(aliases.sum(axis=(1, 2)), abs=4e-3)


def test_the_mtf_measured_from_a_slanted_edge_is_the_given_one():
    """As IEC 62220-1: an edge at 2.5°, its profile across it from many rows, differentiated and transformed. The edge's
    pixels hold the part of their area that it leaves free, which is one sinc more of the pixel."""
    pixel_mm, size, blur = 0.2, 400, Blur(0.8)
    slope = np.tan(np.deg2rad(2.5))
    rows, columns = np.mgrid[:size, :size] + 0.5
    distance = columns - size / 2 - slope * (rows - size / 2)
    image = blurred(np.clip(distance + 0.5, 0, 1), blur, pixel_mm)
    place = (distance * np.cos(np.deg2rad(2.5)))[60:-60].ravel()
    bins = np.arange(-60, 60, 0.25)
    profile = np.interp(bins, *_binned(place, image[60:-60].ravel()))
    line = np.diff(profile) * np.hanning(bins.size - 1)
    measured = np.abs(np.fft.rfft(line)) / np.abs(line.sum())
    frequency = np.fft.rfftfreq(line.size, 0.25 * pixel_mm)
    for wanted in (0.4, 0.8, 1.2):
        expected = scintillator_mtf(blur, wanted) * np.sinc(wanted * pixel_mm) ** 2
        assert np.interp(wanted, frequency, measured) == pytest.approx(expected, abs=0.03)


def _binned(place, values):
    number = np.rint(place / 0.25).astype(int)
    low = number.min()
    count = np.bincount(number - low)
    filled = count > 0
    mean = np.bincount(number - low, values)[filled] / count[filled]
    return (np.flatnonzero(filled) + low) * 0.25, mean


def test_a_point_spreads_as_the_bessel_function_of_its_mtf():
    """The two-dimensional transform of 1 / (1 + H f²) is (2π/H) K₀(2π r / √H); beyond two pixels, a pixel hardly
    averages it."""
    pixel_mm, blur = 0.1, Blur(0.5)
    point = np.zeros((201, 201))
    point[100, 100] = 1.0
    spread = blurred(point, blur, pixel_mm)
    radius = np.arange(4, 20) * pixel_mm
    expected = 2 * np.pi * 0.25 * k0(2 * np.pi * radius * 0.5) * pixel_mm**2
    assert spread[100, 104:120] == pytest.approx(expected, rel=0.03)
    assert spread.min() > -1e-15 and spread.sum() == pytest.approx(1, abs=1e-3)


def test_blur_keeps_an_even_image_up_to_its_border():
    assert blurred(np.full((40, 30), 7.0), Blur(1.0), 0.3) == pytest.approx(7.0, rel=1e-6)


def test_glare_neither_makes_nor_takes_light():
    """All of the light of the middle of a large detector is found again on it: a range of 5 mm, edges 128 mm away."""
    image = np.zeros((256, 256))
    image[100:140, 120:150] = 3.0
    assert with_glare(image, Glare(0.2, 5.0), 1.0).sum() == pytest.approx(image.sum(), rel=1e-6)


def test_behind_a_lead_disk_there_is_the_glare_that_seibert_gives():
    """ρ (e^(−R/k) − e^(−F/k)) at the middle of a disk of radius R in a field of radius F."""
    rows, columns = np.mgrid[:401, :401] - 200
    radius = np.hypot(rows, columns) * 0.5
    for disk_mm in (10.0, 25.0):
        image = ((radius > disk_mm) & (radius < 95.0)).astype(float)
        expected = 0.15 * (np.exp(-disk_mm / 20.0) - np.exp(-95.0 / 20.0))
        assert with_glare(image, Glare(0.15, 20.0), 0.5)[200, 200] == pytest.approx(expected, rel=0.02)


def test_lag_gives_all_of_the_signal_back():
    """Two exponentials: the weights are theirs, add up to 1, and are cut off where less than the tolerance is left."""
    lag = Lag(exponentials=((0.7, 0.02), (0.2, 0.01)))
    weights = lag_weights(lag)
    frames = np.arange(1, weights.size)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights[1:] == pytest.approx(0.02 * np.exp(-0.7 * frames) + 0.01 * np.exp(-0.2 * frames))
    rest = sum(b * np.exp(-a * weights.size) / (1 - np.exp(-a)) for a, b in lag.exponentials)
    assert rest < LAG_TOLERANCE


def test_the_signal_of_a_step_builds_up_and_decays():
    """Exposed in frames 0 to 19 and then no more: 1 − what is still to come, then what is left of all of them."""
    detector = Detector(lag=Lag(exponentials=((0.7, 0.1),)))
    weights = lag_weights(detector.lag)
    exposed = [Charge(np.full((2, 2), float(frame < 20)), 1e4) for frame in range(40)]
    image = [float(with_lag(exposed[frame::-1], detector).kev[0, 0]) for frame in range(40)]
    assert image[0] == pytest.approx(weights[0]) and image[19] == pytest.approx(1)
    assert image[20] == pytest.approx(weights[1:].sum()) and image[39] == 0
    first = 0.1 * np.exp(-0.7) / (1 - np.exp(-0.7))
    assert image[20] == pytest.approx(first, abs=LAG_TOLERANCE)


def test_lag_is_of_charge_not_of_exposures():
    """A frame of twice the photons leaves twice the charge to the next, in its own units."""
    detector = Detector(lag=Lag(exponentials=((0.7, 0.1),)))
    weights = lag_weights(detector.lag)
    mixed = with_lag([Charge(np.zeros((1, 1)), 1e4), Charge(np.ones((1, 1)), 2e4)], detector)
    assert mixed.kev[0, 0] == pytest.approx(2 * weights[1]) and mixed.photons_per_pixel == 1e4


def test_gain_has_its_spread_and_a_correction_leaves_its_residual():
    gain = Gain(pixel=0.05, amplifier=0.0, residual=0.002)
    raw, corrected = (gain_map(gain, (400, 512), 3, flag) for flag in (False, True))
    assert raw.std() == pytest.approx(0.05, rel=0.01) and corrected.std() == pytest.approx(0.002, rel=0.01)
    bands = gain_map(Gain(pixel=0.0, amplifier=0.02), (4, 512), 3, False)
    assert len(np.unique(bands)) == 4 and np.ptp(bands[:, :128]) == 0
    assert np.array_equal(raw, gain_map(gain, (400, 512), 3, False))


def test_defects_are_replaced_by_what_lies_around_them():
    """On a plane the mean of symmetrical neighbours is exact; a line is bridged by both sides."""
    gain = Gain(dead_pixels=1e-3, dead_lines=2)
    dead = defects(gain, (300, 200), 5)
    assert dead.all(axis=0).sum() == 1 and dead.all(axis=1).sum() == 1
    assert 20 < dead.sum() - 300 - 200 < 110
    rows, columns = np.mgrid[:300, :200]
    plane = 2.0 * rows + 3.0 * columns + 100
    repaired = without_defects(np.where(dead, np.nan, plane), dead)
    assert np.array_equal(repaired[~dead], plane[~dead])
    assert np.abs(repaired - plane)[dead].max() < 8


def test_readout_noise_has_unit_variance_and_its_correlation_along_rows():
    noise = readout_noise((512, 512), 1, 2)
    row = np.array(READOUT_ROW) / np.linalg.norm(READOUT_ROW)
    assert noise.std() == pytest.approx(1, rel=0.01)
    assert (noise[:, 1:] * noise[:, :-1]).mean() == pytest.approx(np.correlate(row, row, "full")[5], abs=0.01)
    assert abs((noise[1:] * noise[:-1]).mean()) < 0.01


def test_presets_are_in_order_of_their_quality():
    """At 60 keV the ideal one registers all, the panel more than the tube, which is blunter and has more veil."""
    panel, tube = DETECTORS["flat_panel"], DETECTORS["image_intensifier"]
    share = [float(response(d, np.array([60.0])).mean_kev[0]) / 60 for d in (DETECTORS["ideal"], panel, tube)]
    assert share[0] == 1 > share[1] > share[2] > 0.3
    assert panel.blur.half_mtf_per_mm > tube.blur.half_mtf_per_mm and panel.glare.share < tube.glare.share
