"""The exact geometry of a frame, from the rays that its image is made with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import drjit as dr
import numpy as np

from Sim2RealLib.geometry import transform_points

from ..rendering.camera_rays import CameraRays
from ..rendering.look_device import surface_at
from ..rendering.medium import Medium, rays_in
from ..rendering.opacity_depth import opacity_depths


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Per pixel, (H, W) unless said otherwise; NaN, and label 0, where the image shows no surface.

    depth_mm: Euclidean ray length to the surface, where opacity reaches 0.5; first_mm and last_mm: where it reaches 0.1
        and 0.9, between which the surface lies.
    normals: (H, W, 3) in the camera frame, unit, towards the camera.
    labels: of what is at the surface.
    """

    depth_mm: np.ndarray
    first_mm: np.ndarray
    last_mm: np.ndarray
    normals: np.ndarray
    labels: np.ndarray

    def where(self, shown: np.ndarray) -> "GroundTruth":
        """The same with nothing where `shown` (H, W) does not hold."""
        images = (np.where(shown, image, np.float32(np.nan)) for image in (self.depth_mm, self.first_mm, self.last_mm))
        normals = np.where(shown[..., None], self.normals, np.float32(np.nan))
        return GroundTruth(*images, normals, np.where(shown, self.labels, self.labels.dtype.type(0)))


@dataclass(frozen=True, eq=False)
class Surface:
    """The same on the backend, for shading: points (Array3f) in the grid frame, normals towards the camera, depths.

    travel: unit directions of the rays.
    """

    depth: Any
    first: Any
    last: Any
    travel: Any
    point: Any
    normal: Any

    @property
    def seen(self) -> Any:
        return dr.isfinite(self.depth)


PIXEL_CENTER = (0.5, 0.5)


def visible_surface(medium: Medium, camera: CameraRays, place: tuple[float, float] = PIXEL_CENTER) -> Surface:
    """What every pixel shows at a place in it, (x, y), 0 to 1 each."""
    pixel = dr.arange(medium.arrays.UInt32, camera.width * camera.height)
    travel = camera.direction(pixel, *(dr.opaque(medium.arrays.Float, along) for along in place))
    rays = rays_in(medium, camera.origin, travel, dr.inf)
    depths = opacity_depths(medium, rays)
    seen = dr.isfinite(depths.middle)
    point = rays.at(dr.select(seen, depths.middle, 0))
    normal, _ = surface_at(medium, point, travel, seen)
    surface = Surface(depths.middle, depths.first, depths.last, travel, point, normal)
    dr.eval(surface.depth, surface.first, surface.last, surface.travel, surface.point, surface.normal)
    return surface


def ground_truth(
    surface: Surface,
    medium: Medium,
    camera: CameraRays,
    label_at: Callable[[np.ndarray], np.ndarray],
    camera_from_grid: np.ndarray,
) -> GroundTruth:
    """label_at: uint8 (N,) of RAS points (N, 3) of the surface; camera_from_grid: 4×4."""
    shape = (camera.height, camera.width)
    seen = surface.seen.numpy().reshape(shape)

    def image(values: Any) -> np.ndarray:
        return np.where(seen, values.numpy().reshape(shape), np.float32(np.nan))

    points, normals = (np.array(v, np.float32).T for v in (surface.point, surface.normal))
    labels = np.zeros(shape, np.uint8)
    ras_from_grid = np.linalg.inv(medium.device_grid.grid.grid_from_ras)
    labels[seen] = label_at(transform_points(ras_from_grid, points[seen.ravel()]))
    turned = normals @ camera_from_grid[:3, :3].T.astype(np.float32)
    return GroundTruth(
        image(surface.depth),
        image(surface.first),
        image(surface.last),
        np.where(seen[..., None], turned.reshape(*shape, 3), np.float32(np.nan)),
        labels,
    )
