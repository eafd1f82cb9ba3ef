"""The implicit wall of a generated colon, its mesh, its polyps and their labels."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from DepthSimLib.colon import Colon, ColonShape, PolypPlan, colon_mesh, generate_colon, label_classes, label_points
from DepthSimLib.colon.anatomy import GAS_VOLUME_ML, SEGMENTS
from DepthSimLib.colon.lesions import lesion_shares
from DepthSimLib.colon.shape import PARIS_CLASSES
from DepthSimLib.colon.valve import APPENDIX_LABEL, VALVE_LABEL
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import translation
from Sim2RealLib.mesh import TriangleMesh
from Sim2RealLib.volume import Volume

SEED = 6
SPACING_MM = 1.8


@pytest.fixture(scope="module")
def colon() -> Colon:
    return generate_colon(ColonShape(seed=SEED, polyps=PolypPlan(count=9, size_mm=(8.0, 16.0))))


@pytest.fixture(scope="module")
def mesh(colon: Colon) -> TriangleMesh:
    return colon_mesh(colon, SPACING_MM)


def normals(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Middles and unit normals of the triangles, and of slivers none."""
    corners = mesh.vertices_ras[mesh.triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(normal, axis=1)
    keep = size > 0.05
    return corners.mean(axis=1)[keep], normal[keep] / size[keep, None]


def gradient(colon: Colon, points: np.ndarray) -> np.ndarray:
    step = 0.05 * np.eye(3)
    return np.stack([(colon.lumen_distance(points + e) - colon.lumen_distance(points - e)) / 0.1 for e in step], axis=1)


def test_the_mesh_is_closed_and_lies_on_the_analytic_wall(colon: Colon, mesh: TriangleMesh) -> None:
    """Newton's method leaves float32 rounding; a few vertices stay in creases where the field has no gradient."""
    assert mesh.is_watertight()
    off = np.abs(colon.lumen_distance(mesh.vertices_ras))
    assert np.quantile(off, 0.99) < 1e-3 and np.quantile(off, 0.999) < 0.05 and off.max() < 0.5


def test_normals_point_into_the_lumen(colon: Colon, mesh: TriangleMesh) -> None:
    middles, normal = normals(mesh)
    some = np.arange(0, len(middles), 97)
    slope = np.einsum("ij,ij->i", gradient(colon, middles[some]), normal[some])
    assert np.mean(slope < 0.0) > 0.995


def test_its_volume_is_that_of_a_colon_at_colonography(mesh: TriangleMesh) -> None:
    a, b, c = np.moveaxis(mesh.vertices_ras[mesh.triangles].astype(np.float64), 1, 0)
    volume_ml = -np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6000.0
    means, spreads = np.array(GAS_VOLUME_ML).T
    assert (means - 2.0 * spreads).min() < volume_ml < (means + 2.0 * spreads).max()


def test_the_field_is_a_distance_close_to_the_wall(colon: Colon, mesh: TriangleMesh) -> None:
    """Beside the mesh, within 2 mm of the wall, against the distance to it by nearest triangle middles (their own
    error, for 1 mm triangles 2 mm away, is below 0.1 mm); fillets make the field at most a third too short."""
    rng = np.random.default_rng(1)
    middles, normal = normals(mesh)
    some = rng.integers(0, len(middles), 20_000)
    size = np.linalg.norm(gradient(colon, middles[some]), axis=1)
    assert abs(np.median(size) - 1.0) < 0.1
    assert np.quantile(size, 0.01) > 0.55 and np.quantile(size, 0.99) < 1.3
    points = middles[some] + rng.uniform(-2.0, 2.0, (len(some), 1)) * normal[some]
    found = np.abs(colon.lumen_distance(points))
    away, _ = cKDTree(np.vstack([middles, mesh.vertices_ras])).query(points)
    far = away > 1.0
    ratio = found[far] / away[far]
    assert abs(np.median(ratio) - 1.0) < 0.1 and np.quantile(ratio, 0.99) < 1.35 and np.quantile(ratio, 0.05) > 0.6


def test_the_midline_runs_inside_from_the_anus_to_the_caecum(colon: Colon, mesh: TriangleMesh) -> None:
    line = colon.centerline
    assert np.all(colon.lumen_distance(line.points_ras) < -1.0)
    order = [SEGMENTS.index(name) for name in line.segments]
    assert order[0] == 0 and order[-1] == 5 and set(np.diff(order)) == {0, 1}
    nearest, _ = cKDTree(mesh.vertices_ras).query(line.points_ras)
    assert np.median(np.abs(nearest - line.radius_mm)) < 0.5
    assert np.quantile(line.radius_mm - nearest, 0.99) < 3.0


@pytest.mark.parametrize("seed", [9, 45])
def test_an_endoscope_gets_through(seed: int) -> None:
    """3 mm is the nearest that its lens comes to the wall. In seed 9 a pedunculated polyp once stood in the way, in
    seed 45 a fold of the rectum."""
    assert generate_colon(ColonShape(seed=seed)).centerline.radius_mm.min() > 3.5


def test_loops_do_not_touch(colon: Colon) -> None:
    """Neighbouring voxels that are both in the lumen are on the same stretch of the midline."""
    line = colon.centerline
    lower, upper = line.points_ras.min(axis=0) - 30.0, line.points_ras.max(axis=0) + 30.0
    axes = [np.arange(lower[i], upper[i], 3.0) for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    arc_length = colon.evaluate(grid.reshape(-1, 3))[1].reshape(grid.shape[:3])
    distance = colon.bare_distance(grid.reshape(-1, 3)).reshape(grid.shape[:3])  # without the ileum
    for axis in range(3):
        ahead, behind = (np.roll(distance, shift, axis) < 0.0 for shift in (0, -1))
        jump = np.abs(np.roll(arc_length, -1, axis) - arc_length)[ahead & behind]
        assert jump.max() < 60.0


def test_the_same_seed_gives_the_same_colon(colon: Colon) -> None:
    again = generate_colon(colon.shape)
    points = colon.curve.points_ras[::10] + 9.0
    assert np.array_equal(again.lumen_distance(points), colon.lumen_distance(points))
    other = generate_colon(ColonShape(seed=SEED + 1, polyps=PolypPlan(count=0)))
    assert abs(other.curve.length_mm - colon.curve.length_mm) > 0.1


def test_polyps_follow_the_paris_classification(colon: Colon) -> None:
    """A 0-IIa is lower than the closed cups of a forceps, 2.5 mm, a 0-Is higher; IIc and III are depressed."""
    assert [polyp.paris_class for polyp in colon.polyps] == [*PARIS_CLASSES, *PARIS_CLASSES[:2]]
    assert [polyp.id for polyp in colon.polyps] == list(range(9))
    height = {polyp.paris_class: polyp.height_mm for polyp in colon.polyps}
    assert height["III"] < height["0-IIc"] < 0.0 < height["0-IIb"] < height["0-IIa"] < 2.5 < height["0-Is"]
    for polyp in colon.polyps:
        start, stop = colon.bounds_mm[SEGMENTS.index(polyp.segment) :][:2]
        assert start <= polyp.arc_length_mm <= stop


@pytest.mark.slow
def test_polyps_measure_what_they_claim(colon: Colon) -> None:
    """Extent of the labelled part of the mesh, and how far it rises above its foot, or the wall without it."""
    mesh = colon_mesh(colon, 1.0)
    labels = label_points(colon, mesh.vertices_ras, margin_mm=0.2)
    assert {polyp.label for polyp in colon.polyps} | {VALVE_LABEL, APPENDIX_LABEL} <= set(labels)
    assert set(labels) <= {entry.id for entry in label_classes(colon)}
    for polyp in colon.polyps:
        own = mesh.vertices_ras[labels == polyp.label].astype(np.float64)
        extent = np.linalg.norm(own[:, None] - own[None, ::3], axis=-1).max()
        if polyp.paris_class != "0-Ip":  # longer with its stalk than its head is wide
            assert extent == pytest.approx(polyp.size_mm, abs=0.15 * polyp.size_mm), polyp
        foot = next(feature.foot for feature in colon.features if feature.label == polyp.label)
        rise = foot.local(own)[:, 2] if polyp.paris_class in ("0-Ip", "0-Isp") else -colon.bare_distance(own)
        reached = rise.min() if polyp.height_mm < 0.0 else rise.max()
        assert reached == pytest.approx(polyp.height_mm, abs=0.1 * abs(polyp.height_mm) + 0.2), polyp


def test_tumour_is_in_lesions_but_not_in_the_stalk_that_normal_mucosa_covers(colon: Colon) -> None:
    """A voxel's share of tumour is 0 or 1 but for a rim of a millimetre."""
    mesh = colon_mesh(colon, SPACING_MM)
    labels = label_points(colon, mesh.vertices_ras, margin_mm=0.2)
    for polyp in colon.polyps[:7]:
        foot = next(feature.foot for feature in colon.features if feature.label == polyp.label)
        lower = foot.point_ras - 30.0
        around = Volume(np.zeros((121, 121, 121), np.int16), translation(lower) @ np.diag([0.5, 0.5, 0.5, 1.0]))
        shares = lesion_shares(colon, around)
        near = np.linalg.norm(mesh.vertices_ras - foot.point_ras, axis=1) < 29.0
        i, j, k = np.rint((mesh.vertices_ras[near] - lower) / 0.5).astype(int).T
        share, own = shares[k, j, i] / 255.0, labels[near] == polyp.label
        height = foot.local(mesh.vertices_ras[near].astype(np.float64))[:, 2]
        assert share[~own].mean() < 0.02, polyp
        if polyp.paris_class == "0-Ip":
            assert share[own & (height > 0.8 * polyp.height_mm)].min() == 1.0
            assert share[own & (height < 0.2 * polyp.height_mm)].max() == 0.0
        else:
            assert share[own].mean() > 0.8, polyp


def test_polyps_that_do_not_fit_are_refused() -> None:
    plan = PolypPlan(count=30, classes=("0-Is",), size_mm=(30.0, 30.0))
    with pytest.raises(Sim2RealError, match="fewer or smaller"):
        generate_colon(ColonShape(seed=1, diameter_factor=0.6, polyps=plan))


def test_a_mesh_too_coarse_for_a_colon_is_refused(colon: Colon) -> None:
    with pytest.raises(Sim2RealError, match="spacing"):
        colon_mesh(colon, 5.0)
