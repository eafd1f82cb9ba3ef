"""The C-arm as nodes, and images of an anatomy at hand, without a panel."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import DEVICES, CArmPose, source_from_pose
from DRRSimLib.anatomy import load_anatomy
from DRRSimLib.fluoroscope import Fluoroscope
from DRRSimLib.frames.outlines import outlines
from DRRSimLib.label_surfaces import label_surface
from DRRSimLib.recipe import DrrRecipe, Input, Noise, PelvisAnatomy, Physics, Spectrum
from DRRSimLib.scene import build_patient
from DRRSimLib.simulation import open_simulation, simulation_of
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation
from Sim2RealLib.volume import Volume

DEVICE = DEVICES["bier_2018"]
POSE = CArmPose(20.0, -10.0, (5.0, 6.0, 7.0), 1200.0, 800.0, 3.0)
PELVIS = PelvisAnatomy(seed=3, spacing_mm=4.0)


@pytest.fixture
def carm(slicer_scene):
    from DRRSimLib.mrml.carm_nodes import make_carm

    return make_carm(slicer_scene, DEVICE, POSE)


def under(node, matrix):
    """Put a node under a transform."""
    import slicer

    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    parent.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(parent.GetID())
    return parent


MOTION = rotation([0.0, 0.6, 0.8], 20.0)
MOTION[:3, 3] = 10.0, -20.0, 30.0


def test_a_carm_is_one_transform_with_its_pose_and_its_models(carm):
    from DRRSimLib.mrml.carm_nodes import device_of, is_carm, parts_of, pose_of
    from Sim2RealLib.mrml.transforms import matrix_of

    assert is_carm(carm) and device_of(carm) == DEVICE
    assert matrix_of(carm) == pytest.approx(source_from_pose(POSE))
    assert pose_of(carm).words == POSE.words and pose_of(carm).in_plane_deg == pytest.approx(3.0)
    assert carm.GetCenterOfTransformation() == (0.0, 0.0, 800.0)  # the isocentre, about which handles turn
    parts = parts_of(carm)
    assert set(parts) == {"gantry", "tube", "collimator", "detector", "beam"}
    assert all(model.GetParentTransformNode() is carm for model in parts.values())


def test_a_carm_under_another_transform_stands_where_that_puts_it(carm):
    from DRRSimLib.mrml.carm_nodes import place, pose_of
    from Sim2RealLib.mrml.transforms import matrix_of, world_from_node

    under(carm, MOTION)
    moved = pose_of(carm)
    assert moved.isocenter_ras == pytest.approx((MOTION @ [*POSE.isocenter_ras, 1.0])[:3])
    assert source_from_pose(moved) == pytest.approx(MOTION @ source_from_pose(POSE), abs=1e-9)
    place(carm, POSE)
    assert world_from_node(carm) @ matrix_of(carm) == pytest.approx(source_from_pose(POSE), abs=1e-9)


def test_another_device_gives_models_of_its_size_and_brings_deleted_ones_back(carm, slicer_scene):
    from DRRSimLib.mrml.carm_nodes import parts_of, set_device
    from Sim2RealLib.mrml.owned_nodes import discard

    discard(parts_of(carm)["gantry"])
    assert "gantry" not in parts_of(carm)
    set_device(carm, replace(DEVICE, source_to_detector_mm=900.0))
    assert set(parts_of(carm)) == {"gantry", "tube", "collimator", "detector", "beam"}
    bounds = [0.0] * 6
    parts_of(carm)["beam"].GetPolyData().GetBounds(bounds)
    assert bounds[5] == pytest.approx(900.0)


def test_a_transform_that_is_no_carm_is_refused(slicer_scene):
    from DRRSimLib.mrml.carm_nodes import device_of, is_carm

    other = slicer_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "other")
    assert not is_carm(other) and not is_carm(None)
    other.SetAttribute("DRRSim.Device", "{}")  # a scene of unknown origin
    with pytest.raises(Sim2RealError, match="other is not a C-arm"):
        device_of(other)


def test_models_of_a_deleted_carm_go_with_the_next_one(carm, slicer_scene):
    from DRRSimLib.mrml.carm_nodes import make_carm
    from Sim2RealLib.mrml.owned_nodes import discard

    before = slicer_scene.GetNumberOfNodesByClass("vtkMRMLModelNode")
    discard(carm)
    make_carm(slicer_scene, DEVICE, POSE)
    assert slicer_scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == before


def test_state_changes_with_voxels_and_place_and_nothing_else(slicer_scene):
    import slicer

    from DRRSimLib.mrml.patient_nodes import state_of

    ct = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16))
    before = state_of(ct)
    ct.SetName("other name")
    ct.GetDisplayNode().SetWindow(77)
    assert state_of(ct) == before
    slicer.util.arrayFromVolume(ct)[:] = 3
    slicer.util.arrayFromVolumeModified(ct)
    changed = state_of(ct)
    assert changed != before
    under(ct, MOTION)
    assert state_of(ct) != changed


HEADLESS = """
import sys
import slicer
scene = slicer.vtkMRMLScene()
logics = [slicer.vtkSlicerSegmentationsModuleLogic(), slicer.vtkSlicerMarkupsLogic()]
for logic in logics:
    logic.SetMRMLScene(scene)
from DRRSimLib.logic import XrayLogic
logic = XrayLogic(scene, "llvm")
nodes = logic.make_sample_pelvis(1, 4.0)
carm = logic.make_carm(nodes[0], nodes[2])
print(logic.render(carm, *nodes).GetImageData().GetDimensions(), {"qt", "ctk"} & set(sys.modules))
"""


def test_on_bare_slicer_core_an_xray_is_taken():
    """A process with nothing but slicer-core: no Qt, no application, no module of Slicer but two logics."""
    run = subprocess.run([sys.executable, "-c", HEADLESS], capture_output=True, text=True, timeout=120)
    assert run.stdout.strip() == "(615, 479, 1) set()", run.stderr


@pytest.fixture(scope="module")
def patient():
    return build_patient(load_anatomy(Input(anatomy=PELVIS)), Physics().materials, open_backend("llvm"))


def test_a_recipe_of_an_anatomy_at_hand_is_that_of_its_files(patient):
    recipe = DrrRecipe(simulator="drr", input={"anatomy": PELVIS.model_dump()}, views={"count": 2})
    backend = open_backend("llvm")
    opened, built = open_simulation(recipe, backend), simulation_of(recipe, backend, patient.anatomy)
    assert built.header == opened.header
    frames = [simulation.frame(1) for simulation in (opened, built)]
    assert frames[0].record == frames[1].record
    assert np.array_equal(frames[0].channels["intensity"], frames[1].channels["intensity"])


def test_a_change_of_beam_or_views_takes_the_patient_over_a_change_of_materials_does_not(patient):
    recipe = DrrRecipe(simulator="drr", input={"anatomy": PELVIS.model_dump()}, views={"count": 2})
    before = simulation_of(recipe, open_backend("llvm"), patient.anatomy)
    harder = recipe.model_copy(update={"physics": Physics(spectrum=Spectrum(preset="120kV_Al4.3"))})
    after = simulation_of(harder, open_backend("llvm"), patient.anatomy, before)
    assert after.patient is before.patient
    assert after.header.extra["open_beam_kev"] > before.header.extra["open_beam_kev"]
    water = recipe.model_copy(update={"physics": Physics(materials={"rule": "conventional"})})
    assert simulation_of(water, open_backend("llvm"), patient.anatomy, before).scene.materials == ("water",)


def test_a_preview_is_the_mean_of_the_full_image(patient):
    """Of 3 × 3 pixels, without noise: −ln of the mean signal, where the image is smooth."""
    device = replace(DEVICE, width_px=615, height_px=480)
    fluoroscope, quiet = Fluoroscope(patient), Physics(noise=Noise(photons_per_pixel=None))
    full = fluoroscope.image(device, POSE, quiet).attenuation
    small = fluoroscope.preview(device, POSE, Physics(), 205).attenuation
    assert small.shape == (160, 205)
    pooled = -np.log(np.exp(-full).reshape(160, 3, 205, 3).mean(axis=(1, 3)))
    assert np.median(np.abs(small - pooled)) < 0.005
    assert fluoroscope.preview(device, POSE, quiet, 5000).attenuation.shape == (480, 615)  # never larger


def test_noise_belongs_to_the_seed_and_outlines_are_asked_for(patient):
    fluoroscope = Fluoroscope(patient)
    first, again = (fluoroscope.image(DEVICE, POSE, Physics(), seed=3).attenuation for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, fluoroscope.image(DEVICE, POSE, Physics(), seed=4).attenuation)
    assert fluoroscope.image(DEVICE, POSE, Physics()).outlines is None
    drawn = fluoroscope.image(DEVICE, POSE, Physics(), with_masks=True).outlines
    assert set(np.unique(drawn)) - {0} <= set(patient.labels.ids) and len(np.unique(drawn)) > 6


def test_outlines_are_the_inner_edges_of_masks_the_smaller_on_top():
    large, small = np.zeros((8, 10), bool), np.zeros((8, 10), bool)
    large[1:7, 1:9] = True
    small[3:6, 1:4] = True
    picture = outlines({5: large, 9: small}, (8, 10))
    ring = large.copy()
    ring[2:6, 2:8] = False
    inner = small.copy()
    inner[4, 2] = False
    expected = np.where(inner, 9, np.where(ring, 5, 0))
    assert np.array_equal(picture, expected)
    whole = np.ones((9, 9), bool)
    whole[4, 4] = False
    assert not outlines({1: whole}, (9, 9)).any()  # the image's border is no edge, nor is a hole of a pixel


@pytest.mark.parametrize("handed", [1.0, -1.0])
def test_the_surface_of_a_label_is_closed_outwards_and_where_the_label_is(handed):
    """A ball: volume and middle, on a right- and a left-handed grid."""
    k, j, i = np.mgrid[:40, :40, :40]
    labels = np.where((i - 15) ** 2 + (j - 20) ** 2 + (k - 25) ** 2 <= 12**2, 7, 0).astype(np.uint8)
    ras_from_ijk = np.diag([handed, 1.0, 1.0, 1.0])
    mesh = label_surface(Volume(labels, ras_from_ijk), 7)
    a, b, c = (mesh.vertices_ras.astype(float)[mesh.triangles[:, n]] for n in range(3))
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    assert mesh.is_watertight()
    assert volumes.sum() == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.05)  # of cells of 2 to 3 voxels
    middle = ((a + b + c) / 4 * volumes[:, None]).sum(axis=0) / volumes.sum()
    assert middle == pytest.approx([15 * handed, 20, 25], abs=0.2)
