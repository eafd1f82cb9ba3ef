"""What is set in the panel, kept in the scene; named in camelCase, as parameters of Slicer's modules are."""

from pathlib import Path
from typing import Annotated

from slicer import (
    vtkMRMLLinearTransformNode,
    vtkMRMLMarkupsCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLModelNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from .appearance.looks import LOOKS
from .colonography import PatientPosition
from .endoscope.presets import ENDOSCOPES

FROM_RECIPE = "as in the recipe"
"""Choice of a device, look or plan that the panel does not show: that of the recipe that was loaded."""

CINEMATIC, SYNTHETIC = "cinematic", "synthetic"

PLANS = {"along the centerline": "centerline", "fly-through": "fly_through", "anywhere": "free"}
"""Ways to place the camera of a dataset, and what recipes call them."""


PICTURE, DEPTH, NORMALS, LABELS = "rendered picture", "depth", "normals", "labels"
ERROR, REAL, CT = "depth error", "real frame", "CT"
SHOWN = (PICTURE, DEPTH, NORMALS, LABELS, ERROR, REAL, CT)
"""What the slice view "Frame" can show."""


@parameterNodeWrapper
class DepthSimParameters:
    """recipe: the JSON of the recipe that was loaded last, for what the panel does not show; empty if none was."""

    ct: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    sampleSeed: Annotated[int, WithinRange(0, 9999)] = 1
    sampleSpacingMm: Annotated[float, WithinRange(0.8, 3.0)] = 1.5

    patientPosition: Annotated[str, Choice([entry.value for entry in PatientPosition])] = PatientPosition.SUPINE.value
    findFluid: bool = True
    fluidAboveHu: Annotated[float, WithinRange(50.0, 1500.0)] = 200.0
    bridgeUpToMm: Annotated[float, WithinRange(0.0, 100.0)] = 0.0
    bridgePoints: vtkMRMLMarkupsFiducialNode
    excludedPoints: vtkMRMLMarkupsFiducialNode
    lumen: vtkMRMLModelNode
    path: vtkMRMLMarkupsCurveNode

    endoscope: vtkMRMLLinearTransformNode
    device: Annotated[str, Choice([*ENDOSCOPES, FROM_RECIPE])] = "olympus_cf_hq190l"
    scalePercent: Annotated[float, WithinRange(2.0, 200.0)] = 30.0
    pathPositionMm: Annotated[float, WithinRange(0.0, 5000.0)] = 0.0
    keepOut: bool = True
    marginMm: Annotated[float, WithinRange(0.5, 15.0)] = 3.0
    showModel: bool = True
    showField: bool = True
    showLights: bool = False
    showHandles: bool = True
    live: bool = True

    mode: Annotated[str, Choice([CINEMATIC, SYNTHETIC])] = CINEMATIC
    look: Annotated[str, Choice([*LOOKS, FROM_RECIPE])] = "normal"
    samples: Annotated[int, WithinRange(1, 4096)] = 32
    shown: Annotated[str, Choice(SHOWN)] = PICTURE
    showSurface: bool = True

    showPredicted: bool = True
    realFrame: Path

    plan: Annotated[str, Choice([*PLANS, FROM_RECIPE])] = "along the centerline"
    count: Annotated[int, WithinRange(1, 5_000_000)] = 50
    seed: Annotated[int, WithinRange(0, 2**31 - 1)] = 0
    datasetFolder: Path
    recipe: str
