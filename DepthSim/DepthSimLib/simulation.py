"""An endoscopy recipe made ready to run."""

from dataclasses import asdict, dataclass

import numpy as np
from pydantic_core import to_jsonable_python

from Sim2RealLib.engine import Backend
from Sim2RealLib.simulation import DatasetHeader, Frame

from .anatomy import Anatomy, load_anatomy
from .appearance.looks import Look
from .appearance.randomization import randomised
from .appearance.upload import upload_look
from .channels import channels_of, look_channel, stored
from .endoscope.poses import PoseSource, prepare_poses
from .endoscope.presets import Endoscope
from .endoscope.sensor import LUMINANCE, develop
from .frames.ground_truth import GroundTruth, Surface, ground_truth, visible_surface
from .frames.motion import motion_from_previous
from .frames.record import camera_record, tip_record
from .pictures import render
from .recipe import EndoscopyRecipe
from .rendering.medium import Medium
from .scene import Viewpoint, build_medium, place

PATH_STREAM = 30
"""Number that keeps the random numbers of paths apart from others of the seed and frame."""


@dataclass(frozen=True, eq=False)
class EndoscopySimulation:
    """The `Simulation` of an endoscopy recipe: all that its frames share, loaded and on the backend.

    rays: `Endoscope.rays` of the recipe's endoscope.
    """

    recipe: EndoscopyRecipe
    header: DatasetHeader
    anatomy: Anatomy
    endoscope: Endoscope
    rays: np.ndarray
    poses: PoseSource
    medium: Medium

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
        return Frame({name: stored(name, images[name]) for name in names}, record)

    def geometry(self, ras_from_camera: np.ndarray) -> tuple[Viewpoint, Surface, GroundTruth]:
        """What the endoscope has before it at any pose, rigid 4×4; NaN where its image shows nothing."""
        viewpoint = place(self.medium, self.endoscope, ras_from_camera)
        surface = visible_surface(self.medium, viewpoint.camera)
        labels = self.anatomy.labels.array
        truth = ground_truth(surface, self.medium, viewpoint.camera, labels, viewpoint.camera_from_grid)
        return viewpoint, surface, truth.where(np.isfinite(self.rays[..., 2]))

    def look(self, number: int, index: int) -> Look:
        """Look `number` as frame `index` has it; in a sequence all frames have the same."""
        look = self.recipe.rendering.built_looks()[number]
        if not self.recipe.rendering.randomize:
            return look
        return randomised(look, self.recipe.seed, 0 if self.recipe.is_sequence else index)

    def _motion(self, index: int, truth: GroundTruth) -> dict[str, np.ndarray]:
        if index == 0:
            shape = truth.depth_mm.shape
            return {"flow": np.full((2, *shape), np.nan, np.float32), "hidden": np.zeros(shape, np.uint8)}
        now, before = (self.poses.pose(i).ras_from_camera for i in (index, index - 1))
        motion = motion_from_previous(self.medium, self.endoscope.camera, truth.depth_mm, now, before)
        return {"flow": np.moveaxis(motion.flow_px, -1, 0), "hidden": 255 * motion.hidden.astype(np.uint8)}

    def _pictures(self, index: int, viewpoint: Viewpoint, surface: Surface) -> dict[str, np.ndarray]:
        rendering, seed = self.recipe.rendering, self.recipe.seed
        numbers = range(len(rendering.looks))
        looks = [
            upload_look(
                self.medium.arrays,
                self.look(number, index),
                self.endoscope.lights,
                similarity=rendering.later_extinction < 1.0,
            )
            for number in numbers
        ]
        path_seed = int(np.random.SeedSequence([seed, PATH_STREAM, index]).generate_state(1)[0])
        images = {}
        for number, light in enumerate(render(self.medium, viewpoint, surface, looks, rendering, path_seed)):
            color = np.array(self.look(number, index).illumination.color, np.float32)
            radiance, noisy = (self._toned(part * color) for part in (light.radiance, light.noisy))
            picture = develop(radiance, self.rays, self.recipe.sensor, seed, index)
            for kind, image in (("display", picture), ("radiance", radiance), ("noisy_radiance", noisy)):
                images[look_channel(kind, number, rendering)] = np.moveaxis(image, -1, 0) if image.ndim == 3 else image
        return images

    def _toned(self, radiance: np.ndarray) -> np.ndarray:
        return radiance @ np.array(LUMINANCE, np.float32) if self.recipe.rendering.grayscale else radiance

    def _visible(self, truth: GroundTruth) -> dict[str, int]:
        counts = np.bincount(truth.labels.ravel(), minlength=256)
        return {entry.name: int(counts[entry.id]) for entry in self.anatomy.classes if counts[entry.id]}


def open_simulation(recipe: EndoscopyRecipe, backend: Backend) -> EndoscopySimulation:
    """Load the recipe's inputs and put them on the backend. Sim2RealError for whatever is wrong with them."""
    anatomy = load_anatomy(recipe.input)
    endoscope = recipe.endoscope.built()
    poses = prepare_poses(recipe.views, anatomy.centerline, anatomy.clearance, recipe.seed)
    medium, looks = build_medium(backend, anatomy.ct), recipe.rendering.built_looks()
    header = DatasetHeader(
        simulator=recipe.simulator,
        frame_count=poses.count,
        classes=anatomy.classes,
        channels=channels_of(recipe),
        inputs=anatomy.inputs,
        extra={
            "backend": backend.name,
            "camera": endoscope.camera.parameters,
            "mask": to_jsonable_python(endoscope.mask),
            "lights": [asdict(light) for light in endoscope.lights],
            "looks": dict(zip(recipe.rendering.look_names(), to_jsonable_python(looks), strict=True)),
            "sequence": recipe.is_sequence,
            "centerline_mm": float(anatomy.centerline.arc_length_mm[-1]),
            "polyps": list(anatomy.polyps),
        },
    )
    return EndoscopySimulation(recipe, header, anatomy, endoscope, endoscope.rays(), poses, medium)
