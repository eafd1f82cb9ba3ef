"""Small scenes with closed forms, and the views of them, for the X-ray tests."""

import numpy as np

from DRRSimLib.acquisition.carm import CArmDevice, CArmPose, XrayView, view_from_pose
from DRRSimLib.projection.material_volume import MaterialVolume
from DRRSimLib.projection.projector import XrayScene, build_scene
from Sim2RealLib.engine import open_backend
from Sim2RealLib.geometry import rotation, translation
from Sim2RealLib.volume import Volume

DEVICE = CArmDevice("test", 160, 120, 2.0, 1000.0, 700.0)
WATER_HU = 0

GRIDS = {
    "straight": np.diag([2.0, 2.0, 2.0, 1.0]),
    "left-handed": np.diag([-2.0, 2.0, 2.0, 1.0]),
    "anisotropic": np.diag([1.5, 2.5, 3.0, 1.0]),
    "oblique": rotation([0.6, 0.0, 0.8], 25) @ np.diag([2.0, -1.7, 2.2, 1.0]),
    "coronal": np.array([[2.0, 0, 0, 0], [0, 0, 2.0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]]),  # slices follow each other A–P
    "sagittal": np.array([[0, 0, 2.0, 0], [2.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]]),
}
"""Voxel axes: what stands in a file's header, with the origin left at 0."""


def view(primary_deg: float = 0.0, secondary_deg: float = 0.0, isocenter=(0.0, 0.0, 0.0), device=DEVICE) -> XrayView:
    pose = CArmPose(primary_deg, secondary_deg, isocenter, device.source_to_detector_mm, device.source_to_isocenter_mm)
    return view_from_pose(device, pose)


def centered(shape_kji: tuple[int, int, int], axes: np.ndarray) -> np.ndarray:
    """ras_from_ijk with the middle of the grid at the world's origin."""
    middle = (np.array(shape_kji[::-1]) - 1) / 2
    return translation(-axes[:3, :3] @ middle) @ axes


def positions_ras(volume: Volume) -> np.ndarray:
    """World positions of all voxel centres, shape (K, J, I, 3)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in volume.array.shape), indexing="ij")
    return np.stack([i, j, k], axis=-1) @ volume.ras_from_ijk[:3, :3].T + volume.ras_from_ijk[:3, 3]


def material_volume(index: np.ndarray, ras_from_ijk: np.ndarray, materials=("air", "water"), hu=None) -> MaterialVolume:
    hu = np.full(index.shape, WATER_HU, np.int16) if hu is None else hu
    return MaterialVolume(Volume(hu, ras_from_ijk), index.astype(np.uint8), materials)


def scene(*volumes: MaterialVolume, memory_budget_bytes: int | None = None) -> XrayScene:
    return build_scene(open_backend("llvm"), volumes, memory_budget_bytes)


def rays_ras(view: XrayView) -> tuple[np.ndarray, np.ndarray]:
    """Source (3,) and unit direction of every pixel's ray (H, W, 3) in the world, by the camera's unprojection."""
    ras_from_camera = np.linalg.inv(view.camera_from_ras)
    v, u = np.mgrid[: view.camera.height_px, : view.camera.width_px] + 0.5
    return ras_from_camera[:3, 3], view.camera.unproject(np.stack([u, v], -1)) @ ras_from_camera[:3, :3].T


def sphere_chords(view: XrayView, center: np.ndarray, radius: float) -> np.ndarray:
    """2 √(r² − d²) with d the distance of each pixel's ray from the centre: shape (H, W)."""
    source, directions = rays_ras(view)
    distance = np.linalg.norm(np.cross(directions, np.asarray(center) - source), axis=-1)
    return 2 * np.sqrt(np.maximum(radius**2 - distance**2, 0))


def box_chords(view: XrayView, box_from_ras: np.ndarray, half_size: np.ndarray) -> np.ndarray:
    """The slab method in the box's own frame: shape (H, W)."""
    source, directions = rays_ras(view)
    start = box_from_ras[:3, :3] @ source + box_from_ras[:3, 3]
    directions = directions @ box_from_ras[:3, :3].T
    with np.errstate(divide="ignore"):
        first, second = (-half_size - start) / directions, (half_size - start) / directions
    enter = np.maximum(np.minimum(first, second).max(axis=-1), 0)
    return np.maximum(np.maximum(first, second).min(axis=-1) - enter, 0)
