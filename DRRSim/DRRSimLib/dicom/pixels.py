"""Stored values of an X-ray image: the logarithm of its signal in 16 bits.

stored = OPEN_BEAM − a / STEP with a = −ln(I / I₀): DICOM's relationship LOG (PS3.3 C.8.7.1.1.2), brighter where more
radiation arrives. 0 is no signal. The range is a = −0.6, more than the noise of an open beam, to 12.5, less than a
photon of a million.
"""

import numpy as np

OPEN_BEAM, STEP = 62500, 0.0002
HIGHEST = 65535
LINEAR_OPEN_BEAM = 32768
"""What the table to linear values gives for the open beam: brighter pixels fit above it."""


def stored_values(attenuation: np.ndarray) -> np.ndarray:
    """uint16 of −ln(I / I₀), which is +inf where there is no signal; what is out of range takes the nearest value."""
    values = np.clip(np.rint(OPEN_BEAM - attenuation / STEP), 1, HIGHEST)
    return np.where(np.isfinite(attenuation), values, 0).astype(np.uint16)


def attenuation_of(stored: np.ndarray) -> np.ndarray:
    """−ln(I / I₀) of stored values, within STEP / 2; +inf where there is no signal."""
    return np.where(stored > 0, (OPEN_BEAM - stored.astype(np.float64)) * STEP, np.inf)


def linear_table() -> np.ndarray:
    """What is proportional to I for every stored value: uint16 (65536,). The standard asks for it beside LOG values."""
    intensity = np.exp(-attenuation_of(np.arange(HIGHEST + 1)))
    return np.rint(LINEAR_OPEN_BEAM * intensity).astype(np.uint16)
