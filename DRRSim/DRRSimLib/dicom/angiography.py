"""One X-Ray Angiographic Image object (PS3.3, A.14): attributes of a frame, or of a run of frames.

Dates and times are empty: the content of a file follows from the dataset alone. Modules are named as in PS3.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage
from pydicom.valuerep import DSfloat

from Sim2RealLib.geometry import RAS_FROM_LPS

from ..acquisition.carm import XrayView, view_from_pose
from ..frames.display import VoiFunction, Window
from .exact_pose import Shot, add_exact_poses
from .identifiers import unique_id
from .pixels import OPEN_BEAM, STEP, linear_table, stored_values

FRAME_TIME_MS = 1000.0 / 30.0
"""Of a run, as fluoroscopy is shown: a dataset holds no times."""

MGY_A_DGY = 100.0
MUAS_A_MAS = 1000.0
"""mGy in a dGy, µAs in a mAs."""

PLANES = ("BIPLANE A", "BIPLANE B")

TRANSFER = (
    f"stored value = {OPEN_BEAM} + {1 / STEP:.0f} ln(I/I0), I0 the open beam, limited to 1 to 65535; 0: no signal"
)


@dataclass(frozen=True)
class Study:
    """What all objects of a dataset share.

    identity: of the dataset; patient: of its inputs. origin: sources and licences of the inputs, in words.
    kvp: None where the beam is not that of a tube. biplane: whether two planes expose at once.
    """

    identity: str
    patient: str
    version: str
    origin: str
    kvp: float | None
    window: Window
    biplane: bool

    def instance_uid(self, shots: Sequence[Shot]) -> str:
        return unique_id("instance", self.identity, *(shot.checksum for shot in shots))


def angiography(
    study: Study, shots: Sequence[Shot], attenuation: Sequence[np.ndarray], other_plane: Sequence[Shot]
) -> pydicom.FileDataset:
    """The object of one frame, or of a run of frames that differ only in their angles, and in those evenly.

    attenuation: −ln(I / I₀) of each. other_plane: with a biplane, the frames taken at the same time.
    """
    content = pydicom.Dataset()
    view = view_from_pose(shots[0].device, shots[0].pose)
    _add_identity(content, study, shots)
    _add_image(content, study, shots, other_plane)
    content.PatientOrientation = [_letters(view, axis) for axis in ([1.0, 0.0], [0.0, 1.0])]
    _add_acquisition(content, study, shots)
    _add_collimator(content, view)
    _add_positioner(content, shots)
    _add_pixels(content, study, attenuation)
    add_exact_poses(content, shots)
    return content


def save(content: pydicom.Dataset, path: str) -> None:
    """Write an object as a DICOM file, always to the same bytes."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = content.SOPClassUID
    meta.MediaStorageSOPInstanceUID = content.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = unique_id("implementation")
    meta.ImplementationVersionName = "SIM2REAL_1"
    content.file_meta = meta
    content.save_as(path, enforce_file_format=True)


def _add_identity(content: pydicom.Dataset, study: Study, shots: Sequence[Shot]) -> None:
    """SOP Common, Patient, General Study, General Series and General Equipment Module."""
    device = shots[0].device.name[:64]
    content.SpecificCharacterSet = "ISO_IR 192"
    content.SOPClassUID = XRayAngiographicImageStorage
    content.SOPInstanceUID = study.instance_uid(shots)
    content.SyntheticData = "YES"
    content.PatientName = f"Synthetic^{study.patient}"
    content.PatientID = f"SYNTHETIC-{study.patient}"
    content.PatientBirthDate = content.PatientSex = ""
    content.StudyInstanceUID = unique_id("study", study.identity)
    content.StudyDate = content.StudyTime = content.AccessionNumber = content.ReferringPhysicianName = ""
    content.StudyID = study.identity[:16]
    content.StudyDescription = "Simulated X-ray images"
    content.Modality = "XA"
    content.Laterality = ""
    content.SeriesInstanceUID = unique_id("series", study.identity, str(shots[0].plane))
    content.SeriesNumber = shots[0].plane + 1
    content.SeriesDescription = f"Simulated, {device}"[:64]
    content.Manufacturer = "surgical-sim2real"
    content.ManufacturerModelName = device
    content.SoftwareVersions = study.version


def _add_image(content: pydicom.Dataset, study: Study, shots: Sequence[Shot], other_plane: Sequence[Shot]) -> None:
    """General Image, Cine, Multi-frame and X-Ray Image Module."""
    content.ImageType = ["DERIVED", "PRIMARY", PLANES[shots[0].plane] if study.biplane else "SINGLE PLANE"]
    content.InstanceNumber = content.AcquisitionNumber = shots[0].index + 1
    content.ContentDate = content.ContentTime = ""
    content.DerivationDescription = f"Simulated from a computed tomography by surgical-sim2real; {TRANSFER}."
    content.ImageComments = f"SYNTHETIC: computed, never exposed. {study.origin}"
    content.BurnedInAnnotation = "NO"
    content.LossyImageCompression = "00"
    if other_plane:
        reference = pydicom.Dataset()
        reference.ReferencedSOPClassUID = XRayAngiographicImageStorage
        reference.ReferencedSOPInstanceUID = study.instance_uid(other_plane)
        content.ReferencedImageSequence = [reference]
    if len(shots) > 1:
        content.NumberOfFrames = len(shots)
        content.FrameIncrementPointer = pydicom.tag.Tag("FrameTime")
        content.FrameTime = _decimal(FRAME_TIME_MS)


def _add_acquisition(content: pydicom.Dataset, study: Study, shots: Sequence[Shot]) -> None:
    """X-Ray Acquisition Module, with the sums of tube load and kerma-area product over the frames. How tube current and
    exposure time share the load is not simulated."""
    content.KVP = "" if study.kvp is None else _decimal(study.kvp)
    content.RadiationSetting = "GR"
    content.XRayTubeCurrent = content.ExposureTime = content.Exposure = ""
    content.ImagerPixelSpacing = [_decimal(shots[0].device.pixel_mm)] * 2
    exposures = [shot.exposure for shot in shots if shot.exposure is not None]
    if not exposures:
        return
    content.ImageAndFluoroscopyAreaDoseProduct = _decimal(
        sum(exposure.kerma_area_mgy_cm2 for exposure in exposures) / MGY_A_DGY
    )
    loads = [exposure.tube_load_mas for exposure in exposures]
    if None not in loads:
        content.Exposure, content.ExposureInuAs = round(sum(loads)), round(MUAS_A_MAS * sum(loads))


def _add_collimator(content: pydicom.Dataset, view: XrayView) -> None:
    """X-Ray Collimator Module, where the field is not the whole detector. Edges are the outermost closed pixels, the
    first of which is 1."""
    width, height = view.camera.width_px, view.camera.height_px
    left, top, right, bottom = view.open_field_px
    if (left, top, right, bottom) == (0, 0, width, height):
        return
    content.CollimatorShape = "RECTANGULAR"
    content.CollimatorLeftVerticalEdge, content.CollimatorUpperHorizontalEdge = round(left), round(top)
    content.CollimatorRightVerticalEdge, content.CollimatorLowerHorizontalEdge = round(right) + 1, round(bottom) + 1


def _add_positioner(content: pydicom.Dataset, shots: Sequence[Shot]) -> None:
    """XA Positioner Module; increments are the constant change from one frame to the next (C.8.7.5.1.3)."""
    pose = shots[0].pose
    content.DistanceSourceToDetector = _decimal(pose.source_to_detector_mm)
    content.DistanceSourceToPatient = _decimal(pose.source_to_isocenter_mm)
    content.EstimatedRadiographicMagnificationFactor = _decimal(
        pose.source_to_detector_mm / pose.source_to_isocenter_mm
    )
    content.PositionerPrimaryAngle = _decimal(pose.primary_deg)
    content.PositionerSecondaryAngle = _decimal(pose.secondary_deg)
    if len(shots) == 1:
        return
    last, steps = shots[-1].pose, len(shots) - 1
    primary_deg = (last.primary_deg - pose.primary_deg) / steps
    secondary_deg = (last.secondary_deg - pose.secondary_deg) / steps
    content.PositionerMotion = "DYNAMIC" if primary_deg or secondary_deg else "STATIC"
    if content.PositionerMotion == "DYNAMIC":
        content.PositionerPrimaryAngleIncrement = _decimal(primary_deg)
        content.PositionerSecondaryAngleIncrement = _decimal(secondary_deg)


def _add_pixels(content: pydicom.Dataset, study: Study, attenuation: Sequence[np.ndarray]) -> None:
    """Image Pixel, Modality LUT and VOI LUT Module."""
    content.SamplesPerPixel = 1
    content.PhotometricInterpretation = "MONOCHROME2"
    content.Rows, content.Columns = attenuation[0].shape
    content.BitsAllocated = content.BitsStored = 16
    content.HighBit = 15
    content.PixelRepresentation = 0
    content.PixelIntensityRelationship = "LOG"
    content.PixelData = b"".join(stored_values(image).astype("<u2").tobytes() for image in attenuation)
    content["PixelData"].VR = "OW"
    to_linear = pydicom.Dataset()
    to_linear.LUTDescriptor = [0, 0, 16]  # 0 entries stand for 65536
    to_linear.ModalityLUTType = "US"
    to_linear.add_new("LUTData", "OW", linear_table().astype("<u2").tobytes())
    content.ModalityLUTSequence = [to_linear]
    window = study.window
    content.WindowCenter = _decimal(OPEN_BEAM - (window.low + window.high) / 2 / STEP)
    content.WindowWidth = _decimal((window.high - window.low) / STEP)
    content.VOILUTFunction = "SIGMOID" if window.function is VoiFunction.SIGMOID else "LINEAR"


def _letters(view: XrayView, image_axis: Sequence[float]) -> str:
    """Where an axis of the image leads in the patient, as letters from the largest component down (C.7.6.1.1.1)."""
    in_source = np.array([*image_axis, 0.0]) * np.sign([view.camera.fx_px, view.camera.fy_px, 1.0])
    direction = RAS_FROM_LPS[:3, :3] @ view.camera_from_ras[:3, :3].T @ in_source
    letters = [pair[int(part < 0)] for pair, part in zip(("LR", "PA", "HF"), direction, strict=True)]
    return "".join(
        letters[axis] for axis in np.argsort(-np.abs(direction), kind="stable") if abs(direction[axis]) > 0.1
    )


def _decimal(value: float) -> DSfloat:
    """A decimal string: at most 16 characters, some 14 digits."""
    return DSfloat(float(value), auto_format=True)
