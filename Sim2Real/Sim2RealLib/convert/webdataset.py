"""WebDataset: one tar a folder of frames, with the files of a frame side by side.

The key of a sample is the frame's number; its parts are ``json`` and ``<channel>.<ext>``. ``dataset.json`` and
``recipe.yaml`` lie beside the shards.
"""

import io
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ..dataset.layout import DATASET_JSON, FRAMES_A_FOLDER, RECIPE_YAML, record_file
from ..dataset.reader import Dataset, read_contained
from ..dataset.schema import to_json


def write_webdataset(dataset: Dataset, out: Path) -> Iterator[int]:
    """The shards are the same bytes whenever they are made."""
    done = 0
    for folder, indices in groupby(dataset.indices, key=lambda index: index // FRAMES_A_FOLDER):
        with tarfile.open(out / f"{folder:03d}.tar", "w", format=tarfile.USTAR_FORMAT) as shard:
            for index in indices:
                frame = dataset.frame(index)
                _add(shard, record_file(index), to_json(frame.record))
                for name, entry in frame.parsed.files.items():
                    _add(shard, entry.path, frame.read(name))
                done += 1
                yield done
    for name in (DATASET_JSON, RECIPE_YAML):
        (out / name).write_bytes(read_contained(dataset.folder, name))


def _add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    shard.addfile(entry, io.BytesIO(data))
