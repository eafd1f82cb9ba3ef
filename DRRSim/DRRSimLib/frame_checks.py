"""What must be true of an X-ray frame: labels follow from geometry, images from each other and from the input."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from scipy.ndimage import maximum_filter

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.dataset.comparison import byte_differences, image_differences
from Sim2RealLib.dataset.layout import RECIPE_YAML
from Sim2RealLib.dataset.masks import decode_mask
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.geometry import transform_points
from Sim2RealLib.recipe import read_recipe, validate
from Sim2RealLib.simulation import Frame

from .acquisition.carm import view_from_pose
from .frame_record import DrrExtra, DrrRecord, PointRecord, Triple, drr_extra, drr_record
from .frames.display import log_attenuation, to_display
from .frames.frame_labels import heatmaps
from .recipe import DrrRecipe
from .simulation import DrrSimulation, thickness_channel

POSITION_TOLERANCE_PX = 1e-6
"""Positions are stored with 16 digits; what is computed again from them differs in the last few."""

DIRECTION_TOLERANCE = 1e-9
"""The same of unit vectors."""

VOXELS_A_LABEL = 200
"""Voxels of each label whose projection is looked up in its mask."""

BACKEND_MASK_OVERLAP = 0.99
"""Intersection over union of the same mask from two backends, a pixel at the rim of a small one aside."""

FrameChecks = Callable[[StoredFrame], Iterator[str]]


def frame_checks(dataset: Dataset) -> FrameChecks:
    """Checks of a frame against its own geometry: camera from the C-arm's angles, landmarks and tools from the world,
    display from intensity, thickness from masks."""
    recipe = validate(DrrRecipe, read_recipe(dataset.folder / RECIPE_YAML), RECIPE_YAML)
    extra = drr_extra(dataset)

    def check(frame: StoredFrame) -> Iterator[str]:
        record = drr_record(frame)
        yield from _check_camera(frame.index, record, recipe)
        yield from _check_landmarks(record, extra)
        yield from _check_tools(record, extra, {entry.name: entry.id for entry in dataset.header.classes})
        if "intensity" in frame.parsed.files:
            yield from _check_derived(frame, recipe, extra.open_beam_kev)
        if "heatmaps" in frame.parsed.files:
            yield from _check_heatmaps(frame, recipe)
        for entry in frame.dataset.header.classes:
            if thickness_channel(entry.name) in frame.parsed.files:
                yield from _check_thickness(frame, entry.id, entry.name)

    return check


def _check_camera(index: int, record: DrrRecord, recipe: DrrRecipe) -> Iterator[str]:
    carm, planes = record.carm, recipe.carm.planes()
    exposure, plane = divmod(index, len(planes))
    if (carm.device, carm.exposure) != (planes[plane].name, exposure):
        yield f"it is exposure {carm.exposure} of {carm.device}, not {exposure} of {planes[plane].name}"
    pose = carm.pose(planes[plane])
    view = view_from_pose(planes[plane], pose)
    if carm.angles != pose.words:
        yield f"the angles in words are {carm.angles}, not {pose.words}"
    stored = record.camera
    if not np.allclose(stored.camera_from_world, view.camera_from_ras, rtol=0, atol=1e-9 * carm.source_to_detector_mm):
        yield "camera_from_world is not that of the C-arm's angles"
    if not np.allclose(stored.matrix, view.camera.matrix, rtol=1e-12):
        yield "the camera matrix is not that of the C-arm's distances"


def _check_landmarks(record: DrrRecord, extra: DrrExtra) -> Iterator[str]:
    in_world = extra.landmarks_ras if record.augmentation is None else record.augmentation.landmarks_ras
    if not extra.landmarks_ras.keys() == in_world.keys() == record.landmarks.keys():
        yield "its landmarks are not those of the dataset"
        return
    for name, entry in record.landmarks.items():
        yield from _check_point(f"landmark {name}", record, entry, in_world[name])
        if entry.in_field != (entry.tissue_mm is not None and entry.tissue_mm >= 0):
            yield f"landmark {name}: its length of tissue is {entry.tissue_mm}"


def _check_point(name: str, record: DrrRecord, entry: PointRecord, position_ras: Triple) -> Iterator[str]:
    """That a point is where the camera says, and is visible there or not."""
    stored = record.camera
    (fx, _, cx), (_, fy, cy), _ = stored.matrix
    camera = PinholeCamera(fx, fy, cx, cy, stored.width_px, stored.height_px)
    left, top, right, bottom = record.carm.open_field_px
    position = camera.project(transform_points(np.array(stored.camera_from_world), position_ras))
    in_field = bool(camera.contains(position))
    collimated = in_field and not (left <= position[0] <= right and top <= position[1] <= bottom)
    flags = (in_field and not collimated, in_field, collimated, bool(np.isnan(position).any()))
    if flags != (entry.visible, entry.in_field, entry.collimated, entry.behind_source):
        yield f"{name}: its flags do not follow from its position"
    elif entry.behind_source != (entry.position_px is None):
        yield f"{name}: it has no place in the image exactly if it is behind the source"
    elif not entry.behind_source and np.abs(position - entry.position_px).max() > POSITION_TOLERANCE_PX:
        yield f"{name}: projects to {position.round(2).tolist()}, not to {list(entry.position_px)}"


def _check_tools(record: DrrRecord, extra: DrrExtra, class_ids: Mapping[str, int]) -> Iterator[str]:
    if extra.tools.keys() != record.tools.keys():
        yield "its tools are not those of the dataset"
        return
    for name, entry in record.tools.items():
        placed = extra.tools[name]
        if class_ids.get(name) != entry.class_id:
            yield f"tool {name}: its class is not {entry.class_id}"
        given = [part is not None for part in (placed.tip_ras, placed.end_ras, entry.tip, entry.end, entry.direction)]
        if any(given) != all(given):
            yield f"tool {name}: tip, end and direction do not go together"
        elif entry.tip is not None:
            yield from _check_point(f"tip of {name}", record, entry.tip, placed.tip_ras)
            yield from _check_point(f"end of {name}", record, entry.end, placed.end_ras)
            along = np.array(record.camera.camera_from_world)[:3, :3] @ np.subtract(placed.tip_ras, placed.end_ras)
            if np.abs(along / np.linalg.norm(along) - entry.direction).max() > DIRECTION_TOLERANCE:
                yield f"tool {name}: its direction is not that of its axis"


def _check_derived(frame: StoredFrame, recipe: DrrRecipe, open_beam_kev: float) -> Iterator[str]:
    """Fraction, attenuation and display follow from the intensity."""
    intensity, files, display = frame.channel("intensity"), frame.parsed.files, recipe.output.display
    attenuation = log_attenuation(intensity, open_beam_kev)
    if "fraction" in files and not np.allclose(frame.channel("fraction") * open_beam_kev, intensity, rtol=1e-5):
        yield "the fraction is not that of the intensity"
    lit = np.isfinite(attenuation)
    if "attenuation" in files and not np.allclose(frame.channel("attenuation")[lit], attenuation[lit], atol=1e-4):
        yield "the attenuation is not that of the intensity"
    if "display" in files:
        expected = to_display(attenuation, display.built(), display.polarity, display.bits)
        # The logarithm of another processor may round a value to the neighbouring grey.
        if np.abs(expected.astype(int) - frame.channel("display")).max() > 1:
            yield "the display image is not the intensity in the recipe's window"


def _check_heatmaps(frame: StoredFrame, recipe: DrrRecipe) -> Iterator[str]:
    stored = frame.parsed.camera
    size = (stored.width_px, stored.height_px)
    expected = heatmaps(size, frame.record["landmarks"], **recipe.output.heatmaps.model_dump())
    if not np.allclose(frame.channel("heatmaps"), expected, atol=1e-5):
        yield "the heat maps do not peak at the landmarks"


def _check_thickness(frame: StoredFrame, class_id: int, name: str) -> Iterator[str]:
    thickness = frame.channel(thickness_channel(name))
    entry = frame.parsed.masks.get(str(class_id))
    mask = decode_mask(entry.model_dump()) if entry else np.zeros(thickness.shape, bool)
    if thickness.min() < 0:
        yield f"thickness of {name}: negative"
    if not np.all(thickness[mask] > 0):
        yield f"thickness of {name}: 0 inside the mask"


def input_checks(dataset: Dataset, simulation: DrrSimulation) -> FrameChecks:
    """Checks of a frame against the inputs: it is made again and compared, and voxels of every label are projected one
    by one, without the ray kernels, into the masks.

    What the same backend made must be the same bytes; what another made, the same within
    `comparison.BACKEND_TOLERANCE`.
    """

    def check(frame: StoredFrame) -> Iterator[str]:
        again = _as_recorded(frame, simulation.frame(frame.index))
        same_backend = drr_extra(dataset).backend == simulation.header.extra["backend"]
        yield from byte_differences(frame, again) if same_backend else _alike(frame, again)
        yield from _check_masks(frame, simulation.of_frame(frame.index))

    return check


def _as_recorded(frame: StoredFrame, again: Frame) -> Frame:
    """`again` without the section `exposure` where the frame was stored before there was one."""
    record = {part: value for part, value in again.record.items() if part != "exposure" or part in frame.record}
    return Frame(again.channels, record)


def _alike(frame: StoredFrame, again: Frame) -> Iterator[str]:
    """As `byte_differences`, of another backend's frame. Landmarks follow from geometry, which is checked anyway."""
    yield from image_differences(frame, again, again.channels)
    if again.record["masks"].keys() != frame.parsed.masks.keys():
        yield "its masks are not of the labels that the input gives"
        return
    for class_id, entry in again.record["masks"].items():
        stored, expected = decode_mask(frame.parsed.masks[class_id].model_dump()), decode_mask(entry)
        either, both = np.count_nonzero(stored | expected), np.count_nonzero(stored & expected)
        if both < BACKEND_MASK_OVERLAP * either - 1:
            yield f"mask {class_id} overlaps that of the input by {both / either:.1%}"


def _check_masks(frame: StoredFrame, simulation: DrrSimulation) -> Iterator[str]:
    labels = simulation.anatomy.labels
    if labels is None:
        return
    _, view, _ = simulation.view(frame.index)
    for entry in simulation.anatomy.classes:
        voxels = _some_voxels(labels.array, entry.id)
        positions = view.project(transform_points(labels.ras_from_ijk, voxels[:, ::-1]))
        inside = view.camera.contains(positions)
        mask_entry = frame.parsed.masks.get(str(entry.id))
        mask = (
            decode_mask(mask_entry.model_dump())
            if mask_entry
            else np.zeros((view.camera.height_px, view.camera.width_px))
        )
        columns, rows = positions[inside].astype(int).T
        # A ray runs through its pixel's centre: beside a voxel that is smaller than a pixel, it may miss it.
        missed = int(np.count_nonzero(maximum_filter(mask, 3)[rows, columns] == 0))
        if missed:
            yield f"mask of {entry.name}: {missed} of {len(columns)} voxels project outside it"


def _some_voxels(labels: np.ndarray, class_id: int) -> np.ndarray:
    """(k, j, i) of at most VOXELS_A_LABEL voxels of a label, spread evenly over it: shape (N, 3)."""
    flat = np.flatnonzero(labels == class_id)
    chosen = flat[np.linspace(0, flat.size - 1, min(VOXELS_A_LABEL, flat.size)).astype(int)]
    return np.stack(np.unravel_index(chosen, labels.shape), axis=-1)
