"""The panel of DRRSim."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import FloatRange

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.panels.dataset_section import DatasetSection
from Sim2RealLib.panels.input_watch import InputWatch
from Sim2RealLib.panels.panel import Panel, shared_ui
from Sim2RealLib.panels.views import hide, show_in_slices

from .mrml.carm_nodes import device_of
from .mrml.pelvis_nodes import add_pelvis
from .mrml.xray_view import VIEW
from .panels.carm_section import CArmSection
from .panels.detection_section import DetectionSection
from .panels.landmark_section import LandmarkSection
from .panels.pointed_name import PointedName
from .panels.pose_parameters import recipe_of
from .panels.recipe_source import DrrRecipeSource
from .panels.sample import pelvis_steps
from .panels.xray_section import XraySection
from .recipe import PelvisAnatomy

SAMPLE_SPACING_MM = 1.5

AROUND_DEG = 15.0
"""To either side of the C-arm's angles, in the views of a dataset around it."""


class DrrPanel(Panel):
    """Inputs, C-arm, X-ray, landmarks, detections and datasets; each a section of its own."""

    def __init__(self, ui_path: str, parameter_node: Callable[[], Any]) -> None:
        super().__init__(ui_path, parameter_node, (shared_ui("DatasetSection.ui"),))
        self.carm = CArmSection(self)
        self.xray = XraySection(self, self._take_views_back)
        self.landmarks = LandmarkSection(self, self.xray.show_landmarks)
        self.detections = DetectionSection(self, self.xray)
        self.dataset = DatasetSection(self, DrrRecipeSource(self, self.carm, self.xray), VIEW)
        self._pointed = PointedName(self)
        self.inputs = InputWatch(self, self.refresh)
        self.sample_spacing_mm = SAMPLE_SPACING_MM
        self._removal = qt.QTimer()
        self._removal.setSingleShot(True)
        self._removal.setInterval(0)
        self._removal.connect("timeout()", self.refresh)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self._node_removed)
        self.ui.sampleButton.connect("clicked(bool)", lambda _checked: self.make_sample())
        self.ui.aroundButton.connect("clicked(bool)", lambda _checked: self.view_around())

    def enter(self) -> None:
        super().enter()
        self.carm.enter()

    def exit(self) -> None:
        self.carm.exit()
        self.landmarks.exit()
        self.inputs.follow()
        super().exit()

    def parameters_changed(self) -> None:
        self.ui.sampleButton.enabled = not self.worker.busy
        if self.parameters is not None:
            self.inputs.follow(self.parameters.ct, self.parameters.segmentation)
        sections = (self.carm, self.xray, self.landmarks, self.detections, self.dataset)
        self.update_each(self._require_recipe, *(section.update for section in sections))

    def scene_closes(self) -> None:
        self.inputs.follow()
        self.landmarks.exit()
        self.xray.forget()
        self.detections.forget()

    def _require_recipe(self) -> None:
        """Say that the recipe of a scene is forgotten: once, and until something else is said, for it cannot be mended
        by a change."""
        try:
            recipe_of(self.parameters)
        except Sim2RealError as error:
            self.job_row.end(str(error))

    def _node_removed(self, scene: Any, _event: str) -> None:
        """A node is about to go; what the panel shows of it follows when it is gone."""
        if not scene.IsClosing():
            self._removal.start()

    def _take_views_back(self) -> None:
        """The C-arm's own X-ray is shown, in place of a frame of a dataset."""
        self.carm.step_back()
        self.dataset.leave()

    def make_sample(self) -> None:
        """Make a pelvis and choose it as input."""
        anatomy = PelvisAnatomy(seed=self.parameters.sampleSeed, spacing_mm=self.sample_spacing_mm)

        def made(pelvis: Any) -> None:
            ct, segmentation, landmarks = add_pelvis(slicer.mrmlScene, pelvis)
            hide(self.parameters.segmentation)
            modified = self.parameters.parameterNode.StartModify()
            self.parameters.ct, self.parameters.segmentation = ct, segmentation
            self.parameters.landmarks = landmarks
            show_in_slices(ct)
            self.parameters.parameterNode.EndModify(modified)

        self.run(_("Making a pelvis"), pelvis_steps(anatomy), made)

    def view_around(self) -> None:
        """Let the views of a dataset be around the C-arm's."""
        primary, secondary = self.parameters.primaryDeg, self.parameters.secondaryDeg
        device = device_of(self.parameters.carm)
        self.parameters.primaryRangeDeg = _around(primary, device.primary_range_deg)
        low, high = device.secondary_range_deg
        self.parameters.secondaryRangeDeg = _around(secondary, (max(low, -90.0), min(high, 90.0)))


def _around(angle_deg: float, reach_deg: tuple[float, float]) -> FloatRange:
    """`AROUND_DEG` to either side of an angle, as far as a device reaches."""
    return FloatRange(max(angle_deg - AROUND_DEG, reach_deg[0]), min(angle_deg + AROUND_DEG, reach_deg[1]))
