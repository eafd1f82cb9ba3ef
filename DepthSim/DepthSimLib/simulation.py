"""An endoscopy recipe made ready to run."""

import logging
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pydantic_core import to_jsonable_python

from Sim2RealLib.engine import Backend
from Sim2RealLib.provenance import input_record
from Sim2RealLib.simulation import DatasetHeader, Frame

from .anatomy import Anatomy, load_anatomy
from .appearance.looks import Look
from .appearance.randomization import randomised
from .appearance.slicer_volume_property import read_volume_property
from .appearance.transfer_function import LUMEN, OpacityFunction
from .appearance.upload import upload_look
from .channels import channels_of, look_channel, stored
from .endoscope.pose_plan import FilePlan
from .endoscope.poses import PoseSource, prepare_poses
from .endoscope.presets import Endoscope
from .endoscope.sensor import LUMINANCE, develop, metered
from .frames.coverage import Wall, pack_bits, seen_vertices, wall_of
from .frames.ground_truth import GroundTruth, Surface, ground_truth, visible_surface
from .frames.motion import motion_from_previous
from .frames.record import camera_record, tip_record
from .pictures import render
from .recipe import EndoscopyRecipe, Rendering
from .rendering.look_device import DeviceLook
from .rendering.medium import Medium
from .scene import Viewpoint, build_medium, place

PREVIEW_WIDTH_PX = 64
SYNTHETIC = Rendering(mode="synthetic")

LOG = logging.getLogger("sim2real")

PATH_STREAM = 30
"""Number that keeps the random numbers of paths apart from others of the seed and frame."""


@dataclass(frozen=True, eq=False)
class EndoscopySimulation:
    """The `Simulation` of an endoscopy recipe: all that its frames share, loaded and on the backend.

    rays: `Endoscope.rays` of the recipe's endoscope. opacity: what says where tissue is.
    wall: the mesh on which coverage is counted, if it is.
    """

    recipe: EndoscopyRecipe
    header: DatasetHeader
    anatomy: Anatomy
    endoscope: Endoscope
    rays: np.ndarray
    poses: PoseSource
    medium: Medium
    opacity: OpacityFunction
    looks: tuple[Look, ...]
    wall: Wall | None

    def frame(self, index: int) -> Frame:
        pose = self.poses.pose(index)
        viewpoint, surface, truth = self.geometry(pose.ras_from_camera)
        images = {
            "depth": truth.depth_mm,
            "z_depth": truth.depth_mm * self.rays[..., 2].astype(np.float32),
            "depth_range": np.stack([truth.first_mm, truth.last_mm]),
            "normals": np.moveaxis(truth.normals, -1, 0),
            "labels": truth.labels,
        }
        if {"flow", "hidden"} & self.header.channels.keys():
            images |= self._motion(index, truth)
        images |= self._pictures(index, viewpoint, surface)
        names = self.header.channels
        record = {
            "camera": camera_record(self.endoscope.camera, pose.ras_from_camera),
            "tip": tip_record(pose, self.anatomy.centerline),
            "visible_px": self._visible(truth),
        }
        if self.wall is not None:
            camera, vertices = self.endoscope.camera, self.wall.mesh.vertices_ras
            seen = seen_vertices(vertices, camera, truth.depth_mm, pose.ras_from_camera)
            record["coverage"] = {"share": float(self.wall.area_share[seen].sum()), "seen": pack_bits(seen)}
        return Frame({name: stored(name, images[name]) for name in names}, record)

    def geometry(self, ras_from_camera: np.ndarray) -> tuple[Viewpoint, Surface, GroundTruth]:
        """What the endoscope has before it at any pose, rigid 4×4; NaN where its image shows nothing."""
        viewpoint, surface = self.view(ras_from_camera)
        truth = ground_truth(surface, self.medium, viewpoint.camera, self.anatomy.label_at, viewpoint.camera_from_grid)
        return viewpoint, surface, truth.where(np.isfinite(self.rays[..., 2]))

    def view(self, ras_from_camera: np.ndarray) -> tuple[Viewpoint, Surface]:
        """The endoscope at a pose, and the surface before it."""
        viewpoint = place(self.medium, self.endoscope, ras_from_camera)
        return viewpoint, visible_surface(self.medium, viewpoint.camera)

    def look(self, number: int, index: int) -> Look:
        """Look `number` as frame `index` has it; in a sequence all frames have the same."""
        look = self.looks[number]
        if not self.recipe.rendering.randomize:
            return look
        return randomised(look, self.recipe.seed, 0 if self.recipe.is_sequence else index)

    def device_look(self, number: int, index: int) -> DeviceLook:
        """The same on the backend."""
        similarity = self.recipe.rendering.later_extinction < 1.0
        look = self.look(number, index)
        return upload_look(self.medium.arrays, look, self.endoscope.lights, self.opacity, similarity)

    def toned(self, light: np.ndarray, number: int, index: int) -> np.ndarray:
        """Radiance (H, W, 3) in the colour of the look's illumination; (H, W) where the recipe asks for grey."""
        radiance = light * np.array(self.look(number, index).illumination.color, np.float32)
        return radiance @ np.array(LUMINANCE, np.float32) if self.recipe.rendering.grayscale else radiance

    def seen_through(self, endoscope: Endoscope) -> "EndoscopySimulation":
        """The same seen by another endoscope, in pictures of one pose; not for frames of a dataset."""
        return replace(self, endoscope=endoscope, rays=endoscope.rays())

    def _motion(self, index: int, truth: GroundTruth) -> dict[str, np.ndarray]:
        if index == 0:
            shape = truth.depth_mm.shape
            return {"flow": np.full((2, *shape), np.nan, np.float32), "hidden": np.zeros(shape, np.uint8)}
        now, before = (self.poses.pose(i).ras_from_camera for i in (index, index - 1))
        motion = motion_from_previous(self.medium, self.endoscope.camera, truth.depth_mm, now, before)
        return {"flow": np.moveaxis(motion.flow_px, -1, 0), "hidden": 255 * motion.hidden.astype(np.uint8)}

    def _pictures(self, index: int, viewpoint: Viewpoint, surface: Surface) -> dict[str, np.ndarray]:
        rendering, seed = self.recipe.rendering, self.recipe.seed
        looks = [self.device_look(number, index) for number in range(len(self.looks))]
        path_seed = int(np.random.SeedSequence([seed, PATH_STREAM, index]).generate_state(1)[0])
        images = {}
        for number, light in enumerate(render(self.medium, viewpoint, surface, looks, rendering, path_seed)):
            radiance, noisy = (self.toned(part, number, index) for part in (light.radiance, light.noisy))
            earlier = self._earlier_readings(index, looks[number], radiance)
            picture = develop(radiance, self.rays, self.recipe.sensor, seed, index, earlier)
            for kind, image in (("display", picture), ("radiance", radiance), ("noisy_radiance", noisy)):
                images[look_channel(kind, number, rendering)] = np.moveaxis(image, -1, 0) if image.ndim == 3 else image
        return images

    def _earlier_readings(self, index: int, look: DeviceLook, radiance: np.ndarray) -> list[float]:
        """What the exposure meter read in the frames before, where its control lags: from small synthetic pictures of
        them, scaled so that this frame's would read what its picture does."""
        sensor = self.recipe.sensor
        if sensor.gain is not None or not self.recipe.is_sequence or sensor.meter.window == 0:
            return []
        first = max(0, index - sensor.meter.window)
        previews = [self._preview_reading(frame, look) for frame in range(first, index + 1)]
        scale = metered(radiance, self.rays, sensor) / previews[-1]
        return [reading * scale for reading in previews[:-1]]

    def _preview_reading(self, index: int, look: DeviceLook) -> float:
        preview = self._preview
        viewpoint, surface = preview.view(self.poses.pose(index).ras_from_camera)
        (light,) = render(self.medium, viewpoint, surface, [look], SYNTHETIC, 0)
        return metered(light.radiance, preview.rays, self.recipe.sensor)

    @cached_property
    def _preview(self) -> "EndoscopySimulation":
        return self.seen_through(self.endoscope.scaled(PREVIEW_WIDTH_PX / self.endoscope.camera.width_px))

    def _visible(self, truth: GroundTruth) -> dict[str, int]:
        counts = np.bincount(truth.labels.ravel(), minlength=256)
        return {entry.name: int(counts[entry.id]) for entry in self.anatomy.classes if counts[entry.id]}


def open_simulation(recipe: EndoscopyRecipe, backend: Backend) -> EndoscopySimulation:
    """Load the recipe's inputs and put them on the backend. Sim2RealError for whatever is wrong with them."""
    return simulation_of(recipe, backend, load_anatomy(recipe.input))


def simulation_of(
    recipe: EndoscopyRecipe, backend: Backend, anatomy: Anatomy, before: EndoscopySimulation | None = None
) -> EndoscopySimulation:
    """A recipe in a colon at hand; its `input` is not read.

    before: another recipe in the same colon on the same backend, whose medium is taken over unless tissue is elsewhere:
        a change of endoscope, looks, mode or sensor is then quick.
    """
    endoscope = recipe.endoscope.built()
    poses = prepare_poses(recipe.views, anatomy.centerline, anatomy.clearance, recipe.seed)
    opacity, looks = _opacity_and_looks(recipe.rendering)
    if before is not None and before.opacity == opacity:
        medium = before.medium
    else:
        medium = build_medium(backend, anatomy.ct, opacity, anatomy.lesions)
    wall = wall_of(anatomy.wall_mesh()) if recipe.output.coverage else None
    header = DatasetHeader(
        simulator=recipe.simulator,
        frame_count=poses.count,
        classes=anatomy.classes,
        channels=channels_of(recipe),
        inputs=(*anatomy.inputs, *_other_files(recipe)),
        extra={
            "backend": backend.name,
            "camera": endoscope.camera.parameters,
            "mask": to_jsonable_python(endoscope.mask),
            "lights": [asdict(light) for light in endoscope.lights],
            "looks": dict(zip(recipe.rendering.look_names(), to_jsonable_python(looks), strict=True)),
            "sequence": recipe.is_sequence,
            "centerline_mm": float(anatomy.centerline.arc_length_mm[-1]),
            "polyps": list(anatomy.polyps),
            "wall_vertices": 0 if wall is None else len(wall.area_share),
        },
    )
    return EndoscopySimulation(
        recipe, header, anatomy, endoscope, endoscope.rays(), poses, medium, opacity, looks, wall
    )


def _opacity_and_looks(rendering: Rendering) -> tuple[OpacityFunction, tuple[Look, ...]]:
    if rendering.volume_property is None:
        return LUMEN, rendering.built_looks()
    found = read_volume_property(rendering.volume_property)
    for what in found.ignored:
        LOG.warning("%s: %s", rendering.volume_property.name, what)
    function = found.transfer_function
    looks = (replace(look, tissue=function.color, g=found.g or look.g) for look in rendering.built_looks())
    return function.opacity, tuple(looks)


def _other_files(recipe: EndoscopyRecipe) -> list[dict[str, Any]]:
    """Provenance of what shapes frames beside the anatomy."""
    files = {"calibration": recipe.endoscope.calibration, "volume_property": recipe.rendering.volume_property}
    files["poses"] = recipe.views.file if isinstance(recipe.views, FilePlan) else None
    return [input_record(role, path) for role, path in files.items() if path is not None]
