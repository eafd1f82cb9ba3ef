"""Scenes that were saved with a layout of ours, in an application that has never shown it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("Sim2Real", "DRRSim", "DepthSim", "Translate")
VIEWS = {
    "XRAY_LAYOUT": ["Red", "Xray"],
    "ENDOSCOPE_LAYOUT": ["Endoscope", "Frame"],
    "LAPAROSCOPE_LAYOUT": ["Laparoscope"],
}
FAR_MM = 4000.0
"""From where the whole C-arm is seen; a camera without a clipping range sees 1000 mm far."""

LOAD = """
import slicer_stand_in
slicer_stand_in.install()
from pathlib import Path
import numpy as np
import slicer
from slicer_stand_in.scripted_module import load_scripted_module
for name in {modules!r}:
    load_scripted_module(Path({root!r}) / name / f"{{name}}.py")
slicer.app.startupCompleted()
manager = slicer.app.layoutManager()
manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)  # no 3D view has been there
for file in {files!r}:
    slicer.util.loadScene(file, {{"clear": True}})
    slicer.app.processEvents()
    tags = sorted(w.mrmlSliceNode().GetLayoutName() for w in manager.shown_widgets() if hasattr(w, "sliceView"))
    red = manager.threeDWidget(0).threeDView().pixels().astype(int)
    print("SHOWN", manager.layout, tags, bool(np.any(red[..., 0] > red[..., 2] + 60)))
"""


@pytest.fixture
def saved(slicer_scene, tmp_path):
    """Scenes with a red ball of 200 mm that is seen from `FAR_MM`, each saved with another layout; by its number."""
    import slicer
    import vtk

    from Sim2RealLib.mrml import layouts
    from Sim2RealLib.panels.layouts import show_layout

    ball = vtk.vtkSphereSource()
    ball.SetRadius(200.0)
    ball.Update()
    model = slicer.modules.models.logic().AddModel(ball.GetOutput())
    model.GetDisplayNode().SetColor(1.0, 0.0, 0.0)
    files = {}
    for name in VIEWS:
        number = getattr(layouts, name)
        show_layout(number)
        camera = slicer.app.layoutManager().threeDWidget(0).threeDView().cameraNode()
        camera.SetFocalPoint(0.0, 0.0, 0.0)
        camera.SetPosition(0.0, FAR_MM, 0.0)
        files[number] = tmp_path / f"{name}.mrb"
        assert slicer.util.saveScene(str(files[number]))
    return files


def test_a_saved_scene_is_shown_by_an_application_that_never_showed_its_layout(saved):
    folders = [ROOT / "Testing", *(ROOT / module for module in MODULES)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    code = LOAD.format(modules=MODULES, root=str(ROOT), files=[str(path) for path in saved.values()])
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    told = [line.removeprefix("SHOWN ") for line in run.stdout.splitlines() if line.startswith("SHOWN ")]
    assert told == [f"{number} {views} True" for number, views in zip(saved, VIEWS.values(), strict=True)]
    assert "Can't find layout" not in run.stderr


def test_layouts_are_still_known_when_the_scene_is_closed(load_module):
    import slicer

    from Sim2RealLib.mrml.layouts import LAYOUTS

    load_module("Sim2Real")
    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    slicer.mrmlScene.Clear(0)
    assert all(node.IsLayoutDescription(number) for number in LAYOUTS)
