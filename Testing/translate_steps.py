"""What tests of Translate's panel do and look at: the module opened, a scene set up, and what then is in it."""

import time

import numpy as np

from laparoscopy_scenes import add_abdomen, add_ct
from Sim2RealLib.mrml.transforms import to_array

SHOWN = 0.06
"""Sliders show one decimal."""


def open_translate(load_module):
    """The panel."""
    load_module("Sim2Real")
    return load_module("Translate").panel


def set_up(panel):
    """Choose a small abdomen, set the scene up and wait until it is drawn."""
    import slicer

    panel.ui.segmentationSelector.setCurrentNode(add_abdomen(slicer.mrmlScene))
    panel.ui.ctSelector.setCurrentNode(add_ct(slicer.mrmlScene))
    panel.ui.setUpButton.click()
    drawn(panel)
    return panel


def drawn(panel, seconds=10.0):
    """Wait until nothing is left to draw or to compute."""
    import slicer

    end = time.monotonic() + seconds
    slicer.app.processEvents()
    while panel.frames._timer.active or not panel.worker.idle:
        assert time.monotonic() < end, "it never ended"
        slicer.app.processEvents()
        time.sleep(0.001)


def scope(panel):
    return panel.parameters.laparoscope


def in_world(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToWorld(matrix)
    return to_array(matrix)


def tip(node):
    return in_world(node)[:3, 3]


def entry(node):
    from TranslateLib.mrml.instruments import entry_of

    return entry_of(node)


def pose(node):
    from TranslateLib.mrml.instruments import pose_of

    return pose_of(node)


def labels(panel):
    import slicer

    from TranslateLib.mrml.frames import LABELS

    return slicer.util.arrayFromVolume(scope(panel).GetNodeReference(LABELS))[0].copy()


def rows(table):
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def view_3d(front=True):
    """The 3D view with the patient seen from the front or from the left."""
    import slicer

    view = slicer.app.layoutManager().threeDWidget(0).threeDView()
    view.setFixedSize(600, 500)
    camera = view.cameraNode()
    camera.SetFocalPoint(20, 0, 0)
    camera.SetPosition(*((20, 900, 0) if front else (-480, 700, 300)))
    camera.SetViewUp(0, 0, 1)
    camera.ResetClippingRange()
    slicer.app.processEvents()
    view.forceRender()  # picking reads the depths of the picture
    return view


def press(keys, widget=None):
    """Press keys and let go of them: the next mouse event of the stand-in would still have Alt."""
    from slicer_stand_in.gestures import press_key

    press_key(keys, widget)
    press_key("F12")


def nodes(panel):
    from TranslateLib.mrml.instruments import instruments_in

    return instruments_in(scope(panel).GetScene())


def add_trocar_at(panel, ras):
    from TranslateLib.mrml.trocars import add_trocar

    return add_trocar(panel.parameters.trocars, np.array(ras))
