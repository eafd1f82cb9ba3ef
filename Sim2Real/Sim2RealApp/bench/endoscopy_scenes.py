"""The scenes that the endoscopy benchmark renders, and their pictures as paths alone give them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from DepthSimLib.channels import PICTURES
from DepthSimLib.endoscope.lights import OLYMPUS_POSITIONS_MM
from DepthSimLib.endoscope.sensor import display, meter_reading
from DepthSimLib.simulation import EndoscopySimulation
from Sim2RealLib.resources import resource_path

from ..simulators import load_recipe, open_recipe

HALF_FOV_DEG = 60.0
CHANNELS = "display, radiance, depth, z_depth, depth_range, normals, labels"
CHUNK_SEED = 1_000_000
"""Seeds of chunks of paths are counted from here, away from those of recipes."""


def colons(data: Path | None) -> dict[str, tuple[str, ...]]:
    """Settings that enter the generated colon and, where the data are, the real one."""
    inputs: dict[str, tuple[str, ...]] = {"generated, 1 mm voxels": ()}
    if data is not None:
        inputs["real, 1 mm voxels"] = (f"input.volume={data / 'colon' / 'pseudo_ct.nii.gz'}",)
    return inputs


def open_scene(recipe: str, settings: tuple[str, ...], looks: tuple[str, ...], side_px: int) -> EndoscopySimulation:
    """A recipe of the extension, seen by a square pinhole of 120° with three lights."""
    focal, middle = side_px / 2 / np.tan(np.deg2rad(HALF_FOV_DEG)), side_px / 2
    center = f"fx_px: {focal}, fy_px: {focal}, cx_px: {middle}, cy_px: {middle}"
    camera = f"{{model: pinhole, {center}, width_px: {side_px}, height_px: {side_px}}}"
    positions = (f"{{position_mm: {list(position)}}}" for position in OLYMPUS_POSITIONS_MM)
    chosen = (
        f"endoscope.device={{camera: {camera}, lights: [{', '.join(positions)}]}}",
        "endoscope.scale=1",
        f"rendering.looks=[{', '.join(looks)}]",
        f"output.channels=[{CHANNELS}]",
    )
    return open_recipe(load_recipe(resource_path(f"Recipes/{recipe}.yaml"), (*settings, *chosen)), "auto")


def noisy_picture(scene: EndoscopySimulation, index: int, chunk: int, **rendering: Any) -> np.ndarray:
    """Frame `index`, (H, W, 3), with changes to the recipe's rendering and other paths for every chunk."""
    changed = scene.recipe.rendering.model_copy(update={"denoise": False, **rendering})
    recipe = scene.recipe.model_copy(update={"seed": CHUNK_SEED + chunk, "rendering": changed})
    header = replace(scene.header, channels={"noisy_radiance": PICTURES["noisy_radiance"]})
    return np.moveaxis(replace(scene, recipe=recipe, header=header).frame(index).channels["noisy_radiance"], 0, -1)


def halves(chunks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Two pictures of independent paths: the means of every other chunk."""
    return [np.mean(chunks[first::2], axis=0) for first in (0, 1)]


def displayed(scene: EndoscopySimulation, pictures: Sequence[np.ndarray], metered: np.ndarray) -> np.ndarray:
    """Linear pictures (N, H, W, 3) in levels of a screen, 0 to 255, exposed as `metered` (H, W, 3) would be."""
    sensor = scene.recipe.sensor
    gain = sensor.meter.target / meter_reading(metered, np.ones(metered.shape[:2], bool), sensor.meter)
    return np.array([display(picture * gain, sensor.gamma) for picture in pictures], np.float64)


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio from two estimates of the error of a picture, in levels, of independent noise.

    The mean of their product is the squared error without that noise, which fireflies would let outweigh it. Infinite
    where no error is left.
    """
    error = np.mean(one * other)
    return float(10.0 * np.log10(255.0**2 / error)) if error > 0.0 else float("inf")
