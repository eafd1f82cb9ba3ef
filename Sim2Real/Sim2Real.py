"""What the three modules share in Slicer, and their sample data: a module without a panel of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class Sim2Real(ScriptedLoadableModule):
    """Hidden: it brings the packages Sim2RealLib and Sim2RealApp onto Slicer's path and registers the sample data."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        parent.title = _("SurgicalSim2Real (shared)")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Simulation")]
        parent.hidden = True
        parent.contributors = ["SurgicalSim2Real contributors"]
        parent.helpText = _("Shared parts of the modules DRRSim, DepthSim and Sim-to-Real Translation.")
        slicer.app.connect("startupCompleted()", register_sample_data)
        slicer.app.connect("startupCompleted()", register_layouts)


CATEGORY = "SurgicalSim2Real"
DOCUMENTATION_URL = "https://github.com/SurgicalSim2Real/SlicerSurgicalSim2Real/blob/main/Docs/Slicer.md"

ABDOMEN_URL = "https://github.com/wasserth/TotalSegmentator/raw/master/tests/reference_files/"
"""Test files of TotalSegmentator, Apache-2.0 (Wasserthal et al., Radiology: Artificial Intelligence 2023)."""
ABDOMEN_FILES = {
    "example_ct.nii.gz": "SHA256:dbd3ae6d614d1d7ef3a46925c30c70038ed52da6b37fdd6afdc7b9b71387e3e1",
    "example_seg_fast_force_split.nii.gz": "SHA256:e8097758e56e73099075b6caaebce23ef11bc6fad66a4ec3753b9406846558c7",
}


def register_sample_data() -> None:
    """Offer generated anatomies, which are made on this computer, and a small real CT with organ labels."""
    from SampleData import SampleDataLogic

    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # since 03/2026
        SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("Surgical Sim2Real"))
    icons = Path(__file__).parent / "Resources" / "Icons"
    for name, maker in (("GeneratedPelvis", make_pelvis), ("GeneratedColon", make_colon)):
        SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            uris=DOCUMENTATION_URL,  # nothing is downloaded, but Slicer wants an address and a file name
            fileNames=name,
            nodeNames=name,
            thumbnailFileName=str(icons / f"{name}.png"),
            customDownloader=maker,
        )
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="AbdomenPelvisCT",
        thumbnailFileName=str(icons / "AbdomenPelvisCT.png"),
        uris=[ABDOMEN_URL + name for name in ABDOMEN_FILES],
        fileNames=[f"TotalSegmentator_{name}" for name in ABDOMEN_FILES],
        nodeNames=["AbdomenPelvisCT", "AbdomenPelvisLabels"],
        checksums=list(ABDOMEN_FILES.values()),
        customDownloader=load_abdomen,
    )


def register_layouts() -> None:
    """Let scenes that were saved with a layout of the three modules be shown with it, also before these are opened."""
    from Sim2RealLib.panels.layouts import follow_scenes

    follow_scenes()


def require_packages(module: str) -> None:
    """Open the module, which offers to install them, and raise RuntimeError if Python packages are missing."""
    from Sim2RealLib.panels.requirements import missing_requirements

    if missing_requirements():
        slicer.util.selectModule(module)
        raise RuntimeError(_("Python packages are missing; {module} has a button for them.").format(module=module))


def make_pelvis(_source: object) -> list:
    """The nodes of a generated pelvis: CT, segmentation and landmarks; none where the user has stopped it."""
    require_packages("DRRSim")

    def steps() -> Iterator[Any]:  # on the worker, where the imports take their time too
        from DRRSimLib.panels.sample import pelvis_steps
        from DRRSimLib.recipe import PelvisAnatomy

        return (yield from pelvis_steps(PelvisAnatomy(seed=1, spacing_mm=2.0)))

    def add(prepared: Any) -> tuple:
        from DRRSimLib.mrml.pelvis_nodes import add_pelvis

        return add_pelvis(slicer.mrmlScene, prepared)

    return made(_("Making a pelvis"), steps(), add)


def make_colon(_source: object) -> list:
    """The nodes of a generated colon: CT, segmentation and centreline; none where the user has stopped it."""
    require_packages("DepthSim")

    def steps() -> Iterator[Any]:
        from DepthSimLib.panels.sample import colon_steps
        from DepthSimLib.recipe import GeneratedColon

        return (yield from colon_steps(GeneratedColon(seed=1, scan={"spacing_mm": 1.5})))

    def add(prepared: Any) -> tuple:
        from DepthSimLib.mrml.colon_nodes import add_colon

        return add_colon(slicer.mrmlScene, prepared)

    return made(_("Making a colon"), steps(), add)


def made(title: str, steps: Iterator[Any], add: Callable[[Any], tuple]) -> list:
    """The nodes that `add` makes of what the steps return."""
    from Sim2RealLib.panels.wait_dialog import wait_for
    from Sim2RealLib.panels.worker import Cancelled

    try:
        return shown(add(wait_for(title, steps)))
    except Cancelled:
        return []


def shown(nodes: tuple) -> list:
    """The nodes of a sample, its CT, which is the first, in the slice views."""
    from Sim2RealLib.panels.views import show_in_slices

    show_in_slices(nodes[0])
    return list(nodes)


def load_abdomen(source: object) -> list:
    """The nodes of a real CT, 3 mm, and of its organs, which have the names of TotalSegmentator's classes."""
    from SampleData import SampleDataLogic

    require_packages("DRRSim")
    logic = SampleDataLogic()
    files = zip(source.uris, source.fileNames, source.checksums, strict=True)
    ct_path, labels_path = (logic.downloadFileIntoCache(*file) for file in files)
    from Sim2RealLib.label_table import classes_present
    from Sim2RealLib.mrml.segmentations import make_segmentation
    from Sim2RealLib.mrml.volumes import volume_of
    from Sim2RealLib.volume_io import read_labels

    ct = slicer.util.loadVolume(str(ct_path), {"name": source.nodeNames[0]})
    labels, _record = read_labels(labels_path, volume_of(ct))
    classes = classes_present(labels, "totalsegmentator_v2")
    return shown((ct, make_segmentation(slicer.mrmlScene, labels, classes, source.nodeNames[1])))
