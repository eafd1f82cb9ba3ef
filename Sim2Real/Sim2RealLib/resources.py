"""Where the extension's data files are: recipes, tables, weights."""

from pathlib import Path

from .errors import Sim2RealError

_PACKAGE = Path(__file__).resolve().parent
_CANDIDATES = (
    _PACKAGE.parents[1] / "Resources",  # a source checkout
    _PACKAGE / "Resources",  # installed by pip
    _PACKAGE.parent / "Resources" / "SurgicalSim2Real",  # Slicer's flat qt-scripted-modules folder
)


def resource_path(name: str) -> Path:
    """The path of a file below Resources/, such as ``Recipes/pelvis_drr.yaml``; Sim2RealError if it is not there."""
    for folder in _CANDIDATES:
        if (folder / name).exists():
            return folder / name
    raise Sim2RealError(
        f"The installation is incomplete: Resources/{name} is missing. Install surgical-sim2real again."
    )
