"""Names of the files of a dataset, and the rule that none of them leads outside its folder.

::

    dataset.json  recipe.yaml  report.html
    inputs/                               copies of inputs that had no file of their own, of datasets made in Slicer
    frames/000/000123.<channel>.<ext>     1000 frames a folder
    frames/000/000123.json                commits the frame
"""

import re
from pathlib import Path

from ..errors import Sim2RealError

DATASET_JSON = "dataset.json"
RECIPE_YAML = "recipe.yaml"
REPORT_HTML = "report.html"
LOCK = ".lock"
FRAMES = "frames"
INPUTS = "inputs"
FRAMES_A_FOLDER = 1000
MAX_FRAMES = 10_000_000
TEMPORARY_SUFFIX = ".tmp"

DISPLAY, LABELS = "display", "labels"
"""The channel for the eye, a PNG: what reports, COCO and contact sheets show."""

CHANNEL_NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
_FRAME_FILE = re.compile(rf"(?P<index>\d{{6,9}})\.(?:(?P<channel>{CHANNEL_NAME})\.(?P<extension>tif|png)|json)")


def channel_file(index: int, channel: str, extension: str) -> str:
    return f"{index:06d}.{channel}.{extension}"


def record_file(index: int) -> str:
    return f"{index:06d}.json"


def frame_folder(index: int) -> str:
    """The folder of the files of frame `index`, counted from the dataset's."""
    return f"{FRAMES}/{index // FRAMES_A_FOLDER:03d}"


def frame_of(name: str) -> int | None:
    """Which frame a file name below frames/ belongs to; None for a name no frame has."""
    match = _FRAME_FILE.fullmatch(name)
    if match is None:
        return None
    index = int(match["index"])
    return index if name.startswith(f"{index:06d}.") else None


def temporary_name(path: Path, token: str) -> Path:
    """A file beside `path` that is renamed to it when it is whole."""
    return path.with_name(f".{path.name}.{token}{TEMPORARY_SUFFIX}")


def is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)


def inside(folder: Path, relative: str) -> Path:
    """`folder / relative`; Sim2RealError if that, with links followed, is not inside `folder`."""
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Sim2RealError(f"{folder}: '{relative}' leads outside the dataset. Do not trust this dataset.")
    return path
