"""Endoscopy of what is in a scene, step by step: for Slicer's Python console and for scripts, without any window.

Everything is computed on the calling thread, and Sim2RealError says what is wrong with an input.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from Sim2RealLib.job import returned
from Sim2RealLib.mrml.inputs import InputFiles
from Sim2RealLib.mrml.node_copies import copied
from Sim2RealLib.mrml.scenes import scene_or_slicers
from Sim2RealLib.recipe import validate

from .anatomy import generated_colon
from .colon_keeper import ColonKeeper, ColonKeys
from .depth.comparison import Comparison, compare
from .depth.predictor import DepthPredictor
from .endoscope.curve import CenterlineCurve
from .endoscope.pose_plan import MIN_WALL_MM
from .endoscopy import Endoscopy
from .found_colon import ColonInput, FoundLumen
from .mrml.colon_inputs import input_section, keys_of, read_colon
from .mrml.colon_nodes import SampleColon, add_colon, centerline_of, make_lumen, make_path, prepare_colon
from .mrml.endoscope_nodes import make_endoscope, place, pose_of, tip_of
from .mrml.result_nodes import show_picture, show_prediction, show_true_surface, show_truth
from .recipe import EndoscopyRecipe, GeneratedColon, Tip


class EndoscopyLogic:
    """What the panel of DepthSim does, for one scene; `backend` as on the command line.

    The colon of a CT is found when it is first needed and kept as long as CT, segmentation and search stay the same.
    search: fields of a recipe's `input` that say how it is found, such as ``bridge_up_to_mm=30``.
    """

    def __init__(self, scene: "slicer.vtkMRMLScene | None" = None, backend: str = "auto", **search: Any) -> None:
        self._scene = scene_or_slicers(scene, "EndoscopyLogic")
        self._keeper = ColonKeeper(backend)
        self.search = search

    def make_sample_colon(self, seed: int = 1, spacing_mm: float = 1.5) -> SampleColon:
        """A generated CT colonography, its segmentation and its centreline: another one for every seed."""
        section = GeneratedColon(seed=seed, scan={"spacing_mm": spacing_mm})
        scanned, anatomy = generated_colon(section)
        sample = add_colon(self._scene, prepare_colon(section, scanned, anatomy))
        self._keeper.learn(keys_of(sample.ct, sample.segmentation, self.search), FoundLumen(None, anatomy))
        return sample

    def find_lumen(self, ct: Any, segmentation: Any = None) -> "slicer.vtkMRMLModelNode":
        """The colon's lumen as a model."""
        found = returned(self._keeper.find_lumen(*self._input(ct, segmentation)))
        return make_lumen(self._scene, found.wall, f"{ct.GetName()} lumen")

    def find_centerline(self, ct: Any, segmentation: Any = None) -> "slicer.vtkMRMLMarkupsCurveNode":
        """The colon's centreline as a curve, from the anus to the caecum."""
        found = returned(self._keeper.find_line(*self._input(ct, segmentation)))
        return make_path(self._scene, found.centerline, f"{ct.GetName()} centerline")

    def doubts(self, ct: Any, segmentation: Any = None) -> list[str]:
        """What to look at before believing the colon that was found."""
        return [doubt.text for doubt in returned(self._keeper.find_line(*self._input(ct, segmentation))).doubts]

    def make_endoscope(
        self, device: str = "olympus_cf_hq190l", scale: float = 0.3
    ) -> "slicer.vtkMRMLLinearTransformNode":
        """An endoscope. scale: pixels a side of its pictures, of the device's."""
        return make_endoscope(self._scene, validate(Tip, {"device": device, "scale": scale}, "the endoscope"))

    def move_along(
        self,
        endoscope: "slicer.vtkMRMLLinearTransformNode",
        path: "slicer.vtkMRMLMarkupsCurveNode",
        distance_mm: float,
    ) -> np.ndarray:
        """Put an endoscope on a curve, `distance_mm` from its start, looking along it; its pose, 4×4."""
        pose = CenterlineCurve(centerline_of(path)).pose(distance_mm)
        place(endoscope, pose)
        return pose

    def keep_clear(
        self, endoscope: "slicer.vtkMRMLLinearTransformNode", ct: Any, margin_mm: float = MIN_WALL_MM
    ) -> bool:
        """Push an endoscope that lies in tissue, or too near to it, back into the lumen; whether that was needed."""
        pose = pose_of(endoscope)
        kept = returned(self._keeper.enter(*self._input(ct, None))).kept_clear(pose[:3, 3], margin_mm)
        pose[:3, 3] = kept.position_ras
        if kept.moved:
            place(endoscope, pose)
        return kept.moved

    def render(
        self, endoscope: "slicer.vtkMRMLLinearTransformNode", ct: Any, segmentation: Any = None, **sections: Any
    ) -> "slicer.vtkMRMLVectorVolumeNode":
        """The picture that the endoscope takes, and its depth, normals and labels, in the endoscope's folder.

        sections: of a recipe, such as ``rendering={"samples": 32, "looks": ["wet"]}`` and ``sensor={"gamma": 2.0}``.
        """
        endoscopy, recipe, pose = self._view(endoscope, ct, segmentation, sections)
        sight = endoscopy.sight(recipe, pose)
        show_truth(endoscope, sight)
        *_, finished = endoscopy.refine(recipe, pose)
        return show_picture(endoscope, finished.picture, sight)

    def show_surface(
        self, endoscope: "slicer.vtkMRMLLinearTransformNode", ct: Any, segmentation: Any = None
    ) -> "slicer.vtkMRMLModelNode":
        """The surface that the endoscope sees, coloured by depth."""
        endoscopy, recipe, pose = self._view(endoscope, ct, segmentation, {})
        return show_true_surface(endoscope, endoscopy.sight(recipe, pose))

    def predict(
        self,
        predictor: DepthPredictor,
        endoscope: "slicer.vtkMRMLLinearTransformNode",
        ct: Any,
        segmentation: Any = None,
        **sections: Any,
    ) -> Comparison:
        """Predict the depth of the picture that the endoscope takes, and show it beside the truth: the predicted
        surface and an error map, in the endoscope's folder."""
        endoscopy, recipe, pose = self._view(endoscope, ct, segmentation, sections)
        sight = endoscopy.sight(recipe, pose)
        *_, finished = endoscopy.refine(recipe, pose)
        found = compare(predictor, finished.picture, sight.endoscope.camera, sight.truth.depth_mm)
        show_prediction(endoscope, sight, predictor.name, found)
        return found

    def recipe(
        self,
        folder: Path | str,
        endoscope: "slicer.vtkMRMLLinearTransformNode",
        ct: Any,
        segmentation: Any = None,
        **sections: Any,
    ) -> EndoscopyRecipe:
        """The recipe of a dataset with this endoscope, to be exported into `folder`.

        Inputs that have no file are written below the folder. sections: of the recipe, such as `views={"count": 50}`.
        """
        inputs = InputFiles(Path(folder))
        copies = copied(ct), segmentation and copied(segmentation)
        content = {"input": input_section(inputs, *copies, self.search), **sections}
        recipe = self._recipe(endoscope, content)
        for _ in inputs.write():
            pass
        return recipe

    def _view(
        self, endoscope: Any, ct: Any, segmentation: Any, sections: Mapping[str, Any]
    ) -> tuple[Endoscopy, EndoscopyRecipe, np.ndarray]:
        recipe, pose = self._recipe(endoscope, sections), pose_of(endoscope)
        return returned(self._keeper.enter(*self._input(ct, segmentation))), recipe, pose

    def _recipe(self, endoscope: Any, sections: Mapping[str, Any]) -> EndoscopyRecipe:
        content = {"simulator": "endoscopy", "endoscope": tip_of(endoscope).model_dump(mode="json"), **sections}
        return validate(EndoscopyRecipe, content, "the recipe")

    def _input(self, ct: Any, segmentation: Any) -> tuple[ColonKeys, ColonInput]:
        return keys_of(ct, segmentation, self.search), read_colon(ct, segmentation, self.search)
