"""From the light that reaches an endoscope's sensor to the picture on its screen.

Radiance is linear, of any unit, (H, W, 3) red, green and blue or (H, W) grey; the picture is uint8 of the same shape:

    vignetting → exposure → shot and read noise → white balance → gamma → 8 bits

Exposure is automatic unless a gain is given. In a sequence it lags as a scope's does: the gain of frame i follows from
the meter's readings of frames i − `Meter.window` to i, which those frames have whatever was rendered before, so that a
frame depends on the recipe and its index alone. Readings of earlier frames may come from small renderings of them.
"""

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import strict_dataclass

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of linear red, green and blue (ITU-R BT.709)."""

FORGOTTEN = 0.01
"""Share of the gain that a frame outside the window could have had."""

NOISE_STREAM = 20
"""Number that keeps the sensor's random stream apart from others of the seed and frame."""


@strict_dataclass
class Meter:
    """Automatic exposure: the percentile of luminance in a central disk is brought to a target.

    percentile, target: the default is what 30 real gastrointestinal frames of HyperKvasir have in the median, if their
        gamma is 2.2 (0.34; four in five lie between 0.21 and 0.58).
    disk: its radius as a share of the shorter side of the image.
    lag_frames: time constant of the control, e-fold; 0 for none. Scopes take 5 to 10 frames (assumed).
    """

    percentile: float = Field(95.0, gt=0.0, le=100.0)
    target: PositiveFloat = 0.35
    disk: float = Field(0.25, gt=0.0, le=1.0)
    lag_frames: NonNegativeFloat = 0.0

    @property
    def window(self) -> int:
        """How many frames back the exposure reaches."""
        return math.ceil(-self.lag_frames * math.log(FORGOTTEN))


@strict_dataclass
class Sensor:
    """vignetting: k of cos^k θ, θ being the angle of the ray from the optical axis; 0 for none.
    gain: a fixed exposure; None for automatic.
    white_balance: factors of red, green and blue.
    full_well_electrons: electrons at full scale, 10 000 giving 1 % noise there (assumed); None for a noise-free image.
    read_noise_electrons: standard deviation (assumed).
    """

    vignetting: NonNegativeFloat = 1.0
    gain: PositiveFloat | None = None
    meter: Meter = Meter()
    white_balance: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    full_well_electrons: PositiveFloat | None = 10_000.0
    read_noise_electrons: NonNegativeFloat = 5.0
    gamma: PositiveFloat = 2.2


def develop(
    radiance: np.ndarray,
    rays: np.ndarray,
    sensor: Sensor,
    seed: int,
    index: int,
    earlier_readings: Sequence[float] = (),
) -> np.ndarray:
    """The picture of frame `index`, uint8 of the shape of `radiance`; black where the image shows nothing.

    rays: `Endoscope.rays`, (H, W, 3), NaN where the image shows nothing. earlier_readings: of up to `Meter.window`
    frames before this one, oldest first. Sim2RealError if exposure is automatic and the metered disk black.
    """
    valid = np.isfinite(rays[..., 2])
    light = vignetted(radiance, rays[..., 2], sensor.vignetting)
    gain = sensor.gain
    if gain is None:
        gain = lagged_gain((*earlier_readings, meter_reading(light, valid, sensor.meter)), sensor.meter)
    signal = light * np.float32(gain)
    if sensor.full_well_electrons is not None:
        rng = np.random.default_rng([seed, NOISE_STREAM, index])
        signal = noisy(signal, sensor.full_well_electrons, sensor.read_noise_electrons, rng)
    if signal.ndim == 3:
        signal = signal * np.array(sensor.white_balance, np.float32)
    signal[~valid] = 0.0
    return display(signal, sensor.gamma)


def vignetted(radiance: np.ndarray, cosine: np.ndarray, exponent: float) -> np.ndarray:
    """Radiance times cos^k of the angle (H, W) from the optical axis, as in EndoMapper's calibration; float32.

    0 where the cosine is NaN, and from 90° on unless the exponent is 0.
    """
    factor = (np.where(cosine > 0.0, cosine, 0.0) ** exponent).astype(np.float32)
    light = np.asarray(radiance, np.float32) * (factor if radiance.ndim == 2 else factor[..., None])
    light[np.isnan(cosine)] = 0.0
    return light


def meter_reading(light: np.ndarray, valid: np.ndarray, meter: Meter) -> float:
    """The percentile of luminance that the exposure meter sees in the central disk, where `valid` (H, W) holds."""
    luminance = light if light.ndim == 2 else light @ np.array(LUMINANCE, np.float32)
    height, width = luminance.shape
    row, column = np.ogrid[:height, :width]
    disk = np.hypot(column + 0.5 - width / 2, row + 0.5 - height / 2) <= meter.disk * min(height, width)
    metered = luminance[disk & valid]
    reading = float(np.percentile(metered, meter.percentile)) if metered.size else 0.0
    if not 0.0 < reading < np.inf:
        raise Sim2RealError(
            f"The image is black where exposure is metered: the disk's percentile {meter.percentile:g} is {reading:g}. "
            "Give a fixed sensor.gain, or a larger meter.disk or percentile."
        )
    return reading


def metered(radiance: np.ndarray, rays: np.ndarray, sensor: Sensor) -> float:
    """What the exposure meter reads of a frame; arguments as for `develop`."""
    light = vignetted(radiance, rays[..., 2], sensor.vignetting)
    return meter_reading(light, np.isfinite(rays[..., 2]), sensor.meter)


def lagged_gain(readings: Sequence[float], meter: Meter) -> float:
    """The gain that the last of some successive readings, oldest first, ends at.

    A first-order lag of the exposure value: log₂ gain moves by 1 − e^(−1/lag) of its distance to what the reading asks
    for, beginning where the oldest asks.
    """
    wanted = np.log2(meter.target) - np.log2(readings[-meter.window - 1 :])
    step = -math.expm1(-1.0 / meter.lag_frames) if meter.lag_frames > 0.0 else 1.0
    value = wanted[0]
    for goal in wanted[1:]:
        value += step * (goal - value)
    return float(2.0**value)


def noisy(signal: np.ndarray, full_well: float, read_noise: float, rng: np.random.Generator) -> np.ndarray:
    """A signal with shot and read noise, both in electrons: mean s, variance s / full well + (read / full well)²."""
    electrons = rng.poisson(np.maximum(signal, 0.0) * full_well).astype(np.float32)
    electrons += np.float32(read_noise) * rng.standard_normal(signal.shape, np.float32)
    return electrons / np.float32(full_well)


def display(signal: np.ndarray, gamma: float) -> np.ndarray:
    """Linear signal, 1 being white, to 8 bits: 255 s^(1/γ), saturated at both ends and rounded."""
    return np.rint(255.0 * np.clip(signal, 0.0, 1.0) ** (1.0 / gamma)).astype(np.uint8)
