"""What must be true of an endoscopy frame: its geometry fits itself, the frame before, and the input."""

from collections.abc import Callable, Iterator

import numpy as np

from Sim2RealLib.dataset.comparison import byte_differences, image_differences
from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.geometry import invert_rigid, transform_points
from Sim2RealLib.recipe import read_recipe, validate

from .channels import GEOMETRY, NO_FLOW, look_channel
from .endoscope.sensor import develop
from .frame_record import EndoscopyRecord, endoscopy_extra, endoscopy_record
from .recipe import EndoscopyRecipe
from .simulation import EndoscopySimulation

UNIT_TOLERANCE = 1e-4
"""Of the length of a normal, stored with 24 bits and normalised by a reciprocal square root of the processor."""

FLOW_TOLERANCE_PX = 0.01
"""Flow is stored with 24 bits and computed again from depths with 24 bits."""

REPROJECTION_SHARE = 0.02
"""Largest median difference, as a share of the distance, between a point that was seen before and the depth that the
frame before has at its place, interpolated between four pixels."""

NOISY_SHARE = 1e-3
"""Share of pixels of a picture that may differ by more than a grey: a draw of noise on the edge of a step."""

FrameChecks = Callable[[StoredFrame], Iterator[str]]


def frame_checks(dataset: Dataset) -> FrameChecks:
    """Checks of a frame against itself and against the frame before it."""
    recipe = validate(EndoscopyRecipe, read_recipe(dataset.folder / RECIPE_YAML), RECIPE_YAML)
    extra = endoscopy_extra(dataset)
    rays = extra.endoscope().rays()

    def check(frame: StoredFrame) -> Iterator[str]:
        record, files = endoscopy_record(frame), frame.parsed.files
        if extra.camera != record.camera.parameters:
            yield "its camera is not the dataset's"
            return
        if "depth" in files:
            yield from _check_depth(frame, rays)
        if "normals" in files:
            yield from _check_normals(frame, rays)
        if "labels" in files:
            yield from _check_labels(frame, record)
        if {"display", "radiance"} <= files.keys() and not (recipe.is_sequence and recipe.sensor.meter.lag_frames):
            yield from _check_display(frame, rays, recipe)
        if {"flow", "hidden", "depth"} <= files.keys() and frame.index - 1 in dataset.indices:
            yield from _check_motion(frame, dataset.frame(frame.index - 1), record)

    return check


def _check_depth(frame: StoredFrame, rays: np.ndarray) -> Iterator[str]:
    depth = frame.channel("depth")
    seen = depth != 0
    if depth[seen].size and depth[seen].min() < 0:
        yield "depth: negative"
    if np.any(seen & np.isnan(rays[..., 2])):
        yield "depth: where the lens shows nothing"
    if "z_depth" in frame.parsed.files:
        along_axis = np.where(seen, depth * rays[..., 2], 0)
        if not np.allclose(frame.channel("z_depth"), along_axis, rtol=1e-5, atol=1e-4):
            yield "z_depth is not depth along the optical axis"
    if "depth_range" in frame.parsed.files:
        first, last = frame.channel("depth_range")
        if np.any(first[seen] > depth[seen]) or np.any((last != 0) & seen & (last < depth)):
            yield "depth does not lie in its range"


def _check_normals(frame: StoredFrame, rays: np.ndarray) -> Iterator[str]:
    normals = np.moveaxis(frame.channel("normals"), 0, -1)
    seen = np.any(normals != 0, axis=-1)
    if np.any(np.abs(np.linalg.norm(normals[seen], axis=-1) - 1) > UNIT_TOLERANCE):
        yield "normals: not of unit length"
    if np.any(np.sum(normals[seen] * rays[seen], axis=-1) > UNIT_TOLERANCE):
        yield "normals: some look away from the camera"


def _check_labels(frame: StoredFrame, record: EndoscopyRecord) -> Iterator[str]:
    labels, classes = frame.channel("labels"), frame.dataset.header.classes
    counts = np.bincount(labels.ravel(), minlength=256)
    if set(np.flatnonzero(counts)) - {0, *(entry.id for entry in classes)}:
        yield "labels: of no class of the dataset"
    if {entry.name: int(counts[entry.id]) for entry in classes if counts[entry.id]} != record.visible_px:
        yield "visible_px is not what the labels show"


def _check_display(frame: StoredFrame, rays: np.ndarray, recipe: EndoscopyRecipe) -> Iterator[str]:
    for number in range(len(recipe.rendering.looks)):
        name = look_channel("display", number, recipe.rendering)
        radiance = frame.channel(look_channel("radiance", number, recipe.rendering))
        light = np.moveaxis(radiance, 0, -1) if radiance.ndim == 3 else radiance
        picture = develop(light, rays, recipe.sensor, recipe.seed, frame.index)
        expected = np.moveaxis(picture, -1, 0) if picture.ndim == 3 else picture
        # A power of another processor may round a value to the neighbouring grey, or draw a photon more.
        if np.mean(np.abs(expected.astype(int) - frame.channel(name)) > 1) > NOISY_SHARE:
            yield f"{name} is not the radiance as the recipe's sensor shows it"


def _check_motion(frame: StoredFrame, before: StoredFrame, record: EndoscopyRecord) -> Iterator[str]:
    """Points of the frame, carried into the frame before, lie where the flow says and as deep as they were there."""
    camera, earlier = record.lens(), endoscopy_record(before)
    depth, flow, hidden = frame.channel("depth"), frame.channel("flow"), frame.channel("hidden") != 0
    before_from_now = np.array(earlier.camera.camera_from_world) @ invert_rigid(
        np.array(record.camera.camera_from_world)
    )
    centres = camera.pixel_centers()
    points = transform_points(before_from_now, camera.unproject(centres) * depth[..., None])
    places = camera.project(points)
    moved = (flow[0] != NO_FLOW) & np.isfinite(places).all(axis=-1) & (depth != 0)
    if not np.allclose((centres + np.moveaxis(flow, 0, -1))[moved], places[moved], atol=FLOW_TOLERANCE_PX):
        yield "flow is not that of depth and poses"
    if "depth" not in before.parsed.files:
        return
    there, whole = _interpolated(before.channel("depth"), places)
    compared = moved & ~hidden & whole
    if np.count_nonzero(compared) < 100:
        return
    distance = np.linalg.norm(points, axis=-1)[compared]
    difference = float(np.median(np.abs(there[compared] - distance) / distance))
    if difference > REPROJECTION_SHARE:
        yield f"its depth, carried into frame {before.index}, differs by {difference:.1%} from the depth there"


def _interpolated(depth: np.ndarray, places_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W) at places (..., 2), between the four pixels around, and where all four show something."""
    height, width = depth.shape
    position = np.nan_to_num(places_px, nan=-1.0) - 0.5
    low = np.floor(position).astype(int)
    inside = (low >= 0).all(axis=-1) & (low[..., 0] < width - 1) & (low[..., 1] < height - 1)
    column, row = np.clip(low[..., 0], 0, width - 2), np.clip(low[..., 1], 0, height - 2)
    x, y = np.moveaxis(position - low, -1, 0)
    corners = [depth[row + j, column + i] for j in (0, 1) for i in (0, 1)]
    weights = [(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x]
    whole = inside & np.all([corner != 0 for corner in corners], axis=0)
    return sum(weight * corner for weight, corner in zip(weights, corners, strict=True)), whole


def input_checks(dataset: Dataset, simulation: EndoscopySimulation) -> FrameChecks:
    """Checks of a frame against the input: it is made again and compared.

    What the same backend made must be the same bytes; of what another made, geometry the same within
    `comparison.BACKEND_TOLERANCE`. Paths of light are random, and pictures of another backend are not compared.
    """

    def check(frame: StoredFrame) -> Iterator[str]:
        again = simulation.frame(frame.index)
        same_backend = endoscopy_extra(dataset).backend == simulation.header.extra["backend"]
        if same_backend:
            yield from byte_differences(frame, again)
        else:
            yield from image_differences(frame, again, GEOMETRY.keys() & again.channels.keys() - {"labels", "hidden"})

    return check
