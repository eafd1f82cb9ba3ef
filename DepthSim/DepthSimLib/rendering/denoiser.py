"""Denoising with Intel Open Image Denoise, guided by noise-free normals and albedo.

The filter is told where edges and texture are by the deterministic surface that a frame's ground truth is made of
(`clean_aux`). It expects pixels whose noise is independent: paths are averaged over each pixel's square alone, without
a wider reconstruction filter.
"""

import numpy as np

from Sim2RealLib.errors import Sim2RealError

MIDDLE_GREY, SQUARE_PX = 0.18, 16
"""Reinhard et al., "Photographic Tone Reproduction for Digital Images", 2002; and the squares that luminance is
averaged over first, so that a few dark pixels do not decide."""


def denoised(radiance: np.ndarray, albedo: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """radiance, normals: (H, W, 3) float32, albedo in [0, 1]; where nothing is seen albedo and normals are 0.

    Sim2RealError where the denoiser is not installed.
    """
    try:
        import mitsuba_oidn
    except ImportError as error:
        raise Sim2RealError(
            "Denoising needs Open Image Denoise: pip install mitsuba-oidn, or set rendering.denoise=false."
        ) from error
    inputs = (np.ascontiguousarray(image, np.float32) for image in (radiance, albedo, normals))
    color, albedo, normals = inputs
    exposure = _exposure(color)
    return mitsuba_oidn.denoise(color, albedo=albedo, normal=normals, hdr=True, clean_aux=True, input_scale=exposure)


def _exposure(radiance: np.ndarray) -> float:
    """The factor that brings the geometric mean of small squares to MIDDLE_GREY, where the filter was trained.

    Its own estimate is alike, but summed in an order that depends on the number of threads.
    """
    luminance = radiance.mean(axis=-1, dtype=np.float64)
    sums, areas = _sums_over_squares(luminance), _sums_over_squares(np.ones_like(luminance))
    lit = sums[sums > 0] / areas[sums > 0]
    return MIDDLE_GREY / float(np.exp(np.log(lit).mean())) if lit.size else 1.0


def _sums_over_squares(image: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(0, side, SQUARE_PX) for side in image.shape)
    return np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
