"""Reading a dataset that may come from anywhere: nothing in it is executed, no path in it is followed outside."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Sim2RealError
from ..simulation import DatasetHeader
from .codec import decode, require_supported
from .layout import DATASET_JSON, FRAMES, channel_file, frame_folder, frame_of, inside, record_file
from .schema import DatasetJson, FrameRecord, from_json

MAX_JSON_BYTES = 2**26


class Dataset:
    """An exported folder. Its frames are those committed so far; images are read when they are asked for."""

    def __init__(self, folder: Path, description: DatasetJson) -> None:
        self.folder = folder
        self.description = description

    @classmethod
    def open(cls, folder: Path | str) -> "Dataset":
        """Sim2RealError if `folder` is no dataset, a damaged one, or one of another schema version."""
        folder = Path(folder)
        if not (folder / DATASET_JSON).exists():
            raise Sim2RealError(f"{folder} is not a dataset: it has no {DATASET_JSON}.")
        where = f"{folder}/{DATASET_JSON}"
        description, _ = from_json(read_contained(folder, DATASET_JSON, MAX_JSON_BYTES), DatasetJson, where)
        for name, channel in description.channels.items():
            require_supported(name, channel)
        return cls(folder, description)

    @property
    def header(self) -> DatasetHeader:
        return self.description.header

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """The committed frames, ascending, as found when first asked for."""
        found = (frame_of(name) for name in _names_below(self.folder / FRAMES) if name.endswith(".json"))
        return tuple(sorted(index for index in found if index is not None and index < self.description.frame_count))

    def __len__(self) -> int:
        return len(self.indices)

    def frame(self, index: int) -> "StoredFrame":
        """A frame with its record read; Sim2RealError if it is missing or damaged."""
        path = f"{frame_folder(index)}/{record_file(index)}"
        where = f"{self.folder}: {path}"
        parsed, record = from_json(read_contained(self.folder, path, MAX_JSON_BYTES), FrameRecord, where)
        if parsed.index != index:
            raise Sim2RealError(f"{where}: says it is frame {parsed.index}.")
        if parsed.files.keys() != self.description.channels.keys():
            raise Sim2RealError(f"{where}: its files are not the channels of the dataset.")
        for name, entry in parsed.files.items():
            if entry.path != channel_file(index, name, self.description.channels[name].extension):
                raise Sim2RealError(f"{where}: '{entry.path}' is not its {name} file. Do not trust this dataset.")
        return StoredFrame(self, index, parsed, record)

    def require_channel(self, name: str) -> None:
        """Sim2RealError, naming the channels there are, if there is none of that name."""
        if name not in self.description.channels:
            raise Sim2RealError(
                f"{self.folder} has no channel '{name}'; it has {', '.join(self.description.channels)}."
            )

    def record(self, index: int) -> dict[str, Any]:
        """The labels and geometry of a frame."""
        return self.frame(index).record

    def channel(self, index: int, name: str) -> np.ndarray:
        """An image of a frame; see `StoredFrame.channel`."""
        return self.frame(index).channel(name)


@dataclass(frozen=True, eq=False)
class StoredFrame:
    """One committed frame: `record` is its JSON, `parsed` the validated part that all simulators share."""

    dataset: Dataset
    index: int
    parsed: FrameRecord
    record: dict[str, Any]

    def relative_path(self, name: str) -> str:
        """The file of channel `name`, counted from the dataset's folder."""
        self.dataset.require_channel(name)
        return f"{frame_folder(self.index)}/{self.parsed.files[name].path}"

    def read(self, name: str) -> bytes:
        """The bytes of the file of channel `name`."""
        return read_contained(self.dataset.folder, self.relative_path(name))

    def channel(self, name: str) -> np.ndarray:
        """The image as it is stored, (H, W) or (pages, H, W); times the channel's scale it is in the channel's unit."""
        return self.decode(name, self.read(name))

    def decode(self, name: str, data: bytes) -> np.ndarray:
        """The image in the bytes of the file of channel `name`."""
        try:
            return decode(data, self.dataset.description.channels[name], self.parsed.files[name].shape)
        except Sim2RealError as error:
            raise Sim2RealError(f"{self.dataset.folder}: {self.relative_path(name)}: {error}.") from error


def read_contained(folder: Path, relative: str, limit_bytes: int | None = None) -> bytes:
    """The bytes of a file of a dataset; Sim2RealError if it is missing, unreadable, too large or outside."""
    path = inside(folder, relative)
    try:
        if limit_bytes is not None and path.stat().st_size > limit_bytes:
            raise Sim2RealError(f"{folder}: {relative} is larger than {limit_bytes >> 20} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise Sim2RealError(f"{folder}: {relative} cannot be read ({error.strerror}).") from error


def _names_below(frames: Path) -> list[str]:
    if not frames.is_dir():
        return []
    return [name for sub in os.scandir(frames) if sub.is_dir() for name in os.listdir(sub.path)]
