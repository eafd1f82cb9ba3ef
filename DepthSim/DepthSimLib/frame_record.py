"""What a stored endoscopy frame and its dataset must hold beyond the part that all simulators share."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from Sim2RealLib.cameras import AnyMask, Camera, camera_from_record
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.dataset.schema import CameraEntry, validated

from .endoscope.lights import TipLights
from .endoscope.presets import Endoscope


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class LensRecord(CameraEntry):
    """The camera, with the numbers of its model."""

    parameters: dict[str, float | int | str]


class TipRecord(_Model):
    """`frames.record.tip_record`."""

    wall_distance_mm: float
    arc_length_mm: float | None = None
    segment: str | None = None


class CoverageRecord(_Model):
    """share: of the wall's area that the frame sees; seen: its vertices, `frames.coverage.pack_bits`."""

    share: float
    seen: str


class EndoscopyRecord(_Model):
    """The geometry of a frame, and how many pixels show each class."""

    camera: LensRecord
    tip: TipRecord
    visible_px: dict[str, int]
    coverage: CoverageRecord | None = None

    def lens(self) -> Camera:
        return camera_from_record(self.camera.parameters)


class EndoscopyExtra(_Model):
    """`extra` of an endoscopy dataset's dataset.json, as far as frames are checked against it."""

    backend: str
    camera: dict[str, float | int | str]
    mask: AnyMask | None
    lights: TipLights
    wall_vertices: int

    def endoscope(self) -> Endoscope:
        return Endoscope(camera_from_record(self.camera), self.lights, self.mask)


def endoscopy_record(frame: StoredFrame) -> EndoscopyRecord:
    """Sim2RealError, naming the field, if the frame's record is not that of an endoscopy frame."""
    return validated(EndoscopyRecord, frame.record, f"frame {frame.index}")


def endoscopy_extra(dataset: Dataset) -> EndoscopyExtra:
    """Sim2RealError, naming the field, if dataset.json is not that of an endoscopy dataset."""
    extra: dict[str, Any] = dict(dataset.header.extra)
    return validated(EndoscopyExtra, extra, f"{dataset.folder}/dataset.json: extra")
