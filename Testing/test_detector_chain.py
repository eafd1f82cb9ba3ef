"""The chain as a whole: what reaches the detector, its noise, corrections, sequences, and what recipes make of it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import CArmDevice
from DRRSimLib.detector.blur import Blur, pixel_transfer
from DRRSimLib.detector.lag import lag_weights
from DRRSimLib.projection.radiograph import expose, register
from DRRSimLib.recipe import DrrRecipe, Physics
from DRRSimLib.scatter.scatter_image import ScatterImage
from DRRSimLib.scene import exposure_of
from DRRSimLib.simulation import open_simulation, simulation_of
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate
from xray_scenes import centered, material_volume, scene, view

DEVICE = {
    "name": "small",
    "width_px": 100,
    "height_px": 80,
    "pixel_mm": 4.0,
    "source_to_detector_mm": 1000.0,
    "source_to_isocenter_mm": 650.0,
}
FLAT_NOISE = {"spectrum": {"monoenergetic_kev": 60.0}, "noise": {"photons_per_pixel": 1e4}}


def exposure(backend_scene, **physics):
    content = {"simulator": "drr", "physics": physics}
    return exposure_of(validate(DrrRecipe, content, "test").physics, backend_scene, seed=3)


@pytest.fixture(scope="module")
def water():
    """A box of water of 16 cm in the middle of the field."""
    shape = (40, 40, 40)
    return scene(material_volume(np.ones(shape), centered(shape, np.diag([4.0, 4.0, 4.0, 1.0]))))


@pytest.fixture(scope="module")
def nothing():
    """A voxel of water beside the beam."""
    ras_from_ijk = np.diag([1.0, 1.0, 1.0, 1.0])
    ras_from_ijk[:3, 3] = 900.0
    return scene(material_volume(np.ones((2, 2, 2)), ras_from_ijk))


@pytest.fixture(scope="module")
def pelvis():
    content = {"simulator": "drr", "input": {"anatomy": {"seed": 3, "spacing_mm": 4.0}}, "carm": {"device": DEVICE}}
    return open_simulation(validate(DrrRecipe, content, "test"), open_backend("llvm"))


def simulation(pelvis, physics, **sections):
    content = {"simulator": "drr", "input": {"anatomy": {"seed": 3, "spacing_mm": 4.0}}, "carm": {"device": DEVICE}}
    content |= {
        "views": {"count": 30, "primary_range_deg": [-10, 10]},
        "output": {"channels": ["intensity"]},
    } | sections
    recipe = validate(DrrRecipe, content | {"physics": physics}, "test")
    return simulation_of(recipe, open_backend("llvm"), pelvis.anatomy, pelvis)


def test_the_ideal_detector_without_noise_is_the_papers(water):
    clean = {"noise": {"photons_per_pixel": None}}
    ideal, paper = (
        expose(water, view(), exposure(water, detector=name, **clean)) for name in ("ideal", "unberath_2018")
    )
    assert np.array_equal(ideal, paper)


def test_quantum_noise_is_that_of_a_compound_poisson_sum(water):
    """Behind water: relative variance Σ w R² / (N (Σ w R)²) of an ideal energy integrator, within four standard errors
    of a variance over 8 frames of 30 × 40 pixels; the mean energy alone would give 4 % less."""
    noisy = exposure(water, detector="ideal", noise={"photons_per_pixel": 1e5})
    clean = replace(noisy, noise=None)
    part = np.s_[45:75, 60:100]
    mean = expose(water, view(), clean)[part].astype(float)
    frames = [expose(water, view(), noisy, frame)[part] / mean - 1 for frame in range(8)]
    registered = register(water, view(), noisy)
    share, fluence = (value.numpy().reshape(120, 160)[part] for value in (registered.share, registered.fluence))
    spectrum, kev = noisy.spectrum, None
    weights, kev = spectrum.weights.numpy().astype(float), spectrum.responses_kev.numpy().astype(float)
    passed = weights * np.exp2(spectrum.exponents.numpy().astype(float) * 16.0)  # g/cm² of water, nearly
    expected = (passed @ kev**2) / (passed @ kev) ** 2
    assert 1 / share.mean() == pytest.approx(expected, rel=0.02)
    variance = np.mean(np.square(frames) * (1e5 * fluence * share))
    assert variance == pytest.approx(1, abs=4 * np.sqrt(2 / (8 * 1200)))


def test_the_noise_power_spectrum_is_the_square_of_the_transfer(nothing):
    """Quanta are counted first and then spread with the signal: NPS(f) = |T(f)|² σ². Bands of 32 · 16 · 12 values."""
    device = CArmDevice("fine", 256, 256, 0.3, 5000.0, 3000.0)  # far away: fluence even to 0.2 %
    model = {"blur": {"half_mtf_per_mm": 1.2}, "noise_crosstalk": False}
    noisy = exposure(nothing, detector=model, **FLAT_NOISE)
    images = [expose(nothing, view(device=device), noisy, frame) for frame in range(12)]
    power = np.mean([np.abs(np.fft.rfft2(image - image.mean())) ** 2 for image in images], axis=0)[:, :128] / 256**2
    transfer = pixel_transfer(Blur(1.2), (256, 256), 0.3)[:, :128] ** 2
    bands = (power / (transfer * 60.0**2 / 1e4)).reshape(8, 32, 8, 16).mean(axis=(1, 3))
    assert np.abs(np.delete(bands.ravel(), 0) - 1).max() < 5 / np.sqrt(32 * 16 * 12)


@pytest.mark.parametrize("effects", [{"heel": {"anode": "up"}}, {"bow_tie": {"profile": [[0, 1], [8, 15]]}}])
def test_a_flat_field_correction_flattens_the_open_beam_and_not_its_noise(nothing, effects):
    corrected = exposure(nothing, beam=effects, noise={"photons_per_pixel": None})
    assert expose(nothing, view(), corrected) == pytest.approx(corrected.spectrum.open_beam_kev, rel=1e-5)
    raw = exposure(nothing, beam=effects, detector={"flat_field": False}, noise={"photons_per_pixel": None})
    image = expose(nothing, view(), raw)
    assert image.max() / image.min() > 1.15 and image[60, 80] == pytest.approx(raw.spectrum.open_beam_kev, rel=0.015)
    noisy = exposure(nothing, beam=effects, noise={"photons_per_pixel": 1e4})
    frames = np.array([expose(nothing, view(), noisy, frame) for frame in range(40)])
    weak = image < np.quantile(image, 0.2)
    ratio = frames[:, weak].var() / frames[:, image > np.quantile(image, 0.8)].var()
    assert ratio == pytest.approx(1 / (image[weak].mean() / image[image > np.quantile(image, 0.8)].mean()), rel=0.15)


def test_without_correction_the_beam_falls_off_to_the_corners(nothing):
    """(1 + r²/D²)^(−3/2): inverse square, and the cosine of incidence."""
    raw = exposure(nothing, detector={"flat_field": False}, **FLAT_NOISE | {"noise": {"photons_per_pixel": None}})
    rows, columns = np.mgrid[:120, :160] + 0.5
    square = ((columns - 80) ** 2 + (rows - 60) ** 2) * 4 / 1e6
    assert expose(nothing, view(), raw) == pytest.approx(60.0 * (1 + square) ** -1.5, rel=1e-5)


def test_blades_of_lead_let_through_what_lead_does(nothing):
    """1 mm of lead at 100 keV: exp(−5.549 · 11.35 · 0.1) by NIST, and all of the beam beside."""
    thin = exposure(
        nothing,
        spectrum={"monoenergetic_kev": 100.0},
        beam={"blades": {"lead_mm": 1.0}},
        noise={"photons_per_pixel": None},
    )
    closed = replace(view(), open_field_px=(40.0, 30.0, 120.0, 90.0))
    image = expose(nothing, closed, thin) / 100.0
    assert image[60, 80] == pytest.approx(1) and image[10, 10] == pytest.approx(np.exp(-5.549 * 1.135), rel=0.03)


@dataclass(frozen=True)
class Given:
    """The same scatter in every view."""

    scatter: ScatterImage

    def image(self, view, frame):
        return self.scatter


def with_scatter(exposure, scatter):
    return replace(exposure, scatter=Given(scatter))


def test_scatter_passes_the_grid_apart_from_the_primary(nothing):
    physics = FLAT_NOISE | {"noise": {"photons_per_pixel": None}}
    gridded = exposure(nothing, detector={"grid": {"ratio": 10}}, **physics)
    free = exposure(nothing, detector="ideal", **physics)
    shape = (120, 160)
    scatter = ScatterImage(np.full(shape, 20.0, np.float32), np.full(shape, 0.4, np.float32))
    primary, both = (expose(nothing, view(), each) for each in (gridded, with_scatter(gridded, scatter)))
    assert primary == pytest.approx(gridded.spectrum.open_beam_kev, rel=1e-5) and primary[0, 0] < 0.9 * 60
    assert both - primary == pytest.approx(20.0 * gridded.scatter_transmission, rel=1e-3)
    assert expose(nothing, view(), with_scatter(free, scatter)) == pytest.approx(80.0, rel=1e-5)


def test_scatter_falls_behind_blades_where_nothing_else_does(nothing):
    closed = replace(view(), open_field_px=(40.0, 30.0, 120.0, 90.0))
    scatter = ScatterImage(np.full((120, 160), 20.0, np.float32), np.full((120, 160), 0.4, np.float32))
    clean = FLAT_NOISE | {"noise": {"photons_per_pixel": None}}
    image = expose(nothing, closed, with_scatter(exposure(nothing, detector="ideal", **clean), scatter))
    assert image[60, 80] == pytest.approx(80.0) and image[10, 10] == pytest.approx(20.0)


def test_scatter_has_noise_of_its_own(nothing):
    """60 keV primary and 0.4 photons of 50 keV for each: variance 60² + 0.4 · 50² over N, five standard errors."""
    noisy = exposure(nothing, detector="ideal", **FLAT_NOISE)
    shape = (120, 160)
    scatter = ScatterImage(np.full(shape, 20.0, np.float32), np.full(shape, 0.4, np.float32))
    images = np.array([expose(nothing, view(), with_scatter(noisy, scatter), frame) for frame in range(8)], float)
    middle = images[:, 40:80, 60:100] - 80.0
    assert middle.var() == pytest.approx((3600 + 1000) / 1e4, rel=5 * np.sqrt(2 / middle.size))


def test_exposure_control_brings_every_view_to_its_target(pelvis):
    controlled = simulation(pelvis, {"beam": {"exposure_control": {"detector_ugy": 1.5}}, "detector": "flat_panel"})
    photons = []
    for index in (0, 1):
        record = controlled.frame(index).record["exposure"]
        photons.append(record["photons_per_pixel"])
        assert record["detector_ugy"] == pytest.approx(1.5, rel=1e-6)
        assert record["kvp"] == 90.0 and record["tube_load_mas"] > 0
        assert 0.01 < record["air_kerma_mgy"] < 20 and 1 < record["kerma_area_mgy_cm2"] < 5000
    assert photons[0] != photons[1]


def test_dose_is_recorded_in_proportion_to_photons_and_field(pelvis):
    records = [
        simulation(pelvis, {"noise": {"photons_per_pixel": photons}}, views=views).frame(0).record["exposure"]
        for photons, views in ((1e5, {}), (2e5, {}), (1e5, {"collimation_mm": [200, 160]}))
    ]
    for name in ("air_kerma_mgy", "kerma_area_mgy_cm2", "tube_load_mas"):
        assert records[1][name] == pytest.approx(2 * records[0][name])
    assert records[2]["air_kerma_mgy"] == records[0]["air_kerma_mgy"]
    area = records[2]["kerma_area_mgy_cm2"] / records[0]["kerma_area_mgy_cm2"]
    assert area == pytest.approx(0.25, rel=0.05)  # a quarter of the detector, its middle
    assert "exposure" not in simulation(pelvis, {"noise": {"photons_per_pixel": None}}).frame(0).record


def test_a_frame_with_lag_is_the_same_alone_and_in_a_series(pelvis):
    """And what its weights make of the frames that the same views have without lag, with the same noise."""
    physics = {"detector": {"lag": {"exponentials": [[0.7, 0.1]]}}}
    alone, series = simulation(pelvis, physics), simulation(pelvis, physics)
    images = [series.frame(index).channels["intensity"] for index in range(6)]
    assert np.array_equal(alone.frame(5).channels["intensity"], images[5])
    without = simulation(pelvis, {"detector": "ideal"})
    weights = lag_weights(series.exposure.detector.lag)[:6]
    expected = sum(weight * without.frame(5 - age).channels["intensity"] for age, weight in enumerate(weights))
    assert images[5] == pytest.approx(expected, rel=1e-4)
    assert not np.allclose(images[5], without.frame(5).channels["intensity"], rtol=0.01)


def test_settings_that_would_have_no_effect_are_refused(pelvis):
    crosstalk = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    for physics, message in (
        ({"detector": "flat_panel", "noise": {"crosstalk": crosstalk}}, "crosstalk has no effect with this detector"),
        ({"beam": {"heel": {}}, "spectrum": {"monoenergetic_kev": 60}}, "heel needs a tube"),
        ({"detector": {"noise_crosstalk": True, "blur": {"half_mtf_per_mm": 1}}}, "leave out blur"),
        ({"detector": "film"}, "must be one of ideal, unberath_2018, flat_panel, image_intensifier"),
        ({"detector": {"lag": {"exponentials": [[0.02, 0.001]]}}}, "lasts for more than 64 frames"),
        ({"beam": {"bow_tie": {"profile": [[5, 1], [2, 3]]}}}, "must ascend"),
    ):
        with pytest.raises(Sim2RealError, match=message):
            simulation(pelvis, physics)


def test_physics_can_be_told_apart():
    """Exposures are kept by their physics: equal sections must be equal keys."""
    assert hash(Physics()) == hash(Physics()) and Physics() != Physics(detector="ideal")
