"""The picture of one pose from coarse to fine, for someone who waits for it.

At once the surface, lit once and small; then light along paths in a quarter and half of the size; then at full size,
with more and more paths, each pass with random numbers of its own, so that the mean of the passes is what one pass of
all their samples would give.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .endoscope.sensor import develop
from .pictures import guides, render, shaded, trace_pictures
from .recipe import MIN_SIDE_PX, Rendering
from .rendering.denoiser import denoised
from .simulation import EndoscopySimulation

COARSE_SHARES = (0.25, 0.5)
"""Of the sides of the full picture."""

PATHS_A_PASS = 2**19
"""As many paths are followed between two pictures: a fraction of a second's work, but at least one a pixel."""

PASS_STREAM = 31
"""Number that keeps the random numbers of passes apart from others of the seed."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """A picture on the way.

    picture: uint8, (h, w, 3) or grey (h, w), of the full size or smaller. radiance: the linear light it shows, of the
        same shape; noisy: before denoising. samples: paths a pixel, 0 where the surface was lit once. share: of the
        work that is done, 1 for the last.
    """

    picture: np.ndarray
    radiance: np.ndarray
    noisy: np.ndarray
    samples: int
    share: float


def refine(simulation: EndoscopySimulation, ras_from_camera: np.ndarray, seed: int = 0) -> Iterator[Refinement]:
    """Pictures of the first look at a pose, rigid 4×4, each better than the one before.

    The last is as `pictures.render` with the recipe's samples: in the synthetic mode equal, in the cinematic of the
    same mean and variance.
    """
    rendering, camera = simulation.recipe.rendering, simulation.endoscope.camera
    shares = [share for share in COARSE_SHARES if share * min(camera.width_px, camera.height_px) >= MIN_SIDE_PX]
    coarse = [simulation.seen_through(simulation.endoscope.scaled(share)) for share in shares]
    if rendering.mode == "synthetic":
        for stage in [*coarse, simulation]:
            yield preview(stage, ras_from_camera)
        yield lit_once(simulation, ras_from_camera)
        return
    for stage in coarse[:1]:
        yield preview(stage, ras_from_camera)
    for stage in coarse:
        first = rendering.model_copy(update={"samples": min(2, rendering.samples)})
        yield from _traced(stage, ras_from_camera, first, seed, last=False)
    yield from _traced(simulation, ras_from_camera, rendering, seed, last=True)


def lit_once(simulation: EndoscopySimulation, ras_from_camera: np.ndarray) -> Refinement:
    """The finished synthetic picture, whatever the recipe's mode."""
    viewpoint, surface = simulation.view(ras_from_camera)
    look, synthetic = simulation.device_look(0, 0), Rendering(mode="synthetic")
    (light,) = render(simulation.medium, viewpoint, surface, [look], synthetic, 0)
    return _developed(simulation, light.radiance, light.noisy, 0, 1.0)


def preview(simulation: EndoscopySimulation, ras_from_camera: np.ndarray) -> Refinement:
    """The quickest picture: the surface in the middle of each pixel, lit once."""
    viewpoint, surface = simulation.view(ras_from_camera)
    light = shaded(simulation.medium, viewpoint, [surface], simulation.device_look(0, 0))
    return _developed(simulation, light, light, 0, 0.0)


def _traced(
    simulation: EndoscopySimulation, ras_from_camera: np.ndarray, rendering: Rendering, seed: int, last: bool
) -> Iterator[Refinement]:
    viewpoint, surface = simulation.view(ras_from_camera)
    look = simulation.device_look(0, 0)
    guide = guides(simulation.medium, viewpoint, surface, look) if rendering.denoise else None
    total, done = np.float32(0.0), 0
    for number, samples in enumerate(_passes(rendering.samples, simulation.rays[..., 0].size)):
        random = np.random.SeedSequence([simulation.recipe.seed, PASS_STREAM, seed, number])
        some = rendering.model_copy(update={"samples": samples})
        (part,) = trace_pictures(simulation.medium, viewpoint, [look], some, int(random.generate_state(1)[0]))
        total, done = total + samples * part, done + samples
        noisy = total / np.float32(done)
        clean = noisy if guide is None else denoised(noisy, *guide)
        yield _developed(simulation, clean, noisy, done, done / rendering.samples if last else 0.0)


def _passes(samples: int, pixels: int) -> Iterator[int]:
    """The samples of each pass: 1, 1, 2, 4 …, as many as all before it, as far as PATHS_A_PASS allows."""
    most, done = max(1, PATHS_A_PASS // pixels), 0
    while done < samples:
        now = min(max(1, done), most, samples - done)
        yield now
        done += now


def _developed(
    simulation: EndoscopySimulation, light: np.ndarray, noisy: np.ndarray, samples: int, share: float
) -> Refinement:
    radiance, noisy = (simulation.toned(part, 0, 0) for part in (light, noisy))
    picture = develop(radiance, simulation.rays, simulation.recipe.sensor, simulation.recipe.seed, 0)
    return Refinement(picture, radiance, noisy, samples, share)
