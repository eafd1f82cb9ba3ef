"""Calibration files: OpenCV's, C3VD's and EndoMapper's, told apart by their content.

OpenCV: a FileStorage, YAML or XML, with ``image_width``, ``image_height`` and ``camera_matrix`` as its calibration
    sample writes them, and for a fisheye ``distortion_coefficients`` (four) and ``fisheye_model: 1``. Lens distortion
    of the other kind is refused unless it is 0: no model here has it.
C3VD: lines such as ``a0 = 769.24``, comments after ``;``: width, height, cx, cy, a0, a2, a3, a4 and c, d, e (a1 is 0).
EndoMapper: vicalib's XML, ``camera_model`` of type ``calibu_fu_fv_u0_v0`` or ``…_kb4`` with its axes right, down and
    forward.

All three count from pixel centres (vicalib: assumed), so ½ px is added to their principal points.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from Sim2RealLib.cameras import PIXEL_CENTER_PX, Camera, camera_from_record
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import parse_yaml
from Sim2RealLib.text_files import read_text

MAX_CALIBRATION_BYTES = 2**20

KB4 = ("k1", "k2", "k3", "k4")

VICALIB_PARAMETERS = {
    "calibu_fu_fv_u0_v0": ("pinhole", ()),
    "calibu_fu_fv_u0_v0_kb4": ("kannala_brandt", KB4),
}
"""Our name of a vicalib model and what follows fx, fy, cx, cy in its parameters."""

UNKNOWN_FILE = (
    "is not of the form name = value, and the file is no calibration that is read: OpenCV's (YAML or XML with "
    "camera_matrix), C3VD's (lines such as a0 = 769.24) or EndoMapper's (vicalib's XML)."
)

C3VD_REQUIRED = ("width", "height", "cx", "cy", "a0", "a2", "a3", "a4", "c", "d", "e")


def read_calibration(path: Path | str) -> Camera:
    """The camera that a calibration file describes; Sim2RealError says what the file lacks."""
    path = Path(path)
    text = read_text(path, MAX_CALIBRATION_BYTES, "calibration")
    where = str(path)
    if text.lstrip().startswith("<"):
        root = _parse_xml(text, where)
        return _endomapper_camera(root, where) if root.tag == "rig" else _opencv_camera(_opencv_xml(root), where)
    if text.lstrip().startswith("%YAML") or re.search(r"^camera_matrix\s*:", text, re.MULTILINE):
        return _opencv_camera(_opencv_yaml(text, where), where)
    return _c3vd_camera(text, where)


def _opencv_camera(content: Mapping[str, Any], where: str) -> Camera:
    matrix = _matrix(content.get("camera_matrix"), f"{where}: camera_matrix")
    if matrix.shape != (3, 3) or np.any(matrix[[0, 1, 2, 2], [1, 0, 0, 1]]) or matrix[2, 2] != 1.0:
        raise Sim2RealError(f"{where}: camera_matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].")
    distortion = np.zeros(4)
    if content.get("distortion_coefficients") is not None:
        distortion = _matrix(content["distortion_coefficients"], f"{where}: distortion_coefficients").ravel()
    fx, fy, cx, cy = matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()
    record = _record((fx, fy, cx, cy), content.get("image_width"), content.get("image_height"))
    if str(content.get("fisheye_model", 0)).strip() == "1":
        if len(distortion) != 4:
            raise Sim2RealError(f"{where}: a fisheye has 4 distortion_coefficients, not {len(distortion)}.")
        record |= {"model": "kannala_brandt"} | dict(zip(KB4, distortion.tolist(), strict=True))
    elif np.any(distortion):
        raise Sim2RealError(
            f"{where}: the distortion_coefficients are those of a pinhole with lens distortion, which is not "
            "supported. Calibrate with cv2.fisheye, or, if that is what they come from, add fisheye_model: 1."
        )
    return camera_from_record(record, where)


def _opencv_yaml(text: str, where: str) -> dict[str, Any]:
    """The content of a FileStorage in YAML, whose directive and tag of matrices are OpenCV's own."""
    plain = re.sub(r"!!opencv-matrix\b", "", re.sub(r"\A\s*%YAML[^\n]*", "", text))
    content = parse_yaml(plain.encode(), where)
    if not isinstance(content, dict):
        raise Sim2RealError(f"{where}: no camera_matrix in it; this is not a calibration of OpenCV's.")
    return content


def _opencv_xml(root: ElementTree.Element) -> dict[str, Any]:
    return {
        item.tag: {part.tag: (part.text or "").strip() for part in item} if len(item) else (item.text or "").strip()
        for item in root
    }


def _matrix(value: Any, where: str) -> np.ndarray:
    """A matrix of a FileStorage, from YAML (lists of numbers) or XML (text)."""
    if not isinstance(value, Mapping) or not {"rows", "cols", "data"} <= value.keys():
        raise Sim2RealError(f"{where} is missing, or no matrix with rows, cols and data.")
    data = value["data"]
    numbers = _numbers(" ".join(map(str, data)) if isinstance(data, list) else str(data), where)
    shape = _numbers(f"{value['rows']} {value['cols']}", where)
    if len(numbers) != np.prod(shape):
        raise Sim2RealError(f"{where} has {len(numbers)} numbers for {value['rows']} × {value['cols']}.")
    return numbers.reshape(shape.astype(int))


def _c3vd_camera(text: str, where: str) -> Camera:
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition(";")[0].strip()
        name, equals, value = (part.strip() for part in line.partition("="))
        if line and not equals:
            raise Sim2RealError(f"{where}: line {number} {UNKNOWN_FILE}")
        if name in values:
            raise Sim2RealError(f"{where}: {name} is given twice, again in line {number}.")
        if line:
            values[name] = value
    missing = [name for name in C3VD_REQUIRED if name not in values]
    if missing:
        raise Sim2RealError(f"{where}: {', '.join(missing)} missing; a calibration of C3VD's has all of them.")
    found = {name: _number(values[name], f"{where}: {name}") for name in C3VD_REQUIRED}
    if _number(values.get("a1", "0"), f"{where}: a1") != 0.0:
        raise Sim2RealError(f"{where}: a1 is {values['a1']}; the model has no such term, it must be 0.")
    record = {
        "model": "scaramuzza",
        "width_px": found["width"],
        "height_px": found["height"],
        "cx_px": found["cx"] + PIXEL_CENTER_PX,
        "cy_px": found["cy"] + PIXEL_CENTER_PX,
    }
    return camera_from_record(record | {name: found[name] for name in C3VD_REQUIRED[4:]}, where)


def _endomapper_camera(root: ElementTree.Element, where: str) -> Camera:
    models = list(root.iter("camera_model"))
    if len(models) != 1:
        raise Sim2RealError(f"{where}: {len(models)} camera_model entries; there must be one.")
    kind = models[0].get("type", "")
    if kind not in VICALIB_PARAMETERS:
        raise Sim2RealError(f"{where}: camera model '{kind}' is none of {', '.join(VICALIB_PARAMETERS)}.")
    text = {item.tag: (item.text or "").strip() for item in models[0]}
    for axis, expected in zip(("right", "down", "forward"), np.eye(3), strict=True):
        if axis in text and not np.array_equal(_numbers(text[axis], f"{where}: {axis}"), expected):
            raise Sim2RealError(f"{where}: its axes are not x right, y down, z forward ({axis} is {text[axis]}).")
    model, extra = VICALIB_PARAMETERS[kind]
    numbers = _numbers(text.get("params", ""), f"{where}: params")
    if len(numbers) != 4 + len(extra):
        raise Sim2RealError(f"{where}: params has {len(numbers)} numbers; {kind} has {4 + len(extra)}.")
    record = _record(
        numbers[:4].tolist(),
        _number(text.get("width", ""), f"{where}: width"),
        _number(text.get("height", ""), f"{where}: height"),
    )
    return camera_from_record(record | {"model": model} | dict(zip(extra, numbers[4:].tolist(), strict=True)), where)


def _record(intrinsics_px: Sequence[float], width_px: Any, height_px: Any) -> dict[str, Any]:
    """The record of a pinhole from fx, fy, cx, cy that count from pixel centres."""
    fx, fy, cx, cy = intrinsics_px
    return {
        "model": "pinhole",
        "fx_px": fx,
        "fy_px": fy,
        "cx_px": cx + PIXEL_CENTER_PX,
        "cy_px": cy + PIXEL_CENTER_PX,
        "width_px": width_px,
        "height_px": height_px,
    }


def _parse_xml(text: str, where: str) -> ElementTree.Element:
    """The root of an XML text without a document type, so without entities that could grow or reach other files."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Sim2RealError(f"{where}: has a document type or entities, which no calibration needs; remove them.")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Sim2RealError(f"{where}: not valid XML ({error}).") from error


def _numbers(text: str, where: str) -> np.ndarray:
    """Numbers between blanks, commas, semicolons and brackets."""
    try:
        return np.array([float(word) for word in re.split(r"[\s,;\[\]]+", text) if word])
    except ValueError as error:
        raise Sim2RealError(f"{where}: {error}.") from error


def _number(text: str, where: str) -> float:
    numbers = _numbers(text, where)
    if len(numbers) != 1:
        raise Sim2RealError(f"{where} is missing or not one number.")
    return float(numbers[0])
