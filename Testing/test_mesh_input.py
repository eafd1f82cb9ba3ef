"""A closed surface as an input: files as Slicer and trimesh write them, the CT that is made of it, frames inside it.

`data/meshes/slicer_*` were written by 3D Slicer's own model storage node (slicer-core 5.13.31053) from one box.
"""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.special import ndtr

from DepthSimLib.anatomy import load_anatomy
from DepthSimLib.colon import ColonShape, colon_mesh, generate_colon
from DepthSimLib.colonography.mesh_scan import PSF_MM, scan_mesh
from DepthSimLib.endoscope.presets import ENDOSCOPES
from DepthSimLib.frames.ground_truth import visible_surface
from DepthSimLib.recipe import EndoscopyRecipe, Input
from DepthSimLib.scene import build_medium, place
from DepthSimLib.simulation import open_simulation
from Sim2RealLib.engine import open_backend
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import RAS_FROM_LPS, rotation, transform_points, translation
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.mesh_io import read_mesh
from Sim2RealLib.recipe import validate
from Sim2RealLib.volume import Volume

SLICER = Path(__file__).parent / "data" / "meshes"
SLICER_BOX = ((-10.5, 20.0, -130.125), (60.25, 45.5, -100.0))
"""Two corners, RAS mm."""

RAS_FROM_CAPSULE = translation([40.0, -25.0, 60.0]) @ rotation([0.6, 0.8, 0.0], 30.0)
RADIUS, HALF_LENGTH = 15.0, 45.0


def as_mesh(shape: trimesh.Trimesh) -> TriangleMesh:
    return TriangleMesh(shape.vertices.astype(np.float32), shape.faces.astype(np.int32))


def gas_ml(ct: Volume) -> float:
    """Of gas at −1000 HU in tissue at 40 HU."""
    return float((40.0 - ct.array.astype(float)).sum() / 1040.0 * np.prod(ct.spacing_mm) / 1000.0)


def ball(radius: float) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=5, radius=radius)


def turned(shape: trimesh.Trimesh) -> trimesh.Trimesh:
    return shape.apply_transform(translation([30.3, -17.1, 88.8]) @ rotation([0.48, 0.6, 0.64], 37.0))


@pytest.mark.parametrize(
    ("shape", "volume_mm3"),
    [
        (turned(ball(30.0)), 4 / 3 * np.pi * 30.0**3),
        (turned(trimesh.creation.torus(40.0, 15.0, 256, 128)), 2 * np.pi**2 * 40.0 * 15.0**2),
        (turned(trimesh.creation.box((60.0, 33.0, 20.5))), 60.0 * 33.0 * 20.5),
        (trimesh.util.concatenate([ball(30.0), ball(12.0)]), 4 / 3 * np.pi * (30.0**3 - 12.0**3)),
    ],
    ids=["ball", "torus", "box", "ball in a ball"],
)
def test_a_scan_holds_the_volume_of_the_surface(shape, volume_mm3):
    """The formula's to 0.1 %, which flat triangles take from round shapes; and that of the triangles, by trimesh, to
    0.01 %, for 16 lines a voxel cut each of some thousand voxels at its border to about a hundredth."""
    ct = scan_mesh(as_mesh(shape), 1.0)
    assert ct.array.dtype == np.int16
    assert (ct.array.min(), ct.array.max()) == (-1000, 40)
    assert gas_ml(ct) == pytest.approx(volume_mm3 / 1000.0, rel=1e-3)
    if shape.body_count == 1:  # trimesh adds the ball within
        assert gas_ml(ct) == pytest.approx(shape.volume / 1000.0, rel=1e-4)


def test_lines_through_edges_and_corners_are_in_and_out_as_often():
    """A box whose faces, edges and the diagonals of its faces lie exactly on lines, in numbers without rounding."""
    box = trimesh.creation.box((60.25, 60.25, 60.25))
    assert gas_ml(scan_mesh(as_mesh(box), 1.0)) == pytest.approx(60.25**3 / 1000.0, rel=1e-5)


def test_the_edge_in_a_scan_is_where_the_surface_is():
    """A ball of radius R blurred by s has at r the share Φ((R − r)/s) − s/(r √2π) exp(−(R − r)²/2s²) of gas (what comes
    from across its centre left out), with s² the square of the scanner's blur and of a voxel's width over √12. A voxel
    is no Gaussian: single ones may differ by 0.03. Their mean may by 0.005, by which the edge lies off by 0.01 mm."""
    shape = turned(ball(30.0))
    ct = scan_mesh(as_mesh(shape), 0.8)
    k, j, i = np.indices(ct.array.shape)
    from_centre = transform_points(ct.ras_from_ijk, np.stack([i, j, k], axis=-1)) - shape.vertices.mean(axis=0)
    r = np.linalg.norm(from_centre, axis=-1)
    s = np.hypot(PSF_MM, 0.8 / np.sqrt(12.0))
    expected = ndtr((30.0 - r) / s) - s / (r * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * ((30.0 - r) / s) ** 2)
    difference = ((40.0 - ct.array) / 1040.0 - expected)[np.abs(r - 30.0) < 2.0]
    assert np.abs(difference).max() < 0.03
    assert abs(difference.mean()) < 0.005


def test_inside_does_not_depend_on_how_triangles_are_turned():
    mesh = as_mesh(trimesh.creation.torus(40.0, 15.0))
    mixed = mesh.triangles.copy()
    mixed[::3] = mixed[::3, ::-1]
    as_given, turned_over = (scan_mesh(TriangleMesh(mesh.vertices_ras, t), 2.0) for t in (mesh.triangles, mixed))
    np.testing.assert_array_equal(turned_over.array, as_given.array)


def capsule(max_edge_mm: float | None = None) -> trimesh.Trimesh:
    shape = trimesh.creation.capsule(2.0 * HALF_LENGTH, RADIUS, count=[96, 96])
    return (shape if max_edge_mm is None else shape.subdivide_to_size(max_edge_mm)).apply_transform(RAS_FROM_CAPSULE)


def capsule_wall_mm(points_ras: np.ndarray) -> np.ndarray:
    """How far points (N, 3) are outside the wall of the capsule."""
    points = transform_points(np.linalg.inv(RAS_FROM_CAPSULE), points_ras)
    off_axis = points - np.clip(points[:, 2:], -HALF_LENGTH, HALF_LENGTH) * [0.0, 0.0, 1.0]
    return np.linalg.norm(off_axis, axis=1) - RADIUS


def write(path: Path, shape: trimesh.Trimesh) -> Path:
    """As programs other than Slicer do: LPS, and nothing that says so."""
    shape.copy().apply_transform(RAS_FROM_LPS).export(path)
    return path


def test_depth_inside_a_tube_is_that_to_its_wall(tmp_path):
    """From a file to frames. The blur moves the edge of a hole of radius R inwards by s²/2R = 0.02 mm, and the renderer
    has edges at a right angle to 0.06 mm in voxels of 1 mm, slanted ones to more."""
    content = {
        "simulator": "endoscopy",
        "input": {"mesh": str(write(tmp_path / "capsule.stl", capsule())), "mesh_spacing_mm": 1.0, "source": "formula"},
        "endoscope": {"device": "pinhole", "scale": 0.3},
        "views": {"count": 4, "tilt_deg": 60},
        "rendering": {"mode": "synthetic"},
        "output": {"channels": ["display", "depth"]},
    }
    simulation = open_simulation(validate(EndoscopyRecipe, content, "test"), open_backend("llvm"))
    (record,) = simulation.header.inputs
    assert (record["role"], record["name"], record["space"]) == ("mesh", "capsule.stl", "lps")
    assert (record["source"], record["triangles"]) == ("formula", len(capsule().faces))
    axis = simulation.anatomy.centerline.points_ras
    assert np.linalg.norm(axis[0] - axis[-1]) > 2.0 * HALF_LENGTH  # it reaches into both caps
    off = []
    for index in range(4):
        depth = simulation.frame(index).channels["depth"]
        assert depth.min() > 0
        pose = simulation.poses.pose(index).ras_from_camera
        off.append(capsule_wall_mm(transform_points(pose, (simulation.rays * depth[..., None]).reshape(-1, 3))))
    off = np.abs(np.concatenate(off))
    assert np.median(off) < 0.08
    assert np.percentile(off, 95) < 0.2


def test_frames_of_a_colons_mesh_show_the_colon():
    """Its wall's formula, at depths seen from its midline, by way of triangles of 2 mm and voxels of 1.5 mm."""
    colon = generate_colon(ColonShape(seed=2))
    medium = build_medium(open_backend("llvm"), scan_mesh(colon_mesh(colon, 2.0), 1.5))
    endoscope = ENDOSCOPES["olympus_cf_hq190l"].scaled(0.06)
    off = []
    for place_mm in (300, 800, 1300):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = colon.centerline.frames[place_mm].T, colon.centerline.points_ras[place_mm]
        surface = visible_surface(medium, place(medium, endoscope, pose).camera)
        points = np.array(surface.point, np.float32).T[np.array(surface.seen)]
        off.append(colon.lumen_distance(transform_points(np.linalg.inv(medium.device_grid.grid.grid_from_ras), points)))
    assert np.median(np.abs(np.concatenate(off))) < 0.2


@pytest.mark.parametrize("edge_mm", [None, 3.0])
def test_coverage_is_counted_on_the_mesh_itself_if_it_is_fine_enough(edge_mm, tmp_path, caplog):
    path = write(tmp_path / "capsule.ply", capsule(edge_mm))
    wall = load_anatomy(Input(mesh=path, mesh_spacing_mm=2.0)).wall_mesh()
    given, _ = read_mesh(path)
    if edge_mm is None:  # triangles as long as the tube
        assert "Coverage is counted on the surface of its CT instead" in caplog.text
        assert np.abs(capsule_wall_mm(wall.vertices_ras)).max() < 0.3
        assert np.linalg.norm(np.diff(wall.vertices_ras[wall.triangles], axis=1), axis=-1).max() < 4.0
    else:
        assert "Coverage" not in caplog.text
        np.testing.assert_array_equal(wall.vertices_ras, given.vertices_ras)


@pytest.mark.parametrize(
    "name", ["slicer_lps.stl", "slicer_ras.stl", "slicer_lps.ply", "slicer_ras.ply", "slicer_lps.obj"]
)
def test_reads_what_slicer_wrote(name):
    mesh, record = read_mesh(SLICER / name)
    np.testing.assert_array_equal([mesh.vertices_ras.min(axis=0), mesh.vertices_ras.max(axis=0)], SLICER_BOX)
    assert mesh.is_watertight()
    sha256 = hashlib.sha256((SLICER / name).read_bytes()).hexdigest()
    space = name[7:10]
    assert record == {"role": "mesh", "name": name, "sha256": sha256, "space": space, "vertices": 8, "triangles": 12}
    assert read_mesh(SLICER / name, space)[1] == record
    other = {"lps": "ras", "ras": "lps"}[space]
    with pytest.raises(Sim2RealError, match=f"SPACE={space.upper()}, but it is to be read as {other.upper()}"):
        read_mesh(SLICER / name, other)


def ascii_stl(shape: trimesh.Trimesh) -> bytes:
    return shape.export(file_type="stl_ascii").encode()


def ascii_ply(shape: trimesh.Trimesh) -> bytes:
    return shape.export(file_type="ply", encoding="ascii")


def obj(shape: trimesh.Trimesh) -> bytes:
    return shape.export(file_type="obj").encode()


@pytest.mark.parametrize(
    ("name", "exported"),
    [
        ("a.stl", lambda shape: shape.export(file_type="stl")),
        ("b.STL", ascii_stl),
        ("c.ply", lambda shape: shape.export(file_type="ply")),
        ("d.ply", ascii_ply),
        ("e.obj", obj),
    ],
)
def test_coordinates_without_a_word_are_lps_unless_the_recipe_says_so(name, exported, tmp_path):
    """Vertices keep the order of the file; STL repeats each for every triangle, and has no such order."""
    box = turned(trimesh.creation.box((60.0, 33.0, 20.5)))
    path = tmp_path / name
    path.write_bytes(exported(box))
    for space, flip in ((None, -1.0), ("lps", -1.0), ("ras", 1.0)):
        mesh, record = read_mesh(path, space)
        assert record["space"] == (space or "lps")
        expected = box.vertices * [flip, flip, 1.0]
        if "stl" in name.lower():
            expected, mesh = (v[np.lexsort(v.round(2).T)] for v in (expected, mesh.vertices_ras))
            np.testing.assert_allclose(mesh, expected, atol=1e-5)
        else:
            np.testing.assert_allclose(mesh.vertices_ras, expected, atol=1e-5)
            np.testing.assert_array_equal(mesh.triangles, box.faces)


def without_a_triangle(shape: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(shape.vertices, shape.faces[1:], process=False)


BOX = trimesh.creation.box((60.0, 60.0, 60.0))
BINARY_STL = BOX.export(file_type="stl")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.vtk", b"# vtk DataFile Version 4.2", r"a.vtk is in no mesh format that is read here; these are .stl, .ply"),
        ("a.stl", b"", "a.stl holds no triangles"),
        ("a.stl", BINARY_STL[:-1], "a.stl cannot be read: damaged, truncated"),
        ("a.stl", BINARY_STL[:80] + struct.pack("<I", 2**31) + BINARY_STL[84:], "a.stl cannot be read"),
        ("a.stl", ascii_stl(BOX)[:-200], "a.stl holds no triangles: it is empty, cut off"),
        ("a.stl", ascii_stl(BOX).replace(b"30.0", b"thirty", 1), "a.stl cannot be read"),
        (
            "a.stl",
            BINARY_STL.replace(struct.pack("<f", 30.0), struct.pack("<f", np.nan)),
            "a.stl: [0-9]+ vertices are NaN",
        ),
        ("a.ply", b"", "a.ply cannot be read"),
        ("a.ply", BOX.export(file_type="ply")[:-1], "a.ply cannot be read"),
        ("a.ply", ascii_ply(BOX).replace(b"\n3 1 3 0", b"\n3 1 99 0"), "a vertex that is not in the file"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "a.obj holds no triangles"),
        ("a.obj", obj(BOX).replace(b"\nf ", b"\nf 99", 1), "a.obj cannot be read"),
        ("a.obj", b"# SPACE=RAI\n" + obj(BOX), "its header says SPACE=RAI; only LPS and RAS are known"),
        ("a.obj", obj(without_a_triangle(BOX)), "a.obj is not closed: 3 of its 18 edges have a triangle on one side"),
    ],
)
def test_files_that_hold_no_closed_surface_are_refused_in_one_line(name, content, complaint, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Sim2RealError, match=complaint) as caught:
        read_mesh(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_tube_too_narrow_for_a_colon_is_refused_as_a_ct_of_it_is(tmp_path):
    path = write(tmp_path / "ileum.ply", trimesh.creation.capsule(90.0, 9.0))
    with pytest.raises(Sim2RealError, match=r"ileum\.ply, seen as a CT: No gas-filled colon was found"):
        load_anatomy(Input(mesh=path, mesh_spacing_mm=2.0))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(Sim2RealError, match=r"colon.stl cannot be read: No such file"):
        read_mesh(tmp_path / "colon.stl")


@pytest.mark.parametrize(
    ("length", "hint"),
    [(0.4, "metres, scale it by 1000"), (40.0, "centimetres, scale it by 10"), (9e3, "Export it in mi")],
)
def test_other_units_than_millimetres_are_refused(length, hint):
    with pytest.raises(Sim2RealError, match=f"colon.stl is {length:g} mm long; .* {hint}"):
        scan_mesh(as_mesh(trimesh.creation.box((length, length, length / 2))), 1.0, "colon.stl")


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"mesh": "a.stl", "volume": "ct.nii.gz"}, "either a volume or a mesh; for a volume set input.mesh to null"),
        ({"mesh": "a.stl", "anatomy": {}}, "either a mesh or an anatomy; for a mesh set input.anatomy to null"),
        ({"mesh": "a.stl", "labels": "labels.nii.gz"}, "labels need a volume; a mesh has none"),
        ({"bridge_up_to_mm": 20.0}, "bridge_up_to_mm is of CTs and meshes; a generated colon needs none"),
        ({"anatomy": {}, "patient_position": "prone"}, "patient_position is of CTs and meshes"),
        ({"mesh": "a.stl", "mesh_space": "rai"}, "input.mesh_space: 'rai', must be 'lps' or 'ras'"),
        ({"mesh": "a.stl", "mesh_spacing_mm": 0.1}, "input.mesh_spacing_mm: 0.1, must be greater"),
    ],
)
def test_recipes_that_mix_inputs_are_refused(section, complaint):
    with pytest.raises(Sim2RealError, match=complaint):
        validate(EndoscopyRecipe, {"simulator": "endoscopy", "input": section}, "recipe.yaml")


def test_a_mesh_alone_is_an_input():
    section = validate(EndoscopyRecipe, {"simulator": "endoscopy", "input": {"mesh": "a.stl"}}, "recipe.yaml").input
    assert section.mesh.name == "a.stl" and section.anatomy is None and section.volume is None
