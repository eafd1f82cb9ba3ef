"""Pictures of the modules' panels and views, made with the test harness: what `make screenshots` runs.

Each picture says that it was not made in 3D Slicer. Usage: modules.py FOLDER [MODULE...]
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("Testing", "Sim2Real", "DRRSim", "DepthSim", "Translate")]

SIZE_PX = (1500, 880)
LONGEST_S = 300.0
CLICKED = (
    "anterior_superior_iliac_spine_right",
    "anterior_superior_iliac_spine_left",
    "ischial_tuberosity_right",
    "ischial_tuberosity_left",
    "sacral_promontory",
)
"""The landmarks that a user placed in the picture of their template."""
INSERTED_MM = 35.0
"""How far the laparoscope is in, so that it sees its tools before the organs."""
TOOL_TROCARS = {"right hand": (90.0, -50.0), "left hand": (-80.0, -40.0)}
"""Where tools enter, mm to the right and up from the camera's trocar."""


def main(folder: Path, modules: list[str]) -> None:
    import slicer_stand_in

    slicer_stand_in.install()
    import slicer

    from slicer_stand_in.scripted_module import load_scripted_module

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Sim2Real", *TOURS):
        load_scripted_module(ROOT / name / f"{name}.py")
    slicer.app.startupCompleted()
    slicer.util.mainWindow().resize(*SIZE_PX)
    for name, tour in TOURS.items():
        if not modules or name in modules:
            slicer.mrmlScene.Clear(0)
            slicer.util.selectModule(name)
            tour(slicer.util.getModuleWidget(name).panel, folder)


def tour_of_drrsim(panel: Any, folder: Path) -> None:
    from drrsim_steps import PerturbedTruth
    from DRRSimLib.detection.detector import DETECTORS
    from DRRSimLib.panels.room import look_at
    from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks

    parameters, ui = panel.parameters, panel.ui
    ui.sampleButton.click()
    settle(panel)
    parameters.primaryDeg, parameters.secondaryDeg = 28.0, 12.0
    parameters.showMasks = True
    settle(panel)
    look_at(parameters.carm)
    picture(folder / "drrsim.png")

    sample = parameters.landmarks
    truth = landmarks_of(sample)
    parameters.showMasks = False
    parameters.landmarks = make_landmarks(parameters.ct.GetScene(), {n: truth[n] for n in CLICKED}, "my landmarks")
    show_only(ui, "landmarksSection")
    parameters.showModel = parameters.showHandles = parameters.showIn3D = False
    ui.predictButton.click()
    ui.apButton.click()
    settle(panel)
    look_from((-300.0, 800.0, 250.0), at=truth["pubic_symphysis_superior"])
    picture(folder / "drrsim_landmarks.png")

    ui.discardButton.click()
    parameters.showModel = parameters.showHandles = parameters.showIn3D = True
    DETECTORS.append(PerturbedTruth(truth, lambda: panel.xray.image.view))
    parameters.landmarks.GetDisplayNode().SetVisibility(False)
    parameters.landmarks = sample
    show_only(ui, "detectionsSection")
    for primary_deg in (-25.0, 25.0):
        parameters.primaryDeg = primary_deg
        settle(panel)
        ui.detectButton.click()
        settle(panel)
        ui.addViewButton.click()
    ui.triangulateButton.click()
    settle(panel)
    look_from((-1500.0, 1500.0, 800.0))
    picture(folder / "drrsim_detections.png")
    ui.clearViewsButton.click()
    parameters.showRays = False
    DETECTORS.clear()

    with tempfile.TemporaryDirectory() as current, contextlib.chdir(current):
        parameters.count, parameters.datasetFolder = 12, Path("pelvis_views")
        show_only(ui, "datasetCollapsibleButton")
        ui.exportButton.click()
        settle(panel)
        ui.openDatasetButton.click()
        settle(panel)
        ui.frameSlider.setValue(7)
        picture(folder / "drrsim_dataset.png")


def tour_of_depthsim(panel: Any, folder: Path) -> None:
    from DepthSimLib.depth.predictor import PREDICTORS
    from DepthSimLib.mrml.endoscope_nodes import pose_of
    from DepthSimLib.panels.settings import chosen_picture

    parameters, ui = panel.parameters, panel.ui
    ui.sampleButton.click()
    settle(panel)
    parameters.pathPositionMm = 420.0
    settle(panel)
    ui.renderButton.click()
    settle(panel)
    look_from((-120.0, 300.0, 110.0), at=tip_of(parameters.endoscope))
    picture(folder / "depthsim.png")

    show_only(ui, "renderingSection")
    ui.truthButton.click()
    settle(panel)
    parameters.shown = "depth"
    parameters.showModel = parameters.showField = parameters.showHandles = False
    settle(panel)
    tip = tip_of(parameters.endoscope)
    look_from((-60.0, 110.0, 60.0), at=tip)
    picture(folder / "depthsim_depth.png")

    simulation = panel.colon.endoscopy.simulation(chosen_picture(parameters))
    PREDICTORS.append(DistortedTruth(simulation.geometry(pose_of(parameters.endoscope))[2].depth_mm))
    panel.parameters_changed()
    show_only(ui, "predictionSection")
    ui.predictButton.click()
    settle(panel)
    look_from((-60.0, 110.0, 60.0), at=tip)
    picture(folder / "depthsim_prediction.png")
    PREDICTORS.clear()


def tour_of_translate(panel: Any, folder: Path) -> None:
    import slicer

    ct_file, labels_file = (abdomen() / name for name in ("ct.nii.gz", "labels.nii.gz"))
    ct = slicer.util.loadVolume(str(ct_file), {"name": "AbdomenPelvisCT"})
    panel.parameters.ct = ct
    panel.parameters.segmentation = organs(ct, labels_file)
    panel.ui.setUpButton.click()
    settle(panel)
    trocars = panel.parameters.trocars
    camera_ras = trocars.GetNthControlPointPositionWorld(0)
    for name, (right, superior) in TOOL_TROCARS.items():
        trocars.AddControlPointWorld([camera_ras[0] + right, camera_ras[1] - 10.0, camera_ras[2] + superior], name)
        panel.ui.addToolButton.click()
        settle(panel)
    assert panel.ui.instrumentTable.rowCount == 1 + len(TOOL_TROCARS)
    panel.ui.instrumentTable.selectRow(0)
    panel.ui.aimButton.click()
    panel.ui.insertionSlider.setValue(INSERTED_MM)
    settle(panel)
    look_from((-700.0, 1100.0, 350.0))
    picture(folder / "translate.png")


def organs(ct: Any, labels_file: Path) -> Any:
    """The segmentation that the sample data AbdomenPelvisCT comes with."""
    import slicer

    from Sim2RealLib.label_table import classes_present
    from Sim2RealLib.mrml.segmentations import make_segmentation
    from Sim2RealLib.mrml.volumes import volume_of
    from Sim2RealLib.volume_io import read_labels

    labels, _record = read_labels(labels_file, volume_of(ct))
    classes = classes_present(labels, "totalsegmentator_v2")
    return make_segmentation(slicer.mrmlScene, labels, classes, "AbdomenPelvisLabels")


def abdomen() -> Path:
    """Where the files of the sample data AbdomenPelvisCT lie: SIM2REAL_DATA/abdomen_pelvis, as for the tests."""
    return Path(os.environ.get("SIM2REAL_DATA", ROOT.parent / "shared" / "data")) / "abdomen_pelvis"


class DistortedTruth:
    """A `DepthPredictor` made of the true depth: half of it, with waves, so that there is an error to see."""

    name = "Distorted truth (for this picture)"

    def __init__(self, depth_mm: Any) -> None:
        from DepthSimLib.depth.predictor import DepthScale

        self.scale, self._depth_mm = DepthScale.UP_TO_SCALE, depth_mm

    def predict(self, _picture: Any, _camera: Any) -> Any:
        import numpy as np

        rows, columns = np.indices(self._depth_mm.shape)
        return (0.5 * self._depth_mm * (1 + 0.12 * np.sin(columns / 40) * np.cos(rows / 55))).astype(np.float32)


def show_only(ui: Any, open_section: str) -> None:
    """Open one section of a panel and close the others."""
    for name, widget in vars(ui).items():
        if name.endswith(("Section", "CollapsibleButton")) and hasattr(widget, "setCollapsed"):
            widget.setCollapsed(name != open_section)


def tip_of(endoscope: Any) -> Any:
    """Where an endoscope looks at, some way before its lens."""
    from DepthSimLib.mrml.endoscope_nodes import pose_of

    pose = pose_of(endoscope)
    return pose[:3, 3] + 25.0 * pose[:3, 2]


def look_from(offset: tuple[float, float, float], at: Any = None) -> None:
    """Turn the camera of the 3D view to look at a point, by default the middle of what it shows, from beside it."""
    import slicer

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.resetFocalPoint()
    camera = view.cameraNode()
    focus = camera.GetFocalPoint() if at is None else list(at)
    camera.SetFocalPoint(focus)
    camera.SetPosition([f + o for f, o in zip(focus, offset, strict=True)])
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.GetCamera().SetViewAngle(30.0)
    camera.ResetClippingRange()


def picture(path: Path) -> None:
    from slicer_stand_in.pictures import application_picture

    application_picture(path, SIZE_PX)
    print(path)


def settle(panel: Any, until: Callable[[], bool] = lambda: True, rest_s: float = 0.8) -> None:
    """Let Qt's events happen until the worker has had nothing to do for a while."""
    import slicer

    end, quiet = time.monotonic() + LONGEST_S, time.monotonic()
    while time.monotonic() - quiet < rest_s or not until():
        assert time.monotonic() < end, f"{panel.job_row.text}: it takes too long"
        slicer.app.processEvents()
        if not panel.worker.idle:
            quiet = time.monotonic()
        time.sleep(0.002)


TOURS = {"DRRSim": tour_of_drrsim, "DepthSim": tour_of_depthsim, "Translate": tour_of_translate}

if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2:])
