"""The scatter network: its layers against torch's own, its field against geometry, and its training as a whole."""

import json
from itertools import pairwise

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import CArmDevice, CArmPose, view_from_pose
from DRRSimLib.detector.presets import DETECTORS
from DRRSimLib.physics.spectra import monoenergetic
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.scatter.air_gap import solid_angles_sr
from DRRSimLib.scatter.noise_power import noise_power
from DRRSimLib.scatter.square_field import on_detector, square_view
from DRRSimLib.scatter.view_planes import beam_quality, view_planes
from DRRSimLib.simulation import open_simulation
from Sim2RealApp.train import load_training_recipe, train_network
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate
from Sim2RealLib.resources import resource_path

torch = pytest.importorskip("torch")

from DRRSimLib.scatter.scatter_network import FourierConv2d, ScatterNetwork, network_input  # noqa: E402

DEVICE = CArmDevice("wide", 96, 60, 4.0, 1200.0, 800.0)


def test_the_layers_are_those_of_the_paper():
    """Ten convolutions, 11 × 11 and 31 × 31, with the channels of the published code: 71,177 numbers, less the biases
    of the last four."""
    layers = [layer for layer in ScatterNetwork().modules() if isinstance(layer, FourierConv2d)]
    assert [layer.kernel_size[0] for layer in layers] == 6 * [11] + 4 * [31]
    assert [layer.out_channels for layer in layers] == [4, 8, 16, 16, 8, 1, 1, 1, 1, 1]
    channels = [1, 4, 8, 16, 16, 8, 1]
    wide = sum(121 * before * after + after for before, after in pairwise(channels))
    assert sum(part.numel() for layer in layers for part in layer.parameters()) == wide + 4 * 31**2


def test_twice_as_much_that_is_scattered_is_twice_as_much_scatter():
    """The last layers add up intensities: of twice the source they give twice the spread, edges included."""
    spreading = ScatterNetwork().spreading
    source = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(spreading(2 * source), 2 * spreading(source), rtol=1e-4)
    even = spreading(torch.ones(1, 1, 64, 64))
    assert torch.allclose(even, torch.ones_like(even), atol=1e-4)  # before training they only blur


@pytest.mark.parametrize(("before", "after", "kernel", "size"), [(4, 8, 11, (128, 128)), (1, 1, 31, (40, 67))])
def test_a_layer_convolves_as_torchs_own(before, after, kernel, size):
    """Forwards and backwards; a tenth of the largest rounding error of sums of so many single-precision products."""
    ours = FourierConv2d(before, after, kernel)
    torchs = torch.nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect")
    torchs.load_state_dict({"weight": ours.kernel, "bias": ours.bias})
    images = torch.randn(2, before, *size, generator=torch.Generator().manual_seed(1))
    results = [layer(images) for layer in (ours, torchs)]
    assert torch.allclose(*results, atol=2e-5)
    for result in results:
        result.square().sum().backward()
    assert torch.allclose(ours.weight.grad * (before * kernel**2) ** 0.5, torchs.weight.grad, rtol=1e-4, atol=1e-2)


def test_what_no_photon_reaches_is_dark_and_not_endless_and_what_blades_cover_is_as_the_field():
    seen = network_input(np.array([[1.0, np.exp(-4.0)], [1e-30, 0.0]], np.float32))
    assert seen.ravel().tolist() == pytest.approx([0.0, 1.0, 9.21 / 4, (1 + 9.21 / 4) / 3], abs=0.01)


def test_a_square_field_sees_the_same_and_irradiates_no_more():
    pose = CArmPose(20.0, -10.0, (5.0, 6.0, 7.0), 1200.0, 800.0, collimation_mm=(300.0, 150.0))
    view = view_from_pose(DEVICE, pose)
    square = square_view(view, 128)
    points = np.array([[10.0, 20.0, 30.0], [-50.0, 5.0, 0.0]])
    scale, margin = 128 / 96, (96 - 60) / 2
    assert square.project(points) == pytest.approx((view.project(points) + np.array([0, margin])) * scale)
    left, top, right, bottom = square.open_field_px
    assert (right - left, bottom - top) == pytest.approx((300 / 4 * scale, 150 / 4 * scale))


def test_an_image_of_the_square_field_comes_back_to_the_detector():
    """A ramp is kept by linear interpolation, except in the half pixel at the edge."""
    view = view_from_pose(DEVICE, CArmPose(0.0, 0.0, (0.0, 0.0, 0.0), 1200.0, 800.0))
    centers = (np.arange(128) + 0.5) * 96 / 128
    image = centers[:, None] * 100.0 + centers
    rows, columns = np.arange(60) + 0.5 + (96 - 60) / 2, np.arange(96) + 0.5
    assert on_detector(image, view)[:, 1:-1] == pytest.approx((rows[:, None] * 100.0 + columns)[:, 1:-1], rel=1e-6)


def test_solid_angles_are_those_that_rays_count():
    """Of a million directions drawn alike, against the share that meets the field at the depth of the patient's middle,
    seen from three pixels: in the field, at its edge and behind the blades; five standard errors."""
    pose = CArmPose(0.0, 0.0, (0.0, 0.0, 0.0), 1200.0, 800.0, collimation_mm=(160.0, 120.0))
    view = view_from_pose(DEVICE, pose)
    angles = solid_angles_sr(view, np.array([0.0, 50.0, 0.0]))
    gap, half = 400.0 - 50.0, np.array([160.0, 120.0]) / 2 * 850 / 1200
    directions = np.random.default_rng(3).normal(size=(10**6, 3))
    for row, column in ((30, 48), (30, 68), (3, 90)):
        pixel = (np.array([column + 0.5, row + 0.5]) - (48, 30)) * 4.0
        towards = directions[directions[:, 2] > 0]
        met = np.all(np.abs(pixel + towards[:, :2] / towards[:, 2:] * gap) < half, axis=1).sum() / len(directions)
        assert angles[row, column] == pytest.approx(4 * np.pi * met, abs=5 * 4 * np.pi * np.sqrt(met / 1e6))


def test_beam_and_gap_are_told_in_their_units():
    """An ideal detector registers all of any energy; a scintillator more of soft photons than of hard ones."""
    view = view_from_pose(DEVICE, CArmPose(0.0, 0.0, (0.0, 0.0, 0.0), 1200.0, 800.0))
    ideal = beam_quality(monoenergetic(70.0), DETECTORS["ideal"])
    assert (ideal.mean_kev, ideal.softness) == pytest.approx((70.0, 0.0), abs=1e-6)
    assert 0.2 < beam_quality(monoenergetic(70.0), DETECTORS["flat_panel"]).softness < 1.0
    planes = view_planes(view, np.array([0.0, 50.0, 0.0]), ideal)
    assert planes.shape == (4, 60, 96)
    assert planes[1:, 0, 0] == pytest.approx([350.0, 70.0, 0.0], abs=1e-4)


def test_the_noise_of_a_smooth_image_is_told():
    y, x = np.mgrid[:128, :128] / 128
    smooth = 5 + np.sin(2 * x) * y
    noisy = smooth + np.random.default_rng(2).normal(0, 0.3, smooth.shape)
    assert noise_power(smooth) < 1e-6
    assert noise_power(noisy) == pytest.approx(0.09, rel=0.05)


def test_weights_that_are_trained_here_are_used_in_frames(tmp_path):
    """A training of two examples and one epoch, then a frame by its weights: scatter is added, smooth and positive."""
    settings = [
        *("examples.train=2", "examples.test=1", "examples.train_histories=2000", "examples.test_histories=2000"),
        *("examples.voxel_mm=12", "optimization.epochs=1", "optimization.batch_size=2"),
    ]
    recipe = load_training_recipe(resource_path("Recipes/scatter.yaml"), settings)
    assert {step.doing.split()[0] for step in train_network(recipe, tmp_path / "out")} == {"Examples", "Epochs", "Test"}
    figures = json.loads((tmp_path / "out/result.json").read_text())["test"]
    assert figures["nmse_percent"] > figures["nmse_without_noise_percent"]
    frame = {
        name: frame_of(scatter).channels["intensity"]
        for name, scatter in {
            "none": {},
            "trained": {"estimator": "network", "weights": str(tmp_path / "out/model.safetensors")},
        }.items()
    }
    scatter = frame["trained"] - frame["none"]
    assert scatter.min() >= 0 and scatter.max() > 0
    assert np.abs(np.diff(scatter, axis=1)).max() < 0.1 * scatter.max()


def test_weights_of_something_else_are_refused(tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"not weights")
    with pytest.raises(Sim2RealError, match=r"mine\.safetensors holds no weights"):
        frame_of({"estimator": "network", "weights": str(tmp_path / "mine.safetensors")})
    with pytest.raises(Sim2RealError, match="weights are of the estimator network"):
        frame_of({"estimator": "none", "weights": "w.safetensors"})
    with pytest.raises(Sim2RealError, match="histories and voxel_mm are of"):
        frame_of({"estimator": "network", "histories": 5000})


def frame_of(scatter):
    content = {
        "simulator": "drr",
        "seed": 4,
        "input": {"anatomy": {"kind": "pelvis", "seed": 1, "spacing_mm": 4.0}},
        "carm": {"device": {**DEVICE.__dict__}},
        "physics": {"scatter": scatter, "noise": {"photons_per_pixel": None}},
    }
    return open_simulation(validate(DrrRecipe, content, "the test"), open_backend()).frame(0)
