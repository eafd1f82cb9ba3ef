"""Examples to train on and to test with, each made once, alone, and kept as a file."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ..dataset.files import storage_error, write_together
from ..errors import Sim2RealError
from ..job import Done

Split = Literal["train", "test"]

Example = Mapping[str, np.ndarray]


class ExampleMaker(Protocol):
    """Makes examples; number `index` of a split depends on the recipe and on these two alone."""

    example_counts: Mapping[Split, int]

    def example(self, split: Split, index: int) -> Example:
        """One example."""


def make_examples(maker: ExampleMaker, folder: Path, split: Split) -> Iterator[Done]:
    """Make what `folder` does not hold yet of a split; yields before each one."""
    total = maker.example_counts[split]
    missing = [index for index in range(total) if not _path(folder, split, index).exists()]
    for done, index in enumerate(missing, start=total - len(missing)):
        yield Done(done, total, f"Examples to {split}")
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **maker.example(split, index))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_together([(_path(folder, split, index), buffer.getvalue())])
        except OSError as error:
            raise storage_error(error, folder) from error


def read_example(folder: Path, split: Split, index: int) -> Example:
    """One that was made; Sim2RealError if it is damaged."""
    path = _path(folder, split, index)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise Sim2RealError(f"{path} is damaged; remove it and run the same command again.") from error


def _path(folder: Path, split: Split, index: int) -> Path:
    return folder / f"{split}_{index:05d}.npz"
