"""DepthSim: endoscopy of the colon in a CT, with an endoscope that is placed in the 3D view, and exact depth."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

from Sim2RealLib.panels.module_widget import Sim2RealModuleWidget


class DepthSim(ScriptedLoadableModule):
    """The module among Slicer's."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        parent.title = _("DepthSim (endoscopy simulator)")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Simulation")]
        parent.dependencies = ["Sim2Real"]
        parent.contributors = ["SurgicalSim2Real contributors"]
        parent.helpText = _(
            "Find the colon in a CT colonography, move an endoscope through it and see what it sees, with depth, "
            'normals and labels; export labeled datasets. See the <a href="{link}">documentation</a>.'
        ).format(link=DOCUMENTATION)
        parent.acknowledgementText = _(
            "After the cinematic rendering for endoscopic depth of Mahmood et al. (Physics in Medicine & Biology 2018)."
        )


DOCUMENTATION = "https://github.com/SurgicalSim2Real/SlicerSurgicalSim2Real/blob/main/Docs/DepthSim.md"


class DepthSimWidget(Sim2RealModuleWidget):
    """The module's panel."""

    def make_logic(self) -> object:
        return DepthSimLogic()

    def make_panel(self) -> object:
        from DepthSimLib.widgets import DepthPanel

        return DepthPanel(self.resourcePath("UI/DepthSim.ui"), self.logic.getParameterNode)


class DepthSimLogic(ScriptedLoadableModuleLogic):
    """The parameter node; what else there is without a window is DepthSimLib.logic.EndoscopyLogic."""

    def getParameterNode(self) -> object:
        from DepthSimLib.parameters import DepthSimParameters

        return DepthSimParameters(super().getParameterNode())


class DepthSimTest(ScriptedLoadableModuleTest):
    """The self test that Slicer offers with "Reload and Test"."""

    def test_sample_colon_is_entered(self) -> None:
        """A sample colon, an endoscope on its centerline, a picture with its depth."""
        import slicer

        from DepthSimLib.logic import EndoscopyLogic

        self.delayDisplay("A colon is made and entered")
        logic = EndoscopyLogic()
        ct, segmentation, path = logic.make_sample_colon(seed=1, spacing_mm=3.0)
        endoscope = logic.make_endoscope(scale=0.1)
        logic.move_along(endoscope, path, 300.0)
        picture = logic.render(endoscope, ct, segmentation, rendering={"mode": "synthetic"})
        self.assertEqual(slicer.util.arrayFromVolume(picture).shape, (1, 108, 135, 3))
        depth = slicer.util.arrayFromVolume(endoscope.GetNodeReference("DepthSim.depth"))
        self.assertGreater(float(depth.max()), 20.0)
        self.delayDisplay("Test passed")
