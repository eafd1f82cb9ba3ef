"""Lengths of rays in tools, and what they leave of the tissue, against closed forms."""

import numpy as np
import pytest

from DRRSimLib.acquisition.carm import CArmDevice, XrayView
from DRRSimLib.physics.materials import Material, material
from DRRSimLib.projection.projector import build_scene
from DRRSimLib.projection.radiograph import material_thickness, tissue_thickness
from DRRSimLib.projection.torch_projector import project
from DRRSimLib.tools.intervals import pixel_hits, position_hits
from DRRSimLib.tools.surfaces import hollow, joined, moved, rings, solid, turned
from DRRSimLib.tools.tool import Mode, Tool
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import frame_along, invert_rigid, translation
from Sim2RealLib.mesh import TriangleMesh
from xray_scenes import box_chords, centered, material_volume, rays_ras, sphere_chords, view

BOX = np.array([[0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4], [2, 6, 7], [2, 7, 3], [0, 4, 6],
                [0, 6, 2], [1, 3, 7], [1, 7, 5]])  # fmt: skip
VIEWS = [(0, 0), (37, 12), (90, 0), (-60, -45), (0, 90)]
EXACT_MM = 1e-9
IDENTITY = np.eye(4)


def tool(mesh: TriangleMesh, name="tool", mode=Mode.REPLACE, of: str | Material = "steel") -> Tool:
    return Tool(name, mesh, material(of) if isinstance(of, str) else of, mode, None)


def box(half_size, ras_from_box=IDENTITY) -> TriangleMesh:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half_size
    return moved(TriangleMesh(corners.astype(float), BOX), ras_from_box)


def cylinder(radius: float, half_length: float, sides: int, ras_from_cylinder=IDENTITY) -> TriangleMesh:
    return moved(solid(rings(np.full((2, sides), radius), [-half_length, half_length])), ras_from_cylinder)


def sphere(radius: float, points: int) -> TriangleMesh:
    polar = np.linspace(0, np.pi, points)
    return turned(radius * np.stack([np.sin(polar), np.cos(polar)], axis=1))


def lengths(one_view: XrayView, *tools: Tool) -> list[np.ndarray]:
    hits = pixel_hits(tools, one_view)
    images = np.zeros((len(tools), one_view.camera.height_px, one_view.camera.width_px))
    images.reshape(len(tools), -1)[:, hits.rays] = hits.length_mm
    return list(images)


def at_positions(one_view: XrayView, of_tool: Tool, positions: np.ndarray) -> np.ndarray:
    hits = position_hits((of_tool,), one_view, positions)
    found = np.zeros(len(positions))
    found[hits.rays] = hits.length_mm[0]
    return found


def polygon_chords(one_view: XrayView, radius: float, half_length: float, sides: int, ras_from_cylinder) -> np.ndarray:
    """Of a prism over a regular polygon, by the planes of its faces (Cyrus and Beck 1978): shape (H, W)."""
    source, directions = rays_ras(one_view)
    cylinder_from_ras = invert_rigid(ras_from_cylinder)
    source = cylinder_from_ras[:3, :3] @ source + cylinder_from_ras[:3, 3]
    directions = directions @ cylinder_from_ras[:3, :3].T
    angle = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    normals = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    normals = np.concatenate([normals, [[0, 0, 1], [0, 0, -1]]])
    distance = np.append(np.full(sides, radius * np.cos(np.pi / sides)), [half_length] * 2)
    enter, leave = np.full(directions.shape[:2], -np.inf), np.full(directions.shape[:2], np.inf)
    for normal, offset in zip(normals, distance, strict=True):
        along, beyond = directions @ normal, offset - normal @ source
        with np.errstate(divide="ignore"):
            enter = np.where(along < 0, np.maximum(enter, beyond / along), enter)
            leave = np.where(along > 0, np.minimum(leave, beyond / along), leave)
        leave = np.where((along == 0) & (beyond < 0), -np.inf, leave)
    return np.maximum(leave - enter, 0)


@pytest.mark.parametrize("angles", VIEWS)
def test_a_box_has_the_lengths_of_the_slab_method(angles):
    one_view = view(*angles)
    ras_from_box = frame_along([1, 2, 3], [5, -3, 8])
    expected = box_chords(one_view, invert_rigid(ras_from_box), np.array([20, 30, 45]))
    (found,) = lengths(one_view, tool(box([20, 30, 45], ras_from_box)))
    assert np.count_nonzero(expected) > 300
    assert found == pytest.approx(expected, abs=EXACT_MM)


@pytest.mark.parametrize("angles", VIEWS)
@pytest.mark.parametrize("along", [[0, 0, 1], [0.3, 0.5, 0.8], [0, 1, 0.02]])
def test_a_cylinder_at_any_angle_has_the_lengths_of_its_planes(angles, along):
    one_view, pose = view(*angles), frame_along(along, [3, 4, -5])
    expected = polygon_chords(one_view, 15, 60, 40, pose)
    (found,) = lengths(one_view, tool(cylinder(15, 60, 40, pose)))
    assert found == pytest.approx(expected, abs=1e-7)  # faces seen edge-on lose digits in both
    assert found.max() > 25


def test_a_hollow_cylinder_is_what_lies_between_its_walls():
    one_view, pose = view(20, 10), frame_along([0.2, 0.9, 0.4], [0, 0, 0])
    pipe = rings(np.repeat([15.0, 15.0, 9.0, 9.0], 40).reshape(4, 40), [-60, 60, 60, -60])
    (found,) = lengths(one_view, tool(moved(hollow(pipe), pose)))
    expected = polygon_chords(one_view, 15, 60, 40, pose) - polygon_chords(one_view, 9, 60, 40, pose)
    assert found == pytest.approx(expected, abs=1e-7)


def test_a_fine_sphere_has_the_lengths_of_a_sphere():
    """Faces of 96 by 400 points lie at most δ = r (1 − cos(π/96)) inside, which shortens 2 √(r² − d²) by 2 r δ / √…."""
    one_view = view(10, 20)
    (found,) = lengths(one_view, tool(sphere(40, 400)))
    expected = sphere_chords(one_view, [0, 0, 0], 40)
    inside, depth = expected > 20, 40 * (1 - np.cos(np.pi / 96))
    shortened = (expected - found)[inside]
    assert shortened.min() > 0
    assert np.all(shortened < 1.05 * 2 * 40 * depth / (expected[inside] / 2))
    assert found.sum() == pytest.approx(expected.sum(), rel=1.5e-3)


def test_rays_through_edges_and_vertices_are_neither_lost_nor_counted_twice():
    """Vertices on a lattice that the rays hit exactly: a cuboid facing the source, its faces cut into triangles whose
    corners and edges lie on pixel centres, in every row and column."""
    device = CArmDevice("even", 64, 64, 1.0, 1024.0, 512.0)
    one_view = view(0, 0, device=device)
    # In the plane of the isocentre pixel centres are 0.5 mm apart, and all numbers are exact in binary.
    cells = 24
    steps = (np.arange(cells + 1) - cells / 2) * 0.5 + 0.25
    x, z = np.meshgrid(steps, steps)
    front = np.stack([x, np.zeros_like(x), z], axis=-1).reshape(-1, 3)
    source = np.array([0.0, -512.0, 0.0])
    # Rays through the front's vertices pass the back's as well: 1024 − 512 = 512 mm behind it, at 5/4 of the distance
    back = source + (front - source) * 1.25
    row, column = np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij")
    a = (row * (cells + 1) + column).ravel()
    quads = np.concatenate([np.stack([a, a + 1, a + cells + 2], 1), np.stack([a, a + cells + 2, a + cells + 1], 1)])
    count = len(front)
    loop = np.concatenate([
        np.arange(cells), np.arange(cells) * (cells + 1) + cells, count - 1 - np.arange(cells),
        (np.arange(cells)[::-1] + 1) * (cells + 1),
    ])  # fmt: skip
    following = np.roll(loop, -1)
    sides = np.concatenate([
        np.stack([loop, count + following, following], 1), np.stack([loop, count + loop, count + following], 1)
    ])  # fmt: skip
    mesh = TriangleMesh(np.concatenate([front, back]), np.concatenate([quads, count + quads[:, ::-1], sides]))
    assert mesh.is_watertight()
    (found,) = lengths(one_view, tool(mesh))
    hit = found > 0
    # Half-open: of the outermost rays, which graze the sides, one of each two opposite ones counts.
    assert hit.sum() == cells * cells
    _, directions = rays_ras(one_view)
    assert found[hit] == pytest.approx(128.0 / directions[..., 1][hit], abs=EXACT_MM)
    # The same rays one by one, and vertices themselves as positions
    v, u = np.nonzero(hit)
    single = at_positions(one_view, tool(mesh), np.stack([u, v], axis=1) + 0.5)
    assert np.array_equal(single, found[hit])


def test_rays_through_the_vertices_of_a_sphere_meet_it():
    one_view, mesh = view(33, -21), sphere(40, 60)
    positions = one_view.project(mesh.vertices_ras)
    center = one_view.project(np.zeros(3))
    distance = np.linalg.norm(positions - center, axis=1)
    inner = positions[distance < 0.95 * distance.max()]
    found = at_positions(one_view, tool(mesh), inner)
    assert len(inner) > 3000
    assert found.min() > 20


def test_the_first_of_overlapping_tools_counts_and_touching_ones_share_their_surface():
    one_view = view(15, 10)
    first, second = tool(sphere(30, 60), "first"), tool(sphere(40, 60), "second")
    alone, around = lengths(one_view, first)[0], lengths(one_view, second)[0]
    both = lengths(one_view, first, second)
    assert both[0] == pytest.approx(alone, abs=EXACT_MM)
    assert both[1] == pytest.approx(around - alone, abs=EXACT_MM)
    hidden = lengths(one_view, second, first)
    assert hidden[0] == pytest.approx(around, abs=EXACT_MM) and hidden[1].max() < EXACT_MM
    hits = pixel_hits((second, first), one_view)
    assert np.array_equal(hits.rays[hits.touched[1]], np.flatnonzero(alone > 0))  # amodal
    left, right = tool(box([10, 20, 20], translation([-10, 0, 0]))), tool(box([10, 20, 20], translation([10, 0, 0])))
    halves = sum(lengths(one_view, left, right))
    assert halves == pytest.approx(lengths(one_view, tool(box([20, 20, 20])))[0], abs=EXACT_MM)


def test_parts_of_one_mesh_that_overlap_are_one_body():
    one_view = view(15, 10)
    long, wide = box([40, 5, 5]), box([5, 5, 40])
    (found,) = lengths(one_view, tool(joined(long, wide)))
    apart = lengths(one_view, tool(long), tool(wide))
    assert found == pytest.approx(sum(apart), abs=EXACT_MM)


def test_a_tool_turned_inside_out_is_the_same_tool():
    mesh = box([40, 5, 5])
    turned_mesh = TriangleMesh(mesh.vertices_ras, mesh.triangles[:, ::-1])
    (expected,) = lengths(view(15, 10), tool(mesh))
    assert lengths(view(15, 10), tool(turned_mesh))[0] == pytest.approx(expected, abs=EXACT_MM)


def test_what_lies_behind_the_detector_counts_nothing_and_what_reaches_the_source_is_refused():
    one_view = view()  # the detector is 300 mm in front of the origin
    (through,) = lengths(one_view, tool(box([20, 40, 20], translation([0, 300, 0]))))
    _, directions = rays_ras(one_view)
    assert through[60, 80] == pytest.approx(40 / directions[60, 80, 1], abs=EXACT_MM)
    behind = pixel_hits((tool(box([20, 20, 20], translation([0, 400, 0]))),), one_view)
    assert behind.length_mm[0].max() == 0 and not behind.touched[0].any()
    with pytest.raises(Sim2RealError, match="from the plane of the X-ray source, or behind it"):
        lengths(one_view, tool(box([20, 20, 20], translation([0, -700, 0]))))


# Tools in tissue


def body(size_voxels: int = 50, spacing_mm: float = 3.0):
    shape = (size_voxels,) * 3
    return material_volume(np.ones(shape), centered(shape, np.diag([spacing_mm] * 3 + [1.0])))


def thickness(one_view: XrayView, *tools: Tool, volumes=None) -> dict[str, np.ndarray]:
    scene = build_scene(open_backend("llvm"), volumes or [body()], tools=tools)
    return material_thickness(scene, one_view)


@pytest.mark.parametrize("angles", VIEWS)
def test_a_replacing_cylinder_takes_its_own_length_from_the_tissue(angles):
    """A bar across a box of water: on each ray the water is the box's less the bar's, to a thousandth of a mm."""
    one_view, pose = view(*angles), frame_along([0.3, 0.5, 0.8], [3, 4, -5])
    bar = cylinder(15, 50, 40, pose)
    expected = polygon_chords(one_view, 15, 50, 40, pose)
    alone = thickness(one_view)["water"]
    found = thickness(one_view, tool(bar))
    assert found["steel"] == pytest.approx(expected, abs=1e-4)
    assert found["water"] == pytest.approx(alone - expected, abs=1e-3)
    added = thickness(one_view, tool(bar, mode=Mode.ADD))
    assert added["water"] == pytest.approx(alone, abs=1e-3)
    assert added["steel"] == pytest.approx(expected, abs=1e-4)


def test_sums_over_stretches_of_a_ray_are_those_over_the_whole():
    """Noise of materials, a pipe (four crossings) and a box that overlap: what is replaced and what is left, integrated
    apart, is the whole; replacing by the very tissue would change nothing."""
    one_view, shape = view(25, 40), (40, 40, 40)
    index = np.random.default_rng(3).integers(1, 4, shape)
    volume = material_volume(index, centered(shape, np.diag([3.0, 3.0, 3.0, 1.0])), ("air", "water", "muscle", "blood"))
    pipe = rings(np.repeat([25.0, 25.0, 14.0, 14.0], 40).reshape(4, 40), [-40, 40, 40, -40])
    tools = (
        tool(moved(hollow(pipe), frame_along([0.4, 0.1, 0.9], [2, 3, 1])), "pipe"),
        tool(box([30, 8, 9]), "box", of="lead"),
    )
    whole = sum(thickness(one_view, volumes=[volume]).values())
    found = thickness(one_view, *tools, volumes=[volume])
    inside = lengths(one_view, *tools)
    assert sum(found.values()) == pytest.approx(whole, abs=2e-3)
    assert found["steel"] == pytest.approx(inside[0], abs=1e-4)
    assert len(pixel_hits(tools, one_view).gaps) >= 3


def test_tools_replace_voxel_implants_too_and_tissue_at_single_positions():
    one_view = view(15, 10)
    shape = (30, 30, 30)
    implant = material_volume(np.ones(shape), centered(shape, np.diag([2.0, 2.0, 2.0, 1.0])), ("air", "titanium"))
    block = tool(box([10, 10, 10]))
    volumes = [implant, body()]
    before, after = thickness(one_view, volumes=volumes), thickness(one_view, block, volumes=volumes)
    chord = lengths(one_view, block)[0]
    assert after["titanium"] == pytest.approx(before["titanium"] - chord, abs=1e-3)
    assert after["water"] == pytest.approx(before["water"], abs=1e-3)
    scene = build_scene(open_backend("llvm"), volumes, tools=[block])
    positions = np.array([[80.5, 60.5], [10.5, 60.5], [85.5, 63.5]])
    rows, columns = positions[:, 1].astype(int), positions[:, 0].astype(int)
    assert tissue_thickness(scene, one_view, positions) == pytest.approx(
        sum(after.values())[rows, columns], rel=1e-5, abs=1e-4
    )


def test_a_voxel_implant_of_the_same_shape_looks_the_same():
    """A sphere as voxels of half a millimetre and as a surface: their steel differs by what voxels round."""
    one_view, shape = view(20, 30), (90, 90, 90)
    affine = centered(shape, np.diag([0.5, 0.5, 0.5, 1.0]))
    k, j, i = np.meshgrid(*(0.5 * (np.arange(n) - 44.5) for n in shape), indexing="ij")
    voxels = material_volume(np.sqrt(i**2 + j**2 + k**2) < 20, affine, ("air", "steel"))
    of_voxels = thickness(one_view, volumes=[voxels, body()])
    of_surface = thickness(one_view, tool(sphere(20, 200)))
    for name in ("steel", "water"):
        difference = of_voxels[name] - of_surface[name]
        assert np.sqrt((difference**2).mean()) < 0.35
    assert of_voxels["steel"].sum() == pytest.approx(of_surface["steel"].sum(), rel=4e-3)


def test_gradients_are_not_offered_through_tools():
    import torch

    scene = build_scene(open_backend("llvm"), [body(10)], tools=[tool(box([10, 10, 10]))])
    with pytest.raises(Sim2RealError, match="Tools have no gradients"):
        project(scene, view(), torch.as_tensor(view().camera_from_ras))
