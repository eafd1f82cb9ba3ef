"""Is a dataset whole and sound? Everything its files say of each other is recomputed."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import Sim2RealError
from ..simulation import Channel, DatasetHeader
from .layout import (
    DATASET_JSON,
    DISPLAY,
    FRAMES,
    INPUTS,
    LOCK,
    RECIPE_YAML,
    REPORT_HTML,
    channel_file,
    frame_folder,
    frame_of,
    is_temporary,
    record_file,
)
from .masks import decode_mask, encode_mask
from .reader import MAX_JSON_BYTES, Dataset, StoredFrame, read_contained
from .schema import DESCRIPTION_SEAL, RECORD_SEAL, CameraEntry, DatasetJson, MaskEntry, from_json, is_sealed, to_json

CHANGED = "changed since it was written: it has another checksum than its own"

MAX_POSE_ERROR = 1e-6
"""Largest entry of RᵀR − 1 at which a rotation written with 16 digits still counts as one."""


@dataclass(frozen=True)
class Problem:
    """Something wrong: `where` is a file of the dataset or a frame."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def check_dataset(
    folder: Path | str,
    check_frame: Callable[[StoredFrame], Iterable[str]] = lambda frame: (),
    on_frame: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Problem]:
    """Everything that is wrong with a dataset; nothing if it is complete and sound.

    check_frame: what a simulator knows beyond this, such as labels that follow from the geometry; it says what is
    wrong with a frame. on_frame: called with the number of frames checked so far and in all, for a progress bar.
    """
    try:
        dataset = Dataset.open(folder)
    except Sim2RealError as error:
        yield Problem(DATASET_JSON, str(error))
        return
    yield from _check_description(dataset)
    yield from _check_recipe(dataset)
    yield from _check_names(dataset)
    for done, index in enumerate(dataset.indices, start=1):
        yield from _check_frame(dataset, index, check_frame)
        on_frame(done, len(dataset))


def header_differences(dataset: Dataset, header: DatasetHeader) -> Iterator[Problem]:
    """What dataset.json says otherwise than `header`, which the recipe gives with the inputs at hand.

    An input file is the same if its bytes are; where it lies and what it is called may have changed.
    """
    stored = dataset.header
    known = [[entry.get("sha256") or json.loads(to_json(entry)) for entry in h.inputs] for h in (stored, header)]
    if known[0] != known[1]:
        yield Problem(DATASET_JSON, "its inputs are not those that the recipe finds now")
        return
    parts = {"classes": (stored.classes, header.classes), "channels": (stored.channels, header.channels)}
    parts["frame_count"] = (stored.frame_count, header.frame_count)
    extra = json.loads(to_json(header.extra))
    parts |= {f"extra.{key}": (stored.extra.get(key), extra[key]) for key in extra if key != "backend"}
    for name, (before, now) in parts.items():
        if before != now:
            yield Problem(DATASET_JSON, f"{name} is not what the recipe and its inputs give")


def as_ranges(indices: Sequence[int]) -> str:
    """Ascending numbers in short: ``0–3, 7, 9–12``."""
    breaks = [place for place in range(1, len(indices)) if indices[place] != indices[place - 1] + 1]
    parts = zip([0, *breaks], [*breaks, len(indices)], strict=True)
    runs = [(indices[start], indices[stop - 1]) for start, stop in parts]
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def _check_description(dataset: Dataset) -> Iterator[Problem]:
    data = read_contained(dataset.folder, DATASET_JSON, MAX_JSON_BYTES)
    if not is_sealed(from_json(data, DatasetJson, DATASET_JSON)[1], DESCRIPTION_SEAL):
        yield Problem(DATASET_JSON, CHANGED)


def _check_recipe(dataset: Dataset) -> Iterator[Problem]:
    try:
        recipe = read_contained(dataset.folder, RECIPE_YAML, MAX_JSON_BYTES)
    except Sim2RealError as error:
        yield Problem(RECIPE_YAML, str(error))
        return
    if hashlib.sha256(recipe).hexdigest() != dataset.description.recipe_sha256:
        yield Problem(RECIPE_YAML, "is not the recipe this dataset was made from (checksum)")


def _check_names(dataset: Dataset) -> Iterator[Problem]:
    """Missing frames, and files that no frame of the dataset has."""
    committed = set(dataset.indices)
    missing = [index for index in range(dataset.description.frame_count) if index not in committed]
    if missing:
        total = dataset.description.frame_count
        yield Problem(FRAMES, f"{len(missing)} of {total} frames are missing: {as_ranges(missing)}")
    known = {DATASET_JSON, RECIPE_YAML, REPORT_HTML, LOCK, FRAMES, INPUTS}
    for path in sorted(dataset.folder.iterdir()):
        if path.name not in known:
            yield Problem(path.name, _stray(path.name))
    for path in sorted((dataset.folder / FRAMES).glob("*")):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            index = frame_of(file.name)
            at_home = index in committed and frame_folder(index) == f"{FRAMES}/{path.name}"
            if not at_home or file.name not in _names_of(index, dataset):
                yield Problem(file.relative_to(dataset.folder).as_posix(), _stray(file.name))


def _names_of(index: int, dataset: Dataset) -> list[str]:
    channels = dataset.header.channels.items()
    return [record_file(index), *(channel_file(index, name, channel.extension) for name, channel in channels)]


def _stray(name: str) -> str:
    if is_temporary(name) or frame_of(name) is not None:
        return "left by an interrupted run; running the same command again removes it"
    return "does not belong to the dataset"


def _check_frame(
    dataset: Dataset, index: int, check_frame: Callable[[StoredFrame], Iterable[str]]
) -> Iterator[Problem]:
    try:
        frame = dataset.frame(index)
    except Sim2RealError as error:
        yield Problem(record_file(index), str(error))
        return
    intact = True
    for name, channel in dataset.header.channels.items():
        for what in _image_faults(frame, name, channel):
            intact = False
            yield Problem(frame.relative_path(name), what)
    for what in (*_label_faults(frame), *(_faults_of(frame, check_frame) if intact else ())):
        yield Problem(record_file(index), what)


def _faults_of(frame: StoredFrame, check_frame: Callable[[StoredFrame], Iterable[str]]) -> Iterator[str]:
    try:
        yield from check_frame(frame)
    except Sim2RealError as error:
        yield str(error)


def _image_faults(frame: StoredFrame, name: str, channel: Channel) -> Iterator[str]:
    entry = frame.parsed.files[name]
    try:
        data = frame.read(name)
        if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
            yield "damaged: its checksum is not the one in the frame's JSON"
            return
        image = frame.decode(name, data)
    except Sim2RealError as error:
        yield str(error)
        return
    wrong = np.count_nonzero(~np.isfinite(image))
    if wrong:
        yield f"{wrong} values are not finite"


def _label_faults(frame: StoredFrame) -> Iterator[str]:
    if not is_sealed(frame.record, RECORD_SEAL):
        yield CHANGED
    camera = frame.parsed.camera
    if camera is not None:
        yield from _camera_faults(camera, frame)
        for name, landmark in frame.parsed.landmarks.items():
            x, y = landmark.position_px or (-1, -1)
            if landmark.visible and not (0 <= x < camera.width_px and 0 <= y < camera.height_px):
                yield f"landmark {name} is said to be visible at a place outside the image"
    class_ids = {str(entry.id) for entry in frame.dataset.header.classes}
    for class_id, entry in frame.parsed.masks.items():
        if class_id not in class_ids:
            yield f"mask {class_id} belongs to no class of the dataset"
        yield from (f"mask {class_id}: {what}" for what in _mask_faults(entry, camera))


def _camera_faults(camera: CameraEntry, frame: StoredFrame) -> Iterator[str]:
    pose = np.array(camera.camera_from_world)
    rotation = pose[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > MAX_POSE_ERROR or np.linalg.det(rotation) < 0:
        yield "camera_from_world is not a rigid transform"
    if not np.array_equal(pose[3], [0, 0, 0, 1]):
        yield "the last row of camera_from_world is not 0 0 0 1"
    display = frame.parsed.files.get(DISPLAY)
    if display is not None and display.shape[-2:] != (camera.height_px, camera.width_px):
        yield "the display image has not the size of the camera"


def _mask_faults(entry: MaskEntry, camera: CameraEntry | None) -> Iterator[str]:
    if camera is not None and entry.size != (camera.height_px, camera.width_px):
        yield "its size is not the image's"
        return
    try:
        again = encode_mask(decode_mask(entry.model_dump()))
    except Sim2RealError as error:
        yield str(error)
        return
    if again["area_px"] != entry.area_px or tuple(again["box_px"]) != entry.box_px:
        yield "its area or box is not that of its pixels"
