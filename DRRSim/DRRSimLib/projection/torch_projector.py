"""The projector as a differentiable PyTorch operation, for registration and for training through it."""

from collections.abc import Iterator

import drjit as dr
import numpy as np
import torch

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points

from ..acquisition.carm import XrayView
from ..physics.detector_signal import DeviceSpectrum, detector_signal
from .device import RayParameters
from .packed_grid import PackedGrid
from .projector import XrayScene, areal_densities
from .rays import pixel_rays

MAX_POSE_ERROR = 1e-4
"""Largest entry of R Rᵀ − 1 at which a single-precision rotation still counts as one."""


def project(
    scene: XrayScene, view: XrayView, camera_from_ras: torch.Tensor, spectrum: DeviceSpectrum | None = None
) -> torch.Tensor:
    """Areal densities (materials, H, W) in g/cm², or with a spectrum the noise-free intensity (H, W) in keV per photon.

    camera_from_ras: rigid 4×4 pose of the source, on the CPU or on the scene's GPU; gradients flow back into it. It
        replaces that of `view`, from which the rest of the geometry is taken.
    Raises Sim2RealError for a scene with tools, where a volume of the scene is too large to be held whole, for a pose
    that is not one rigid 4×4 matrix, and on the way back for derivatives of higher than first order.
    """
    if scene.tools:
        raise Sim2RealError("Tools have no gradients. Project a scene without them, or use projector.areal_densities.")
    if any(volume.device_grid is None for volume in scene.volumes):
        raise Sim2RealError(
            "A volume that is traversed in parts has no gradients. Crop it or resample it to larger voxels."
        )
    pose = camera_from_ras.double()
    _require_rigid(pose.detach())
    numeric = XrayView(view.camera, pose.detach().cpu().numpy(), view.source_to_detector_mm, view.open_field_px)
    grids = [volume.device_grid.grid for volume in scene.volumes]
    ras_from_camera = torch.linalg.inv(pose)
    depths = [_center_depth(grid, numeric.camera_from_ras) for grid in grids]
    numbers = [
        _ray_numbers(grid, ras_from_camera, depth).to(camera_from_ras.device, torch.float32)
        for grid, depth in zip(grids, depths, strict=True)
    ]

    @dr.wrap(source="torch", target="drjit")
    def render(*numbers_of_grids):
        arrays = scene.backend.arrays
        parameters = {
            id(grid): _ray_parameters(arrays, tensor.array, depth)
            for grid, depth, tensor in zip(grids, depths, numbers_of_grids, strict=True)
        }
        x, y = pixel_rays(arrays, view.camera)
        densities = areal_densities(scene, numeric, x, y, lambda grid: parameters[id(grid)])
        images = densities if spectrum is None else [detector_signal(scene.backend, densities, spectrum)[0]]
        shape = (len(images), view.camera.height_px, view.camera.width_px)
        return arrays.TensorXf(dr.concat(images), shape)

    images = _FirstOrder.apply(render(*numbers))
    return images if spectrum is None else images[0]


class _FirstOrder(torch.autograd.Function):
    """Passes images and their gradients on, and refuses a second derivative, which Dr.Jit would give as 0."""

    @staticmethod
    def forward(context, images: torch.Tensor) -> torch.Tensor:
        return images.view_as(images)

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            raise Sim2RealError("The projector has first derivatives only. Leave out create_graph=True.")
        return gradient


def _require_rigid(pose: torch.Tensor) -> None:
    if pose.shape != (4, 4):
        raise Sim2RealError(
            f"A pose is one 4×4 matrix, not a tensor of shape {tuple(pose.shape)}; project one at a time."
        )
    rotation = pose[:3, :3]
    if (rotation @ rotation.T - torch.eye(3).to(pose)).abs().max() > MAX_POSE_ERROR or rotation.det() < 0:
        raise Sim2RealError("The pose camera_from_ras is not rigid: its 3×3 part must be a rotation.")


def _center_depth(grid: PackedGrid, camera_from_ras: np.ndarray) -> float:
    center = (np.array(grid.size) - 1.0) / 2.0
    return float(transform_points(camera_from_ras @ np.linalg.inv(grid.grid_from_ras), center)[2])


def _ray_numbers(grid: PackedGrid, ras_from_camera: torch.Tensor, depth_mm: float) -> torch.Tensor:
    """The numbers of `rays.GridRays` that depend on the pose, in double precision: axes row by row, then the anchor."""
    grid_from_camera = torch.as_tensor(grid.grid_from_ras, device=ras_from_camera.device) @ ras_from_camera
    anchor = grid_from_camera[:3, 2] * depth_mm + grid_from_camera[:3, 3]
    return torch.cat([grid_from_camera[:3, :3].reshape(-1), anchor])


def _ray_parameters(arrays, numbers, depth_mm: float) -> RayParameters:
    values: Iterator = (dr.gather(arrays.Float, numbers, arrays.UInt32(place)) for place in range(12))
    axes = [[next(values) for _ in range(3)] for _ in range(3)]
    return RayParameters(axes, list(values), dr.opaque(arrays.Float, depth_mm))
