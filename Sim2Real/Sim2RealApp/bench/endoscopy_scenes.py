"""The scenes that the endoscopy benchmark renders, and their pictures as paths alone give them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from DepthSimLib.channels import PICTURES
from DepthSimLib.endoscope.lights import OLYMPUS_POSITIONS_MM
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
