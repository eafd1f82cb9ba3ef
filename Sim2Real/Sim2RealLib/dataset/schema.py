"""What dataset.json and the generic part of a frame's JSON hold, and their exact text.

The text is the same for the same content: keys in a fixed order, no times, no machine names.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from ..errors import Sim2RealError
from ..simulation import Channel, DatasetHeader, LabelClass
from .layout import CHANNEL_NAME, MAX_FRAMES

SCHEMA_VERSION = 1
DESCRIPTION_SEAL, RECORD_SEAL = "description_sha256", "record_sha256"
"""Keys under which dataset.json and a frame's JSON carry their own checksum."""

CONVENTIONS = {
    "world": "RAS, mm",
    "transforms": "a_from_b: 4x4, acts on column vectors",
    "camera_frame": "x right, y down, z towards the scene or detector",
    "image_positions": "px, (0, 0) is the outer corner of the top-left pixel",
}
RECORDED_SOFTWARE = (
    *("numpy", "scipy", "SimpleITK", "scikit-image", "drjit", "mitsuba-oidn"),
    *("tifffile", "pillow", "pycocotools"),
)
"""Packages whose version may change a byte of a dataset."""

Name = Annotated[str, Field(pattern=rf"^{CHANNEL_NAME}$")]
Matrix3 = Annotated[list[Annotated[list[float], Field(min_length=3, max_length=3)]], Field(min_length=3, max_length=3)]
Matrix4 = Annotated[list[Annotated[list[float], Field(min_length=4, max_length=4)]], Field(min_length=4, max_length=4)]
Side = Annotated[int, Field(ge=1, le=2**15)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class DatasetJson(_Model):
    """dataset.json: what is true of every frame, and what made them."""

    schema_version: Literal[1]
    description_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    simulator: str
    frame_count: int = Field(ge=1, le=MAX_FRAMES)
    conventions: dict[str, str]
    classes: tuple[LabelClass, ...]
    channels: dict[Name, Channel]
    inputs: tuple[dict[str, Any], ...]
    recipe_sha256: str
    software: dict[str, str]
    extra: dict[str, Any]

    @property
    def header(self) -> DatasetHeader:
        return DatasetHeader(self.simulator, self.frame_count, self.classes, self.channels, self.inputs, self.extra)


class FileEntry(_Model):
    """One image file of a frame. `shape` is (H, W) or (pages, H, W)."""

    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    shape: tuple[Side, Side] | tuple[Side, Side, Side]


class CameraEntry(_Model):
    """A camera and its pose; for the conventions see `CONVENTIONS`.

    matrix: K of a pinhole camera. parameters: what `cameras.camera_from_record` makes any camera from.
    """

    model: str
    matrix: Matrix3 | None = None
    parameters: dict[str, float | int | str] | None = None
    width_px: Side
    height_px: Side
    camera_from_world: Matrix4


class LandmarkEntry(_Model):
    """Where a landmark is in the image; None where the camera model has no image of it (behind the source)."""

    model_config = ConfigDict(extra="allow")
    position_px: tuple[float, float] | None
    visible: bool


class MaskEntry(_Model):
    """An amodal mask as COCO compressed run lengths; see `masks`."""

    size: tuple[Side, Side]
    counts: str
    box_px: tuple[float, float, float, float]
    area_px: int = Field(ge=0)


class FrameRecord(_Model):
    """The part of a frame's JSON that all simulators share; each adds what is its own."""

    model_config = ConfigDict(extra="allow")
    index: int = Field(ge=0)
    record_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    files: dict[Name, FileEntry]
    camera: CameraEntry | None = None
    landmarks: dict[str, LandmarkEntry] = {}
    masks: dict[Annotated[str, Field(pattern="^[0-9]{1,9}$")], MaskEntry] = {}


def describe(header: DatasetHeader, recipe_sha256: str) -> dict[str, Any]:
    """The content of dataset.json, plain JSON."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "simulator": header.simulator,
        "frame_count": header.frame_count,
        "conventions": CONVENTIONS,
        "classes": [asdict(entry) for entry in header.classes],
        "channels": {name: asdict(channel) for name, channel in header.channels.items()},
        "inputs": [dict(entry) for entry in header.inputs],
        "recipe_sha256": recipe_sha256,
        "software": _software(),
        "extra": dict(header.extra),
    }
    return json.loads(to_json(sealed(content, DESCRIPTION_SEAL)))


def sealed(content: Mapping[str, Any], seal: str) -> dict[str, Any]:
    """`content` with a checksum of itself under the key `seal`, the same whatever the layout of its text."""
    rest = json.loads(to_json({key: value for key, value in content.items() if key != seal}))
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return {**content, seal: hashlib.sha256(canonical.encode()).hexdigest()}


def is_sealed(content: Mapping[str, Any], seal: str) -> bool:
    """Whether nothing in `content` has changed since it was sealed."""
    return sealed(content, seal)[seal] == content.get(seal)


def to_json(content: Mapping[str, Any]) -> bytes:
    """JSON text, an entry of a table on a line. Numpy values become plain; NaN and infinity are a ValueError."""
    lines = [f" {json.dumps(key)}: {_table(value)}" for key, value in content.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


Parsed = TypeVar("Parsed", bound=BaseModel)


def from_json(data: bytes, model: type[Parsed], where: str) -> tuple[Parsed, dict[str, Any]]:
    """The content of a JSON file as `model` and as the plain dict; Sim2RealError names `where` and the wrong field."""
    try:
        content = json.loads(data)
        if isinstance(content, dict) and (found := content.get("schema_version", SCHEMA_VERSION)) != SCHEMA_VERSION:
            raise Sim2RealError(
                f"{where}: made by another version (schema {found}, this one reads {SCHEMA_VERSION}). "
                "Install the surgical-sim2real that made it, or export it again."
            )
    except (ValueError, RecursionError) as error:
        raise Sim2RealError(f"{where}: damaged, not JSON ({error}).") from error
    return validated(model, content, where), content


def validated(model: type[Parsed], content: Any, where: str) -> Parsed:
    """`content` as `model`; Sim2RealError names `where` and the wrong field."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        raise Sim2RealError(f"{where}: damaged, {field}: {first['msg']}.") from error


def _table(value: Any) -> str:
    if isinstance(value, Mapping) and value and all(isinstance(item, Mapping) for item in value.values()):
        return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_dumps(item)}" for key, item in value.items()) + "\n }"
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return "[\n" + ",\n".join(f"  {_dumps(item)}" for item in value) + "\n ]"
    return _dumps(value)


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a dataset")


def _software() -> dict[str, str]:
    found = {"surgical-sim2real": __version__, "python": ".".join(platform.python_version_tuple()[:2])}
    for name in RECORDED_SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
