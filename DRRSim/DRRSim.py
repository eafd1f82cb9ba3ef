"""DRRSim: X-ray images of a CT, taken with a C-arm that is placed in the 3D view."""

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

from Sim2RealLib.panels.module_widget import Sim2RealModuleWidget


class DRRSim(ScriptedLoadableModule):
    """The module among Slicer's."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        parent.title = _("DRRSim (X-ray simulator)")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Simulation")]
        parent.dependencies = ["Sim2Real"]
        parent.contributors = ["SurgicalSim2Real contributors"]
        parent.helpText = _(
            "Place a C-arm about a CT and see its X-ray live, with landmarks and masks; export labeled datasets. "
            'See the <a href="{link}">documentation</a>.'
        ).format(link=DOCUMENTATION)
        parent.acknowledgementText = _(
            "After DeepDRR (Unberath et al., MICCAI 2018) and the landmarks of Bier et al. (MICCAI 2018)."
        )


DOCUMENTATION = "https://github.com/SurgicalSim2Real/SlicerSurgicalSim2Real/blob/main/Docs/DRRSim.md"


class DRRSimWidget(Sim2RealModuleWidget):
    """The module's panel."""

    def make_logic(self) -> object:
        return DRRSimLogic()

    def make_panel(self) -> object:
        from DRRSimLib.widgets import DrrPanel

        return DrrPanel(self.resourcePath("UI/DRRSim.ui"), self.logic.getParameterNode)


class DRRSimLogic(ScriptedLoadableModuleLogic):
    """Slicer's entry to what the module does without its panel; DRRSimLib.logic.XrayLogic is all of it."""

    def getParameterNode(self) -> object:
        from DRRSimLib.parameters import DrrParameters

        return DrrParameters(super().getParameterNode())


class DRRSimTest(ScriptedLoadableModuleTest):
    """The self test that Slicer offers with "Reload and Test"."""

    def test_sample_pelvis_is_imaged(self) -> None:
        """A sample pelvis, a C-arm, an X-ray that shows more than air."""
        import slicer

        from DRRSimLib.logic import XrayLogic

        self.delayDisplay("A pelvis is made and imaged")
        logic = XrayLogic()
        ct, segmentation, landmarks = logic.make_sample_pelvis(seed=1, spacing_mm=4.0)
        carm = logic.make_carm(ct, landmarks)
        xray = logic.render(carm, ct, segmentation, landmarks)
        attenuation = slicer.util.arrayFromVolume(xray)
        self.assertEqual(attenuation.shape, (1, 479, 615))
        self.assertGreater(float(attenuation.max()), 3.0)
        self.delayDisplay("Test passed")
