"""What a stored X-ray frame and its dataset must hold beyond the part that all simulators share."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.dataset.schema import CameraEntry, Matrix3, validated

from .acquisition.carm import CArmDevice, CArmPose

Pair = tuple[float, float]
Triple = tuple[float, float, float]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class CArmRecord(_Model):
    """`frame_labels.pose_record` with the device; see Docs/DatasetFormat.md."""

    device: str
    exposure: int
    primary_deg: float
    secondary_deg: float
    in_plane_deg: float
    angles: str
    isocenter_ras: Triple
    source_to_detector_mm: float
    source_to_isocenter_mm: float
    detector_offset_mm: Pair
    open_field_px: tuple[float, float, float, float]

    def pose(self, device: CArmDevice) -> CArmPose:
        """The pose of the frame. Its collimation is a field about the central ray that leaves open what the record says
        is open on the detector; what it was beyond the detector is not recorded."""
        size_px = (device.width_px, device.height_px)
        collimation_mm = None
        if self.open_field_px != (0.0, 0.0, *map(float, size_px)):
            central_px = [
                size / 2 - mm / device.pixel_mm for size, mm in zip(size_px, self.detector_offset_mm, strict=True)
            ]
            reach_px = [
                max(central_px[axis] - self.open_field_px[axis], self.open_field_px[axis + 2] - central_px[axis])
                for axis in (0, 1)
            ]
            collimation_mm = tuple(2 * device.pixel_mm * reach for reach in reach_px)
        return CArmPose(
            self.primary_deg,
            self.secondary_deg,
            self.isocenter_ras,
            self.source_to_detector_mm,
            self.source_to_isocenter_mm,
            self.in_plane_deg,
            self.detector_offset_mm,
            collimation_mm,
        )


class PointRecord(_Model):
    """`frame_labels.point_record`."""

    position_px: Pair | None
    visible: bool
    in_field: bool
    collimated: bool
    behind_source: bool


class LandmarkRecord(PointRecord):
    """`frame_labels.landmark_records`."""

    tissue_mm: float | None


class ExposureRecord(_Model):
    """`exposure_record.exposure_record`."""

    kvp: float | None
    photons_per_pixel: float = Field(gt=0)
    tube_load_mas: float | None
    air_kerma_mgy: float | None
    kerma_area_mgy_cm2: float
    detector_ugy: float | None


class ToolRecord(_Model):
    """`tool_labels.tool_records`."""

    class_id: int
    tip: PointRecord | None
    end: PointRecord | None
    direction: Triple | None


class XraySource(CameraEntry):
    """The camera, whose K says where the detector is."""

    matrix: Matrix3


class AugmentationRecord(_Model):
    """`augmentation.variant.Variant.record`, as far as labels are checked against it."""

    variant: int
    landmarks_ras: dict[str, Triple]


class DrrRecord(_Model):
    """The geometry of a frame, and its exposure, which frames without a number of photons and older ones lack."""

    camera: XraySource
    carm: CArmRecord
    exposure: ExposureRecord | None = None
    landmarks: dict[str, LandmarkRecord]
    tools: dict[str, ToolRecord] = {}
    augmentation: AugmentationRecord | None = None


class ToolInWorld(_Model):
    """`tool_labels.tools_in_world`, as far as it has a place in the image."""

    tip_ras: Triple | None
    end_ras: Triple | None


class DrrExtra(_Model):
    """`extra` of an X-ray dataset's dataset.json, as far as frames are checked against it."""

    backend: str
    open_beam_kev: float = Field(gt=0)
    landmarks_ras: dict[str, Triple]
    tools: dict[str, ToolInWorld] = {}


def drr_record(frame: StoredFrame) -> DrrRecord:
    """Sim2RealError, naming the field, if the frame's record is not that of an X-ray frame."""
    return validated(DrrRecord, frame.record, f"frame {frame.index}")


def drr_extra(dataset: Dataset) -> DrrExtra:
    """Sim2RealError, naming the field, if dataset.json is not that of an X-ray dataset."""
    extra: dict[str, Any] = dict(dataset.header.extra)
    return validated(DrrExtra, extra, f"{dataset.folder}/dataset.json: extra")
