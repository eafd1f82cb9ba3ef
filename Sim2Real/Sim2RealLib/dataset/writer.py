"""Writing a dataset frame by frame, so that a run killed at any instant goes on where it stopped.

The images of a frame are renamed into place first and its JSON last: a frame is in the dataset exactly if its JSON is.
One process holds the dataset's lock; others (Dask workers) may store frames on its behalf with `store_frame`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import Sim2RealError
from ..recipe import parse_yaml
from ..simulation import DatasetHeader, Frame
from .codec import encode, require_supported
from .files import storage_error, write_together
from .layout import (
    DATASET_JSON,
    FRAMES,
    INPUTS,
    LOCK,
    RECIPE_YAML,
    channel_file,
    frame_folder,
    frame_of,
    inside,
    is_temporary,
    record_file,
)
from .reader import MAX_JSON_BYTES, Dataset, read_contained
from .schema import RECORD_SEAL, DatasetJson, describe, from_json, sealed, to_json


def store_frame(folder: Path, header: DatasetHeader, index: int, frame: Frame) -> None:
    """Write one frame and commit it. OSError if that was not possible; nothing of the frame is left then.

    ValueError if the frame's images are not the channels `header` announces.
    """
    if frame.channels.keys() != header.channels.keys():
        raise ValueError(f"frame {index} has channels {sorted(frame.channels)}, not {sorted(header.channels)}")
    target = inside(folder, frame_folder(index))
    entries, files = {}, []
    for name, channel in header.channels.items():
        data = encode(frame.channels[name], channel)
        path = target / channel_file(index, name, channel.extension)
        entries[name] = {
            "path": path.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "shape": frame.channels[name].shape,
        }
        files.append((path, data))
    record = {"index": index, "files": entries, **frame.record}
    files.append((target / record_file(index), to_json(sealed(record, RECORD_SEAL))))
    target.mkdir(parents=True, exist_ok=True)
    write_together(files)


class DatasetWriter:
    """An open dataset of one recipe, made by `create_or_resume`. Close it, or use it in a with statement."""

    def __init__(self, folder: Path, header: DatasetHeader, lock: FileLock, completed: set[int]) -> None:
        self.folder = folder
        self.header = header
        self.completed = completed
        self._lock = lock

    def planned(self, limit: int | None = None) -> range:
        """The frames a run over the first `limit` frames is to make; all of the recipe's without a limit."""
        if limit is not None and limit < 1:
            raise Sim2RealError(f"The limit is {limit}; it must be at least one frame.")
        return range(self.header.frame_count if limit is None else min(limit, self.header.frame_count))

    def commit(self, index: int, frame: Frame) -> None:
        """Store one frame. Sim2RealError if the disk is full or refuses; the frames before it are safe."""
        try:
            store_frame(self.folder, self.header, index, frame)
        except OSError as error:
            raise self.storage_error(error) from error
        self.completed.add(index)

    def storage_error(self, error: OSError) -> Sim2RealError:
        """What to tell the user of `error`: how much is complete and how to go on."""
        return storage_error(error, self.folder, len(self.completed), self.header.frame_count)

    def close(self) -> None:
        self._lock.release()

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create_or_resume(folder: Path | str, header: DatasetHeader, recipe_yaml: str) -> DatasetWriter:
    """Make `folder` the dataset of a recipe, or go on with it where an earlier run of the same recipe stopped.

    Raises Sim2RealError if the folder holds something else, another recipe or the work of other software, if another
    process is at work in it, or if it cannot be written.
    """
    folder = Path(folder)
    for name, channel in header.channels.items():
        require_supported(name, channel)
    try:
        require_own_or_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        try:
            return _prepare(folder, header, recipe_yaml.encode(), lock)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise storage_error(error, folder) from error


def _prepare(folder: Path, header: DatasetHeader, recipe: bytes, lock: FileLock) -> DatasetWriter:
    description = describe(header, hashlib.sha256(recipe).hexdigest())
    if (folder / DATASET_JSON).exists():
        _require_same(folder, description, recipe)
    _remove_temporary(folder)
    files = [(folder / DATASET_JSON, to_json(description)), (folder / RECIPE_YAML, recipe)]
    if any(not path.exists() or path.read_bytes() != data for path, data in files):
        write_together(files)
    completed = set(_completed(Dataset.open(folder)))
    _remove_uncommitted(inside(folder, FRAMES), completed)
    return DatasetWriter(folder, header, lock, completed)


def require_own_or_empty(folder: Path) -> None:
    """Sim2RealError if a dataset cannot go into `folder` because it holds something else."""
    if folder.exists() and not folder.is_dir():
        raise Sim2RealError(f"{folder} is a file; a dataset needs a folder of its own.")
    if not folder.exists() or (folder / DATASET_JSON).exists():
        return
    allowed = (LOCK, INPUTS)
    others = [path.name for path in folder.iterdir() if path.name not in allowed and not is_temporary(path.name)]
    if others:
        raise Sim2RealError(f"{folder} is neither empty nor a dataset (it holds {others[0]}). Choose another folder.")


def _lock(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Sim2RealError(f"{folder}: another process is writing this dataset; wait for it or stop it.") from None
    return lock


def _require_same(folder: Path, description: Mapping[str, Any], recipe: bytes) -> None:
    if (folder / RECIPE_YAML).exists():
        found = parse_yaml(read_contained(folder, RECIPE_YAML, MAX_JSON_BYTES), f"{folder}/{RECIPE_YAML}")
        _refuse_difference(folder, "recipe", found, parse_yaml(recipe, "the recipe"))
    data = read_contained(folder, DATASET_JSON, MAX_JSON_BYTES)
    _, found = from_json(data, DatasetJson, f"{folder}/{DATASET_JSON}")
    _refuse_difference(folder, DATASET_JSON, found, description)


def _refuse_difference(folder: Path, what: str, found: Any, wanted: Any) -> None:
    for field, old, new in _differences(found, wanted):
        raise Sim2RealError(
            f"{folder} was begun differently: in its {what}, {field or 'all'} is {_short(old)}, now {_short(new)}. "
            "Go on as it was begun, remove it, or choose another folder."
        )


def _differences(found: Any, wanted: Any, field: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            yield from _differences(found.get(key), wanted.get(key), f"{field}.{key}" if field else str(key))
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for place, (old, new) in enumerate(zip(found, wanted, strict=True)):
            yield from _differences(old, new, f"{field}.{place}")
    elif found != wanted:
        yield field, found, wanted


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _completed(dataset: Dataset) -> Iterator[int]:
    """Frames whose JSON is sound and whose files have the size it says; a power cut can leave others."""
    for index in dataset.indices:
        try:
            frame = dataset.frame(index)
            sizes = {frame.relative_path(name): entry.bytes for name, entry in frame.parsed.files.items()}
            if all((dataset.folder / path).stat().st_size == size for path, size in sizes.items()):
                yield index
        except (Sim2RealError, OSError):
            continue


def _remove_temporary(folder: Path) -> None:
    for path in folder.iterdir():
        if is_temporary(path.name):
            path.unlink()


def _remove_uncommitted(frames: Path, completed: set[int]) -> None:
    """Remove what a killed run left below frames/: temporary files, and images of frames that were not committed."""
    for path in frames.glob("*/*"):
        index = frame_of(path.name)
        if is_temporary(path.name) or (index is not None and index not in completed):
            path.unlink()
