"""The detector's effects in their order, from the photons that its pixels register to the image that is read out.

    quanta are registered     `registered_charge`: signal and quantum noise
    light spreads             blur, glare, loss at the edges
    charge is kept back       `with_lag`
    pixels are read out       `read_out`: gain, electronic noise, dead pixels
    the image is corrected    flat field

Up to the correction an image counts keV in a pixel for one photon that a pixel on the central ray gets in the open
beam: as on a detector, the beam is weaker towards the corners.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d

from ..physics.noise import READOUT_ROW
from .blur import blurred
from .detector import Detector
from .gain import defects, gain_map, without_defects
from .glare import with_glare
from .lag import lag_weights

READOUT_STREAM = 14


@dataclass(frozen=True, eq=False)
class Charge:
    """What a frame leaves in the detector: keV for one photon a pixel on the central ray (H, W), and their number."""

    kev: np.ndarray
    photons_per_pixel: float


def spread(image: np.ndarray, detector: Detector, pixel_mm: float) -> np.ndarray:
    """Registered energy (H, W) after the light has spread; noise, which was there before, spreads with it."""
    if detector.blur is not None:
        image = blurred(image, detector.blur, pixel_mm)
    if detector.glare is not None:
        image = with_glare(image, detector.glare, pixel_mm)
    if detector.edge_loss:
        image = image * (1 - detector.edge_loss * _square_distance(image.shape))
    return image


def with_lag(charges: Sequence[Charge], detector: Detector) -> Charge:
    """The first charge, with what is left of the ones before it: `charges` run back in time."""
    if detector.lag is None:
        return charges[0]
    now = charges[0].photons_per_pixel
    weights = lag_weights(detector.lag)
    kev = sum(
        weight * (charge.photons_per_pixel / now) * charge.kev for weight, charge in zip(weights, charges, strict=False)
    )
    return Charge(kev, now)


def frames_back(detector: Detector) -> int:
    """How many earlier frames can be seen in one."""
    return 0 if detector.lag is None else len(lag_weights(detector.lag)) - 1


def read_out(
    charge: Charge,
    detector: Detector,
    electronic_kev: float,
    open_field: np.ndarray,
    open_kev: float,
    seed: int,
    frame: int,
) -> np.ndarray:
    """The image, float32 (H, W): with a flat-field correction in keV per photon sent towards a pixel.

    electronic_kev: standard deviation of the electronic noise. open_field: the same detector's charge in the open beam,
    without noise (H, W). open_kev: the value that stands for the open beam.
    """
    image = charge.kev
    if detector.gain is not None:
        image = image * gain_map(detector.gain, image.shape, seed, detector.flat_field)
    if electronic_kev > 0:
        image = image + electronic_kev / charge.photons_per_pixel * readout_noise(image.shape, seed, frame)
    if detector.flat_field:
        image = image * (open_kev / open_field)
    if detector.gain is not None:
        dead = defects(detector.gain, image.shape, seed)
        image = without_defects(image, dead) if detector.flat_field else np.where(dead, 0.0, image)
    return image.astype(np.float32)


def readout_noise(shape: tuple[int, int], seed: int, frame: int) -> np.ndarray:
    """Normal noise (H, W) of variance 1, correlated along the rows that are read out together."""
    row = np.array(READOUT_ROW) / np.linalg.norm(READOUT_ROW)
    margin = len(row) // 2
    draws = np.random.default_rng([seed, READOUT_STREAM, frame]).standard_normal((shape[0], shape[1] + 2 * margin))
    return correlate1d(draws, row, axis=1)[:, margin:-margin]


def _square_distance(shape: tuple[int, int]) -> np.ndarray:
    """The square of every pixel's distance from the middle (H, W), 1 in the corners."""
    rows, columns = (np.arange(size) + 0.5 - size / 2 for size in shape)
    return (rows[:, None] ** 2 + columns**2) / ((shape[0] / 2) ** 2 + (shape[1] / 2) ** 2)
