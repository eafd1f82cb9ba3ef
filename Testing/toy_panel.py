"""A small scripted module with the shared panel, of the toy simulation: what the tests of the shared parts drive."""

from types import SimpleNamespace

SOURCE = """
from pathlib import Path

import slicer
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleLogic

from Sim2RealLib.panels.module_widget import Sim2RealModuleWidget


@parameterNodeWrapper
class ToyParameters:
    volume: vtkMRMLScalarVolumeNode
    landmarks: vtkMRMLMarkupsFiducialNode
    count: int = 4
    datasetFolder: Path


class ToyPanelModule(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Toy"


class ToyPanelModuleWidget(Sim2RealModuleWidget):
    def make_logic(self):
        return ToyPanelModuleLogic()

    def make_panel(self):
        from toy_panel import ToyPanel
        return ToyPanel(self.resourcePath("UI/Toy.ui"), self.logic.getParameterNode)


class ToyPanelModuleLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return ToyParameters(super().getParameterNode())
"""

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Toy</class>
 <widget class="qMRMLWidget" name="Toy">
  <layout class="QVBoxLayout" name="toyLayout">
   <item><widget class="QSpinBox" name="countBox">
    <property name="maximum"><number>1000</number></property>
    <property name="SlicerParameterName" stdset="0"><string>count</string></property>
   </widget></item>
  </layout>
 </widget>
</ui>
"""


def make_panel_class() -> type:
    """The panel; made late, for its base class needs Slicer."""
    from Sim2RealLib.panels.dataset_section import DatasetSection
    from Sim2RealLib.panels.panel import Panel, shared_ui
    from toy_simulation import CAMERA_DISTANCE_MM, ToyRecipe, ToySimulation

    class ToyPanel(Panel):
        card_mm = None
        simulator = SimpleNamespace(
            RECIPE=ToyRecipe,
            open_simulation=lambda recipe, _backend: ToySimulation(recipe),
            report_sections=lambda _dataset: (),
        )

        def __init__(self, ui_path, parameter_node):
            super().__init__(ui_path, parameter_node, (shared_ui("DatasetSection.ui"),))
            self.pause_s, self.fail_at, self.shown, self.layouts = 0.0, None, [], 0
            self.section = DatasetSection(self, self, "Red")

        def parameters_changed(self):
            self.section.update()

        def missing(self):
            return ""

        def recipe(self):
            from Sim2RealLib.mrml.node_copies import copied

            volume = self.parameters.volume and copied(self.parameters.volume)
            content = {
                "views": {"count": self.parameters.count},
                "pause_s": self.pause_s,
                "fail_at": self.fail_at,
            }
            return lambda inputs: content | {"input": {"volume": volume and str(inputs.volume(volume))}}

        def apply_recipe(self, recipe, done):
            self.parameters.count = recipe.views.count
            done()

        def show_layout(self):
            self.layouts += 1

        def picture_distance_mm(self, _record):
            return CAMERA_DISTANCE_MM

        def picture_shown(self, picture):
            self.shown.append(picture.index)

    return ToyPanel


def __getattr__(name: str) -> type:
    if name == "ToyPanel":
        return make_panel_class()
    raise AttributeError(name)
