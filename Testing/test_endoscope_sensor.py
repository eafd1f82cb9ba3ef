"""The sensor, effect by effect, against closed forms."""

import numpy as np
import pytest

from DepthSimLib.endoscope.presets import ENDOSCOPES
from DepthSimLib.endoscope.sensor import (
    FORGOTTEN,
    Meter,
    Sensor,
    develop,
    display,
    lagged_gain,
    meter_reading,
    noisy,
    vignetted,
)
from Sim2RealLib.errors import Sim2RealError

NOISELESS = Sensor(full_well_electrons=None)
RAYS = ENDOSCOPES["olympus_cf_h190l"].scaled(0.25).rays()


def scene() -> np.ndarray:
    """Radiance (135, 180, 3) of a wall that darkens away from the centre."""
    row, column = np.ogrid[:135, :180]
    fall = 1.0 / (1.0 + ((column - 90) ** 2 + (row - 67) ** 2) / 1000.0)
    return (fall[..., None] * [0.8, 0.4, 0.3]).astype(np.float32)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 4.0])
def test_vignetting_is_a_power_of_the_cosine_and_black_behind(exponent):
    angle = np.deg2rad([[0.0, 60.0, 89.0, 95.0, np.nan]])
    light = vignetted(np.ones((1, 5, 3)), np.cos(angle), exponent)
    expected = np.cos(np.deg2rad([0.0, 60.0, 89.0])) ** exponent
    assert light[0, :3, 1] == pytest.approx(expected, rel=1e-6)
    assert light[0, 3].max() == (1.0 if exponent == 0.0 else 0.0)
    assert light[0, 4].max() == 0.0
    assert vignetted(np.ones((1, 5)), np.cos(angle), exponent)[0] == pytest.approx(light[0, :, 0])


def test_the_picture_is_the_gamma_curve_rounded_and_saturated():
    signal = np.array([-0.1, 0.0, 0.5, 1.0, 7.0, 0.2])
    assert display(signal, 1.0).tolist() == [0, 0, 128, 255, 255, 51]
    assert display(signal, 2.2).tolist() == [
        0,
        0,
        round(255 * 0.5 ** (1 / 2.2)),
        255,
        255,
        round(255 * 0.2 ** (1 / 2.2)),
    ]
    assert display(signal, 2.2).dtype == np.uint8


@pytest.mark.parametrize("signal", [0.0, 0.01, 0.3, 1.0])
def test_noise_has_the_mean_and_variance_of_electrons(signal):
    count, full_well, read_noise = 200_000, 4000.0, 15.0
    noise = noisy(np.full(count, signal, np.float32), full_well, read_noise, np.random.default_rng(5))
    variance = signal / full_well + (read_noise / full_well) ** 2
    assert noise.mean() == pytest.approx(signal, abs=5 * np.sqrt(variance / count))
    assert noise.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / count))


def test_the_meter_sees_the_disk_alone():
    image = np.zeros((100, 200))
    row, column = np.ogrid[:100, :200]
    image[np.hypot(column - 99.5, row - 49.5) <= 25.0] = 0.5
    image[:, :40] = 9.0
    meter = Meter(percentile=50.0, disk=0.25)
    assert meter_reading(image, np.ones_like(image, bool), meter) == pytest.approx(0.5)
    colour = image[..., None] * np.array([2.0, 0.5, 0.25])
    luminance = 0.5 * (2.0 * 0.2126 + 0.5 * 0.7152 + 0.25 * 0.0722)
    assert meter_reading(colour.astype(np.float32), np.ones_like(image, bool), meter) == pytest.approx(luminance)
    ramp = np.tile(np.arange(200.0), (100, 1))
    assert meter_reading(ramp, column + 0 * row > 100, Meter(percentile=100.0, disk=0.25)) == 124.0


def test_a_frame_metered_in_darkness_is_refused():
    with pytest.raises(Sim2RealError, match="black where exposure is metered"):
        develop(np.zeros((*RAYS.shape[:2], 3)), RAYS, Sensor(), 0, 0)


def test_automatic_exposure_brings_the_meter_to_its_target_whatever_the_unit():
    meter = Meter(percentile=90.0, target=0.3)
    sensor = Sensor(full_well_electrons=None, meter=meter, gamma=1.0, vignetting=0.0)
    picture = develop(scene(), RAYS, sensor, 0, 0)
    valid = np.isfinite(RAYS[..., 2])
    assert meter_reading((picture / 255).astype(np.float32), valid, meter) == pytest.approx(0.3, abs=1 / 255)
    assert np.array_equal(picture, develop(1024.0 * scene(), RAYS, sensor, 0, 0))


def test_exposure_follows_a_step_as_a_first_order_lag_does():
    meter = Meter(lag_frames=6.0, target=0.35)
    dark, bright = 0.1, 1.6
    for n in (1, 3, 10):
        gain = lagged_gain([dark] * 5 + [bright] * n, meter)
        settled = np.log2(0.35 / bright)
        expected = settled + (np.log2(0.35 / dark) - settled) * np.exp(-n / 6.0)
        assert np.log2(gain) == pytest.approx(expected)
    assert lagged_gain([dark, bright], Meter(target=0.35)) == pytest.approx(0.35 / bright)


def test_no_more_than_the_window_reaches_a_frame():
    meter = Meter(lag_frames=6.0)
    readings = np.random.default_rng(0).uniform(0.1, 2.0, 200).tolist()
    assert meter.window == 28
    assert lagged_gain(readings, meter) == lagged_gain(readings[-29:], meter)
    endless = Meter(lag_frames=6.0)
    value = np.log2(readings[0])
    for reading in readings[1:]:
        value += (1 - np.exp(-1 / 6.0)) * (np.log2(reading) - value)
    assert abs(np.log2(lagged_gain(readings, endless) / endless.target) + value) <= FORGOTTEN * np.log2(20.0)


def test_white_balance_scales_each_colour():
    grey = np.full((*RAYS.shape[:2], 3), 0.25, np.float32)
    sensor = Sensor(full_well_electrons=None, gain=1.0, vignetting=0.0, gamma=1.0, white_balance=(2.0, 1.0, 0.4))
    assert develop(grey, RAYS, sensor, 0, 0)[67, 90].tolist() == [128, 64, 26]


def test_a_frame_is_its_seed_and_index_and_black_outside_the_mask():
    picture = develop(scene(), RAYS, Sensor(), 7, 3)
    assert np.array_equal(picture, develop(scene(), RAYS, Sensor(), 7, 3))
    assert not np.array_equal(picture, develop(scene(), RAYS, Sensor(), 7, 4))
    assert not np.array_equal(picture, develop(scene(), RAYS, Sensor(), 8, 3))
    outside = np.isnan(RAYS[..., 2])
    assert outside.any() and picture[outside].max() == 0
    broken = scene()
    broken[outside] = np.nan  # what a renderer leaves where there is no ray
    assert np.array_equal(picture, develop(broken, RAYS, Sensor(), 7, 3))


def test_grey_radiance_makes_a_grey_picture():
    colour, grey = scene().mean(axis=-1, keepdims=True).repeat(3, axis=-1), scene().mean(axis=-1)
    assert (
        np.abs(develop(grey, RAYS, NOISELESS, 0, 0) - develop(colour, RAYS, NOISELESS, 0, 0)[..., 0].astype(int)).max()
        <= 1
    )


def test_the_default_target_is_that_of_real_frames(real_data):
    from PIL import Image

    readings = []
    for path in sorted((real_data / "endoscopy_frames").glob("*.png")):
        if "mask" not in path.name:
            linear = (np.asarray(Image.open(path).convert("RGB")) / np.float32(255.0)) ** np.float32(2.2)
            readings.append(meter_reading(linear, np.ones(linear.shape[:2], bool), Meter()))
    assert np.median(readings) == pytest.approx(Meter().target, rel=0.1)
