"""Transfer functions from Slicer's volume property files: `.vp` text and `.vp.json`.

The text format has nine lines: interpolation, shade, diffuse, ambient, specular, specular power, scalar opacity,
gradient opacity and colour; each function begins with the number of values that follow, (x, y) or (x, r, g, b) a point
(Slicer developer guide, "Volume rendering"). The other is JSON of the schema `volume-property-schema-v1`.

Slicer renders with lights and shading of its own: of a file, scalar opacity, colour and scattering anisotropy are used,
and `VolumeProperty.ignored` names what else it has that would change the picture.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.text_files import read_text

from .transfer_function import MOST_ANISOTROPY, MOST_OPACITY, ColorFunction, OpacityFunction, TransferFunction

MAX_BYTES = 2**20
MAX_POINTS = 4096

TEXT_LINES = (
    "interpolation",
    "shade",
    "diffuse",
    "ambient",
    "specular",
    "specular power",
    "scalar opacity",
    "gradient opacity",
    "color",
)
SCHEMA = re.compile(r"volume-property-schema-v1\.\d+\.\d+\.json#*$", re.IGNORECASE)

STRAIGHT = (0.5, 0.0)
"""Midpoint and sharpness of a straight segment between control points."""


@dataclass(frozen=True)
class VolumeProperty:
    """g: scattering anisotropy, None where there is none or 0, VTK's default. ignored: sentences for the user."""

    transfer_function: TransferFunction
    g: float | None
    ignored: tuple[str, ...]


class _FaultError(Exception):
    """What is wrong in a file, without its name."""


def read_volume_property(path: Path | str) -> VolumeProperty:
    """A file by its extension, `.vp` or `.txt`, `.vp.json` or `.json`; Sim2RealError if it is not right."""
    path = Path(path)
    text = read_text(path, MAX_BYTES, "volume property")
    try:
        if path.suffix.lower() == ".json":
            return _from_json(text)
        if path.suffix.lower() in (".vp", ".txt"):
            return _from_text(text)
        raise _FaultError("has an unknown extension; .vp and .vp.json are read")
    except _FaultError as fault:
        raise Sim2RealError(f"{path}: the volume property {fault}. Save it again from Slicer.") from fault


def _from_text(text: str) -> VolumeProperty:
    lines = text.splitlines()
    if len(lines) < len(TEXT_LINES) or any(line.strip() for line in lines[len(TEXT_LINES) :]):
        raise _FaultError(f"has {len(lines)} lines instead of {len(TEXT_LINES)}")
    rows = [_numbers(line, name) for line, name in zip(lines, TEXT_LINES, strict=False)]
    if any(len(row) != 1 for row in rows[:6]):
        raise _FaultError("does not have one number in each of its first six lines")
    opacity, gradient = (_points(row, 2, name) for row, name in zip(rows[6:8], TEXT_LINES[6:8], strict=True))
    color = _points(rows[8], 4, "color")
    return _property(opacity, color, gradient, 1.0, 0.0)


def _numbers(line: str, name: str) -> list[float]:
    try:
        values = [float(word) for word in line.split()]
    except ValueError as error:
        raise _FaultError(f"has something other than numbers in its line of {name}") from error
    if not all(map(math.isfinite, values)):
        raise _FaultError(f"has a number that is not finite in its line of {name}")
    return values


def _points(row: list[float], width: int, name: str) -> list[tuple[float, ...]]:
    if not row or row[0] != len(row) - 1 or row[0] % width:
        raise _FaultError(f"announces another number of values than its line of {name} has")
    return [tuple(row[start : start + width]) for start in range(1, len(row), width)]


def _from_json(text: str) -> VolumeProperty:
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _FaultError("is not valid JSON") from error
    if not SCHEMA.search(_entry(content, "@schema", str)):
        raise _FaultError("is not of the schema volume-property-schema-v1")
    described = _only(_entry(content, "volumeProperties", list), "volume property")
    component = _only(_entry(described, "components", list), "component")
    gradient = []
    if "gradientOpacity" in component and not component.get("disableGradientOpacity", False):
        gradient = _json_points(component, "gradientOpacity", "y")
    return _property(
        _json_points(component, "scalarOpacity", "y"),
        _json_points(component, "rgbTransferFunction", "color"),
        gradient,
        _number(component.get("scalarOpacityUnitDistance", 1.0), "scalarOpacityUnitDistance"),
        _number(described.get("scatteringAnisotropy", 0.0), "scatteringAnisotropy"),
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _entry(content: Any, name: str, kind: type) -> Any:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise _FaultError(f"has no {name}")
    return value


def _only(items: list, name: str) -> dict:
    if len(items) != 1 or not isinstance(items[0], dict):
        raise _FaultError(f"has {len(items)} entries for a {name}; one is read, of a volume with one component")
    return items[0]


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _FaultError(f"has a {name} that is not a number")
    return float(value)


def _json_points(component: dict, name: str, values: str) -> list[tuple[float, ...]]:
    points = []
    for item in _entry(_entry(component, name, dict), "points", list):
        if not isinstance(item, dict):
            raise _FaultError(f"has a point of {name} without numbers")
        found = _entry(item, "color", list) if values == "color" else [item.get("y")]
        if len(found) != (3 if values == "color" else 1):
            raise _FaultError(f"has a color of {len(found)} numbers in {name}")
        bend = tuple(_number(item.get(k, d), k) for k, d in zip(("midpoint", "sharpness"), STRAIGHT, strict=True))
        if bend != STRAIGHT:
            raise _FaultError(f"bends between points of {name} (midpoint, sharpness); only straight lines are read")
        points.append(tuple(_number(value, f"point of {name}") for value in (item.get("x"), *found)))
    return sorted(points, key=lambda point: point[0])


def _property(
    opacity: list[tuple], color: list[tuple], gradient: list[tuple], unit_distance_mm: float, g: float
) -> VolumeProperty:
    for name, points in (("scalar opacity", opacity), ("color", color)):
        if not 0 < len(points) <= MAX_POINTS:
            raise _FaultError(f"has {len(points)} points of {name}; 1 to {MAX_POINTS} are possible")
    if abs(g) >= MOST_ANISOTROPY:
        raise _FaultError(f"has a scattering anisotropy of {g:g}; it must lie within ±{MOST_ANISOTROPY:g}")
    ignored = []
    if any(point[1] != 1.0 for point in gradient):
        ignored.append("Gradient opacity is ignored: extinction follows from HU alone.")
    if any(point[1] > MOST_OPACITY for point in opacity):
        ignored.append(f"An opacity of 1 counts as {MOST_OPACITY}: extinction is finite.")
    if any(not 0.0 <= value <= 1.0 for point in (*opacity, *color) for value in point[1:]):
        raise _FaultError("has an opacity or a color beyond 0 to 1")
    finite = tuple((hu, min(share, MOST_OPACITY)) for hu, share in opacity)
    try:
        function = TransferFunction(OpacityFunction(finite, unit_distance_mm), ColorFunction(tuple(color)))
    except ValidationError as error:
        raise _FaultError(f"is not possible: {error.errors()[0]['msg']}") from error
    return VolumeProperty(function, g or None, tuple(ignored))
