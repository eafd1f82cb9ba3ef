"""The projector against closed forms, on every kind of grid."""

from dataclasses import replace

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import CArmDevice
from DRRSimLib.projection.device import upload_grid
from DRRSimLib.projection.material_volume import MaterialVolume
from DRRSimLib.projection.packed_grid import grid_memory_bytes
from DRRSimLib.projection.projector import areal_densities
from DRRSimLib.projection.radiograph import material_thickness, tissue_thickness
from DRRSimLib.projection.rays import pixel_rays
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import transform_points, translation
from Sim2RealLib.volume import Volume
from xray_scenes import GRIDS, box_chords, centered, material_volume, positions_ras, scene, sphere_chords, view

VIEWS = [(0, 0), (37, 12), (90, 0), (-60, -45), (0, 85)]
"""The last one looks along the patient, for which kernels have a path of their own."""


FINE_DEVICE = CArmDevice("fine", 560, 420, 0.5, 1000.0, 700.0)


def relative_rms(image: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image - expected) ** 2)) / np.sqrt(np.mean(expected**2)))


def areal_density(scene, view) -> np.ndarray:
    densities = areal_densities(scene, view, *pixel_rays(scene.backend.arrays, view.camera))
    return np.array([density.numpy().reshape(view.camera.height_px, -1) for density in densities])


@pytest.mark.parametrize("angles", VIEWS)
@pytest.mark.parametrize("grid", GRIDS)
def test_box_path_lengths_are_those_of_the_slab_method(grid, angles):
    """A box of whole voxels: a ray's ends are off by a fraction of a step, most near edges, where voxels end in a ramp.

    The steps are 1.5 to 3 mm, so that a twentieth of one is 0.1 mm. Rays within half a voxel of the box's outline, one
    in fifteen, make up nearly all of the RMS, and on the sum the ramps average out.
    """
    shape, margin = (40, 36, 44), 6
    affine = centered(shape, GRIDS[grid])
    index = np.zeros(shape)
    index[margin:-margin, margin:-margin, margin:-margin] = 1
    half_size = (np.array(shape[::-1]) / 2 - margin) * np.linalg.norm(affine[:3, :3], axis=0)
    box_from_ras = np.linalg.inv(affine / np.append(np.linalg.norm(affine[:3, :3], axis=0), 1))
    box_from_ras[:3, 3] = 0
    one_view = view(*angles)
    expected = box_chords(one_view, box_from_ras, half_size)
    thickness = material_thickness(scene(material_volume(index, affine)), one_view)["water"]
    assert np.median(np.abs(thickness - expected)[expected > 10]) < 0.1
    assert relative_rms(thickness, expected) < 0.06
    assert thickness.sum() == pytest.approx(expected.sum(), rel=5e-3)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_ray_along_a_grid_axis_has_the_exact_thickness(grid):
    """−ln T of water at the ray that runs perpendicular through a slab: voxels count as boxes, not as points."""
    shape = (32, 32, 32)
    affine = centered(shape, GRIDS[grid])
    one_view = view()
    # The grid axis that is most nearly the beam's, as the world sees it
    axis = int(np.argmax(np.abs(affine[1, :3])))
    slab = [slice(None)] * 3
    slab[2 - axis] = slice(5, 25)
    index = np.zeros(shape)
    index[tuple(slab)] = 1
    cosine = abs(affine[1, axis]) / np.linalg.norm(affine[:3, axis])
    expected = 20 * np.linalg.norm(affine[:3, axis]) / cosine
    center = np.array([[one_view.camera.cx_px, one_view.camera.cy_px]])
    assert tissue_thickness(scene(material_volume(index, affine)), one_view, center)[0] == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("angles", VIEWS)
@pytest.mark.parametrize("grid", GRIDS)
def test_a_bright_voxel_projects_where_its_affine_centre_projects(grid, angles):
    """The landmark test that guards every convention at once (DESIGN section 2)."""
    shape = (21, 23, 25)
    affine = translation([13.0, -21.0, 8.0]) @ centered(shape, GRIDS[grid])
    one_view = view(*angles, device=FINE_DEVICE)
    for voxel_kji in ((3, 17, 20), (15, 5, 4), (0, 0, 0), (20, 22, 24)):
        index = np.zeros(shape)
        index[voxel_kji] = 1
        image = material_thickness(scene(material_volume(index, affine)), one_view)["water"]
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
        centroid = np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()
        expected = one_view.project(transform_points(affine, voxel_kji[::-1]))
        # A voxel is some 6 to 12 of these pixels wide, and one or two planes sample it: 1/25 of a voxel is left.
        assert centroid == pytest.approx(expected, abs=0.4)


def test_sphere_path_lengths_converge_with_the_grid():
    """Against 2√(r² − d²): the error of binary voxels falls at least in proportion to their size."""
    errors = []
    for voxels in (24, 48, 96):
        affine = centered((voxels,) * 3, np.diag([96 / voxels] * 3 + [1.0]))
        volume = material_volume(np.zeros((voxels,) * 3), affine)
        inside = np.linalg.norm(positions_ras(volume.hu), axis=-1) < 40
        one_view = view(20, 10)
        image = material_thickness(scene(material_volume(inside, affine)), one_view)["water"]
        errors.append(relative_rms(image, sphere_chords(one_view, [0, 0, 0], 40)))
    assert errors[2] < 0.012
    assert errors[0] > 1.8 * errors[1] > 1.8 * 1.8 * errors[2]


def test_a_smooth_object_converges_with_second_order():
    """A Gaussian blob of density, whose line integral is √(2π) σ ρ₀ exp(−d²/2σ²), as HU.

    Linear interpolation widens it by h²/6 in variance along each of the two axes across the ray: relative error h²/6σ².
    """
    sigma, errors = 18.0, []
    one_view = view(25, -15)
    half_peak = np.sqrt(2 * np.pi) * sigma * 0.1
    for voxels in (20, 40):
        # Resolution limits: HU are whole, and the lowest density there is that of air, 0.0012.
        affine = centered((voxels,) * 3, np.diag([160 / voxels] * 3 + [1.0]))
        template = material_volume(np.zeros((voxels,) * 3), affine)
        density = np.exp(-0.5 * (np.linalg.norm(positions_ras(template.hu), axis=-1) / sigma) ** 2)
        hu = np.rint(np.interp(density, [0.001205, 0.93], [-1000, -98])).astype(np.int16)  # inverse of the lowest piece
        volume = MaterialVolume(Volume(hu, affine), (hu > -1000).astype(np.uint8), ("air", "water"))
        chord = sphere_chords(one_view, [0, 0, 0], 1e3)
        distance2 = 1e6 - (chord / 2) ** 2
        expected = half_peak * np.exp(-0.5 * distance2 / sigma**2)
        errors.append(relative_rms(areal_density(scene(volume), one_view)[0], expected))
    assert errors[1] < 4.0**2 / (6 * sigma**2)
    assert errors[0] / errors[1] > 3.0


def test_materials_add_up_to_the_chord():
    """Three materials in one box, mixed voxel by voxel: lengths are shared out, none is lost or counted twice."""
    shape = (30, 30, 30)
    affine = centered(shape, GRIDS["oblique"])
    mixed = np.random.default_rng(5).integers(1, 4, shape)
    one_view = view(30, 20)
    parts = material_thickness(
        scene(material_volume(mixed, affine, ("air", "water", "muscle", "cortical_bone"))), one_view
    )
    whole = material_thickness(scene(material_volume(mixed > 0, affine)), one_view)["water"]
    assert set(parts) == {"water", "muscle", "cortical_bone"}
    assert sum(parts.values()) == pytest.approx(whole, rel=2e-6, abs=1e-4)
    assert all(part.max() > 5 for part in parts.values())


def test_densities_follow_hu_and_metal_has_its_own():
    """Areal density = density × length: HU 0 is 1 g/cm³, HU −98 is 0.93 (Schneider), titanium 4.51 whatever the HU."""
    shape = (24, 24, 24)
    affine = centered(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    index = np.ones(shape, np.uint8)
    index[12:], index[18:] = 2, 3
    hu = np.select([index == 1, index == 2], [0, -98], 3071).astype(np.int16)
    volume = MaterialVolume(Volume(hu, affine), index, ("air", "water", "adipose", "titanium"))
    one_view = view(10, 5)
    built = scene(volume)
    lengths = material_thickness(built, one_view)
    for density, length, g_cm3 in zip(areal_density(built, one_view), lengths.values(), (1.0, 0.93, 4.5), strict=True):
        assert density[length > 5] == pytest.approx(g_cm3 * length[length > 5] / 10, rel=3e-3)


def test_packed_densities_are_within_a_thousandth():
    """13 bits of density: noise of random HU is reproduced to far better than the 0.1 % the packed path may lose."""
    shape = (32, 32, 32)
    affine = centered(shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    hu = np.random.default_rng(2).integers(-60, 1500, shape).astype(np.int16)
    materials = ("air", "a", "b", "c", "d", "e", "f", "g")
    index = np.random.default_rng(3).integers(1, 8, shape).astype(np.uint8)
    names = ("air", "water", "muscle", "blood", "lung", "adipose", "cortical_bone", "soft_tissue")
    assert len(materials) == len(names)
    one_view = view()
    total = areal_density(scene(MaterialVolume(Volume(hu, affine), index, names)), one_view).sum(axis=0)
    # The same sum by a float64 reference: one material whose code has all 16 bits loses nothing that matters here.
    single = areal_density(
        scene(MaterialVolume(Volume(hu, affine), (index > 0).astype(np.uint8), ("air", "water"))), one_view
    )
    assert np.abs(total / np.maximum(single[0], 1) - 1)[single[0] > 1].max() < 1e-4


@pytest.mark.parametrize("angles", [(0, 0), (50, 20), (0, 85)])
def test_source_inside_the_volume_counts_only_what_lies_ahead(angles):
    """A box around the source: from the source on, to the detector or the box's end, whichever comes first."""
    shape = (60, 60, 60)
    affine = centered(shape, np.diag([30.0, 30.0, 30.0, 1.0]))  # 1800 mm wide, around source and detector
    one_view = view(*angles)
    thickness = material_thickness(scene(material_volume(np.ones(shape), affine)), one_view)["water"]
    v, u = np.mgrid[: thickness.shape[0], : thickness.shape[1]] + 0.5
    x, y = (u - one_view.camera.cx_px) / one_view.camera.fx_px, (v - one_view.camera.cy_px) / one_view.camera.fy_px
    to_detector = 1000.0 * np.sqrt(1 + x**2 + y**2)
    ahead = np.minimum(box_chords(one_view, np.eye(4), np.full(3, 900.0)), to_detector)
    assert thickness == pytest.approx(ahead, rel=2e-3)


def test_a_volume_of_higher_priority_replaces_what_it_covers():
    """A finer, rotated metal block inside a water box: the water behind its voxels is gone, and nothing else."""
    shape = (40, 40, 40)
    body = material_volume(np.ones(shape), centered(shape, np.diag([3.0, 3.0, 3.0, 1.0])))
    small = (30, 30, 30)
    affine = translation([10, -5, 8]) @ centered(small, GRIDS["oblique"] / np.array([2, 2, 2, 1]))
    block = material_volume(np.ones(small), affine, ("air", "titanium"))
    one_view = view(15, 10)
    alone = material_thickness(scene(body), one_view)["water"]
    implant = material_thickness(scene(block), one_view)["titanium"]
    both = material_thickness(scene(block, body), one_view)
    assert both["titanium"] == pytest.approx(implant, abs=1e-4)
    # Water is cut out voxel by voxel of 3 mm at the block's faces: each end is off by half a step at most.
    inside = implant > 10
    assert np.abs(both["water"] + both["titanium"] - alone)[inside].mean() < 1.5
    beside = implant == 0
    assert both["water"][beside] == pytest.approx(alone[beside], abs=3.1)
    assert (both["water"] + both["titanium"]).sum() == pytest.approx(alone.sum(), rel=2e-3)


@pytest.mark.parametrize(
    "grid",
    [pytest.param("straight", marks=pytest.mark.slow), "oblique", pytest.param("coronal", marks=pytest.mark.slow)],
)
def test_a_volume_in_parts_gives_the_same_image(grid):
    """Tiling: a budget of a third of the packed size. Float32 places samples to about 1e-4 of a voxel."""
    shape = (30, 32, 34)
    affine = centered(shape, GRIDS[grid])
    index = np.random.default_rng(1).integers(0, 3, shape)
    volume = material_volume(index, affine, ("air", "water", "cortical_bone"))
    budget = grid_memory_bytes(volume.hu) // 3
    parts, whole = scene(volume, memory_budget_bytes=budget), scene(volume)
    assert parts.volumes[0].device_grid is None and whole.volumes[0].device_grid is not None
    for angles in VIEWS:
        expected = areal_density(whole, view(*angles))
        assert areal_density(parts, view(*angles)) == pytest.approx(expected, rel=1e-4, abs=5e-4)


def test_a_volume_of_which_not_one_plane_fits_is_refused():
    volume = material_volume(np.ones((20, 20, 20)), np.eye(4))
    with pytest.raises(Sim2RealError, match=r"packed it takes .* GB, .* are left \(llvm\)"):
        scene(volume, memory_budget_bytes=1000)


def test_skipping_empty_space_changes_nothing():
    """Scattered objects, with every brick marked as occupied and as found: bit for bit the same."""
    shape = (50, 60, 70)
    affine = centered(shape, GRIDS["oblique"])
    index = np.zeros(shape)
    rng = np.random.default_rng(4)
    for _ in range(12):
        k, j, i = (int(rng.integers(0, n - 4)) for n in shape)
        index[k : k + 4, j : j + 4, i : i + 4] = 1
    built = scene(material_volume(index, affine))
    found = built.volumes[0].device_grid.grid
    assert 0 < found.bricks.mean() < 0.5
    everywhere = upload_grid(built.backend.arrays, replace(found, bricks=np.ones_like(found.bricks)))
    full = replace(built, volumes=(replace(built.volumes[0], device_grid=everywhere),))
    for angles in VIEWS:
        assert np.array_equal(areal_density(full, view(*angles)), areal_density(built, view(*angles)))
