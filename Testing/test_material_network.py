"""Materials by a network: patches against the whole, grids against affines, phantoms against thresholds, and frames."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from DRRSimLib.physics.tissues import RULES, classify
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.segmentation.classes import BONE, SOFT_TISSUE, body_mask, dice, misclassified_percent, thresholded
from DRRSimLib.segmentation.learned_materials import LABEL_GROUPS, network_classes, network_classes_steps
from DRRSimLib.segmentation.material_phantoms import material_phantom
from DRRSimLib.segmentation.section import MaterialsRecipe
from Sim2RealApp.export import open_recipe
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.job import Done, returned
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import write_volume

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from DRRSimLib.segmentation.network import NarrowVNet, build_network, normalized  # noqa: E402
from DRRSimLib.segmentation.patches import AIR_BELOW_HU, probabilities  # noqa: E402
from DRRSimLib.segmentation.working_grid import WorkingGrid, largest  # noqa: E402
from Sim2RealLib.learning.weights import weights_as_bytes  # noqa: E402

DEVICE = {
    "name": "small",
    "width_px": 60,
    "height_px": 50,
    "pixel_mm": 4.0,
    "source_to_detector_mm": 1000.0,
    "source_to_isocenter_mm": 650.0,
}
SMALL = {
    "task": "materials",
    "phantoms": {"train": 2, "test": 1, "spacing_mm": 4.0, "patch": 32},
    "network": {"form": "narrow", "width": 2},
    "optimization": {"epochs": 1, "batch_size": 2, "learning_rate": 0.001},
}


class Pointwise(torch.nn.Module):
    """Two convolutions of 5³: a voxel's score depends on those within 4 voxels, less than the margin of 32."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv3d(1, 2, 5, padding=2), torch.nn.PReLU(), torch.nn.Conv3d(2, 3, 5, padding=2)
        )
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape[2:]))
        return self.layers(x)


def test_patches_give_what_the_whole_volume_gives():
    """In the middle of the volume and up to its ends, on edges that are no multiples of 16 or 64."""
    network = Pointwise().eval()
    hu = np.random.default_rng(1).integers(-1000, 1500, (70, 20, 170)).astype(np.int16)
    found = returned(probabilities(network, hu))
    assert max(size for shape in network.seen for size in shape) == 128
    padded = np.pad(hu, [(0, -size % 16) for size in hu.shape], mode="edge")
    whole = network.layers(normalized(torch.from_numpy(padded))[None, None])[0].softmax(dim=0).detach().numpy()
    assert found == pytest.approx(whole[:, :70, :20, :170], abs=1e-5)  # sums in another order


def test_middles_of_air_are_not_looked_at():
    network = Pointwise().eval()
    hu = np.full((64, 64, 128), AIR_BELOW_HU, np.int16)
    hu[:, :, 100] = 40
    found = returned(probabilities(network, hu))
    assert len(network.seen) == 1
    assert np.all(largest(found)[:, :, :64] == 0)


def test_the_narrow_network_with_16_channels_is_monais():
    """The same parameters in the same order, and the same result of them; MONAI's drops nothing when it is used."""
    narrow, published = NarrowVNet(16).eval(), build_network("published", 16).eval()
    assert [p.shape for p in narrow.parameters()] == [p.shape for p in published.parameters()]
    published.load_state_dict(dict(zip(published.state_dict(), narrow.state_dict().values(), strict=True)))
    x = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 1, 32, 16, 16)).astype(np.float32))
    assert torch.allclose(narrow(x), published(x), atol=1e-5)


def test_a_patch_does_not_depend_on_its_batch():
    """As it would if the batch norms took the batch's means when the network is used."""
    network = build_network("narrow", 2).eval()
    x = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 1, 32, 32, 32)).astype(np.float32))
    x[1] *= 5.0
    assert torch.allclose(network(x)[:1], network(x[:1]), atol=1e-5)


def oriented(order, flips, spacing_mm):
    """A volume with random values and the same one with its axes permuted and flipped, its voxels where they were."""
    array = np.random.default_rng(4).normal(size=(6, 8, 10)).astype(np.float32)
    affine = np.diag([*spacing_mm, 1.0])
    turned = array.transpose(order)
    ras_from_ijk = affine[:, [2 - order[2 - column] for column in range(3)] + [3]]
    for axis, flipped in enumerate(flips):
        if flipped:
            turned = np.flip(turned, axis)
            column = 2 - axis
            ras_from_ijk[:3, 3] += ras_from_ijk[:3, column] * (turned.shape[axis] - 1)
            ras_from_ijk[:3, column] *= -1
    return Volume(array, affine), Volume(np.ascontiguousarray(turned), ras_from_ijk)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (True, True, True)])
def test_the_orientation_of_the_array_does_not_matter(order, flips):
    upright, turned = oriented(order, flips, (1.0, 2.0, 4.0))
    first, second = (WorkingGrid.of(volume, 2.0) for volume in (upright, turned))
    assert first.shape == second.shape == (12, 8, 5)
    assert np.array_equal(first.taken(upright.array), second.taken(turned.array))
    random = np.random.default_rng(5).random((3, *first.shape)).astype(np.float32)
    classes = first.classes(random, upright.array.shape)
    there = np.argwhere(np.ones(classes.shape))[:, ::-1]
    positions = there @ upright.ras_from_ijk[:3, :3].T + upright.ras_from_ijk[:3, 3]
    other = Volume(second.classes(random, turned.array.shape), turned.ras_from_ijk)
    assert np.array_equal(other.nearest(positions), classes.reshape(-1))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("spacing_mm", [1.0, 2.0, 3.0])
def test_a_plane_stays_where_it_is_on_a_grid_of_other_voxels(axis, spacing_mm):
    """Half of the volume bone, to the face between two voxels: found again to the voxel, from coarse and fine grids."""
    array = np.zeros((24, 24, 24), np.float32)
    array.swapaxes(0, axis)[12:] = 1.0
    grid = WorkingGrid.of(Volume(array, np.diag([spacing_mm] * 3 + [1.0])), 2.0)
    for half in (array, 1.0 - array):
        taken = grid.taken(half)
        assert np.array_equal(grid.classes(np.stack([1.0 - taken, taken]), array.shape), half)


def test_metal_and_density_follow_hu_and_bone_the_network():
    """The rule of thresholds takes 300 HU for bone and 60 HU for soft tissue, wherever they are."""
    hu = np.array([[[-1000, -500, -80, 60, 300, 3000, -30, 60, 300, 1200, 3000]]], np.int16)
    found = np.array([[[0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]]], np.uint8)
    index, names = classify(hu, found, LABEL_GROUPS, RULES["network"], "steel")
    assert [names[number] for number in index[0, 0]] == [
        *("air", "lung", "adipose", "soft_tissue", "iodine_contrast", "steel"),
        *("bone_marrow", "bone_marrow", "trabecular_bone", "cortical_bone", "steel"),
    ]


def test_a_phantom_is_harder_for_thresholds_the_less_mineral_its_bone_has():
    """And its truth does not depend on that: it is that of the labels."""
    healthy, poor = (material_phantom(7, 4.0, mineral) for mineral in (1.0, 0.35))
    assert np.mean(healthy.truth != poor.truth) < 1e-3  # marrow of less than −500 HU there is none
    wrong = [np.mean(thresholded(each.hu)[each.truth == BONE] != BONE) for each in (healthy, poor)]
    assert wrong[0] < 0.75 and wrong[1] > 0.85


def test_figures_of_masks():
    truth = np.array([[[0, 1, 2, 2]]])
    found = np.array([[[0, 2, 2, 1]]])
    counted = truth > 0
    assert misclassified_percent(found, truth, counted) == pytest.approx(200 / 3)
    assert dice(found == BONE, truth == BONE, counted) == pytest.approx(0.5)
    hu = np.full((1, 7, 7), -1000)
    hu[0, 1:6, 1:6], hu[0, 3, 3] = 40, -1000
    assert body_mask(hu).sum() == 25


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"network": {"form": "published", "width": 4}}, "16 wide"),
        ({"network": {"form": "wide"}}, "network.form"),
        ({"phantoms": {"patch": 40}}, "phantoms.patch"),
        ({"phantoms": {"mineral": [0.9, 0.5]}}, "lower one first"),
        ({"phantoms": {"mineral": [0.0, 0.5]}}, "phantoms.mineral"),
    ],
)
def test_a_wrong_recipe_is_refused(section, said):
    with pytest.raises(Sim2RealError, match=said):
        validate(MaterialsRecipe, SMALL | section, "test")


def test_weights_are_of_the_rule_network_alone():
    with pytest.raises(Sim2RealError, match="weights are of the rule network"):
        validate(DrrRecipe, {"simulator": "drr", "physics": {"materials": {"weights": "a.safetensors"}}}, "test")


def test_a_training_ends_with_weights_that_the_rule_takes(tmp_path):
    """One step: not that it learns, but that all fits together, by the command's own functions."""
    from Sim2RealApp.train import load_training_recipe, train_network

    (tmp_path / "recipe.yaml").write_text(
        "task: materials\nnetwork: {width: 2}\nphantoms: {train: 1, test: 1, spacing_mm: 4.0, patch: 32}\n"
        "optimization: {epochs: 1, batch_size: 1, learning_rate: 0.001}\n"
    )
    recipe = load_training_recipe(tmp_path / "recipe.yaml")
    for _ in train_network(recipe, tmp_path / "out", "llvm"):
        pass
    hu = Volume(np.full((16, 16, 16), 40, np.int16), np.diag([4.0, 4.0, 4.0, 1.0]))
    assert network_classes(hu, tmp_path / "out/model.safetensors", open_backend("llvm")).shape == (16, 16, 16)


def biased(tmp_path, number, **settings):
    """Weights of a network that says the same class everywhere."""
    network = NarrowVNet(2)
    torch.nn.init.zeros_(network.last.conv2.weight)
    with torch.no_grad():
        network.last.conv2.bias.copy_(10.0 * torch.nn.functional.one_hot(torch.tensor(number), 3))
    path = tmp_path / f"class{number}.safetensors"
    path.write_bytes(
        weights_as_bytes(network, "materials", {"form": "narrow", "width": 2, "spacing_mm": 4.0} | settings)
    )
    return path


def block():
    """A block of 100 HU in air, in voxels of 4 mm: soft tissue by thresholds, or a bone of little mineral."""
    hu = np.full((24, 24, 24), -1000, np.int16)
    hu[8:16, 8:16, 8:16] = 100
    return Volume(hu, np.array([[4.0, 0, 0, -46], [0, 4.0, 0, -46], [0, 0, 4.0, -46], [0, 0, 0, 1]]))


def test_the_network_decides_in_a_frame_what_is_bone(tmp_path):
    """A block of 32 mm; a network that says bone everywhere says it of the air around, too, 96 mm in all."""
    write_volume(tmp_path / "ct.nii.gz", block())
    content = {
        "simulator": "drr",
        "input": {"volume": str(tmp_path / "ct.nii.gz")},
        "carm": {"device": DEVICE, "isocenter_ras": [0.0, 0.0, 0.0]},
        "views": {"count": 1, "primary_range_deg": [0.0, 0.0], "secondary_range_deg": [0.0, 0.0]},
    }
    for number, name, length_mm in ((SOFT_TISSUE, "soft_tissue", 32.0), (BONE, "bone_marrow", 96.0)):
        sections = {
            "physics": {"materials": {"rule": "network", "weights": str(biased(tmp_path, number))}},
            "output": {"channels": ["attenuation"], "material_thickness": [name]},
        }
        simulation = open_recipe(validate(DrrRecipe, content | sections, "test"), "llvm")
        assert simulation.header.extra["materials"] == [name]
        assert simulation.frame(0).channels[f"material_{name}"].max() == pytest.approx(length_mm, rel=0.02)


def test_a_volume_is_looked_at_once(tmp_path):
    hu, weights, backend = block(), biased(tmp_path, BONE), open_backend("llvm")
    assert all(isinstance(step, Done) for step in network_classes_steps(hu, weights, backend))
    assert list(network_classes_steps(hu, weights, backend)) == []
    assert network_classes(hu, weights, backend) is network_classes(hu, weights, backend)
    assert list(network_classes_steps(replace(hu), weights, backend)) != []


def test_without_pytorch_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "DRRSimLib.segmentation.network", None)
    with pytest.raises(Sim2RealError, match=r"pip install 'surgical-sim2real\[learn\]'"):
        network_classes(block(), biased(tmp_path, BONE), open_backend("llvm"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"width": 10**9}, "width"), ({"spacing_mm": 0}, "spacing_mm"), ({"width": 3}, "another")],
)
def test_weights_that_say_what_cannot_be_are_refused(settings, said, tmp_path):
    with pytest.raises(Sim2RealError, match=said):
        network_classes(block(), biased(tmp_path, BONE, **settings), open_backend("llvm"))


def test_shipped_weights_halve_the_errors_of_thresholds_on_bone_poor_in_mineral():
    """A hip of a pelvis, and in a range of mineral, that they were not trained on (seeds of trainings are even)."""
    phantom = material_phantom(4242421, 2.0, 0.42)
    bone = np.argwhere(phantom.truth == BONE)
    middle = bone[bone[:, 2] > phantom.hu.shape[2] * 0.6].mean(axis=0).astype(int)
    window = tuple(slice(max(m - n, 0), m + n) for m, n in zip(middle, (32, 48, 48), strict=True))
    hu, truth = phantom.hu[window], phantom.truth[window]
    found = network_classes(Volume(hu, np.diag([2.0, 2.0, 2.0, 1.0])), None, open_backend("llvm"))
    wrong = [misclassified_percent(classes, truth, body_mask(hu)) for classes in (found, thresholded(hu))]
    assert wrong[0] < 0.5 * wrong[1]
