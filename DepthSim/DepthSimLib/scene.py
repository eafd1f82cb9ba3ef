"""A colon made ready for the ray kernels: its medium on a backend, and the endoscope at a place in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from Sim2RealLib.cameras import Camera
from Sim2RealLib.engine import Backend, require_memory
from Sim2RealLib.volume import Volume

from .appearance.transfer_function import LUMEN, OpacityFunction
from .endoscope.presets import Endoscope
from .rendering.camera_rays import CameraRays, upload_camera
from .rendering.device_grid import upload_grid
from .rendering.medium import Medium, upload_medium
from .rendering.scalar_grid import scalar_grid
from .rendering.tip_lights import DeviceLight, upload_lights

BYTES_A_VOXEL = 6
"""Words of four bytes, and two of the codes they are packed from."""


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """The endoscope at one place.

    pixel_angle: between the rays of neighbouring pixels in the middle of the image, rad. camera_from_grid: 4×4.
    """

    camera: CameraRays
    lights: tuple[DeviceLight, ...]
    pixel_angle: float
    ras_from_camera: np.ndarray
    camera_from_grid: np.ndarray


def build_medium(
    backend: Backend, ct: Volume, opacity: OpacityFunction = LUMEN, lesions: np.ndarray | None = None
) -> Medium:
    """The CT with the opacity that says where tissue is. Sim2RealError if it does not fit into memory.

    lesions: as `scalar_grid` takes them.
    """
    require_memory(backend, BYTES_A_VOXEL * ct.array.size, ct.name, "Crop it, or resample it to larger voxels.")
    grid = scalar_grid(ct, lesions)
    return upload_medium(upload_grid(backend.arrays, grid), opacity.extinction_mm())


def place(medium: Medium, endoscope: Endoscope, ras_from_camera: np.ndarray) -> Viewpoint:
    """The endoscope with its lens at a pose, rigid 4×4."""
    grid = medium.device_grid.grid
    grid_from_camera = grid.grid_from_ras @ ras_from_camera
    return Viewpoint(
        upload_camera(medium.arrays, endoscope.camera, ras_from_camera, grid),
        upload_lights(medium.arrays, endoscope.lights, grid_from_camera),
        _pixel_angle(endoscope.camera),
        ras_from_camera,
        np.linalg.inv(grid_from_camera),
    )


def _pixel_angle(camera: Camera) -> float:
    middle = np.array([camera.width_px / 2, camera.height_px / 2])
    first, second = camera.unproject(middle + np.array([[0.0, 0.0], [1.0, 0.0]]))
    return float(np.linalg.norm(second - first))


def image_of(values: Any, camera: CameraRays) -> np.ndarray:
    """An Array3f of a backend as (H, W, 3) float32."""
    return np.array(values, np.float32).reshape(3, camera.height, camera.width).transpose(1, 2, 0)
