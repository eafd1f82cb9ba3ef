"""Placing landmarks by their template's names, predicting the rest, and what looks wrong."""

from collections.abc import Mapping
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from Sim2RealLib.mrml.markups import landmarks_of, make_landmarks
from Sim2RealLib.mrml.node_copies import GENERATED
from Sim2RealLib.mrml.owned_nodes import discard, owned
from Sim2RealLib.panels.labels import say
from Sim2RealLib.panels.panel import Panel
from Sim2RealLib.panels.views import hide

from ..landmarks.prediction import FEWEST, Prediction, predict_landmarks
from ..landmarks.template import LANDMARK_NAMES, pelvis_template
from ..mrml.carm_nodes import is_carm
from ..mrml.point_nodes import TEXT_PERCENT
from ..mrml.xray_nodes import IMAGE, on_image

PREDICTED = "DRRSim.Predicted"
"""Role of the landmarks' reference to what is predicted but not accepted."""
PREDICTED_COLOR = (1.0, 0.8, 0.2)

TEMPLATES = ("Pelvis, 23 landmarks",)


class LandmarkSection:
    """Binds the section "Landmarks" of the panel to the point list that its parameters name."""

    def __init__(self, panel: Panel, changed: Any) -> None:
        """changed: called when a landmark was placed, moved or removed."""
        self._panel, self._changed = panel, changed
        self._observed: Any = None
        self._put_away: Any = None
        self._known: dict[str, list[float]] = {}
        self._shown: tuple[Any, ...] | None = None
        ui = panel.ui
        for title in TEMPLATES:
            ui.templateCombo.addItem(_(title))
        for name in LANDMARK_NAMES:
            ui.nextLandmarkCombo.addItem(name, name)
        ui.nextLandmarkCombo.connect("currentIndexChanged(int)", lambda _index: self._do(self._name_next))
        ui.placeButton.connect("toggled(bool)", lambda on: self._do(self._start if on else self._stop))
        ui.predictButton.connect("clicked(bool)", lambda _checked: self._do(self.predict))
        ui.acceptButton.connect("clicked(bool)", lambda _checked: self._do(self.accept))
        ui.discardButton.connect("clicked(bool)", lambda _checked: self._do(self.discard))
        say(ui.landmarkWarningLabel, "")
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        panel.addObserver(interaction, interaction.InteractionModeChangedEvent, self._mode_changed)

    @property
    def predicted(self) -> Any:
        """The points that are predicted but not accepted; None where there are none."""
        node = self._panel.parameters.landmarks
        return None if node is None else node.GetNodeReference(PREDICTED)

    def update(self) -> None:
        """Show how far the placing is."""
        node = self._panel.parameters.landmarks
        if node is not self._observed:
            self._take_turns(self._observed, node)
            self._observe(node)
        placed, predicted = self._placed(), self.predicted
        if predicted is not None:
            predicted.GetDisplayNode().SetPointLabelsVisibility(self._panel.parameters.showNames)
        state = (*placed, predicted.GetNumberOfControlPoints() if predicted is not None else 0)
        if state != self._shown:
            self._shown = state
            self._show(placed, predicted)

    def _take_turns(self, before: Any, after: Any) -> None:
        """The list of a sample is hidden when another one is chosen in its place, and comes back with its choice."""
        if after is not None and after is self._put_away:
            after.GetDisplayNode().SetVisibility(True)
            self._put_away = None
        if before is not None and before.GetScene() is not None and before.GetAttribute(GENERATED) is not None:
            hide(before)
            self._put_away = before

    def _show(self, placed: Mapping[str, Any], predicted: Any) -> None:
        ui, count = self._panel.ui, sum(name in placed for name in LANDMARK_NAMES)
        for index, name in enumerate(LANDMARK_NAMES):
            ui.nextLandmarkCombo.setItemText(index, f"✓ {name}" if name in placed else name)
        ui.predictButton.enabled = FEWEST <= count < len(LANDMARK_NAMES)
        ui.acceptButton.enabled = ui.discardButton.enabled = predicted is not None
        text = _("{count} of {total} are placed.").format(count=count, total=len(LANDMARK_NAMES))
        if count < FEWEST:
            text += " " + _("{fewest}, far apart, are enough to predict the rest.").format(fewest=FEWEST)
        if predicted is not None:
            text += " " + _("{count} more are predicted; move them where they are wrong.").format(
                count=predicted.GetNumberOfControlPoints()
            )
        ui.landmarkProgressLabel.setText(text)

    def exit(self) -> None:
        """The user leaves the module, or the scene loses its nodes."""
        self._stop()
        self._observe(None)
        self._known = {}

    def predict(self) -> None:
        """Show where the template puts the landmarks that are not placed."""
        self._fit_template("prediction", self._show_prediction)

    def accept(self) -> None:
        """Make the predicted landmarks placed ones."""
        node, predicted = self._panel.parameters.landmarks, self.predicted
        modified = node.StartModify()
        for name, position in landmarks_of(predicted).items():
            node.AddControlPointWorld(vtk.vtkVector3d(*position), name)
        node.EndModify(modified)
        self.discard()

    def discard(self) -> None:
        """Remove what is predicted."""
        if self.predicted is not None:
            discard(self.predicted)
        self.update()

    def _placed(self) -> dict[str, Any]:
        node = self._panel.parameters.landmarks
        return {} if node is None else landmarks_of(node)

    def _start(self) -> None:
        """Let clicks in the views place the next landmark."""
        parameters = self._panel.parameters
        if parameters.landmarks is None:
            parameters.landmarks = make_landmarks(slicer.mrmlScene, {}, "Landmarks")
        self._leave_placed()
        self._name_next()
        logic = slicer.modules.markups.logic()
        logic.SetActiveList(parameters.landmarks)
        logic.StartPlaceMode(True)

    def _stop(self) -> None:
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if interaction.GetCurrentInteractionMode() == interaction.Place:
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def _mode_changed(self, interaction: Any, _event: str) -> None:
        """Placing was begun or ended, here or with Esc or another button."""
        if self._panel.parameters is None:
            return
        button = self._panel.ui.placeButton
        if interaction.GetCurrentInteractionMode() != interaction.Place and button.checked:
            blocked = button.blockSignals(True)
            button.setChecked(False)
            button.blockSignals(blocked)

    def _name_next(self) -> None:
        """The next point gets the name that is chosen."""
        node, name = self._panel.parameters.landmarks, self._panel.ui.nextLandmarkCombo.currentData
        if node is None:
            return
        node.SetControlPointLabelFormat(name)
        for number in range(node.GetNumberOfControlPoints()):
            if node.GetNthControlPointPositionStatus(number) == node.PositionPreview:
                node.SetNthControlPointLabel(number, name)

    def _leave_placed(self) -> None:
        """Choose the next landmark that is not placed."""
        placed, combo = self._placed(), self._panel.ui.nextLandmarkCombo
        following = [name for name in LANDMARK_NAMES if name not in placed]
        if following and combo.currentData in placed:
            combo.setCurrentIndex(LANDMARK_NAMES.index(following[0]))

    def _point_placed(self, node: Any, _event: str) -> None:
        """A point was placed by a click: an older one of its name goes, and the next name is due."""
        if self._panel.ui.placeButton.checked:
            with self._panel.attempt():
                name = self._panel.ui.nextLandmarkCombo.currentData
                if self._discard_on_detector(node, name):
                    say(
                        self._panel.ui.landmarkWarningLabel,
                        _("An X-ray has no depth: click on the bone, or in a slice."),
                    )
                    return
                labels = [node.GetNthControlPointLabel(number) for number in range(node.GetNumberOfControlPoints())]
                if labels.count(name) > 1:
                    node.RemoveNthControlPoint(labels.index(name))
                self._leave_placed()
                self._name_next()
                if all(name in self._placed() for name in LANDMARK_NAMES):
                    self._stop()

    def _discard_on_detector(self, node: Any, name: str) -> bool:
        """Remove points of a name that lie on the X-ray image, where a click in its view puts them; whether any did."""
        image = owned(self._panel.parameters.carm, IMAGE) if is_carm(self._panel.parameters.carm) else None
        if image is None:
            return False
        found = []
        for number in range(node.GetNumberOfControlPoints()):
            at = node.GetNthControlPointPositionWorld(number)
            if node.GetNthControlPointLabel(number) == name and on_image(image, at):
                found.append(number)
        for number in reversed(found):
            node.RemoveNthControlPoint(number)
        return bool(found)

    def _points_changed(self, _node: Any, _event: str) -> None:
        """Not news are the points that show where a click would place one."""
        if self._panel.parameters is None:
            return
        with self._panel.attempt():
            now = {name: position.tolist() for name, position in self._placed().items()}
            if now != self._known:
                self._known = now
                self.update()
                self._leave_placed()
                self._warn()
                self._changed()

    def _warn(self) -> None:
        """Say what looks wrong with what is placed, as soon as that can be told."""
        if sum(name in LANDMARK_NAMES for name in self._placed()) >= FEWEST:
            self._fit_template("warnings", lambda _prediction: None)
        else:
            say(self._panel.ui.landmarkWarningLabel, "")

    def _fit_template(self, kind: str, then: Any) -> None:
        """Fit the template on the worker, say what looks wrong, and do something with the prediction."""
        placed, node = self._placed(), self._panel.parameters.landmarks

        def answered(prediction: Prediction) -> None:
            parameters = self._panel.parameters
            if parameters is not None and parameters.landmarks is node:
                say(self._panel.ui.landmarkWarningLabel, "\n".join(prediction.warnings))
                self._do(then, prediction)

        def failed(error: BaseException) -> None:
            say(self._panel.ui.landmarkWarningLabel, str(error))

        self._panel.worker.request(kind, lambda: predict_landmarks(placed, pelvis_template()), answered, failed)

    def _show_prediction(self, prediction: Prediction) -> None:
        self.discard()
        node = self._panel.parameters.landmarks
        predicted = make_landmarks(slicer.mrmlScene, prediction.positions_ras, f"{node.GetName()}, predicted")
        predicted.GetDisplayNode().SetSelectedColor(PREDICTED_COLOR)
        predicted.GetDisplayNode().SetTextScale(TEXT_PERCENT)
        node.SetNodeReferenceID(PREDICTED, predicted.GetID())
        self.update()

    def _observe(self, node: Any) -> None:
        markups = slicer.vtkMRMLMarkupsNode
        changes = (markups.PointModifiedEvent, markups.PointRemovedEvent, markups.PointPositionDefinedEvent)
        if self._observed is not None:
            self._panel.removeObserver(self._observed, markups.PointPositionDefinedEvent, self._point_placed)
            for event in changes:
                self._panel.removeObserver(self._observed, event, self._points_changed)
        self._observed = node
        if node is not None:
            self._panel.addObserver(node, markups.PointPositionDefinedEvent, self._point_placed)
            for event in changes:
                self._panel.addObserver(node, event, self._points_changed)
            self._leave_placed()

    def _do(self, action: Any, *arguments: Any) -> None:
        if self._panel.parameters is not None:
            with self._panel.attempt():
                action(*arguments)
