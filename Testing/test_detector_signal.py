"""The detector signal against exponentials and against a float64 sum over the whole spectrum."""

import numpy as np
import pytest

from DRRSimLib.physics.detector_signal import detector_signal, upload_spectrum
from DRRSimLib.physics.materials import mass_attenuation_cm2_g
from DRRSimLib.physics.spectra import effective_bins, monoenergetic, preset_spectrum
from DRRSimLib.projection.projector import areal_densities
from DRRSimLib.projection.radiograph import Exposure, expose
from DRRSimLib.projection.rays import pixel_rays
from Sim2RealLib.engine import open_backend
from xray_scenes import box_chords, centered, material_volume, scene, view


def signal_behind(spectrum, thickness_g_cm2: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    backend = open_backend("llvm")
    bins = effective_bins(spectrum, list(thickness_g_cm2))
    densities = [backend.arrays.Float(a.astype(np.float32)) for a in thickness_g_cm2.values()]
    return tuple(image.numpy() for image in detector_signal(backend, densities, upload_spectrum(backend, bins)))


@pytest.mark.parametrize("energy_kev", [30.0, 60.0, 100.0])
def test_one_energy_is_attenuated_exponentially(energy_kev):
    """I = E exp(−μ/ρ · A): relative error of the float path at most 1e-5 up to an attenuation of e⁻¹⁰."""
    areal_density = np.linspace(0, 10 / mass_attenuation_cm2_g("water", energy_kev), 500)
    signal, transmission = signal_behind(monoenergetic(energy_kev), {"water": areal_density})
    expected = np.exp(-mass_attenuation_cm2_g("water", energy_kev) * areal_density)
    assert transmission == pytest.approx(expected, rel=1e-5)
    assert signal == pytest.approx(energy_kev * expected, rel=1e-5)


@pytest.mark.parametrize("preset", ["60kV_Al3.5", "90kV_Al4.0", "120kV_Al4.3"])
def test_a_spectrum_is_summed_as_in_double_precision(preset):
    """Few quadrature nodes in float32 on the backend, against every 0.5 keV bin in float64 with numpy."""
    spectrum = preset_spectrum(preset)
    rng = np.random.default_rng(1)
    most_g_cm2 = {"water": 30, "cortical_bone": 8, "titanium": 3}
    layers = {name: rng.uniform(0, most, 400) for name, most in most_g_cm2.items()}
    exponent = sum(
        mass_attenuation_cm2_g(name, spectrum.energies_kev)[:, None] * amount for name, amount in layers.items()
    )
    photons = spectrum.weights[:, None] * np.exp(-exponent)
    signal, transmission = signal_behind(spectrum, layers)
    assert transmission == pytest.approx(photons.sum(axis=0), rel=1e-4)
    assert signal == pytest.approx(spectrum.energies_kev @ photons, rel=1e-4)


def test_the_beam_hardens():
    """The slope of −ln T over thickness falls from the mean of μ towards the μ of the hardest photons."""
    spectrum = preset_spectrum("90kV_Al4.0")
    thickness = np.linspace(0, 40, 81)
    signal, transmission = signal_behind(spectrum, {"water": thickness})
    slope = -np.diff(np.log(signal)) / np.diff(thickness)
    assert np.all(np.diff(slope) < 0)
    mean_energy = signal / transmission
    assert np.all(np.diff(mean_energy) > 0) and mean_energy[0] == pytest.approx(spectrum.mean_energy_kev, rel=1e-4)
    highest = mass_attenuation_cm2_g("water", spectrum.energies_kev[-1])
    first = float(spectrum.weights * spectrum.energies_kev @ mass_attenuation_cm2_g("water", spectrum.energies_kev))
    assert highest < slope[-1] < slope[0] < first / spectrum.mean_energy_kev


def test_a_water_box_is_imaged_as_its_chord_says():
    """The whole chain without noise: HU, packing, rays, spectrum; behind the middle of the box away from its edges."""
    shape = (40, 40, 40)
    affine = centered(shape, np.diag([4.0, 4.0, 4.0, 1.0]))
    one_view = view()
    built = scene(material_volume(np.ones(shape), affine))
    energy_kev = 60.0
    spectrum = upload_spectrum(built.backend, effective_bins(monoenergetic(energy_kev), built.materials))
    image = expose(built, one_view, Exposure(spectrum, noise=None))
    chord_cm = box_chords(one_view, np.eye(4), np.full(3, 80.0)) / 10
    middle = np.s_[30:90, 40:120]
    expected = energy_kev * np.exp(-mass_attenuation_cm2_g("water", energy_kev) * chord_cm)
    # Float32 line integrals of 16 cm: 40 samples, each rounded to 1e-7 of the sum
    assert image[middle] == pytest.approx(expected[middle], rel=1e-5)
    assert image[0, 0] == energy_kev


def test_materials_reach_the_spectrum_in_their_own_order():
    """A titanium plate beside a bone plate: each absorbs as it does alone."""
    shape = (20, 20, 20)
    affine = centered(shape, np.diag([4.0, 4.0, 4.0, 1.0]))
    index = np.ones(shape, np.uint8)
    index[:, :, 10:] = 2
    one_view = view()
    built = scene(material_volume(index, affine, ("air", "cortical_bone", "titanium")))
    spectrum = upload_spectrum(built.backend, effective_bins(monoenergetic(80.0), built.materials))
    image = -np.log(expose(built, one_view, Exposure(spectrum, None)) / 80.0)
    densities = areal_densities(built, one_view, *pixel_rays(built.backend.arrays, one_view.camera))
    for name, density in zip(built.materials, densities, strict=True):
        density = density.numpy().reshape(image.shape)
        alone = density > 5
        for other, others in zip(built.materials, densities, strict=True):
            alone &= (other == name) | (others.numpy().reshape(image.shape) == 0)
        expected = mass_attenuation_cm2_g(name, 80.0) * density
        assert alone.sum() > 200 and image[alone] == pytest.approx(expected[alone], rel=1e-5)
