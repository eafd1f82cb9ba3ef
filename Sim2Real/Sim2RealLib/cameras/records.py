"""Cameras as plain data: in recipes, in a frame's record, in a dataset's header."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from ..errors import Sim2RealError
from .camera import Camera
from .equidistant import EquidistantCamera
from .kannala_brandt import KannalaBrandtCamera
from .pinhole import PinholeCamera
from .scaramuzza import ScaramuzzaCamera

AnyCamera = Annotated[
    PinholeCamera | KannalaBrandtCamera | ScaramuzzaCamera | EquidistantCamera, Field(discriminator="model")
]
"""The type of a recipe's field that holds a camera of any model."""

MODELS = ("pinhole", "kannala_brandt", "scaramuzza", "equidistant")

_ADAPTER = TypeAdapter(AnyCamera)


def camera_from_record(record: Mapping[str, Any], where: str = "camera") -> Camera:
    """The camera whose `parameters` are `record`; Sim2RealError names `where`, the wrong parameter and its value."""
    try:
        return _ADAPTER.validate_python(dict(record))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"].startswith("union_tag"):
            raise Sim2RealError(f"{where}: model {record.get('model')!r} is none of {', '.join(MODELS)}.") from error
        names = [str(name) for name in first["loc"] if name != record.get("model")]
        message = first["msg"].removeprefix("Value error, ")
        value = "" if isinstance(first["input"], Mapping | None) else f" {first['input']!r}"
        raise Sim2RealError(f"{where}: {'.'.join(names) or record['model']}{value}: {message}.") from error
