"""Sim-to-Real Translation: laparoscopic scenes from a segmented abdomen, and what makes their frames look real."""

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

from Sim2RealLib.panels.module_widget import Sim2RealModuleWidget


class Translate(ScriptedLoadableModule):
    """Describes the module to the application."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        parent.title = _("Sim-to-Real Translation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Simulation")]
        parent.dependencies = ["Sim2Real"]
        parent.contributors = ["SurgicalSim2Real contributors"]
        parent.helpText = _(
            "Set up a laparoscopic scene in a segmented abdomen: laparoscope, trocars, tools. The preview shows its "
            "geometry with labels; simulated frames and realistic translations are still to come. "
            'See the <a href="{link}">documentation</a>.'
        ).format(link=DOCUMENTATION)
        parent.acknowledgementText = _("After Pfeiffer et al., MICCAI 2019, and Rivoir et al., ICCV 2021.")


DOCUMENTATION = "https://github.com/SurgicalSim2Real/SlicerSurgicalSim2Real/blob/main/Docs/TranslateTutorial.md"


class TranslateWidget(Sim2RealModuleWidget):
    """The module's panel."""

    def make_logic(self) -> object:
        return TranslateLogic()

    def make_panel(self) -> object:
        from TranslateLib.widgets import TranslatePanel

        return TranslatePanel(self.resourcePath("UI/Translate.ui"), self.logic.getParameterNode)


class TranslateLogic(ScriptedLoadableModuleLogic):
    """The parameter node; what the module does is in TranslateLib.logic, for the console and for scripts."""

    def getParameterNode(self) -> object:
        from TranslateLib.parameters import TranslateParameters

        return TranslateParameters(super().getParameterNode())


class TranslateTest(ScriptedLoadableModuleTest):
    """The module's self-test: a liver that is a ball, a laparoscope that looks at it, and its label in the picture."""

    def test_the_laparoscope_sees_the_liver(self) -> None:
        import vtk

        from TranslateLib.logic import preview, set_up
        from TranslateLib.mrml.anatomy import classes_of
        from TranslateLib.mrml.preview import GeometryPreview

        ball = vtk.vtkSphereSource()
        ball.SetRadius(50.0)
        ball.Update()
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Abdomen")
        segmentation.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), "liver", [0.6, 0.3, 0.2])
        _trocars, laparoscope = set_up(segmentation)
        drawer = GeometryPreview()
        seen = preview(drawer, segmentation, laparoscope)
        drawer.close()
        middle = seen.labels[seen.camera.height_px // 2, seen.camera.width_px // 2]
        organs, _tools = classes_of(segmentation)
        self.assertEqual({entry.id: entry.name for entry in organs.values()}[int(middle)], "liver")
        self.delayDisplay("The laparoscope looks at the liver.")
