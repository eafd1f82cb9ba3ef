"""A small deterministic simulation for tests: two balls under a camera that circles them, with analytic images."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from Sim2RealLib.cameras import PinholeCamera
from Sim2RealLib.dataset.masks import encode_mask
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.recipe import Recipe, RecipePath, StrictModel
from Sim2RealLib.simulation import Channel, DatasetHeader, Frame, LabelClass

BALLS = {3: ("left_ball", (-30.0, 0.0, 0.0), 22.0), 77: ("right_ball", (28.0, 10.0, 6.0), 30.0)}
"""Name, centre in RAS mm and radius in mm, by class id."""

CAMERA_DISTANCE_MM = 400.0
NOISE_FRACTION = 0.02


class ToyViews(StrictModel):
    count: int = Field(12, ge=1)
    width_px: int = Field(62, ge=8)
    height_px: int = Field(48, ge=8)
    kind: Literal["circle", "still"] = "circle"


class ToyInput(StrictModel):
    volume: RecipePath | None = None
    more: tuple[RecipePath, ...] = ()


class ToyRecipe(Recipe):
    simulator: Literal["toy"] = "toy"
    views: ToyViews = ToyViews()
    input: ToyInput = ToyInput()
    pause_s: float = Field(0.0, ge=0)
    fail_at: int | None = None


@dataclass(frozen=True)
class ToySimulation:
    recipe: ToyRecipe
    header: DatasetHeader = field(init=False)

    def __post_init__(self) -> None:
        channels = {
            "intensity": Channel("tif", "float32", "1", "fraction of the open beam, with noise"),
            "thickness": Channel("tif", "float32", "mm", "path length through each ball, one page a class"),
            "display": Channel("png", "uint8", "1", "intensity for the eye", scale=1 / 255),
        }
        classes = (LabelClass(3, "left_ball", (230, 120, 40)), LabelClass(77, "right_ball", (50, 140, 220)))
        inputs = ({"role": "volume", "name": "balls", "source": "generated", "license": "Apache-2.0"},)
        extra = {"distance_mm": CAMERA_DISTANCE_MM}
        header = DatasetHeader("toy", self.recipe.views.count, classes, channels, inputs, extra)
        object.__setattr__(self, "header", header)

    def frame(self, index: int) -> Frame:
        time.sleep(self.recipe.pause_s)
        if index == self.recipe.fail_at:
            raise Sim2RealError(f"frame {index} was asked to fail")
        camera = self._camera()
        camera_from_world = self._camera_from_world(index)
        thickness = np.stack([_chords(camera, camera_from_world, ball) for ball in BALLS.values()])
        noise = np.random.default_rng([self.recipe.seed, index]).normal(0, NOISE_FRACTION, thickness.shape[1:])
        intensity = np.exp(-0.02 * thickness.sum(axis=0)) * (1 + noise)
        record = {
            "camera": {
                "model": "pinhole",
                "matrix": camera.matrix,
                "width_px": camera.width_px,
                "height_px": camera.height_px,
                "camera_from_world": camera_from_world,
            },
            "landmarks": {name: _landmark(camera, camera_from_world, centre) for name, centre, _ in BALLS.values()},
            "masks": {str(id): encode_mask(chords > 0) for id, chords in zip(BALLS, thickness, strict=True)},
        }
        images = {
            "intensity": intensity.astype(np.float32),
            "thickness": thickness.astype(np.float32),
            "display": np.clip(intensity * 220, 0, 255).astype(np.uint8),
        }
        return Frame(images, record)

    def _camera(self) -> PinholeCamera:
        views = self.recipe.views
        focal_px = 2.0 * views.width_px
        center_px = (views.width_px / 2, views.height_px / 2)
        return PinholeCamera(focal_px, focal_px, *center_px, views.width_px, views.height_px)

    def _camera_from_world(self, index: int) -> np.ndarray:
        turn_deg = 0.0 if self.recipe.views.kind == "still" else 360.0 * index / self.recipe.views.count
        away = translation(np.array([0.0, 0.0, CAMERA_DISTANCE_MM]))
        return away @ rotation(np.array([1.0, 0, 0]), 90) @ rotation(np.array([0.0, 0, 1]), turn_deg)


def open_toy(recipe: dict[str, Any]) -> ToySimulation:
    return ToySimulation(ToyRecipe.model_validate(recipe))


def _chords(camera: PinholeCamera, camera_from_world: np.ndarray, ball: tuple) -> np.ndarray:
    """Length (H, W) of each pixel's ray inside a ball."""
    _, centre, radius = ball
    column, row = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    rays = camera.unproject(np.stack([column, row], axis=-1))
    centre = transform_points(camera_from_world, np.array(centre))
    along = rays @ centre
    return 2 * np.sqrt(np.maximum(radius**2 - (centre @ centre - along**2), 0))


def _landmark(camera: PinholeCamera, camera_from_world: np.ndarray, position: tuple) -> dict[str, Any]:
    position_px = camera.project(transform_points(camera_from_world, np.array(position)))
    return {"position_px": position_px, "visible": bool(camera.contains(position_px))}


# Ways to open it that tests of workers need; a worker imports them by name.


def open_changed_toy(recipe: dict[str, Any]) -> ToySimulation:
    """As on a machine with another version of the input."""
    simulation = open_toy(recipe)
    header = replace(simulation.header, inputs=({"role": "volume", "name": "other balls"},))
    object.__setattr__(simulation, "header", header)
    return simulation


def fail_with_os_error(recipe: dict[str, Any]) -> ToySimulation:
    raise FileNotFoundError(2, "the volume is gone")


def tell_threads(threads: int) -> None:
    assert threads == 2, f"the worker has two threads, was told {threads}"
