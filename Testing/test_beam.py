"""The source side: heel effect against SpekPy, filters, blades and focal spot against geometry, dose against sums."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import dblquad

from DRRSimLib.acquisition.carm import CArmDevice, CArmPose, view_from_pose
from DRRSimLib.beam.bow_tie import BowTie, areal_density_g_cm2
from DRRSimLib.beam.collimator import Blades, open_share, penumbra_mm
from DRRSimLib.beam.exposure_control import ExposureControl, controlled_photons, photons_per_mm2_ugy, rqa5
from DRRSimLib.beam.focal_spot import FocalSpot, source_views
from DRRSimLib.beam.heel import Heel, emission_depths, inverse_sines
from DRRSimLib.beam.kerma import dose
from DRRSimLib.physics.detector_signal import detector_signal, upload_spectrum
from DRRSimLib.physics.materials import mass_attenuation_cm2_g
from DRRSimLib.physics.spectra import air_kerma_kev_cm2_g, effective_bins, monoenergetic, spectrum_from_grid
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from xray_scenes import DEVICE, view

SPEKPY = {
    (60.0, 10.0): (
        (-6, 0.8907, 39.24),
        (-4, 0.9511, 38.73),
        (-2, 0.9825, 38.43),
        (4, 1.0133, 37.99),
        (8, 1.0108, 37.86),
    ),
    (90.0, 10.0): (
        (-6, 0.8579, 50.74),
        (-4, 0.9327, 49.88),
        (-2, 0.9745, 49.35),
        (4, 1.0257, 48.55),
        (8, 1.0332, 48.3),
    ),
    (120.0, 10.0): (
        (-6, 0.8136, 59.74),
        (-4, 0.9083, 58.64),
        (-2, 0.9641, 57.93),
        (4, 1.0405, 56.79),
        (8, 1.0585, 56.4),
    ),
    (90.0, 12.0): ((-6, 0.9164, 49.9), (-4, 0.9581, 49.36), (-2, 0.9837, 49.0), (4, 1.0161, 48.39), (8, 1.0192, 48.19)),
}
"""SpekPy 2.5.4, model casim, 4 mm Al, by kV and anode angle: degrees from the central ray towards the cathode, energy
fluence relative to it without the inverse square, mean energy in keV."""


def heel_signal(kvp, anode_deg, x, y, anode="left"):
    """Relative energy and photons at normalised positions; 4 mm of aluminium."""
    backend = open_backend("llvm")
    bins = effective_bins(spectrum_from_grid(kvp, 4.0, anode_angle_deg=anode_deg), (), ("tungsten",))
    spectrum = upload_spectrum(backend, bins, heel_depths=emission_depths(bins.energies_kev, kvp))
    x, y = (backend.arrays.Float(np.float32(np.atleast_1d(value))) for value in (x, y))
    signal, photons = detector_signal(backend, [], spectrum, inverse_sines(backend, Heel(anode), anode_deg, x, y))
    return signal.numpy() / spectrum.open_beam_kev, photons.numpy()


@pytest.mark.parametrize("tube", SPEKPY)
def test_the_heel_effect_is_that_of_spekpy(tube):
    """One fitted depth for all voltages: 3.5 % of the energy, 1 % of its mean, as SpekPy's own angles give them."""
    towards_cathode, energies, means_kev = np.array(SPEKPY[tube]).T
    signal, photons = heel_signal(*tube, -np.tan(np.deg2rad(towards_cathode)), np.zeros(5))
    at_center = heel_signal(*tube, 0.0, 0.0)
    assert at_center[0] == pytest.approx(1, abs=1e-5) and at_center[1] == pytest.approx(1, abs=1e-5)
    assert signal == pytest.approx(energies, rel=0.035)
    mean_kev = spectrum_from_grid(tube[0], 4.0, anode_angle_deg=tube[1]).mean_energy_kev
    # SpekPy's filters differ from ours by 0.2 % of the mean energy: compare with its own on the central ray
    assert signal / photons * mean_kev == pytest.approx(means_kev, rel=0.01)


@pytest.mark.parametrize(("side", "weaker"), [("left", (0, -1)), ("right", (0, 1)), ("up", (-1, 0)), ("down", (1, 0))])
def test_the_image_is_weaker_at_the_side_of_the_anode(side, weaker):
    """Positions are taken from the camera, whose image is mirrored."""
    camera = view().camera
    rows, columns = (
        np.array([60 + 50 * weaker[0], 60 - 50 * weaker[0]]),
        np.array([80 + 50 * weaker[1], 80 - 50 * weaker[1]]),
    )
    x, y = (columns - camera.cx_px) / camera.fx_px, (rows - camera.cy_px) / camera.fy_px
    signal, _ = heel_signal(90.0, 10.0, x, y, side)
    assert signal[0] < 0.95 < signal[1]


def test_a_bow_tie_has_its_profile_along_the_rays():
    camera = view().camera
    bow_tie = BowTie(profile=((0, 1.0), (4, 3.0), (8, 20.0)), material="ptfe")
    density = areal_density_g_cm2(bow_tie, camera)
    angles = np.rad2deg(np.arctan((np.arange(160) + 0.5 - 80) * 2.0 / 1000))
    expected_mm = np.where(np.abs(angles) < 4, 1 + np.abs(angles) / 2, 3 + (np.abs(angles) - 4) * 17 / 4)
    assert density[7] == pytest.approx(np.minimum(expected_mm, 20) * 0.22) and density.shape == (120, 160)
    assert np.array_equal(areal_density_g_cm2(replace(bow_tie, across="vertical"), camera)[:, 3], density[0, 20:140])


def test_blades_have_the_penumbra_of_similar_triangles():
    """Focal spot 1 mm, blades at 200 of 1000 mm: 4 mm on the detector, half of it at the edge of the field."""
    pose = CArmPose(0, 0, (0, 0, 0), 1000.0, 700.0, collimation_mm=(160.0, 100.0))
    one = view_from_pose(CArmDevice("fine", 800, 600, 0.4, 1000.0, 700.0), pose)
    assert penumbra_mm(Blades(distance_mm=200.0), 1.0, 1000.0) == pytest.approx(4.0)
    share = open_share(one, Blades(distance_mm=200.0), (1.0, 0.0))
    row, columns = share[300], (np.arange(800) + 0.5) * 0.4 - 80.0  # mm from the left edge of the field
    assert row == pytest.approx(np.clip(columns / 4 + 0.5, 0, 1) * np.clip((160 - columns) / 4 + 0.5, 0, 1))
    column = share[:, 400]
    assert set(np.unique(column)) <= {0.0, 0.5, 1.0} and column.sum() * 0.4 == pytest.approx(100.0)  # a sharp edge


def test_a_field_as_large_as_the_detector_has_no_edge_on_it():
    assert np.all(open_share(view(), Blades(), (2.0, 2.0)) == 1)


@pytest.mark.parametrize("depth_mm", [300.0, 700.0, 950.0])
def test_the_image_of_a_point_is_as_wide_as_similar_triangles_say(depth_mm):
    """f (D − z) / z wide and even: its variance is a twelfth of the square. Points of the detector plane stay."""
    spot = FocalSpot(0.6, 1.2, points=4)
    one = view()
    ras_from_camera = np.linalg.inv(one.camera_from_ras)
    point = (ras_from_camera @ [12.0, -7.0, depth_mm, 1])[:3]
    on_detector = (ras_from_camera @ [30.0, 20.0, 1000.0, 1])[:3]
    weights, images, fixed = [], [], []
    for weight, moved in source_views(one, spot):
        weights.append(weight)
        images.append(moved.project(point) * DEVICE.pixel_mm)
        fixed.append(moved.project(on_detector))
    mean = np.average(images, axis=0, weights=weights)
    deviation = np.sqrt(np.average((np.array(images) - mean) ** 2, axis=0, weights=weights))
    assert sum(weights) == pytest.approx(1) and mean == pytest.approx(one.project(point) * DEVICE.pixel_mm)
    assert deviation * np.sqrt(12) == pytest.approx(np.array([0.6, 1.2]) * (1000 - depth_mm) / depth_mm)
    assert np.ptp(fixed, axis=0) == pytest.approx(0, abs=1e-9)


def test_air_kerma_of_one_energy_is_fluence_times_energy_times_coefficient():
    """60 keV: NIST's μ_en/ρ of air is 0.03041 cm²/g; 10⁶ photons a pixel of 2 mm at 1000 mm, reference at 550 mm."""
    kerma = np.full((120, 160), float(air_kerma_kev_cm2_g(np.array(60.0))))
    found = dose(view(), 700.0, 1e6, kerma, np.ones((120, 160)))
    gray = 1e6 / 0.2**2 * 60 * 1.602177e-16 * 0.03041 * 1e3  # J/kg: photons a cm² · J · cm²/g · g/kg
    assert found.air_kerma_mgy == pytest.approx(1e3 * gray * (1000 / 550) ** 2, rel=0.01)
    assert found.tube_load_mas is None


def test_the_kerma_area_product_is_kerma_times_area_at_every_distance():
    """The same tube output and cone seen by detectors at 700 and 1400 mm. A small field: area times central kerma."""
    kerma = float(air_kerma_kev_cm2_g(np.array(60.0)))
    found = []
    for distance, size_px in ((700.0, 100), (1400.0, 200)):
        device = CArmDevice("d", size_px, size_px, 0.7, distance, 500.0)
        one = view_from_pose(device, CArmPose(0, 0, (0, 0, 0), distance, 500.0))
        ones = np.ones((size_px, size_px))
        found.append(dose(one, 500.0, 1e6 * (700.0 / distance) ** 2, kerma * ones, ones))
    assert found[0].air_kerma_mgy == pytest.approx(found[1].air_kerma_mgy)
    assert found[0].kerma_area_mgy_cm2 == pytest.approx(found[1].kerma_area_mgy_cm2, rel=1e-4)
    at_detector = found[0].air_kerma_mgy * (350.0 / 700.0) ** 2
    assert found[0].kerma_area_mgy_cm2 == pytest.approx(at_detector * 49.0, rel=2e-3)  # 1 / (1 + r²/D²): 0.17 % less


def test_kerma_falls_with_the_square_of_the_distance_over_a_wide_field():
    """∫ 1 / (1 + x² + y²) over a field of 45° to each side, by another quadrature."""
    device = CArmDevice("wide", 100, 100, 10.0, 500.0, 400.0)
    one = view_from_pose(device, CArmPose(0, 0, (0, 0, 0), 500.0, 400.0))
    ones = np.ones((100, 100))
    wide = dose(one, 400.0, 1e6, ones, ones)
    integral, _ = dblquad(lambda y, x: 1 / (1 + x * x + y * y), -1, 1, -1, 1)
    central_mgy = wide.air_kerma_mgy * (250.0 / 500.0) ** 2
    assert wide.kerma_area_mgy_cm2 == pytest.approx(central_mgy * integral * 50.0**2, rel=1e-4)


def test_tube_output_is_that_of_spekpy():
    """SpekPy 2.5.4: 80 kV, 2.5 mm Al, 12°: 81.98 µGy a mAs at 1 m; 1 mm² pixels there. Ours has the filter of XrayDB
    and no fluorescence in μ_tr: 1.5 %."""
    spectrum = spectrum_from_grid(80.0, 2.5, anode_angle_deg=12.0)
    device = CArmDevice("d", 10, 10, 1.0, 1000.0, 900.0)
    one = view_from_pose(device, CArmPose(0, 0, (0, 0, 0), 1000.0, 900.0))
    kerma = np.full((10, 10), spectrum.weights @ air_kerma_kev_cm2_g(spectrum.energies_kev))
    found = dose(one, 900.0, 1e6, kerma, np.ones((10, 10)), spectrum.photons_per_cm2_mas)
    at_one_metre_ugy = 1e3 * found.air_kerma_mgy * 0.75**2
    assert at_one_metre_ugy / found.tube_load_mas == pytest.approx(81.98, rel=0.015)


def test_rqa5_has_the_photons_of_the_standard():
    """IEC 62220-1: 30 174 photons a mm² and µGy; the tube's own filtration is free within the quality: 4 %."""
    assert photons_per_mm2_ugy(rqa5()) == pytest.approx(30174, rel=0.04)


def test_photons_of_one_energy_a_kerma():
    """60 keV: 10⁻⁶ J/kg / (60 keV · 0.03041 cm²/g) for each cm²; 1 % between μ_en and μ_tr."""
    expected = 1e-6 / (60 * 1.602177e-16 * 0.03041 * 1e3) / 100
    assert photons_per_mm2_ugy(monoenergetic(60.0)) == pytest.approx(expected, rel=0.01)


def test_exposure_control_measures_in_its_field_alone():
    """2 mm pixels, 40 mm × 20 mm field: 20 × 10 pixels in the middle, which hold 3 keV; all else 100."""
    image = np.full((120, 160), 100.0)
    image[55:65, 70:90] = 3.0
    photons = controlled_photons(view(), image, 50.0, ExposureControl(2.0, (40.0, 20.0)))
    assert photons == pytest.approx(2.0 * 50.0 * 4.0 / 3.0)
    with pytest.raises(Sim2RealError, match="no radiation reaches"):
        controlled_photons(view(), np.zeros((120, 160)), 50.0, ExposureControl())


def test_the_new_elements_are_those_of_nist():
    """Hubbell and Seltzer 1995, cm²/g at 60 keV: W 3.713; and at 100 keV 4.438, behind its K edge."""
    assert mass_attenuation_cm2_g("tungsten", np.array([60.0, 100.0])) == pytest.approx([3.713, 4.438], rel=5e-3)
    assert mass_attenuation_cm2_g("gadolinium_oxysulfide", np.array(60.0)) > 9  # Gd 11.75 behind its edge at 50.24 keV
