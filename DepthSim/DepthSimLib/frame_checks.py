"""What must be true of an endoscopy frame: its geometry fits itself, the frame before, and the input."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from Sim2RealLib.cameras import PIXEL_CENTER_PX, Camera
from Sim2RealLib.dataset.comparison import byte_differences, image_differences
from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.geometry import invert_rigid, transform_points
from Sim2RealLib.recipe import read_recipe, validate

from .channels import GEOMETRY, NO_FLOW, look_channel
from .endoscope.sensor import develop
from .frame_record import EndoscopyRecord, endoscopy_extra, endoscopy_record
from .frames.motion import HIDDEN_MM, HIDDEN_SHARE
from .recipe import EndoscopyRecipe
from .simulation import EndoscopySimulation

UNIT_TOLERANCE = 1e-4
"""Of the length of a normal, stored with 24 bits and normalised by a reciprocal square root of the processor."""

FLOW_TOLERANCE_PX = 0.01
"""Flow is stored with 24 bits and computed again from depths with 24 bits."""

EDGE_SHARE = 0.1
"""Between four neighbouring pixels whose depths differ by more, as a share of the nearest, depth is not interpolated:
there is an edge, or a wall seen at a slant."""

CONTRADICTING_SHARE = 0.02
"""Largest share of the points compared between two frames at which they may contradict each other. Exports of a fisheye
54 to 540 px wide, frames 0.03 to 60 mm apart, made it 0.6 % at most: details narrower than a pixel."""

HIDDEN_OVERLAP = 0.5
"""Smallest overlap (intersection over union) of what is hidden by `hidden` and by depth and poses, away from edges; the
same exports had 87 % and more."""

COMPARED_PIXELS = 40_000
"""About how many pixels of a frame are compared with the frame before, evenly spread."""

FEWEST_COMPARED = 100
"""Points of one frame that another must have in view to be compared: fewer may all lie along the edge of a fold."""

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
        if recipe.is_sequence and "depth" in files and frame.index - 1 in dataset.indices:
            yield from _check_motion(frame, dataset.frame(frame.index - 1), extra.endoscope().camera, rays)

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


def _check_motion(frame: StoredFrame, before: StoredFrame, camera: Camera, rays: np.ndarray) -> Iterator[str]:
    """Depth carried from either frame into the other must not lie in front of what is seen there.

    What lies behind is hidden there, and too large a depth of one frame puts the points of the other in front. Flow and
    `hidden`, where they are stored, are those of depth and poses.
    """
    step = math.ceil(math.sqrt(rays[..., 0].size / COMPARED_PIXELS))
    some = np.s_[::step, ::step]
    depth, earlier_depth = frame.channel("depth"), before.channel("depth")
    now, then = (np.array(endoscopy_record(f).camera.camera_from_world) for f in (frame, before))
    directions, centres = rays[some], camera.pixel_centers()[some]
    carried = _carried(depth[some], directions, then @ invert_rigid(now), camera, earlier_depth)
    back = _carried(earlier_depth[some], directions, now @ invert_rigid(then), camera, depth)
    if "flow" in frame.parsed.files:
        yield from _check_flow(frame.channel("flow")[:, *some], carried, centres)
    for points, origin, target in ((carried, frame, before), (back, before, frame)):
        if np.count_nonzero(points.compared) < FEWEST_COMPARED:
            continue
        in_front = points.compared & (points.there_mm - points.distance_mm > points.margin_mm)
        share = np.count_nonzero(in_front) / np.count_nonzero(points.compared)
        if share > CONTRADICTING_SHARE:
            ratio = np.median(points.there_mm[in_front] / points.distance_mm[in_front]) - 1
            yield (
                f"depth of frame {origin.index}, carried into frame {target.index}, lies in front of the depth there "
                f"at {share:.0%} of the points and differs by {ratio:.1%} (median)"
            )
    if "hidden" in frame.parsed.files:
        yield from _check_hidden(frame.channel("hidden")[some] != 0, carried, camera)


@dataclass(frozen=True, eq=False)
class _Carried:
    """Points of a frame as another frame sees them, (H, W): where in its image (H, W, 2) and how far away, NaN where
    there is none, and the depth that is stored there.

    compared: whether that depth is known, away from edges. margin_mm: how much nearer one thing must be to lie in front
    of another, as where `hidden` is made.
    """

    places_px: np.ndarray
    distance_mm: np.ndarray
    there_mm: np.ndarray
    compared: np.ndarray

    @property
    def margin_mm(self) -> np.ndarray:
        return np.maximum(HIDDEN_MM, HIDDEN_SHARE * self.distance_mm)


def _carried(
    depth: np.ndarray, rays: np.ndarray, other_from_frame: np.ndarray, camera: Camera, other_depth: np.ndarray
) -> _Carried:
    seen = (depth != 0) & np.isfinite(rays[..., 2])
    points = transform_points(other_from_frame, rays[seen] * depth[seen][:, None])
    places, distance = np.full((*depth.shape, 2), np.nan), np.full(depth.shape, np.nan)
    places[seen], distance[seen] = camera.project(points), np.linalg.norm(points, axis=-1)
    return _Carried(places, distance, *_interpolated(other_depth, places))


def _check_flow(flow: np.ndarray, carried: _Carried, centres_px: np.ndarray) -> Iterator[str]:
    imaged, moved = np.isfinite(carried.places_px).all(axis=-1), flow[0] != NO_FLOW
    # At the very end of a camera's model rounding decides.
    if np.mean(imaged != moved) > NOISY_SHARE:
        yield f"flow is not where depth and poses have one: {np.mean(imaged != moved):.1%} of the pixels differ"
    both = imaged & moved
    arrived = centres_px[both] + flow[:, both].T
    if not np.allclose(arrived, carried.places_px[both], rtol=0, atol=FLOW_TOLERANCE_PX):
        yield "flow is not that of depth and poses"


def _check_hidden(hidden: np.ndarray, carried: _Carried, camera: Camera) -> Iterator[str]:
    """`hidden` holds where a point is out of the image or behind what is seen there, and nowhere else."""
    outside = np.isfinite(carried.distance_mm) & ~camera.contains(carried.places_px)
    behind = carried.distance_mm - carried.there_mm > carried.margin_mm
    known = outside | carried.compared
    expected, said = known & (outside | behind), known & hidden
    either, both = np.count_nonzero(expected | said), np.count_nonzero(expected & said)
    if either >= FEWEST_COMPARED and both < HIDDEN_OVERLAP * either:
        yield f"hidden is not that of depth and poses: they overlap by {both / either:.0%}"


def _interpolated(depth: np.ndarray, places_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W) at places (..., 2), between the four pixels around, and where these show one surface."""
    height, width = depth.shape
    position = np.nan_to_num(places_px, nan=-1.0) - PIXEL_CENTER_PX
    low = np.floor(position).astype(int)
    inside = (low >= 0).all(axis=-1) & (low[..., 0] < width - 1) & (low[..., 1] < height - 1)
    column, row = np.clip(low[..., 0], 0, width - 2), np.clip(low[..., 1], 0, height - 2)
    x, y = np.moveaxis(position - low, -1, 0)
    corners = np.stack([depth[row + j, column + i] for j in (0, 1) for i in (0, 1)])
    weights = np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x])
    nearest = corners.min(axis=0)
    smooth = inside & (nearest > 0) & (corners.max(axis=0) <= (1 + EDGE_SHARE) * nearest)
    return np.sum(weights * corners, axis=0), smooth


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
