"""Denoising with Intel Open Image Denoise, guided by noise-free normals and albedo.

The filter is told where edges and texture are by the deterministic surface that a frame's ground truth is made of
(`clean_aux`). It expects pixels whose noise is independent: paths are averaged over each pixel's square alone, without
a wider reconstruction filter.
"""

import numpy as np

from Sim2RealLib.errors import Sim2RealError


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
    return mitsuba_oidn.denoise(color, albedo=albedo, normal=normals, hdr=True, clean_aux=True)
