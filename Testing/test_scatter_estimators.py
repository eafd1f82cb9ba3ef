"""Smoothing against functions that splines reproduce, estimators against each other and what they must not do."""

import numpy as np
import pytest

from DRRSimLib.fluoroscope import Fluoroscope
from DRRSimLib.projection.radiograph import expose
from DRRSimLib.recipe import DrrRecipe, Physics
from DRRSimLib.scatter.smoothing import spline_image
from DRRSimLib.scene import exposure_of
from DRRSimLib.simulation import open_simulation
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate

INPUT = {"anatomy": {"kind": "pelvis", "seed": 1, "spacing_mm": 4.0}}
DEVICE = {
    "name": "small",
    "width_px": 96,
    "height_px": 72,
    "pixel_mm": 4.0,
    "source_to_detector_mm": 1200,
    "source_to_isocenter_mm": 800,
}


def pixel_centers(pixels):
    return (np.arange(pixels) + 0.5) / pixels


def test_a_cubic_is_kept_at_any_size():
    def cubic(rows, columns):
        y, x = pixel_centers(rows)[:, None], pixel_centers(columns)
        return 3 + x - 2 * y + x * y**2 - 0.7 * x**3 + y**3

    assert spline_image(cubic(24, 31), 7, (240, 403)) == pytest.approx(cubic(240, 403), abs=1e-9)


def test_white_noise_is_reduced_to_the_share_of_coefficients():
    """A projection on 49 of 24 · 32 dimensions keeps 49/768 of the variance, ± 5 standard errors."""
    noise = np.random.default_rng(5).standard_normal((400, 24, 32))
    kept = np.mean([spline_image(image, 7, image.shape) ** 2 for image in noise])
    assert kept == pytest.approx(49 / 768, rel=5 * np.sqrt(2 / (400 * 49)))


def simulation(**scatter):
    physics = {"scatter": scatter, "noise": {"photons_per_pixel": None}}
    content = {"simulator": "drr", "seed": 4, "input": INPUT, "carm": {"device": DEVICE}, "physics": physics}
    return open_simulation(validate(DrrRecipe, content, "the test"), open_backend())


@pytest.fixture(scope="module")
def primary():
    return simulation().frame(0).channels["intensity"]


@pytest.fixture(scope="module")
def smoothed():
    return simulation(estimator="smoothed_monte_carlo", histories=400_000)


def test_scatter_is_added_to_the_primary_and_smooth(primary, smoothed):
    """More than a third of what arrives behind an adult pelvis without a grid, and without edges: from pixel to pixel
    it changes by a tenth of its mean at most, the primary by more than its own."""
    scatter = smoothed.frame(0).channels["intensity"] - primary
    assert scatter.min() > 0
    assert 0.3 < np.mean(scatter / (scatter + primary)) < 0.9
    assert np.abs(np.diff(scatter, axis=1)).max() < 0.1 * scatter.mean()
    assert np.abs(np.diff(primary, axis=1)).max() > primary.mean()


def test_both_estimators_agree(primary, smoothed):
    """On the mean over blocks of 24 × 24 pixels, within 5 %: each is right to 2 % there."""
    plain = simulation(estimator="monte_carlo", histories=400_000).frame(0).channels["intensity"] - primary
    other = smoothed.frame(0).channels["intensity"] - primary
    blocks = [image.reshape(3, 24, 4, 24).mean(axis=(1, 3)) for image in (plain, other)]
    assert blocks[0] == pytest.approx(blocks[1], rel=0.05)


def test_frames_have_draws_of_their_own_and_keep_them(smoothed):
    estimator = smoothed.exposure.scatter
    view = smoothed.view(0)[1]
    first, again, other = (estimator.image(view, frame).signal for frame in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_live_image_has_scatter_too():
    with_scatter = Physics.model_validate({"scatter": {"estimator": "smoothed_monte_carlo", "histories": 10**7}})
    bare = simulation()
    fluoroscope, pose = Fluoroscope(bare.patient), bare.view(0)[0]
    clean, scattered = (
        fluoroscope.preview(bare.device(0), pose, physics, 64).attenuation for physics in (Physics(), with_scatter)
    )
    assert 0.2 < np.mean(clean - scattered) < 2.0


def test_what_belongs_to_an_estimator_is_refused_without_one():
    with pytest.raises(Sim2RealError, match="choose one"):
        simulation(histories=5000)


def test_without_an_estimator_nothing_is_added():
    bare = simulation()
    view = bare.view(0)[1]
    assert exposure_of(bare.recipe.physics, bare.scene, 4).scatter is None
    assert np.array_equal(expose(bare.scene, view, bare.exposure), bare.frame(0).channels["intensity"])
