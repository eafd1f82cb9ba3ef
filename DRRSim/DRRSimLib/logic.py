"""X-rays of what is in a scene, step by step: for Slicer's Python console and for scripts, without any window.

Everything is computed on the calling thread, and Sim2RealError says what is wrong with an input.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import slicer

from Sim2RealLib.engine import open_backend
from Sim2RealLib.mrml.inputs import InputFiles
from Sim2RealLib.mrml.markups import landmarks_of
from Sim2RealLib.mrml.node_copies import copied
from Sim2RealLib.mrml.scenes import scene_or_slicers
from Sim2RealLib.mrml.volumes import make_volume
from Sim2RealLib.recipe import validate

from .acquisition.carm import DEVICES, CArmPose, view_from_pose
from .conebeam.volume_of_dataset import reconstruct_dataset
from .fluoroscope import Fluoroscope
from .frames.frame_labels import landmark_records
from .mrml.carm_nodes import device_of, make_carm, place, pose_of
from .mrml.patient_nodes import anatomy_of, middle_of, state_of
from .mrml.pelvis_nodes import add_pelvis, prepare_pelvis
from .mrml.point_nodes import show_landmarks
from .mrml.recipe_nodes import carm_section, input_section
from .mrml.xray_nodes import show_outlines, show_xray
from .pelvis import generate_pelvis
from .recipe import Display, DrrRecipe, Materials, PelvisAnatomy, Physics
from .scene import build_patient


class XrayLogic:
    """What the panel of DRRSim does, for one scene; `backend` as on the command line."""

    def __init__(self, scene: "slicer.vtkMRMLScene | None" = None, backend: str = "auto") -> None:
        self._scene = scene_or_slicers(scene, "XrayLogic")
        self._backend_name = backend
        self._state: Any = None
        self._fluoroscope: Fluoroscope | None = None

    def make_sample_pelvis(
        self, seed: int = 1, spacing_mm: float = 2.0
    ) -> "tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLMarkupsFiducialNode]":
        """A generated CT of the pelvis with its segmentation and landmarks: another one for every seed."""
        anatomy = validate(PelvisAnatomy, {"seed": seed, "spacing_mm": spacing_mm}, "the sample pelvis")
        return add_pelvis(self._scene, prepare_pelvis(generate_pelvis(seed, spacing_mm), anatomy))

    def make_carm(
        self,
        ct: "slicer.vtkMRMLScalarVolumeNode",
        landmarks: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
        device: str = "bier_2018",
    ) -> "slicer.vtkMRMLLinearTransformNode":
        """A C-arm in the AP view, its isocentre at the mean of the landmarks, or in the middle of the CT's body."""
        built = DEVICES[device]
        isocenter = tuple(middle_of(anatomy_of(ct, landmarks=landmarks)).tolist())
        distances = built.source_to_detector_mm, built.source_to_isocenter_mm
        return make_carm(self._scene, built, CArmPose(0.0, 0.0, isocenter, *distances))

    def turn(
        self,
        carm: "slicer.vtkMRMLLinearTransformNode",
        primary_deg: float,
        secondary_deg: float,
        in_plane_deg: float = 0.0,
    ) -> CArmPose:
        """Turn a C-arm about its isocentre; angles as DICOM has them, positive to LAO and CRAN.

        Sim2RealError for what the device cannot reach.
        """
        pose = replace(pose_of(carm), primary_deg=primary_deg, secondary_deg=secondary_deg, in_plane_deg=in_plane_deg)
        view_from_pose(device_of(carm), pose)
        place(carm, pose)
        return pose

    def render(
        self,
        carm: "slicer.vtkMRMLLinearTransformNode",
        ct: "slicer.vtkMRMLScalarVolumeNode",
        segmentation: "slicer.vtkMRMLSegmentationNode | None" = None,
        landmarks: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
        physics: Physics | None = None,
        display: Display | None = None,
    ) -> "slicer.vtkMRMLScalarVolumeNode":
        """The X-ray that the C-arm takes: a volume of one slice on its detector that holds −ln(I / I₀).

        With a segmentation come the outlines of its masks, with landmarks their places in the image, as nodes of the
        C-arm. physics, display: the recipe's sections, by default those of a recipe without any.
        """
        physics, display = physics or Physics(), display or Display()
        fluoroscope = self._fluoroscope_of(ct, segmentation, physics.materials)
        anatomy = fluoroscope.patient.anatomy
        image = fluoroscope.image(device_of(carm), pose_of(carm), physics, with_masks=segmentation is not None)
        if segmentation is not None:
            show_outlines(carm, image, anatomy.classes)
        if landmarks is not None:
            show_landmarks(carm, image.view, landmark_records(image.view, landmarks_of(landmarks), {}))
        provenance = {"inputs": [dict(record) for record in anatomy.inputs], "physics": physics.model_dump(mode="json")}
        return show_xray(carm, image, display.built(), display.polarity, provenance)

    def recipe(
        self,
        folder: Path | str,
        carm: "slicer.vtkMRMLLinearTransformNode",
        ct: "slicer.vtkMRMLScalarVolumeNode",
        segmentation: "slicer.vtkMRMLSegmentationNode | None" = None,
        landmarks: "slicer.vtkMRMLMarkupsFiducialNode | None" = None,
        **sections: Any,
    ) -> DrrRecipe:
        """The recipe of a dataset about the C-arm's isocentre, to be exported into `folder`.

        Inputs that have no file are written below the folder. sections: of the recipe, such as `views={"count": 50}`.
        """
        inputs = InputFiles(Path(folder))
        content = {
            "simulator": "drr",
            "input": input_section(inputs, *(node and copied(node) for node in (ct, segmentation, landmarks))),
            "carm": carm_section(carm),
            **sections,
        }
        recipe = validate(DrrRecipe, content, "the recipe")
        for _ in inputs.write():
            pass
        return recipe

    def reconstruct(self, folder: Path | str, spacing_mm: float | None = None) -> "slicer.vtkMRMLScalarVolumeNode":
        """The cone-beam CT of a dataset whose frames are a sweep, in HU, where the patient is.

        spacing_mm: of the voxels; by default a pixel at the isocentre. It needs itk-rtk.
        """
        volume = reconstruct_dataset(folder, spacing_mm)
        return make_volume(self._scene, volume, volume.name)

    def _fluoroscope_of(
        self,
        ct: "slicer.vtkMRMLScalarVolumeNode",
        segmentation: "slicer.vtkMRMLSegmentationNode | None",
        materials: Materials,
    ) -> Fluoroscope:
        """What images of these nodes are taken with; kept as long as they stay the same."""
        state = (*state_of(ct, segmentation), materials)
        if self._fluoroscope is None or state != self._state:
            backend = open_backend(self._backend_name)
            self._fluoroscope = Fluoroscope(build_patient(anatomy_of(ct, segmentation), materials, backend))
            self._state = state
        return self._fluoroscope
