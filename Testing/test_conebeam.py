"""Cone-beam CT by RTK: spheres with closed forms, and datasets of CTs on grids of every kind."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from DRRSimLib.acquisition.carm import CArmDevice, CArmPose, view_from_pose
from DRRSimLib.conebeam.reconstruction import patient_grid, reconstruct
from DRRSimLib.conebeam.sweep import sweep_of
from DRRSimLib.conebeam.volume_of_dataset import reconstruct_dataset
from DRRSimLib.conebeam.water import water_attenuation, water_lengths_mm
from DRRSimLib.physics.density import density_from_hu
from DRRSimLib.physics.materials import linear_attenuation_mm, mass_attenuation_cm2_g
from DRRSimLib.physics.spectra import effective_bins, monoenergetic, preset_spectrum
from DRRSimLib.recipe import DrrRecipe
from Sim2RealApp.cli import app
from Sim2RealApp.export import export_dataset
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume
from Sim2RealLib.volume_io import read_volume, write_volume
from xray_scenes import GRIDS, centered, positions_ras, sphere_chords

pytest.importorskip("itk", reason="itk-rtk is not installed; `make test` installs it")

DEVICE = CArmDevice("small", 96, 72, 4.0, 1200.0, 800.0, (-360.0, 360.0), (-360.0, 360.0))
MIDDLE = np.array([10.0, -20.0, 30.0])
FULL, SHORT = np.linspace(-180.0, 176.0, 90), np.linspace(-110.0, 110.0, 80)


def poses(angles, device=DEVICE, **others):
    distances = {name: getattr(device, name) for name in ("source_to_detector_mm", "source_to_isocenter_mm")}
    fixed = {"secondary_deg": 0.0, "isocenter_ras": tuple(MIDDLE), **distances}
    return [CArmPose(**{**fixed, "primary_deg": float(angle), **others}) for angle in angles]


def sweep(all_poses, device=DEVICE):
    return sweep_of([view_from_pose(device, pose) for pose in all_poses], MIDDLE)


SWEEPS = {
    "full": poses(FULL),
    "short": poses(SHORT),
    "over the head": [CArmPose(0.0, float(s), tuple(MIDDLE), 1200.0, 800.0, 90.0) for s in SHORT],
    "upside down": poses(SHORT[::-1], in_plane_deg=180.0),
}


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        pytest.param("full", "patient", marks=pytest.mark.slow),
        *((name, "patient") for name in SWEEPS if name != "full"),
        ("short", "oblique"),
        ("short", "left-handed"),
    ],
)
def test_a_sphere_comes_back_where_it_is_and_as_dense_as_it_is(name, grid):
    """From its chords, off the middle and off the plane of the source. Half a voxel is the issue's bound for the place
    (found: 0.07 mm). Inside, 1 % for the ramp filter on 4 mm pixels (found: 0.05 %)."""
    turn = sweep(SWEEPS[name])
    center, radius_mm, density = MIDDLE + np.array([30.0, -15.0, 20.0]), 25.0, 1.5
    lengths = density * np.stack([sphere_chords(view, center, radius_mm) for view in turn.views])
    if grid == "patient":
        affine, shape = patient_grid(turn, 3.0)
    else:
        shape = (64, 60, 56)
        affine = centered(shape, GRIDS[grid])
        affine[:3, 3] += MIDDLE
    volume = Volume(reconstruct(turn, lengths, affine, shape), affine)
    positions = positions_ras(volume)
    distance = np.linalg.norm(positions - center, axis=-1)
    weight = np.where(volume.array > density / 2, volume.array, 0.0)
    found = np.average(positions.reshape(-1, 3), axis=0, weights=weight.ravel())
    assert np.abs(found - center).max() < 0.5 * volume.spacing_mm.min()
    assert volume.array[distance < 0.7 * radius_mm].mean() == pytest.approx(density, rel=0.01)
    outside = turn.seen_by_all(positions) & (distance > 1.5 * radius_mm)
    assert abs(volume.array[outside].mean()) < 0.002 and volume.array[outside].std() < 0.02


def test_the_grid_holds_what_every_view_sees():
    """Half the detector, 192 × 144 mm at 1200 mm, is 128 × 96 mm at the isocentre; the ray to its edge passes the
    isocentre at 800 sin(atan(192 / 1200)) mm."""
    turn = sweep(poses(FULL))
    radius_mm = 800.0 * np.sin(np.arctan(192.0 / 1200.0))
    affine, shape = patient_grid(turn)
    spacing_mm = 4.0 * 800.0 / 1200.0
    np.testing.assert_allclose(affine[:3, :3], spacing_mm * np.diag([-1.0, -1.0, 1.0]))
    np.testing.assert_allclose(shape, np.ceil(np.array([192.0, 2 * radius_mm, 2 * radius_mm]) / spacing_mm))
    np.testing.assert_allclose(Volume(np.zeros(shape), affine).corners_ras.mean(axis=0), MIDDLE)
    assert patient_grid(turn, 2.0, (10, 20, 30))[1] == (30, 20, 10)
    rim = MIDDLE + np.array([[radius_mm - 0.1, 0, 0], [radius_mm + 0.1, 0, 0], [0, 0, 95.9], [0, 0, 96.1]])
    assert turn.seen_by_all(rim).tolist() == [True, False, True, False]
    for view in turn.views[::9]:  # and so do the projections of what is seen
        corner = turn.seen_by_all(positions := positions_ras(Volume(np.zeros(shape), affine)))
        assert view.camera.contains(view.project(positions[corner])).all()


@pytest.mark.parametrize(
    ("all_poses", "message"),
    [
        (poses(np.linspace(-60, 60, 60)), r"covers 120°; with this detector it takes 198°"),
        (poses(FULL, secondary_deg=25.0), "do not lie on a circle"),
        (poses(FULL, in_plane_deg=20.0), "rows are 20° out of the plane"),
        (poses(FULL, detector_offset_mm=(30.0, 0.0)), "displaced"),
        (poses(FULL, collimation_mm=(100.0, 100.0)), "collimated"),
        (poses(FULL[:5]), "5 views are too few"),
        ([*poses(FULL[:40]), *poses(FULL[40:], source_to_detector_mm=1250.0)], "differ in the detector's place"),
    ],
)
def test_what_is_no_sweep_is_refused(all_poses, message):
    with pytest.raises(Sim2RealError, match=message):
        sweep(all_poses)


def test_one_energy_gives_lengths_of_water_by_its_attenuation():
    bins = effective_bins(monoenergetic(60.0), ("water",))
    lengths = np.array([-5.0, 0.0, 12.5, 400.0])
    np.testing.assert_allclose(
        water_lengths_mm(lengths * linear_attenuation_mm("water", 60.0), bins), lengths, atol=0.01
    )


def test_a_hardened_beam_is_read_backwards():
    """−ln(I / I₀) of the whole spectrum, bin by bin, behind water; it is far from proportional to the length."""
    spectrum, lengths = preset_spectrum("90kV_Al4.0"), np.array([10.0, 100.0, 300.0])
    attenuation = linear_attenuation_mm("water", spectrum.energies_kev)
    energy = spectrum.weights * spectrum.energies_kev
    measured = -np.log(np.exp(-lengths[:, None] * attenuation) @ energy / energy.sum())
    assert measured[2] / measured[0] < 0.9 * 30
    bins = effective_bins(spectrum, ("water",))
    np.testing.assert_allclose(water_attenuation(bins, lengths), measured, rtol=1e-4)
    np.testing.assert_allclose(water_lengths_mm(measured, bins), lengths, rtol=1e-3)


def test_without_rtk_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "itk", None)
    turn = sweep(poses(FULL))
    with pytest.raises(Sim2RealError, match="pip install itk-rtk"):
        reconstruct(turn, np.zeros((90, 72, 96)), np.eye(4), (8, 8, 8))


BALL_RAS = np.array([30.0, -20.0, 15.0])


def export_sweep(folder, axes=GRIDS["straight"], **sections):
    """A bottle of water of 60 mm radius along S with a ball of 500 HU in it, on a grid of 2 mm, taken in a sweep."""
    shape = (90, 84, 88)
    affine = centered(shape, axes)
    positions = positions_ras(Volume(np.zeros(shape, np.int8), affine))
    bottle = (np.hypot(positions[..., 0], positions[..., 1]) < 60.0) & (np.abs(positions[..., 2]) < 60.0)
    ball = np.linalg.norm(positions - BALL_RAS, axis=-1) < 12.0
    write_volume(folder / "ct.nrrd", Volume(np.select([ball, bottle], [500, 0], -1000).astype(np.int16), affine))
    device = {
        "name": "small",
        "width_px": 96,
        "height_px": 72,
        "pixel_mm": 4.0,
        "source_to_detector_mm": 1200.0,
        "source_to_isocenter_mm": 800.0,
    }
    content = {
        "simulator": "drr",
        "input": {"volume": str(folder / "ct.nrrd")},
        "carm": {"device": device, "isocenter_ras": [5.0, -5.0, 0.0]},
        "views": {"count": 90, "sampler": "grid", "primary_range_deg": [-105, 105], "secondary_range_deg": [0, 0]},
        "output": {"channels": ["attenuation"]},
    }
    for name, section in sections.items():
        content[name] = content.get(name, {}) | section
    for _ in export_dataset(validate(DrrRecipe, content, "the test"), folder / "sweep", "llvm"):
        pass
    return folder / "sweep"


def trabecular_hu(energy_kev):
    """What a voxel of 500 HU, trabecular bone of the density that follows from it, is at an energy."""
    coefficients = [mass_attenuation_cm2_g(name, np.array([energy_kev]))[0] for name in ("trabecular_bone", "water")]
    return 1000.0 * (density_from_hu(np.array([500.0]))[0] * coefficients[0] / coefficients[1] - 1.0)


@pytest.mark.parametrize(
    ("grid", "spectrum", "energies_kev"),
    [
        ("straight", {"preset": "90kV_Al4.0"}, (50.0, 60.0)),
        ("left-handed", {"monoenergetic_kev": 70.0}, (70.0, 70.0)),
        ("oblique", {"monoenergetic_kev": 70.0}, (70.0, 70.0)),
    ],
)
def test_a_ct_comes_back_in_hounsfield_units_where_it_was(grid, spectrum, energies_kev, tmp_path):
    """With the default's noise. Water is 0 HU throughout: no cupping of the hard beam; 15 HU are for what the ball
    hardens. The ball is that of one energy, or between those around a spectrum's mean, within 10 HU of noise; its
    middle within half of the 3 mm voxels."""
    folder = export_sweep(tmp_path, GRIDS[grid], physics={"spectrum": spectrum})
    volume = reconstruct_dataset(folder, spacing_mm=3.0)
    assert volume.array.dtype == np.int16
    positions = positions_ras(volume)
    across, up = np.hypot(positions[..., 0], positions[..., 1]), np.abs(positions[..., 2])
    distance = np.linalg.norm(positions - BALL_RAS, axis=-1)
    water = (distance > 25.0) & (up < 45.0)
    for ring in (across < 20.0, (across > 30.0) & (across < 50.0)):
        assert abs(volume.array[water & ring].mean()) < 15.0
    assert volume.array[(across > 70.0) & (across < 100.0) & (up < 45.0)].mean() == pytest.approx(-1000.0, abs=15.0)
    most, least = map(trabecular_hu, energies_kev)
    assert least - 10.0 < volume.array[distance < 7.0].mean() < most + 10.0
    weight = np.where((distance < 20.0) & (volume.array > 200), volume.array, 0)
    found = np.average(positions.reshape(-1, 3), axis=0, weights=weight.ravel())
    assert np.abs(found - BALL_RAS).max() < 1.5
    assert np.all(volume.array[across > 140.0] == -1024)  # what some view does not see


def test_datasets_that_are_no_sweep_of_x_rays_are_refused(tmp_path):
    folder = export_sweep(tmp_path, views={"count": 10, "primary_range_deg": [-30, 30]})
    with pytest.raises(Sim2RealError, match="covers 60°"):
        reconstruct_dataset(folder)
    description = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(description | {"simulator": "endoscopy"}))
    with pytest.raises(Sim2RealError, match="holds no X-rays but frames of simulator endoscopy"):
        reconstruct_dataset(folder)


def test_a_biplane_is_refused(tmp_path):
    views = {"count": 1, "primary_range_deg": [0, 0]}
    with pytest.raises(Sim2RealError, match="taken with a biplane"):
        reconstruct_dataset(export_sweep(tmp_path, carm={"device": "generic_biplane"}, views=views))


def test_the_command_writes_the_volume(tmp_path):
    """A file of a name that cannot be written is refused before the work; --size counts about the isocentre."""
    folder = export_sweep(tmp_path, views={"count": 45})
    command = ["reconstruct", str(folder), "--spacing", "4", "--size", "20", "22", "24", "--out"]
    refused = CliRunner().invoke(app, [*command, str(tmp_path / "ct.png")])
    assert "written as .nii.gz" in str(refused.exception)
    assert CliRunner().invoke(app, [*command, str(tmp_path / "cone beam.nrrd")]).exit_code == 0
    volume, _ = read_volume(tmp_path / "cone beam.nrrd")
    assert volume.shape_ijk == (20, 22, 24)
    np.testing.assert_allclose(volume.corners_ras.mean(axis=0), [5.0, -5.0, 0.0], atol=1e-9)
    np.testing.assert_array_equal(volume.array, reconstruct_dataset(folder, 4.0, (20, 22, 24)).array)


def test_a_grid_that_no_memory_holds_is_refused():
    with pytest.raises(Sim2RealError, match="Take a larger spacing"):
        patient_grid(sweep(poses(FULL)), 0.05)


def test_in_slicer_it_is_a_volume_node(slicer_scene, tmp_path):
    """Where the library puts it, by Slicer's own matrix."""
    import slicer
    import vtk

    from DRRSimLib.logic import XrayLogic

    folder = export_sweep(tmp_path, views={"count": 45})
    node = XrayLogic(slicer_scene, "llvm").reconstruct(folder, spacing_mm=4.0)
    expected = reconstruct_dataset(folder, spacing_mm=4.0)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), expected.array)
    assert node.GetName() == "sweep reconstructed"
    k, j, i = np.argwhere(expected.array == expected.array.max())[0]
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    brightest = (slicer.util.arrayFromVTKMatrix(matrix) @ [i, j, k, 1])[:3]
    assert np.linalg.norm(brightest - BALL_RAS) < 12.0  # the radius of the ball
