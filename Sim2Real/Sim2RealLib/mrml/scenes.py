"""Which scene is meant."""

import slicer

from ..errors import Sim2RealError


def scene_or_slicers(scene: "slicer.vtkMRMLScene | None", user: str) -> "slicer.vtkMRMLScene":
    """A scene that was given, or else that of the Slicer application. Sim2RealError outside of it.

    user: the class that needs it, for the message.
    """
    if scene is None and not hasattr(slicer, "mrmlScene"):
        raise Sim2RealError(f"There is no Slicer application here: give a scene, {user}(slicer.vtkMRMLScene()).")
    return slicer.mrmlScene if scene is None else scene
