"""The image channels of an endoscopy dataset, and how "nothing here" is stored in them."""

import numpy as np

from Sim2RealLib.simulation import Channel

from .recipe import EndoscopyRecipe, Rendering

NO_FLOW = -1e5
"""Pixels; no image is so large."""

GEOMETRY = {
    "depth": Channel("tif", "float32", "mm", "Euclidean length of the ray to where opacity reaches 0.5", invalid=0.0),
    "z_depth": Channel("tif", "float32", "mm", "depth along the optical axis, negative beyond 90°", invalid=0.0),
    "depth_range": Channel(
        "tif", "float32", "mm", "ray lengths where opacity reaches 0.1 and 0.9, a page each", invalid=0.0
    ),
    "normals": Channel(
        "tif", "float32", "1", "unit normal towards the camera, x, y, z of the camera frame, a page each", invalid=0.0
    ),
    "labels": Channel("png", "uint8", "1", "class of the surface; 0 is none", invalid=0.0),
    "flow": Channel(
        "tif",
        "float32",
        "px",
        "way to its place in the frame before, right and down, a page each",
        invalid=NO_FLOW,
    ),
    "hidden": Channel("png", "uint8", "1", "255: hidden or out of view in the frame before", scale=1 / 255),
}

PICTURES = {
    "display": Channel("png", "uint8", "1", "what the screen shows"),
    "radiance": Channel("tif", "float32", "W/(sr mm²) of 1 W/sr", "linear light, denoised where the recipe says so"),
    "noisy_radiance": Channel("tif", "float32", "W/(sr mm²) of 1 W/sr", "linear light as the paths gave it"),
}


def channels_of(recipe: EndoscopyRecipe) -> dict[str, Channel]:
    """The channels that the recipe asks for; each look has pictures of its own."""
    chosen = {}
    for name in recipe.output.channels:
        if name in GEOMETRY:
            chosen[name] = GEOMETRY[name]
            continue
        for number in range(len(recipe.rendering.looks)):
            chosen[look_channel(name, number, recipe.rendering)] = PICTURES[name]
    return chosen


def look_channel(kind: str, number: int, rendering: Rendering) -> str:
    """The channel of a look: those of the first have the plain name, the others their look's behind it."""
    return kind if number == 0 else f"{kind}_{rendering.look_names()[number]}"


def stored(name: str, image: np.ndarray) -> np.ndarray:
    """An image as its channel keeps it: NaN becomes the channel's invalid value, rows lie one after the other."""
    channel = GEOMETRY.get(name)
    if channel is not None and image.dtype.kind == "f":
        image = np.where(np.isfinite(image), image, np.float32(channel.invalid)).astype(np.float32)
    return np.ascontiguousarray(image)
