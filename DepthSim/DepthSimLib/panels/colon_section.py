"""The section "Colon": lumen and centerline, each by a button, what was found, and what of it is doubtful."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done
from Sim2RealLib.mrml.markups import make_landmarks
from Sim2RealLib.mrml.node_copies import copied
from Sim2RealLib.mrml.subject_hierarchy import file_under
from Sim2RealLib.panels.panel import Panel

from ..colon_keeper import ColonKeeper, ColonKeys
from ..colonography.findings import Doubt
from ..endoscopy import Endoscopy
from ..found_colon import ColonInput, FoundCenterline, FoundLumen
from ..mrml.colon_inputs import colon_in, keys_of, positions_of
from ..mrml.colon_nodes import make_lumen, make_path, show_lumen, show_path
from .doubt_list import DoubtList
from .room import look_at_model, show_layout
from .settings import chosen_search, known_search

BRIDGE_COLOR, EXCLUDE_COLOR = (0.2, 0.7, 1.0), (1.0, 0.6, 0.1)


class ColonSection:
    """Binds the section, and keeps what was found of the colon that the parameters name."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.keeper = ColonKeeper()
        self._doubts = DoubtList(panel, self.bridge, self.leave_out)
        ui = panel.ui
        for button, action in (
            (ui.findLumenButton, self.find_lumen),
            (ui.findCenterlineButton, self.find_centerline),
            (ui.placeBridgeButton, self.place_bridge),
            (ui.placeExcludedButton, self.place_excluded),
        ):
            button.connect("clicked(bool)", lambda _checked, action=action: self._do(action))

    @property
    def keys(self) -> ColonKeys | None:
        """What the colon is kept under; None without a CT. A bridge counts when both of its points are placed."""
        parameters = self._panel.parameters
        if parameters is None or parameters.ct is None:
            return None
        return keys_of(parameters.ct, parameters.segmentation, known_search(parameters))

    @property
    def endoscopy(self) -> Endoscopy | None:
        """What takes pictures of the colon, if it is ready."""
        keys = self.keys
        return None if keys is None else self.keeper.endoscopy(keys)

    def update(self) -> None:
        """Say what is known of the colon, and offer what can be done."""
        parameters, ui = self._panel.parameters, self._panel.ui
        free, there = not self._panel.worker.busy, parameters.ct is not None
        for button in (ui.findLumenButton, ui.findCenterlineButton):
            button.enabled = free and there
        for button in (ui.placeBridgeButton, ui.placeExcludedButton):
            button.enabled = there
        ui.fluidBox.enabled = parameters.findFluid
        keys = self.keys
        lumen = self.keeper.lumen(keys) if keys is not None else None
        line = self.keeper.line(keys) if keys is not None else None
        ready = keys is not None and self.keeper.endoscopy(keys) is not None
        told = [_said_of(there, lumen, line, ready)]
        if len(positions_of(parameters.bridgePoints)) % 2:
            told.append(_("A bridge needs one more point, beyond the collapse."))
        ui.colonLabel.setText(" ".join(told))
        self._doubts.show(_doubts_of(lumen, line))

    def find_lumen(self) -> None:
        """Find the lumen and show it as a model."""
        keys = self._searched_keys()
        read = self._reading(self.keeper.lumen(keys))

        def steps() -> Iterator[Done]:
            found = yield from self.keeper.find_lumen(keys, read())
            yield Done(0, 0, _("surface"))
            return found.drawn_wall

        self._panel.run(_("Finding the lumen"), steps(), self._show_lumen)

    def find_centerline(self, then: Callable[[], None] = lambda: None) -> None:
        """Find the centerline, and the lumen where it is not known yet; show it as a curve, and get ready to look."""
        keys = self._searched_keys()
        read = self._reading(self.keeper.endoscopy(keys))

        def steps() -> Iterator[Done]:
            yield Done(0, 0, _("reading"))
            colon = read()
            lumen = yield from self.keeper.find_lumen(keys, colon)
            yield Done(0, 0, _("surface"))
            wall = lumen.drawn_wall
            line = yield from self.keeper.find_line(keys, colon)
            yield from self.keeper.enter(keys, colon)
            return wall, line

        def found(result: tuple[Any, FoundCenterline]) -> None:
            wall, line = result
            if self._panel.parameters.lumen is None:
                self._show_lumen(wall)
            self._show_path(line)
            then()

        self._panel.run(_("Finding the centerline"), steps(), found)

    def entering(self) -> Iterator[Done]:
        """Steps that make the colon ready for pictures, and find what of it is not known; they return its `Endoscopy`.

        Nodes are copied now. Sim2RealError without a CT.
        """
        keys = self._keys()
        read = self._reading(self.keeper.endoscopy(keys))

        def steps() -> Iterator[Done]:
            yield Done(0, 0, _("reading"))
            return (yield from self.keeper.enter(keys, read()))

        return steps()

    def bridge(self, doubt: Doubt) -> None:
        """Join the lumen over a collapse; Find lumen then does it."""
        self._add(doubt.places_ras, "bridgePoints", _("Bridges"), BRIDGE_COLOR)

    def leave_out(self, doubt: Doubt) -> None:
        """Take the lumen at a branch's tip for no colon; Find lumen then leaves it out."""
        self._add(doubt.places_ras[:1], "excludedPoints", _("Not colon"), EXCLUDE_COLOR)

    def place_bridge(self) -> None:
        """Let the user place two points by mouse."""
        _place(self._points("bridgePoints", _("Bridges"), BRIDGE_COLOR))

    def place_excluded(self) -> None:
        """Let the user place a point by mouse in gas that is not colon."""
        _place(self._points("excludedPoints", _("Not colon"), EXCLUDE_COLOR))

    def forget(self) -> None:
        """The scene is about to lose its nodes."""
        self.keeper.forget()
        self._doubts.forget()

    def _keys(self) -> ColonKeys:
        if (keys := self.keys) is None:
            raise Sim2RealError(_("Choose a CT first, or make a sample colon."))
        return keys

    def _searched_keys(self) -> ColonKeys:
        """The same for a search, which takes every point into account: Sim2RealError if one waits for its second."""
        chosen_search(self._panel.parameters)
        return self._keys()

    def _reading(self, known: Any) -> Callable[[], ColonInput | None]:
        """What gives the worker what the nodes hold now, where it is not known yet what is to be found in them."""
        parameters = self._panel.parameters
        if known is not None:
            return lambda: None
        ct, segmentation = copied(parameters.ct), parameters.segmentation and copied(parameters.segmentation)
        return partial(colon_in, ct, segmentation, known_search(parameters))

    def _show_lumen(self, wall: Any) -> None:
        parameters = self._panel.parameters
        if parameters.lumen is not None:
            show_lumen(parameters.lumen, wall)
            return
        name = f"{parameters.ct.GetName()} lumen"
        node = make_lumen(slicer.mrmlScene, wall, name)
        file_under(slicer.mrmlScene, name, node, provenance={"ct": parameters.ct.GetName()})
        parameters.lumen = node
        show_layout()
        look_at_model(node)

    def _show_path(self, line: FoundCenterline) -> None:
        parameters = self._panel.parameters
        if parameters.path is not None:
            show_path(parameters.path, line.centerline)
            return
        name = f"{parameters.ct.GetName()} centerline"
        node = make_path(slicer.mrmlScene, line.centerline, name)
        file_under(slicer.mrmlScene, name, node, provenance={"ct": parameters.ct.GetName(), "colon": dict(line.found)})
        parameters.path = node

    def _points(self, parameter: str, name: str, color: tuple[float, float, float]) -> Any:
        parameters = self._panel.parameters
        node = getattr(parameters, parameter)
        if node is None:
            node = make_landmarks(slicer.mrmlScene, {}, name)
            node.GetDisplayNode().SetSelectedColor(color)
            node.SetControlPointLabelFormat("%d")
            setattr(parameters, parameter, node)
        return node

    def _add(self, places_ras: Any, parameter: str, name: str, color: tuple[float, float, float]) -> None:
        node = self._points(parameter, name, color)
        modified = node.StartModify()
        for place in places_ras:
            node.AddControlPointWorld(*np.asarray(place, float).tolist())
        node.EndModify(modified)
        self._panel.job_row.end(_("Press Find lumen to take this into account."))
        self._panel.parameters_changed()

    def _do(self, action: Any) -> None:
        with self._panel.attempt():
            action()


def _place(points: Any) -> None:
    """Start Slicer's mouse mode that places points."""
    slicer.modules.markups.logic().SetActiveList(points)
    slicer.modules.markups.logic().StartPlaceMode(True)


def _said_of(there: bool, lumen: FoundLumen | None, line: FoundCenterline | None, ready: bool) -> str:
    if not there:
        return _("Choose a CT colonography, or make a sample colon.")
    if lumen is None:
        return _("Not found yet, or loaded with a scene: press Find lumen, then Find centerline.")
    if line is None:
        return _("Lumen found. Next: the centerline.")
    if not ready:
        return _("The segmentation has changed: press Find centerline to see it.")
    length_cm = round(float(line.centerline.arc_length_mm[-1]) / 10.0)
    widest = round(2.0 * float(line.centerline.radius_mm.max()))
    text = _("{length} cm of colon, up to {widest} mm wide.").format(length=length_cm, widest=widest)
    if lumen.generated is not None:
        return text + " " + _("It is generated: wall, midline and labels are exact.")
    return text


def _doubts_of(lumen: FoundLumen | None, line: FoundCenterline | None) -> tuple[Doubt, ...]:
    return (*(lumen.doubts if lumen is not None else ()), *(line.doubts if line is not None else ()))
