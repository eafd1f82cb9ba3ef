"""Gradients of the projector against finite differences, and its use in a torch optimisation."""

import numpy as np
import pytest
import torch

from DRRSimLib.physics.detector_signal import upload_spectrum
from DRRSimLib.physics.spectra import effective_bins, preset_spectrum
from DRRSimLib.projection.projector import areal_densities
from DRRSimLib.projection.rays import pixel_rays
from DRRSimLib.projection.torch_projector import project
from Sim2RealLib.errors import Sim2RealError
from xray_scenes import centered, material_volume, positions_ras, scene, view


@pytest.fixture(scope="module")
def blobs():
    """Two smooth blobs of soft tissue and bone, so that finite differences of the image make sense."""
    affine = centered((48, 48, 48), np.diag([3.0, 3.0, 3.0, 1.0]))
    positions = positions_ras(material_volume(np.zeros((48, 48, 48)), affine).hu)
    soft = np.exp(-0.5 * (np.linalg.norm(positions - [10, 5, -8], axis=-1) / 25) ** 2)
    bone = np.exp(-0.5 * (np.linalg.norm(positions - [-15, 10, 12], axis=-1) / 12) ** 2)
    hu = np.rint(-1000 + 1000 * np.maximum(soft, bone)).astype(np.int16)
    index = np.where(bone > soft, 2, 1) * (hu > -950)
    return scene(material_volume(index, affine, ("air", "water", "cortical_bone"), hu))


def pose_of(angles_shifts: torch.Tensor, base: np.ndarray) -> torch.Tensor:
    """A pose near `base` from three rotation vector components (rad) and three translations (mm)."""
    x, y, z = angles_shifts[:3]
    zero = torch.zeros((), dtype=torch.float64)
    generator = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    rigid = torch.eye(4, dtype=torch.float64)
    rotation = torch.linalg.matrix_exp(generator)
    rigid = torch.cat([torch.cat([rotation, angles_shifts[3:, None]], dim=1), rigid[3:]])
    return rigid @ torch.as_tensor(base)


def test_the_operation_gives_the_image_of_the_projector(blobs):
    one_view = view(20, 10)
    image = project(blobs, one_view, torch.as_tensor(one_view.camera_from_ras))
    expected = areal_densities(blobs, one_view, *pixel_rays(blobs.backend.arrays, one_view.camera))
    for ours, reference in zip(image, expected, strict=True):
        assert ours.numpy().ravel() == pytest.approx(reference.numpy(), abs=1e-6)


@pytest.mark.parametrize("polychromatic", [False, True])
@pytest.mark.parametrize("angles", [(15, -10), (0, 80)])
def test_pose_gradient_is_that_of_finite_differences(blobs, angles, polychromatic):
    """Central differences over 0.2 mm and 0.2 mrad. Both are exact for the smooth object up to float32 noise of the
    sums and the kinks of linear interpolation, which together stay below 2 %."""
    one_view = view(*angles)
    spectrum = upload_spectrum(blobs.backend, effective_bins(preset_spectrum("90kV_Al4.0"), blobs.materials))
    weights = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 8)), dtype=torch.float32)
    weights = torch.nn.functional.interpolate(weights[None, None], (120, 160), mode="bicubic")[0, 0]

    def loss(parameters: torch.Tensor) -> torch.Tensor:
        images = project(
            blobs, one_view, pose_of(parameters, one_view.camera_from_ras), spectrum if polychromatic else None
        )
        return (images * weights).double().mean()

    parameters = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    loss(parameters).backward()
    steps = np.array([2e-4] * 3 + [0.2] * 3)
    with torch.no_grad():
        numeric = [
            float(loss(torch.as_tensor(step * unit)) - loss(torch.as_tensor(-step * unit))) / (2 * step)
            for step, unit in zip(steps, np.eye(6), strict=True)
        ]
    # In units of what a step changes, so that rotations and translations compare
    scaled, expected = parameters.grad.numpy() * steps, np.array(numeric) * steps
    assert np.abs(expected).min() > 0
    assert scaled == pytest.approx(expected, abs=0.02 * np.abs(expected).max())


def test_gradient_descent_finds_a_shifted_pose(blobs):
    """The operation inside torch: from 6 mm beside, least squares on the image comes back to within 0.1 mm."""
    one_view = view(10, 5)
    target = project(blobs, one_view, torch.as_tensor(one_view.camera_from_ras)).detach()
    parameters = torch.tensor([0, 0, 0, 5.0, -3.0, 0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], line_search_fn="strong_wolfe", max_iter=20)
    freeze = torch.tensor([0, 0, 0, 1.0, 1.0, 0])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        image = project(blobs, one_view, pose_of(parameters * freeze, one_view.camera_from_ras))
        loss = ((image - target) ** 2).double().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert (parameters * freeze).detach().numpy() == pytest.approx(np.zeros(6), abs=0.1)


def test_a_second_derivative_and_poses_that_are_none_are_refused(blobs):
    one_view = view()
    pose = torch.tensor(one_view.camera_from_ras, requires_grad=True)
    with pytest.raises(Sim2RealError, match="first derivatives only"):
        torch.autograd.grad(project(blobs, one_view, pose).sum(), pose, create_graph=True)
    with pytest.raises(Sim2RealError, match="not rigid"):
        project(blobs, one_view, 2 * torch.as_tensor(one_view.camera_from_ras))
    with pytest.raises(Sim2RealError, match=r"shape \(2, 4, 4\)"):
        project(blobs, one_view, torch.as_tensor(np.stack([one_view.camera_from_ras] * 2)))
