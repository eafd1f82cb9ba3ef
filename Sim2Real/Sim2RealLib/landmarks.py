"""Landmarks in Slicer's files: Markups JSON (.mrk.json) read and written, the older .fcsv read.

Sources: Slicer's Markups JSON schema 1.0.0 to 1.0.4 (``Modules/Loadable/Markups/Resources/Schema``) and its user guide,
"Markups: information for developers: .fcsv file format".
"""

import csv
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import Sim2RealError
from .geometry import RAS_FROM_LPS, transform_points
from .provenance import input_record
from .scene_path import scene_reader, split_scene_path
from .text_files import read_text

MAX_FILE_BYTES = 16 << 20
MAX_LANDMARKS = 10_000
MAX_NAME_LENGTH = 200
MAX_COORDINATE_MM = 1e6
_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_RAS_FROM = {"RAS": np.eye(4), "LPS": RAS_FROM_LPS, "0": np.eye(4), "1": RAS_FROM_LPS}
"""By the name or, in older files, the number that a file gives its coordinate system; always a string, as in Slicer."""
_FCSV_DEFINED = "2"
"""Position status of a placed point in the 15th column, which Slicer writes since 5.0 (0 undefined, 1 preview)."""

Point = tuple[str, Any, bool]
"""Name, position in the file's own coordinate system, and whether the position is defined."""


def read_landmarks(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Landmark positions in RAS mm, shape (3,), by name, in the order of the file (.mrk.json, .fcsv, or a point list in
    a scene of Slicer's, ``case.mrb#points``), and the file's provenance.

    Sim2RealError: a missing, too large or malformed file, another kind of markup than points, an unknown coordinate
    system or unit, an empty or repeated name, a point that was never placed, a position that is not three plausible
    numbers.
    """
    if (scene := split_scene_path(path)) is not None:
        return scene_reader().read_landmarks(*scene)
    path = Path(path)
    readers = {".json": _points_of_json, ".fcsv": _points_of_fcsv}
    if path.suffix.lower() not in readers:
        raise Sim2RealError(f"{path} is not a landmark file; known are Slicer's .mrk.json and .fcsv.")
    text = read_text(path, MAX_FILE_BYTES, "list of landmarks")
    points = readers[path.suffix.lower()](path.name, text)
    return require_landmarks(path.name, named_positions(path.name, points)), input_record("landmarks", path)


def named_positions(source: str, points: Iterable[tuple[np.ndarray, Point]]) -> dict[str, np.ndarray]:
    """RAS positions (3,) by name of points, each with the 4×4 transform that takes its position to RAS.

    Sim2RealError, naming the `source`: too many points, an empty or repeated name, a point that was never placed, a
    position that is not three plausible numbers.
    """
    landmarks: dict[str, np.ndarray] = {}
    for ras_from_source, point in points:
        name, position = _checked(source, point)
        if name in landmarks:
            raise Sim2RealError(f"{source}: two landmarks are named '{name}'. Give each its own name.")
        if len(landmarks) == MAX_LANDMARKS:
            raise Sim2RealError(f"{source} holds more than {MAX_LANDMARKS} landmarks.")
        landmarks[name] = transform_points(ras_from_source, position)
    return landmarks


def require_landmarks(source: str, landmarks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The landmarks; Sim2RealError if there are none."""
    if not landmarks:
        raise Sim2RealError(f"{source} holds no landmarks.")
    return landmarks


def write_landmarks(path: str | Path, landmarks: Mapping[str, np.ndarray]) -> None:
    """Write RAS positions (3,) by name as a Slicer point list, .mrk.json, in LPS as Slicer does.

    Sim2RealError: another suffix, an empty name, a position that is not three plausible numbers, a place that cannot be
    written.
    """
    path = Path(path)
    if not path.name.lower().endswith(".mrk.json"):
        raise Sim2RealError(f"{path}: landmarks are written as .mrk.json.")
    checked = [_checked(path.name, (name, np.asarray(position).tolist(), True)) for name, position in landmarks.items()]
    points = [
        {
            "id": str(number),
            "label": name,
            "position": transform_points(RAS_FROM_LPS, position).tolist(),
            "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
            "selected": True,
            "locked": False,
            "visibility": True,
            "positionStatus": "defined",
        }
        for number, (name, position) in enumerate(checked, start=1)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points}
    text = json.dumps({"@schema": _SCHEMA, "markups": [markup]}, indent=1, ensure_ascii=False, allow_nan=False)
    partial = path.with_name(f".{uuid.uuid4().hex}.mrk.json")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise Sim2RealError(f"{path} cannot be written: {error.strerror}.") from error


def _checked(source: str, point: Point) -> tuple[str, np.ndarray]:
    name, position, defined = point
    if not isinstance(name, str) or not name.strip():
        raise Sim2RealError(f"{source}: a landmark has no name. Name it in Slicer.")
    if len(name) > MAX_NAME_LENGTH:
        raise Sim2RealError(
            f"{source}: the name of landmark '{name:.60}…' is longer than {MAX_NAME_LENGTH} characters."
        )
    if not defined:
        raise Sim2RealError(f"{source}: landmark '{name}' was never placed. Place it in Slicer, or delete it.")
    three = isinstance(position, list) and len(position) == 3
    if not three or not all(type(value) in (int, float) and abs(value) <= MAX_COORDINATE_MM for value in position):
        raise Sim2RealError(
            f"{source}: the position of landmark '{name}' is not three numbers within ±{MAX_COORDINATE_MM:g} mm: "
            f"{position!r:.60}."
        )
    return name, np.array(position, dtype=np.float64)


def _ras_from(file: str, coordinate_system: Any) -> np.ndarray:
    if not isinstance(coordinate_system, str) or coordinate_system not in _RAS_FROM:
        raise Sim2RealError(f"{file}: its coordinate system is {coordinate_system!r:.60}; it must be RAS or LPS.")
    return _RAS_FROM[coordinate_system]


def _points_of_json(file: str, text: str) -> Iterator[tuple[np.ndarray, Point]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Sim2RealError(f"{file} is not valid JSON: {error}.") from error
    for markup in _objects(file, content if isinstance(content, dict) else {}, "markups"):
        if markup.get("type") != "Fiducial":
            raise Sim2RealError(f"{file} holds a markup of type {markup.get('type')!r:.60}; a point list is needed.")
        if markup.get("coordinateUnits", "mm") != "mm":
            raise Sim2RealError(f"{file} gives lengths in {markup['coordinateUnits']!r:.60}; they must be in mm.")
        ras_from_file = _ras_from(file, markup.get("coordinateSystem"))
        for point in _objects(file, markup, "controlPoints"):
            defined = point.get("positionStatus", "defined") == "defined"
            yield ras_from_file, (point.get("label"), point.get("position"), defined)


def _objects(file: str, parent: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    children = parent.get(key)
    if not isinstance(children, list) or not all(isinstance(child, dict) for child in children):
        raise Sim2RealError(f"{file} is not a Slicer markups file: it has no list of {key}.")
    return children


def _points_of_fcsv(file: str, text: str) -> Iterator[tuple[np.ndarray, Point]]:
    lines = text.splitlines()
    header = {}
    for line in lines:
        key, separator, value = line.lstrip("# ").partition("=")
        if line.startswith("#") and separator:
            header[key.strip()] = value.strip()
    if "Markups fiducial file version" not in header:
        raise Sim2RealError(f"{file} is not a Slicer 4 or 5 fiducial file: its header does not say so.")
    ras_from_file = _ras_from(file, header.get("CoordinateSystem"))
    columns = header.get("columns", "").split(",")
    if not {"x", "y", "z", "label"} <= set(columns):
        raise Sim2RealError(f"{file}: its header lacks the columns x, y, z and label.")
    for row in _rows(file, [line for line in lines if line.strip() and not line.startswith("#")]):
        if len(row) < len(columns):
            raise Sim2RealError(f"{file}: a line has {len(row)} of {len(columns)} columns: {','.join(row)!r:.60}.")
        fields = dict(zip(columns, row, strict=False))
        status = row[len(columns)] if len(row) > len(columns) else _FCSV_DEFINED
        yield ras_from_file, (fields["label"], _numbers(fields), status == _FCSV_DEFINED)


def _rows(file: str, lines: Sequence[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines)
    except csv.Error as error:
        raise Sim2RealError(f"{file} is malformed: {error}.") from error


def _numbers(fields: Mapping[str, str]) -> list[float] | None:
    try:
        return [float(fields[axis]) for axis in ("x", "y", "z")]
    except ValueError:
        return None
