"""The exact pose of every frame in a private block: the standard's attributes are decimal strings, and know neither the
isocentre in the CT's frame, nor a turn about the central ray, nor a displaced detector.

Private elements of the block CREATOR in group 0021 (PS3.5, section 7.8); a block xx begins at (0021,xx00):

    xx01 LO  name of the device            xx02 FD  size of a pixel on the detector, mm
    xx10 SQ  an item for every frame, with the same block:
      xx11 UL  number of the frame in the dataset
      xx12 FD  primary, secondary and in-plane angle, degrees
      xx13 FD  isocentre, RAS mm
      xx14 FD  distances from the source to the detector and to the isocentre, mm
      xx15 FD  displacement of the detector to the image's right and down, mm
      xx16 FD  open field: width, height on the detector, mm; absent where nothing is collimated
      xx17 FD  3×4, row after row: image position (px, from the corner of the first pixel) from RAS mm
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pydicom

from ..acquisition.carm import CArmDevice, CArmPose, view_from_pose
from ..frame_record import ExposureRecord

GROUP, CREATOR = 0x0021, "SURGICAL-SIM2REAL C-ARM 1"
DEVICE, PIXEL, FRAMES = 0x01, 0x02, 0x10
INDEX, ANGLES, ISOCENTER, DISTANCES, OFFSET, FIELD, PROJECTION = range(0x11, 0x18)


@dataclass(frozen=True)
class Shot:
    """One frame of a dataset as it was taken. index: of the frame. plane: 0, or 1 for the second of a biplane.
    variant: number of the augmented anatomy, 0 without. exposure: as in the frame's record, None where there is none.
    checksum: of that record."""

    index: int
    plane: int
    device: CArmDevice
    pose: CArmPose
    variant: int
    exposure: ExposureRecord | None
    checksum: str


def add_exact_poses(dataset: pydicom.Dataset, shots: Iterable[Shot]) -> None:
    """Write the private block of the frames of one object."""
    items = [_item(shot) for shot in shots]
    device = next(iter(shots)).device
    block = dataset.private_block(GROUP, CREATOR, create=True)
    block.add_new(DEVICE, "LO", device.name[:64])
    block.add_new(PIXEL, "FD", device.pixel_mm)
    block.add_new(FRAMES, "SQ", items)


def has_exact_poses(dataset: pydicom.Dataset) -> bool:
    return CREATOR in dataset.private_creators(GROUP)


def exact_poses(dataset: pydicom.Dataset) -> tuple[str, float, list[CArmPose]]:
    """Name of the device, size of a pixel in mm, and the pose of every frame. KeyError for what is missing."""
    block = dataset.private_block(GROUP, CREATOR)
    return block[DEVICE].value, block[PIXEL].value, [_pose(item) for item in block[FRAMES].value]


def _item(shot: Shot) -> pydicom.Dataset:
    pose, view = shot.pose, view_from_pose(shot.device, shot.pose)
    item = pydicom.Dataset()
    block = item.private_block(GROUP, CREATOR, create=True)
    block.add_new(INDEX, "UL", shot.index)
    block.add_new(ANGLES, "FD", [pose.primary_deg, pose.secondary_deg, pose.in_plane_deg])
    block.add_new(ISOCENTER, "FD", list(pose.isocenter_ras))
    block.add_new(DISTANCES, "FD", [pose.source_to_detector_mm, pose.source_to_isocenter_mm])
    block.add_new(OFFSET, "FD", list(pose.detector_offset_mm))
    if pose.collimation_mm is not None:
        block.add_new(FIELD, "FD", list(pose.collimation_mm))
    block.add_new(PROJECTION, "FD", np.ravel(view.camera.matrix @ view.camera_from_ras[:3]).tolist())
    return item


def _pose(item: pydicom.Dataset) -> CArmPose:
    block = item.private_block(GROUP, CREATOR)
    primary, secondary, in_plane = block[ANGLES].value
    to_detector, to_isocenter = block[DISTANCES].value
    return CArmPose(
        primary,
        secondary,
        tuple(block[ISOCENTER].value),
        to_detector,
        to_isocenter,
        in_plane,
        tuple(block[OFFSET].value),
        tuple(block[FIELD].value) if FIELD in block else None,
    )
