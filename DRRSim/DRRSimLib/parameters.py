"""What is set in the panel, kept in the scene; named in camelCase, as parameters of Slicer's modules are."""

from pathlib import Path
from typing import Annotated

from slicer import (
    vtkMRMLLinearTransformNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import Choice, Default, FloatRange, RangeBounds, WithinRange, parameterNodeWrapper

from .acquisition.carm import DEVICES
from .acquisition.views import Sampler
from .detector.presets import DETECTORS
from .frames.display import WINDOWS
from .physics.spectra import PRESETS
from .physics.tissues import RULES
from .scatter import ESTIMATORS

FROM_RECIPE = "as in the recipe"
"""Choice of a device, spectrum, detector or materials that is no preset: the one of the recipe that was loaded."""
AS_SHOWN = "as shown"
"""Choice of a window that is no preset: the one that was set with the mouse, or by a recipe."""

BONE_WHITE, BONE_DARK = "bone white", "bone dark"

MOST_DEG = 225.0
"""As far as any of the devices turns."""


@parameterNodeWrapper
class DrrParameters:
    """distancesOf: the device that the distances were set for. recipe: the JSON of the recipe that was loaded last, for
    what the panel does not show; empty if none was."""

    ct: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    landmarks: vtkMRMLMarkupsFiducialNode
    carm: vtkMRMLLinearTransformNode
    sampleSeed: Annotated[int, WithinRange(0, 9999)] = 1

    device: Annotated[str, Choice([*DEVICES, FROM_RECIPE])] = "bier_2018"
    distancesOf: str = "bier_2018"
    primaryDeg: Annotated[float, WithinRange(-MOST_DEG, MOST_DEG)] = 0.0
    secondaryDeg: Annotated[float, WithinRange(-MOST_DEG, MOST_DEG)] = 0.0
    inPlaneDeg: Annotated[float, WithinRange(-180.0, 180.0)] = 0.0
    sourceToDetectorMm: Annotated[float, WithinRange(300.0, 2000.0)] = 1200.0
    sourceToIsocenterMm: Annotated[float, WithinRange(100.0, 1900.0)] = 800.0
    isocenterR: float = 0.0
    isocenterA: float = 0.0
    isocenterS: float = 0.0
    showModel: bool = True
    showHandles: bool = True

    live: bool = True
    spectrum: Annotated[str, Choice([*PRESETS, FROM_RECIPE])] = "90kV_Al4.0"
    detectorType: Annotated[str, Choice([*DETECTORS, FROM_RECIPE])] = "unberath_2018"
    scatter: Annotated[str, Choice(ESTIMATORS)] = "none"
    materials: Annotated[str, Choice([*RULES, FROM_RECIPE])] = "tissues"
    photons: Annotated[float, WithinRange(0.0, 1e9)] = 5e5
    window: Annotated[str, Choice([*WINDOWS, AS_SHOWN])] = "pelvis"
    windowLow: float = WINDOWS["pelvis"].low
    windowHigh: float = WINDOWS["pelvis"].high
    windowIsSigmoid: bool = True
    polarity: Annotated[str, Choice([BONE_WHITE, BONE_DARK])] = BONE_WHITE
    showLandmarks: bool = True
    showNames: bool = False
    showMasks: bool = False
    maskOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.8
    showIn3D: bool = True

    showRays: bool = True

    count: Annotated[int, WithinRange(1, 5_000_000)] = 50
    sampler: Annotated[str, Choice([entry.value for entry in Sampler])] = Sampler.FIBONACCI.value
    primaryRangeDeg: Annotated[
        FloatRange, RangeBounds(-MOST_DEG, MOST_DEG), Default(generator=lambda: FloatRange(-60.0, 60.0))
    ]
    secondaryRangeDeg: Annotated[
        FloatRange, RangeBounds(-90.0, 90.0), Default(generator=lambda: FloatRange(-45.0, 45.0))
    ]
    inPlaneJitterDeg: Annotated[float, WithinRange(0.0, 180.0)] = 5.0
    isocenterJitterMm: Annotated[float, WithinRange(0.0, 200.0)] = 15.0
    seed: Annotated[int, WithinRange(0, 2**31 - 1)] = 0
    datasetFolder: Path
    recipe: str
