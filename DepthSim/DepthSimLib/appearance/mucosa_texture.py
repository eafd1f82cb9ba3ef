"""A tile of mucosa that repeats without a seam: vessels, patches of more and less blood, relief, what covers it, and
the pit pattern of adenomas.

Crypts are 0.1 mm apart, finer than a texel: they are in the roughness of a look, not in the relief. Everything follows
from the seed.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from scipy import fft, ndimage

from .vessels import Vessels, grow_vessels

TEXELS = 1024
TEXEL_MM = 0.08

VESSEL_STREAM, RELIEF_STREAM, MOTTLING_STREAM, PIT_STREAM = 31, 32, 33, 34

VISIBLE_DEPTH_MM = 0.7
"""Depth at which a vessel has lost 1 − 1/e of its contrast (assumed; mucosa transports light about a millimetre)."""

FULL_CONTRAST_MM = 0.25
"""Diameter from which on a vessel at the surface has its full contrast (assumed)."""

RADIUS_CLASSES = 6

RELIEF_MM = (0.5, 1.5, 5.0)
"""Wavelengths of the relief: grooves, areae between them, and the soft undulation of the mucosa (assumed)."""

RELIEF_SLOPES = (0.4, 1.0, 0.9)
"""Share of each in the slope."""

MOTTLING_MM = (3.5, 13.0)
PIT_MM = 0.9
"""From groove to groove on an adenoma: long and branched, as in Kudo's types III L and IV (assumed)."""

POOL_MM = (1.3, 3.0, 7.0, 16.0, 35.0)
"""Wavelengths of the places where fluid gathers, beside hollows of the relief: octaves that weigh as their root, which
frays the edges (assumed)."""

SLOPE_RANGE, MOTTLING_RANGE = 4.0, 3.0
"""Standard deviations that codes of six bits reach to."""


@dataclass(frozen=True, eq=False)
class MucosaTexture:
    """Maps (TEXELS, TEXELS), float32; TEXEL_MM a texel, rows along v, columns along u.

    vessels: 0 to 1, visibility of the vessel there. pits: 1 in the grooves of an adenoma, 0 on the ridges between.
    mottling: standardised. cover: evenly spread over 0 to 1, highest
    where fluid gathers. slope_u, slope_v: of the relief, of unit mean square together.
    """

    vessels: np.ndarray
    pits: np.ndarray
    mottling: np.ndarray
    cover: np.ndarray
    slope_u: np.ndarray
    slope_v: np.ndarray

    @cached_property
    def words(self) -> np.ndarray:
        """The maps in one word a texel, uint32: from the lowest bit vessels 7, pits 1, then 6 bits each for mottling,
        cover and the slopes.

        A code c of n bits is c / (2ⁿ − 1) of the way through the range of its map.
        """
        codes = (
            (_code(self.vessels, 0.0, 1.0, 7), 0),
            (_code(self.pits, 0.0, 1.0, 1), 7),
            (_code(self.mottling, -MOTTLING_RANGE, MOTTLING_RANGE, 6), 8),
            (_code(self.cover, 0.0, 1.0, 6), 14),
            (_code(self.slope_u, -SLOPE_RANGE, SLOPE_RANGE, 6), 20),
            (_code(self.slope_v, -SLOPE_RANGE, SLOPE_RANGE, 6), 26),
        )
        words = np.zeros((TEXELS, TEXELS), np.uint32)
        for code, shift in codes:
            words |= code << np.uint32(shift)
        return words


def _code(values: np.ndarray, low: float, high: float, bits: int) -> np.ndarray:
    steps = 2**bits - 1
    return np.rint(np.clip((values - low) / (high - low), 0.0, 1.0) * steps).astype(np.uint32)


@lru_cache(maxsize=4)
def mucosa_texture(seed: int) -> MucosaTexture:
    """The tile of a seed; kept, as it takes a second or two to make."""
    size_mm = TEXELS * TEXEL_MM
    vessels = vessel_map(grow_vessels(size_mm, np.random.default_rng([seed, VESSEL_STREAM])))
    rng = np.random.default_rng([seed, RELIEF_STREAM])
    layers = [standardised(band_noise(rng, wave)) for wave in RELIEF_MM]
    slopes_u, slopes_v = zip(*(_slopes(layer) for layer in layers), strict=True)
    scales = [
        share / np.sqrt(np.mean(u**2 + v**2)) for share, u, v in zip(RELIEF_SLOPES, slopes_u, slopes_v, strict=True)
    ]
    slope_u = sum(scale * slope for scale, slope in zip(scales, slopes_u, strict=True))
    slope_v = sum(scale * slope for scale, slope in zip(scales, slopes_v, strict=True))
    steepness = np.sqrt(np.mean(slope_u**2 + slope_v**2))
    pool = sum(wave**0.5 * standardised(band_noise(rng, wave)) for wave in POOL_MM) - layers[1] - 2.0 * layers[2]
    rng = np.random.default_rng([seed, MOTTLING_STREAM])
    mottling = sum(standardised(band_noise(rng, wave)) for wave in MOTTLING_MM)
    pits = band_noise(np.random.default_rng([seed, PIT_STREAM]), PIT_MM) > 0.0
    maps = (vessels, pits, standardised(mottling), _ranks(pool), slope_u / steepness, slope_v / steepness)
    return MucosaTexture(*(values.astype(np.float32) for values in maps))


def vessel_map(vessels: Vessels) -> np.ndarray:
    """How visible vessels are, 0 to 1: (TEXELS, TEXELS).

    Wider ones lie deeper: their contrast falls off as exp(−depth / VISIBLE_DEPTH_MM), and light blurs them by half
    their depth.
    """
    edges = np.geomspace(vessels.radii_mm.min(), vessels.radii_mm.max() * 1.001, RADIUS_CLASSES + 1)
    seen = np.zeros((TEXELS, TEXELS))
    for low, high in pairwise(edges):
        chosen = (vessels.radii_mm >= low) & (vessels.radii_mm < high)
        if not chosen.any():
            continue
        radius = float(vessels.radii_mm[chosen].mean())
        depth = vessel_depth_mm(radius)
        contrast = min(1.0, 2.0 * radius / FULL_CONTRAST_MM) * np.exp(-depth / VISIBLE_DEPTH_MM)
        away = _distance_mm(vessels.points_mm[chosen], vessels.offsets_mm[chosen], radius)
        inside = np.clip((radius - away) / TEXEL_MM + 0.5, 0.0, 1.0)
        soft = ndimage.gaussian_filter(inside, 0.5 * depth / TEXEL_MM, mode="wrap")
        seen = np.maximum(seen, contrast * soft / max(soft.max(), 1e-6))
    return seen / seen.max()


def vessel_depth_mm(radius_mm: float) -> float:
    """0.1 mm under the surface for the finest vessels, 0.5 mm for the widest (assumed)."""
    return 0.07 + 1.1 * radius_mm


def _distance_mm(points_mm: np.ndarray, offsets_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    """Distance of every texel from the nearest vessel, exact up to a few texels beyond its radius."""
    along = np.linspace(0.0, 1.0, 4, endpoint=False)[:, None, None]
    centers = (points_mm + along * offsets_mm).reshape(-1, 2)
    reach = int(np.ceil(radius_mm / TEXEL_MM)) + 2
    window = np.arange(-reach, reach + 1)
    base = np.floor(centers / TEXEL_MM).astype(int)
    distance = np.full((TEXELS, TEXELS), np.inf)
    for row in window:
        for column in window:
            texel = base + np.array([row, column])
            far = np.hypot(*((texel + 0.5) * TEXEL_MM - centers).T)
            np.minimum.at(distance, tuple((texel % TEXELS).T), far)
    return distance


def band_noise(rng: np.random.Generator, wave_mm: float) -> np.ndarray:
    """Periodic noise (TEXELS, TEXELS) with wavelengths about wave_mm, half an octave to each side."""
    frequency = np.hypot(fft.fftfreq(TEXELS, TEXEL_MM)[:, None], fft.rfftfreq(TEXELS, TEXEL_MM))
    octaves = np.log2(np.maximum(frequency * wave_mm, 1e-9))
    spectrum = fft.rfft2(rng.standard_normal((TEXELS, TEXELS), dtype=np.float32))
    return fft.irfft2(spectrum * np.exp(-2.0 * octaves**2), s=(TEXELS, TEXELS))


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences along columns and rows, a texel being the unit."""
    return tuple(0.5 * (np.roll(height, -1, axis) - np.roll(height, 1, axis)) for axis in (1, 0))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Values replaced by the share of values below them."""
    order = np.empty(values.size)
    order[np.argsort(values, axis=None)] = np.linspace(0.0, 1.0, values.size)
    return order.reshape(values.shape)
