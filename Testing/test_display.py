"""The display look-up: fixed, monotone, and the same in every image."""

import numpy as np
import pytest

from DRRSimLib.frames.display import WINDOWS, Polarity, VoiFunction, Window, log_attenuation, to_display


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


def test_a_sigmoid_is_dicoms():
    """PS3.3 C.11.2.1.3.1: y = y_max / (1 + exp(−4 (x − c) / w)), here with centre c = 3 and width w = 4."""
    values = np.array([-50.0, 1.0, 3.0, 4.0, 50.0, np.inf])
    expected = 65535 / (1 + np.exp(-(values - 3.0)))
    shown = to_display(values, Window(1.0, 5.0, VoiFunction.SIGMOID), Polarity.BONE_WHITE, 16)
    np.testing.assert_allclose(shown, expected, atol=0.51)


@pytest.mark.parametrize("name", ["pelvis", "abdomen"])
def test_windows_of_the_trunk_keep_the_thin_and_the_thick_apart(name):
    """From 5 cm of tissue to 50 cm, attenuated by 0.2 to 0.23 a centimetre at 90 kV, each 10 cm show in 8 bits."""
    greys = to_display(np.arange(1.0, 11.1, 2.0, np.float32), WINDOWS[name], Polarity.BONE_WHITE, 8).astype(int)
    assert np.diff(greys).min() >= 2 and greys[0] > 0 and greys[-1] <= 255


def test_attenuation_is_the_logarithm_and_infinite_without_signal():
    attenuation = log_attenuation(np.array([50.0, 50 / np.e, 0.0, -1.0], np.float32), 50.0)
    assert attenuation[:2] == pytest.approx([0, 1], abs=1e-6)
    assert np.isposinf(attenuation[2:]).all()
