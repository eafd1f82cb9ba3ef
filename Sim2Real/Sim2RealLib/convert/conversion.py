"""One conversion: whole or not at all."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..dataset.files import storage_error
from ..dataset.reader import Dataset
from ..errors import Sim2RealError
from .c3vd import write_c3vd
from .coco import write_coco
from .hdf5 import write_hdf5
from .simcol import write_simcol
from .webdataset import write_webdataset

Writer = Callable[[Dataset, Path], Iterator[int]]
"""Fills an empty folder and yields the number of frames it has done."""

FORMATS: dict[str, Writer] = {
    "c3vd": write_c3vd,
    "coco": write_coco,
    "hdf5": write_hdf5,
    "simcol": write_simcol,
    "webdataset": write_webdataset,
}


def convert_dataset(
    folder: Path | str, format_name: str, out: Path | str, formats: Mapping[str, Writer] = FORMATS
) -> Iterator[tuple[int, int]]:
    """Write the committed frames of a dataset into folder `out`; yield how many frames are done, and of how many.

    `out` appears when everything is in it; until then the files are in ``<out>.partial``. Raises Sim2RealError if the
    format is unknown, the dataset is empty or damaged, `out` holds anything, or there is no room.
    """
    dataset, out = Dataset.open(folder), Path(out)
    if format_name not in formats:
        raise Sim2RealError(
            f"There is no format '{format_name}' for a dataset of simulator {dataset.header.simulator}; possible are "
            f"{', '.join(sorted(formats))}."
        )
    if len(dataset) == 0:
        raise Sim2RealError(f"{folder} has no finished frame to convert.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Sim2RealError(f"{out} exists and is not an empty folder. Choose another one.")
    partial = out.with_name(f"{out.name}.partial")
    if partial.exists():
        raise Sim2RealError(f"{partial} is in the way, left by a conversion that was stopped. Remove it first.")
    try:
        partial.mkdir(parents=True)
        yield from _convert(dataset, formats[format_name], partial, out)
    except OSError as error:
        raise storage_error(error, out) from error


def _convert(dataset: Dataset, write: Writer, partial: Path, out: Path) -> Iterator[tuple[int, int]]:
    try:
        for done in write(dataset, partial):
            yield done, len(dataset)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
