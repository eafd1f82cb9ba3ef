"""Paths that name a node in one of Slicer's scene files where a recipe takes a file: ``case.mrb#CT``."""

import os
import re
from pathlib import Path
from types import ModuleType

from .errors import Sim2RealError

SUFFIXES = (".mrb", ".mrml")
_HASH = re.compile(r"(?<=\.mrb)#|(?<=\.mrml)#", re.IGNORECASE)


def split_scene_path(path: str | Path) -> tuple[Path, str] | None:
    """The scene file and the name of the node, empty if there is none; None for a path that names no scene.

    What exists under the whole name is a file like any other, whatever characters it has. The name of a node may have
    slashes; as in any path, doubled ones count once.
    """
    text = Path(path).as_posix()
    cuts = [] if os.path.exists(text) else [match.start() for match in _HASH.finditer(text)]
    files = [cut for cut in cuts if os.path.isfile(text[:cut])]
    if cuts and (files or not text.lower().endswith(SUFFIXES)):
        cut = (files or cuts)[0]
        return Path(text[:cut]), text[cut + 1 :]
    return (Path(path), "") if text.lower().endswith(SUFFIXES) else None


def join_scene_path(scene: str | Path, node: str) -> Path:
    """The path that `split_scene_path` takes apart."""
    return Path(f"{scene}#{node}") if node else Path(scene)


def scene_reader() -> ModuleType:
    """The module that reads nodes from scene files. Sim2RealError where there is no Slicer."""
    try:
        from .mrml import scene_file
    except ModuleNotFoundError as error:
        if error.name not in ("slicer", "vtk"):
            raise
        raise Sim2RealError(
            'Scene files need slicer-core, which is not installed: pip install "surgical-sim2real[slicer]". '
            "Or save the node from Slicer as a file of its own, and give that."
        ) from error
    return scene_file
