"""The display look-up: fixed, monotone, and the same in every image."""

import numpy as np
import pytest

from DRRSimLib.frames.display import Polarity, Window, log_attenuation, to_display


def test_grey_depends_on_the_attenuation_alone():
    """The same value is the same grey whatever else is in the image, unlike with per-image scaling."""
    window = Window(1.0, 5.0)
    dark, bright = (to_display(np.array([[3.0, other]]), window, Polarity.BONE_WHITE, 8) for other in (0.0, 100.0))
    assert dark[0, 0] == bright[0, 0] == 128


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_window_ends_and_polarity(bits, dtype):
    values = np.array([0.0, 1.0, 2.0, 5.0, np.inf])
    white = to_display(values, Window(1.0, 5.0), Polarity.BONE_WHITE, bits)
    top = 2**bits - 1
    assert white.dtype == dtype and white.tolist() == [0, 0, round(top / 4), top, top]
    assert to_display(values, Window(1.0, 5.0), Polarity.BONE_DARK, bits).tolist() == [
        top,
        top,
        round(top * 3 / 4),
        0,
        0,
    ]


def test_attenuation_is_the_logarithm_and_infinite_without_signal():
    attenuation = log_attenuation(np.array([50.0, 50 / np.e, 0.0, -1.0], np.float32), 50.0)
    assert attenuation[:2] == pytest.approx([0, 1], abs=1e-6)
    assert np.isposinf(attenuation[2:]).all()
