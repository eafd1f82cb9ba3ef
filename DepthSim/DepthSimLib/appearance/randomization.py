"""Variations of a look, for training images that must not look alike."""

from dataclasses import replace

import numpy as np

from ..endoscope.lights import SPREAD
from .looks import PATTERNS, Look, Mucosa
from .mucosa_texture import TEXEL_MM, TEXELS

LOOK_STREAM = 40
"""Number that keeps looks' random stream apart from others of the seed and frame."""

REACH = 0.25
"""How far to each side of the look's own value a variation goes, as a share of the range."""

IMBALANCE = 0.15
"""By which the intensity of each light varies to each side."""

Range = tuple[float, float]

MUCOSA: dict[str, Range] = {
    "blood_fraction": (0.01, 0.08),
    "oxygenation": (0.5, 0.9),
    "base_absorption_cm": (0.1, 0.6),
    "scattering": (0.7, 1.4),
    "vessels": (0.0, 1.0),
    "vessel_density": (0.0, 1.0),
    "lesion_blood": (1.3, 2.0),
}
SURFACE: dict[str, Range] = {
    "f0": (0.02, 0.035),
    "roughness": (0.05, 0.4),
    "wetness": (0.0, 1.0),
    "gradient_factor": (0.3, 0.9),
    "exponent": (0.5, 2.0),
}
SPREAD_FACTOR: Range = (1.0 / SPREAD, 5.0 / SPREAD)
ANISOTROPY: Range = (0.8, 0.95)
"""Ranges for domain randomisation (assumed, from the spread of published values of mucosa and endoscopes)."""

BY_RATIO = {"blood_fraction", "roughness", "spread_factor"}
"""Values that vary by a factor: their logarithm is drawn."""


def randomised(look: Look, seed: int, index: int) -> Look:
    """The look with everything that varies among patients and endoscopes drawn anew, near its own values.

    A value lies within the published range, and within a quarter of its width from the look's own; one of a preset
    beyond the range moves to its nearer end. Equal seeds and indices draw alike for all looks, which then share the
    place of their texture.
    """
    rng = np.random.default_rng([seed, LOOK_STREAM, index])
    pattern, offset = int(rng.integers(PATTERNS)), rng.uniform(0.0, TEXELS * TEXEL_MM, 3)
    surface = replace(look.surface, **_drawn(look.surface, SURFACE, rng))
    spread = _drawn(look.illumination, {"spread_factor": SPREAD_FACTOR}, rng)
    balance = tuple(factor * rng.uniform(1 - IMBALANCE, 1 + IMBALANCE) for factor in look.illumination.balance)
    illumination = replace(look.illumination, balance=balance, **spread)
    g = _drawn(look, {"g": ANISOTROPY}, rng)["g"]
    tissue = look.tissue
    if isinstance(tissue, Mucosa):
        tissue = replace(tissue, **_drawn(tissue, MUCOSA, rng))
    return Look(tissue, surface, illumination, g, pattern, tuple(offset.tolist()))


def _drawn(section: object, ranges: dict[str, Range], rng: np.random.Generator) -> dict[str, float]:
    drawn = {}
    for name, limits in ranges.items():
        low, high, own = (np.log(v) if name in BY_RATIO else v for v in (*limits, getattr(section, name)))
        own, reach = np.clip(own, low, high), REACH * (high - low)
        value = rng.uniform(max(low, own - reach), min(high, own + reach))
        drawn[name] = float(np.clip(np.exp(value), *limits) if name in BY_RATIO else value)
    return drawn
