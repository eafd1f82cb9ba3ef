"""Spread of light in the scintillator: the MTF.

T(f) = 1 / (1 + H f²) describes the MTF of scintillating screens (Siewerdsen et al. 1997, Med. Phys. 24:71). With
H = 1/f₅₀², f₅₀ is the frequency at which it is one half. Since 1 / (1 + H f²) = ∫ exp(−t) exp(−t H f²) dt, the spread
is a mixture of Gaussians of σ² = t H / 2π², here those of a Gauss–Laguerre quadrature. A Gaussian's integral over a
pixel is known, so that the spread is one of light from a pixel's centre integrated over pixels: no value becomes
negative, none is lost, and the presampled MTF is T times the sinc of the pixel.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.special import erf

from Sim2RealLib.recipe import strict_dataclass

GAUSSIANS = 24
"""Of the mixture; T is then right to 0.002 up to H f² = 25."""

REACH_SIGMAS = 8.0
"""How far light is followed, in units of σ at t = 1; 10⁻⁴ of it goes farther."""


@strict_dataclass
class Blur:
    """half_mtf_per_mm: f₅₀, in line pairs a mm at the detector."""

    half_mtf_per_mm: Annotated[float, Field(ge=0.05, le=100)]

    @property
    def sigma_mm(self) -> float:
        """Of the Gaussian at t = 1."""
        return 1 / (self.half_mtf_per_mm * np.pi * np.sqrt(2))


def scintillator_mtf(blur: Blur, frequency_per_mm: np.ndarray) -> np.ndarray:
    return 1 / (1 + (np.asarray(frequency_per_mm) / blur.half_mtf_per_mm) ** 2)


def blurred(image: np.ndarray, blur: Blur, pixel_mm: float) -> np.ndarray:
    """`image` (H, W) with its light spread, float64; beyond the edges it goes on as at them."""
    margin = int(np.ceil(REACH_SIGMAS * blur.sigma_mm / pixel_mm))
    padded = np.pad(image.astype(np.float64), margin, mode="edge")
    spread = filtered(padded, lambda shape: pixel_transfer(blur, shape, pixel_mm))
    return spread[margin : margin + image.shape[0], margin : margin + image.shape[1]]


def filtered(image: np.ndarray, transfer: Callable[[tuple[int, int]], np.ndarray]) -> np.ndarray:
    """`image` times a transfer function in the frequency domain; outside it there is nothing.

    transfer: makes the function of a half spectrum, as `scipy.fft.rfft2` gives it, for an image of a shape.
    """
    shape = tuple(next_fast_len(size, real=True) for size in image.shape)
    return irfft2(rfft2(image, shape) * transfer(shape), shape)[: image.shape[0], : image.shape[1]]


def pixel_transfer(blur: Blur, shape: tuple[int, int], pixel_mm: float) -> np.ndarray:
    """Transfer function from light at pixel centres to pixels, for an image of `shape` that repeats itself."""
    nodes, weights = np.polynomial.laguerre.laggauss(GAUSSIANS)
    total = np.zeros((shape[0], shape[1] // 2 + 1))
    for node, weight in zip(nodes, weights, strict=True):
        sigma_px = np.sqrt(node) * blur.sigma_mm / pixel_mm
        rows, columns = (_gaussian_transfer(sigma_px, size) for size in shape)
        total += weight * rows[:, None] * columns[: shape[1] // 2 + 1]
    return total


def _gaussian_transfer(sigma_px: float, size: int) -> np.ndarray:
    """Discrete Fourier transform, real, of a Gaussian integrated over pixels."""
    edges = np.arange(-(size // 2), size - size // 2 + 1) - 0.5
    edges[0], edges[-1] = -np.inf, np.inf
    share = np.diff(erf(edges / (sigma_px * np.sqrt(2)))) / 2
    return np.fft.fft(np.fft.ifftshift(share)).real
