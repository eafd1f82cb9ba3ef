"""What the path tracer's approximations change in a picture; a part of `sim2real bench endoscopy`.

Against many collisions with the whole extinction, at the same offset from surfaces. Each mean comes from independent
chunks, whose scatter gives its error; of mean squares the noise's own share is taken off. The peak signal-to-noise
ratio is that of the pictures as displayed, if they had no noise: the mean product of the differences of two independent
halves.
"""

import time
from pathlib import Path

import numpy as np

from DepthSimLib.simulation import EndoscopySimulation

from .endoscopy_scenes import colons, displayed, halves, noisy_picture, open_scene, psnr_db

SIDE_PX, VIEW = 96, 2
CHUNKS, CHUNK_SAMPLES = 16, 64
BLOCK_PX = 8
"""Side of the squares whose means are compared: noise there is an eighth."""
EXACT = {"later_extinction": 1.0, "max_order": 64}
APPROXIMATE = (
    {"later_extinction": 1.0, "max_order": 8},
    {"later_extinction": 0.23, "max_order": 8},
    {"later_extinction": 0.11, "max_order": 8},
)


def approximation_bias(data: Path | None) -> list[str]:
    """Rows of a Markdown table, for the generated colon and, where the data are, for the real one."""
    rows = [
        f"| colon | `later_extinction` | `max_order` | mean of red, green, blue, % "
        f"| root mean square of {BLOCK_PX} × {BLOCK_PX} pixels, % | PSNR, dB | CPU ms a path of all pixels |",
        "|---" * 7 + "|",
    ]
    for title, settings in colons(data).items():
        rows += _bias(title, open_scene("colon_cinematic", settings, ("normal",), SIDE_PX))
    return rows


def _bias(title: str, scene: EndoscopySimulation) -> list[str]:
    exact, exact_s = _chunks(scene, EXACT)
    rows = [f"| {title} | 1 | {EXACT['max_order']} | – | – | – | {1000 * exact_s:.0f} |"]
    metered = exact.mean(axis=0)
    references = displayed(scene, halves(exact), metered)
    for setting in APPROXIMATE:
        found, seconds = _chunks(scene, setting)
        mean = found.mean(axis=(0, 1, 2)) / exact.mean(axis=(0, 1, 2)) - 1.0
        square = _square(found.mean(axis=0) - exact.mean(axis=0)) - _noise(found) - _noise(exact)
        root = np.sqrt(np.maximum(square, 0.0)) / exact.mean(axis=(0, 1, 2))
        error = np.hypot(_relative_error(found), _relative_error(exact))
        means = ", ".join(f"{100 * value:+.1f} ± {100 * doubt:.1f}" for value, doubt in zip(mean, error, strict=True))
        roots = ", ".join(f"{100 * value:.1f}" for value in root)
        psnr = psnr_db(*(displayed(scene, halves(found), metered) - references))
        rows.append(
            f"| {title} | {setting['later_extinction']:g} | {setting['max_order']} | {means} | {roots} | {psnr:.1f} "
            f"| {1000 * seconds:.0f} |"
        )
    return rows


def _chunks(scene: EndoscopySimulation, setting: dict[str, float]) -> tuple[np.ndarray, float]:
    """Pictures (CHUNKS, H, W, 3) of independent paths, and the CPU time of one path of all pixels, s."""
    noisy_picture(scene, VIEW, 0, samples=1, **setting)
    start = time.process_time()
    pictures = [noisy_picture(scene, VIEW, chunk, samples=CHUNK_SAMPLES, **setting) for chunk in range(CHUNKS)]
    seconds = (time.process_time() - start) / (CHUNKS * CHUNK_SAMPLES)
    return np.array(pictures, np.float64), seconds


def _relative_error(chunks: np.ndarray) -> np.ndarray:
    """Standard error of the mean of all pixels over that mean, (3,)."""
    means = chunks.mean(axis=(1, 2))
    return means.std(axis=0, ddof=1) / np.sqrt(len(means)) / means.mean(axis=0)


def _square(picture: np.ndarray) -> np.ndarray:
    """Mean square (3,) of the means of blocks of a picture (H, W, 3)."""
    count = SIDE_PX // BLOCK_PX
    return (picture.reshape(count, BLOCK_PX, count, BLOCK_PX, 3).mean(axis=(1, 3)) ** 2).mean(axis=(0, 1))


def _noise(chunks: np.ndarray) -> np.ndarray:
    """The share of noise in `_square` of the mean of chunks, (3,)."""
    return (chunks.var(axis=0, ddof=1) / len(chunks)).mean(axis=(0, 1)) / BLOCK_PX**2
