"""Convert a dataset, also into the formats that only its simulator knows."""

from collections.abc import Iterator
from pathlib import Path

from Sim2RealLib.convert import FORMATS, convert_dataset
from Sim2RealLib.dataset.reader import Dataset

from .simulators import simulator_named


def convert_frames(folder: Path | str, format_name: str, out: Path | str) -> Iterator[tuple[int, int]]:
    """As `convert_dataset`; the dataset's simulator is loaded only for a format that not every dataset has."""
    formats = FORMATS
    if format_name not in formats:
        formats = formats | simulator_named(Dataset.open(folder).header.simulator, str(folder)).FORMATS
    return convert_dataset(folder, format_name, out, formats)
