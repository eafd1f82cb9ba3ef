"""An X-ray recipe made ready to run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from Sim2RealLib.body import body_center_ras
from Sim2RealLib.engine import Backend, require_memory
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.simulation import Channel, DatasetHeader, Frame

from .acquisition.carm import CArmDevice, CArmPose, XrayView, clamp_angles, limit_problems, view_from_pose
from .acquisition.views import angle_ranges, sample_pose
from .anatomy import Anatomy, load_anatomy
from .detector.chain import frames_back
from .frames.display import log_attenuation, to_display
from .frames.exposure_record import exposure_record
from .frames.frame_labels import camera_record, heatmaps, landmark_records, mask_records, pose_record
from .frames.tool_labels import tool_classes, tool_masks, tool_records, tools_in_world
from .projection.label_projector import LabelScene, project_labels
from .projection.projector import XrayScene
from .projection.radiograph import Exposure, expose, material_thickness, tissue_thickness
from .projection.sequence import FrameSeries
from .recipe import DrrRecipe
from .scene import Patient, build_patient, exposure_of
from .variants import Variants

LOG = logging.getLogger("sim2real")

WORKING_PAGES = 16
"""Images that an exposure holds at a time beside those of the materials: rays, signal, noise, output."""

SPREADING_PAGES = 48
"""More of them where light spreads: images of twice the side in double precision, and their spectra."""

NO_SIGNAL = np.float32(-100.0)
"""Stored attenuation of a pixel that no photon reached, or whose signal the electronic noise made negative."""


@dataclass(frozen=True, eq=False)
class DrrSimulation:
    """The `Simulation` of a DRR recipe: all that its frames share, loaded and on the backend.

    variants: of the patient, if frames do not all show the same one. augmentation: of that of `of_frame`, its record.
    """

    recipe: DrrRecipe
    header: DatasetHeader
    patient: Patient
    planes: tuple[CArmDevice, ...]
    isocenter_ras: np.ndarray
    exposure: Exposure
    variants: Variants | None = None
    augmentation: Mapping[str, Any] | None = None

    @cached_property
    def series(self) -> FrameSeries:
        return FrameSeries(self.scene, self.exposure, lambda index: self.view(index)[1], len(self.planes))

    @property
    def anatomy(self) -> Anatomy:
        return self.patient.anatomy

    @property
    def scene(self) -> XrayScene:
        return self.patient.scene

    @property
    def labels(self) -> LabelScene | None:
        return self.patient.labels

    def view(self, index: int) -> tuple[CArmPose, XrayView, list[str]]:
        """Pose and geometry of frame `index`, and what of the planned pose was clamped to the device's range."""
        device = self.device(index)
        pose = sample_pose(self.recipe.views, self.planes, self.isocenter_ras, self.recipe.seed, index)
        clamped = []
        if self.recipe.views.on_limit == "clamp":
            clamped = limit_problems(device, pose)
            pose = clamp_angles(device, pose)
        return pose, view_from_pose(device, pose), clamped

    def device(self, index: int) -> CArmDevice:
        """The C-arm that takes frame `index`: the two of a biplane take turns."""
        return self.planes[index % len(self.planes)]

    def expose(self, pose: CArmPose, frame: int = 0) -> np.ndarray:
        """The raw intensity of any pose, keV per emitted photon, float32 (H, W); `frame` chooses noise and device.

        It is an image of its own: with lag, none was taken before it.
        """
        return expose(self.scene, view_from_pose(self.device(frame), pose), self.exposure, frame)

    def of_frame(self, index: int) -> "DrrSimulation":
        """The simulation with the patient that frame `index` shows."""
        if self.variants is None:
            return self
        shown = self.variants.of_exposure(index // len(self.planes))
        return replace(self, patient=shown.patient, exposure=shown.exposure, variants=None, augmentation=shown.record)

    def frame(self, index: int) -> Frame:
        return self.of_frame(index)._frame(index)

    def _frame(self, index: int) -> Frame:
        pose, view, clamped = self.view(index)
        for problem in clamped:
            LOG.warning("Frame %d is clamped: %s.", index, problem)
        intensity, registered = self.series.image(index)
        images = self._images(view, intensity)
        landmarks = self._landmarks(view)
        masks = {}
        if self.labels is not None:
            projection = project_labels(
                self.labels, view, [self._class_id(name) for name in self.recipe.output.thickness]
            )
            masks = mask_records(projection.masks)
            for name, thickness in zip(self.recipe.output.thickness, projection.thickness_mm.values(), strict=True):
                images[thickness_channel(name)] = thickness
        masks |= mask_records(tool_masks(self.scene.tools, view))
        if self.recipe.output.heatmaps is not None:
            images["heatmaps"] = heatmaps(
                (view.camera.width_px, view.camera.height_px), landmarks, **self.recipe.output.heatmaps.model_dump()
            )
        record = {
            "camera": camera_record(view),
            "carm": {
                "device": self.device(index).name,
                "exposure": index // len(self.planes),
                **pose_record(pose, view),
                **({"clamped": clamped} if clamped else {}),
            },
            **exposure_record(self.recipe.physics, self.exposure, self.scene, view, pose, registered),
            "landmarks": landmarks,
            "masks": masks,
            **({"tools": tool_records(self.scene.tools, view)} if self.scene.tools else {}),
            **({"augmentation": self.augmentation} if self.augmentation is not None else {}),
        }
        return Frame(images, record)

    def _images(self, view: XrayView, intensity: np.ndarray) -> dict[str, np.ndarray]:
        output = self.recipe.output
        attenuation = log_attenuation(intensity, self.exposure.spectrum.open_beam_kev)
        display = output.display
        images = {
            "intensity": lambda: intensity,
            "fraction": lambda: intensity / np.float32(self.exposure.spectrum.open_beam_kev),
            "attenuation": lambda: np.where(np.isfinite(attenuation), attenuation, NO_SIGNAL),
            "display": lambda: to_display(attenuation, display.built(), display.polarity, display.bits),
        }
        chosen = {name: images[name]() for name in output.channels}
        if output.material_thickness:
            thickness = material_thickness(self.scene, view)
            none = np.zeros_like(intensity)  # of a material that this variant has not
            chosen |= {material_channel(name): thickness.get(name, none) for name in output.material_thickness}
        return chosen

    def _landmarks(self, view: XrayView) -> dict[str, dict[str, Any]]:
        positions = {name: view.project(position) for name, position in self.anatomy.landmarks.items()}
        in_field = {name: position for name, position in positions.items() if view.camera.contains(position)}
        tissue = tissue_thickness(self.scene, view, np.array(list(in_field.values()))) if in_field else []
        return landmark_records(view, self.anatomy.landmarks, dict(zip(in_field, map(float, tissue), strict=True)))

    def _class_id(self, name: str) -> int:
        return next(entry.id for entry in self.anatomy.classes if entry.name == name)


def thickness_channel(label: str) -> str:
    return f"thickness_{label}"


def material_channel(name: str) -> str:
    return f"material_{name}"


def open_simulation(recipe: DrrRecipe, backend: Backend) -> DrrSimulation:
    """Load the recipe's inputs and put them on the backend. Sim2RealError for whatever is wrong with them."""
    _require_reachable(recipe)
    return simulation_of(recipe, backend, load_anatomy(recipe.input))


def simulation_of(
    recipe: DrrRecipe, backend: Backend, anatomy: Anatomy, before: DrrSimulation | None = None
) -> DrrSimulation:
    """A recipe of an anatomy at hand; its `input` is not read. Sim2RealError where they do not fit.

    before: another recipe of the same anatomy on the same backend, whose patient is taken over unless voxels become
        other materials: a change of C-arm, views, beam, noise or window is then quick.
    """
    _require_reachable(recipe)
    materials = recipe.physics.materials
    if before is not None and before.recipe.physics.materials == materials:
        patient = before.patient
    else:
        patient = build_patient(anatomy, materials, backend)
    scene = patient.scene
    _require_names("output.thickness", recipe.output.thickness, [entry.name for entry in anatomy.classes])
    _require_names("output.material_thickness", recipe.output.material_thickness, scene.materials)
    if recipe.output.heatmaps is not None and not anatomy.landmarks:
        raise Sim2RealError(
            "output.heatmaps: this input has no landmarks. Give input.landmarks, or leave heatmaps out."
        )
    exposure = exposure_of(recipe.physics, scene, recipe.seed)
    _require_image_memory(recipe, patient)
    isocenter = _isocenter(recipe, anatomy)
    _warn_of_misplacement(anatomy, isocenter)
    header = DatasetHeader(
        simulator=recipe.simulator,
        frame_count=recipe.views.count * len(recipe.carm.planes()),
        classes=(*anatomy.classes, *tool_classes(anatomy.tools)),
        channels=_channels(recipe),
        inputs=anatomy.inputs,
        extra={
            "backend": backend.name,
            "open_beam_kev": exposure.spectrum.open_beam_kev,
            "materials": list(scene.materials),
            "isocenter_ras": isocenter.tolist(),
            "landmarks_ras": {name: position.tolist() for name, position in anatomy.landmarks.items()},
            **({"tools": tools_in_world(anatomy.tools)} if anatomy.tools else {}),
        },
    )
    variants = None if recipe.augmentation is None else Variants(recipe, backend, anatomy)
    return DrrSimulation(recipe, header, patient, recipe.carm.planes(), isocenter, exposure, variants)


def _require_reachable(recipe: DrrRecipe) -> None:
    """Sim2RealError if views with their jitter can leave what a device can do, and are not to be clamped."""
    for plane, device in enumerate(recipe.carm.planes()):
        if recipe.views.on_limit == "error":
            _require_angles(recipe, plane, device)
        _require_distances(recipe, device)
        _require_isocenter_on_detector(recipe, device)


def _require_angles(recipe: DrrRecipe, plane: int, device: CArmDevice) -> None:
    for name, (low, high) in zip(("primary", "secondary"), angle_ranges(recipe.views, plane), strict=True):
        least, most = getattr(device, f"{name}_range_deg")
        if low < least or high > most:
            moved = f" on the {device.name} plane" if plane > 0 else ""
            raise Sim2RealError(
                f"views.{name}_range_deg with its jitter runs from {low:g}° to {high:g}°{moved}, "
                f"{device.name} reaches {least:g}° to {most:g}°. Narrow it, or set views.on_limit=clamp."
            )


def _require_distances(recipe: DrrRecipe, device: CArmDevice) -> None:
    jitter, source_distance = recipe.views.jitter, device.source_to_isocenter_mm
    nearest_detector = device.source_to_detector_mm - jitter.source_to_detector_mm
    source_jitter = jitter.source_to_isocenter_mm
    if source_jitter >= source_distance or source_distance + source_jitter >= nearest_detector:
        raise Sim2RealError(
            f"views.jitter can move the isocentre, {source_distance:g} mm from the source of {device.name}, to the "
            "source or the detector. Lower source_to_isocenter_mm or source_to_detector_mm there."
        )


def _require_isocenter_on_detector(recipe: DrrRecipe, device: CArmDevice) -> None:
    half_mm = np.array([device.width_px, device.height_px]) * device.pixel_mm / 2
    offset_mm = np.abs(recipe.views.detector_offset_mm) + recipe.views.jitter.detector_offset_mm
    if np.any(offset_mm >= half_mm):
        raise Sim2RealError(
            f"views.detector_offset_mm with its jitter moves the detector of {device.name} past the central ray, which "
            f"is {half_mm[0]:g} and {half_mm[1]:g} mm from its edges. Lower it."
        )


def _require_image_memory(recipe: DrrRecipe, patient: Patient) -> None:
    """Sim2RealError if the images of a frame do not fit, counted as float32 pages of the detector's size."""
    device = max(recipe.carm.planes(), key=lambda plane: plane.width_px * plane.height_px)
    output = recipe.output
    pages = 2 * len(patient.scene.materials) + WORKING_PAGES + len(patient.anatomy.classes) // 4
    pages += len(output.thickness) + len(output.material_thickness)
    detector = recipe.physics.built_detector
    if not detector.only_registers:
        pages += SPREADING_PAGES + 2 * frames_back(detector)
    if output.heatmaps is not None:
        pages += len(patient.anatomy.landmarks) // output.heatmaps.downsampling**2
    needed = 4 * device.width_px * device.height_px * pages
    what = f"A frame of {device.width_px} × {device.height_px} pixels"
    require_memory(patient.scene.backend, needed, what, "Take a smaller one.")


def _require_names(field: str, names: tuple[str, ...], known: Sequence[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Sim2RealError(
            f"{field}: {', '.join(unknown)} is not in this input, which has {', '.join(known) or 'none'}."
        )


def _isocenter(recipe: DrrRecipe, anatomy: Anatomy) -> np.ndarray:
    if recipe.carm.isocenter_ras is not None:
        return np.array(recipe.carm.isocenter_ras)
    if anatomy.landmarks:
        return np.mean(list(anatomy.landmarks.values()), axis=0)
    return body_center_ras(anatomy.hu)


def _warn_of_misplacement(anatomy: Anatomy, isocenter_ras: np.ndarray) -> None:
    """Warn where the beam's isocentre, an implant or a tool lies outside the CT: possible, but hardly ever meant."""
    if not anatomy.hu.contains(isocenter_ras):
        low, high = anatomy.hu.corners_ras.min(axis=0), anatomy.hu.corners_ras.max(axis=0)
        LOG.warning(
            "The isocentre %s lies outside %s, which reaches from %s to %s (RAS, mm): images may show nothing of it.",
            np.round(isocenter_ras).tolist(),
            anatomy.hu.name,
            np.round(low).tolist(),
            np.round(high).tolist(),
        )
    for mask, name in anatomy.implants:
        middle = mask.corners_ras.mean(axis=0)
        if not anatomy.hu.contains(middle):
            LOG.warning("The implant %s of %s lies outside %s.", mask.name, name, anatomy.hu.name)
    for tool in anatomy.tools:
        if not any(map(anatomy.hu.contains, tool.mesh.vertices_ras)):
            LOG.warning("The tool %s lies outside %s.", tool.name, anatomy.hu.name)


def _channels(recipe: DrrRecipe) -> dict[str, Channel]:
    output = recipe.output
    bits = output.display.bits
    images = {
        "intensity": Channel("tif", "float32", "keV per emitted photon", "raw detector signal with noise"),
        "fraction": Channel("tif", "float32", "1", "detector signal with noise as a fraction I/I0 of the open beam's"),
        "attenuation": Channel("tif", "float32", "1", "-ln(I/I0)", invalid=float(NO_SIGNAL)),
        "display": Channel("png", f"uint{bits}", "1", f"-ln(I/I0) in the window {output.display.window}"),
    }
    channels = {name: images[name] for name in output.channels}
    for label in output.thickness:
        channels[thickness_channel(label)] = Channel("tif", "float32", "mm", f"path length in label {label}")
    for name in output.material_thickness:
        channels[material_channel(name)] = Channel("tif", "float32", "mm", f"path length in material {name}")
    if output.heatmaps is not None:
        channels["heatmaps"] = Channel(
            "tif", "float32", "1", "Gaussian of peak 1 at each visible landmark, a page each"
        )
    return channels
