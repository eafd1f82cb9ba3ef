"""What is set in the panel, kept in the scene. Names of widgets' parameters are Slicer's, in camelCase."""

from enum import Enum
from pathlib import Path
from typing import Annotated

from slicer import (
    vtkMRMLLinearTransformNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper


class StyleSource(Enum):
    """Where the look of a translation comes from."""

    RANDOM = "random"
    IMAGE = "image"

    def label(self) -> str:
        return {"random": _("at random"), "image": _("from an image")}[self.value]


@parameterNodeWrapper
class TranslateParameters:
    segmentation: vtkMRMLSegmentationNode
    ct: vtkMRMLScalarVolumeNode
    trocars: vtkMRMLMarkupsFiducialNode
    laparoscope: vtkMRMLLinearTransformNode

    showHandles: bool = True
    fieldOfViewDeg: Annotated[float, WithinRange(20, 120)] = 70.0
    tipAngle: Annotated[str, Choice(["0°", "30°"])] = "0°"
    widthPx: Annotated[int, WithinRange(16, 4096), Default(452)]
    heightPx: Annotated[int, WithinRange(16, 4096), Default(256)]
    pneumoperitoneumMmhg: Annotated[float, WithinRange(0, 25)] = 12.0

    livePreview: bool = True
    labelOpacity: Annotated[float, WithinRange(0, 1)] = 0.3

    styleSource: StyleSource = StyleSource.RANDOM
    styleSeed: Annotated[int, WithinRange(0, 2**31 - 1)] = 0
    styleImage: Path
    translationOpacity: Annotated[float, WithinRange(0, 1)] = 1.0

    datasetFolder: Path
