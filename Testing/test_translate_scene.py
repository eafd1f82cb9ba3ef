"""Laparoscopic scenes without Slicer: how instruments move, what they look like, what a camera sees of them."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import rotation, transform_points, translation
from Sim2RealLib.recipe import parse_yaml, to_yaml, validate
from TranslateLib.fulcrum import MAX_INSERTION_MM, MAX_LEAN_DEG, FulcrumPose, aim, pose_from_shaft, shaft_from_pose
from TranslateLib.mrml.preview import GeometryPreview, Part
from TranslateLib.organs import examine
from TranslateLib.scene import CameraPlace, Laparoscope, LaparoscopicScene, Tool
from TranslateLib.shapes import JAW_MM, frustum_mesh, laparoscope_mesh, tool_meshes
from TranslateLib.translators import Translation, ValidityFigure, read_style_image

TROCAR = np.array([12.0, 140.0, -35.0])
EXACT = 1e-9
"""Double precision on numbers of a few hundred."""


def poses(count=50, seed=3):
    random = np.random.default_rng(seed)
    for pan, tilt, roll, depth in random.uniform([-75, -75, -180, 1], [75, 75, 180, 250], (count, 4)):
        yield FulcrumPose(pan, tilt, roll, depth)


def is_rigid(matrix):
    axes = matrix[:3, :3]
    return np.allclose(axes.T @ axes, np.eye(3), atol=EXACT) and np.linalg.det(axes) > 0


# ---- kinematics ----


def test_the_shaft_passes_through_the_trocar_and_points_where_its_angles_say():
    for pose in poses():
        frame = shaft_from_pose(TROCAR, pose)
        assert is_rigid(frame)
        assert frame[:3, 3] - pose.insertion_mm * frame[:3, 2] == pytest.approx(TROCAR, abs=EXACT)
        p, t = np.radians([pose.pan_deg, pose.tilt_deg])
        assert frame[:3, 2] == pytest.approx([-np.sin(p) * np.cos(t), -np.cos(p) * np.cos(t), np.sin(t)], abs=EXACT)


def test_words_for_directions():
    """In RAS the patient's left is −R, the back −A, the head +S."""
    straight = shaft_from_pose(np.zeros(3), FulcrumPose(insertion_mm=10.0))
    assert straight[:3, 3] == pytest.approx([0, -10, 0])  # towards the back
    assert straight[:3, 0] == pytest.approx([-1, 0, 0])  # the picture's right is the patient's left
    assert straight[:3, 1] == pytest.approx([0, 0, -1])  # its lower edge is towards the feet
    assert shaft_from_pose(np.zeros(3), FulcrumPose(pan_deg=30.0))[0, 2] == pytest.approx(-0.5)
    assert shaft_from_pose(np.zeros(3), FulcrumPose(tilt_deg=30.0))[2, 2] == pytest.approx(0.5)
    rolled = shaft_from_pose(np.zeros(3), FulcrumPose(roll_deg=90.0))
    assert rolled[:3, 0] == pytest.approx([0, 0, -1])  # clockwise: what was right is below now


def test_a_pose_is_found_again_from_its_frame():
    for pose in poses():
        found, problems = pose_from_shaft(shaft_from_pose(TROCAR, pose), TROCAR)
        assert problems == ()
        for name in ("pan_deg", "tilt_deg", "roll_deg", "insertion_mm"):
            assert getattr(found, name) == pytest.approx(getattr(pose, name), abs=1e-7)
    outside, _ = pose_from_shaft(shaft_from_pose(TROCAR, FulcrumPose(20.0, -10.0, 40.0, 0.0)), TROCAR)
    assert (outside.pan_deg, outside.tilt_deg, outside.roll_deg) == pytest.approx((20, -10, 40))


def test_a_tip_that_is_moved_stays_there_with_the_least_turn():
    random = np.random.default_rng(5)
    for pose in poses(10):
        moved = shaft_from_pose(TROCAR, FulcrumPose(pose.pan_deg / 2, pose.tilt_deg / 2, pose.roll_deg, 120.0))
        moved[:3, 3] += random.uniform(-15, 15, 3)
        found, problems = pose_from_shaft(moved, TROCAR)
        assert problems == ()
        settled = shaft_from_pose(TROCAR, found)
        assert settled[:3, 3] == pytest.approx(moved[:3, 3], abs=1e-7)

        def turn(roll_deg, settled=settled, moved=moved):
            other = settled[:3, :3] @ rotation(np.array([0.0, 0.0, 1.0]), roll_deg)[:3, :3]
            return Rotation.from_matrix(other.T @ moved[:3, :3]).magnitude()

        assert turn(0.0) < min(turn(0.5), turn(-0.5))


@pytest.mark.parametrize(
    ("direction", "depth", "words"),
    [
        ([-1.0, -0.1, 0.0], 100.0, ["pan 84° is beyond 75°"]),
        ([0.0, -0.1, -1.0], 100.0, ["tilt -84° is beyond -75°"]),
        ([0.0, -1.0, 0.0], 300.0, ["insertion 300 mm is beyond 250 mm"]),
        ([-1.0, 0.1, 0.0], 280.0, ["pan 96° is beyond 75°", "insertion 280 mm is beyond 250 mm"]),
    ],
)
def test_what_is_out_of_reach_is_put_back_and_said(direction, depth, words):
    unit = np.array(direction) / np.linalg.norm(direction)
    frame = translation(TROCAR + depth * unit)
    frame[:3, :3] = Rotation.align_vectors([unit], [[0.0, 0.0, 1.0]])[0].as_matrix()
    pose, problems = pose_from_shaft(frame, TROCAR)
    assert list(problems) == words
    assert abs(pose.pan_deg) <= MAX_LEAN_DEG
    assert pose.insertion_mm <= MAX_INSERTION_MM
    assert pose_from_shaft(shaft_from_pose(TROCAR, pose), TROCAR)[1] == ()


def test_a_tip_pulled_out_of_the_patient_comes_back_to_the_trocar():
    frame = shaft_from_pose(TROCAR, FulcrumPose(10.0, 20.0, 30.0, 0.0))
    pulled = frame @ translation([0.0, 0.0, -40.0])
    pose, problems = pose_from_shaft(pulled, TROCAR)
    assert problems == ("insertion -40 mm is beyond 0 mm",)
    assert shaft_from_pose(TROCAR, pose) == pytest.approx(frame, abs=1e-7)


@pytest.mark.parametrize("stretch", [np.diag([1.5, 1.0, 1.0, 1.0]), np.diag([-1.0, 1.0, 1.0, 1.0])])
def test_scaling_and_mirroring_are_taken_back_and_said(stretch):
    frame = shaft_from_pose(TROCAR, FulcrumPose(10.0, 20.0, 30.0, 100.0))
    pose, problems = pose_from_shaft(frame @ stretch, TROCAR)
    assert problems == ("an instrument can be moved and turned, not scaled or mirrored",)
    assert (pose.pan_deg, pose.tilt_deg, pose.insertion_mm) == pytest.approx((10, 20, 100))
    with pytest.raises(Sim2RealError, match="singular"):
        pose_from_shaft(np.diag([0.0, 1.0, 1.0, 1.0]), TROCAR)


@pytest.mark.parametrize("tip_angle_deg", [0, 30])
def test_aiming_puts_the_target_into_the_middle_of_the_picture(tip_angle_deg):
    scope, random = Laparoscope(tip_angle_deg=tip_angle_deg), np.random.default_rng(7)
    for _ in range(20):
        target = TROCAR + random.uniform([-60, -160, -60], [60, -120, 60])
        frame = shaft_from_pose(TROCAR, aim(TROCAR, target, 50.0, tip_angle_deg)) @ scope.shaft_from_camera()
        seen = transform_points(np.linalg.inv(frame), target)
        assert seen == pytest.approx([0, 0, 50], abs=1e-6)
        assert frame[2, 1] < 0  # up in the picture is towards the head
    with pytest.raises(Sim2RealError, match="out of reach"):
        aim(TROCAR, TROCAR + np.array([0.0, 10.0, 100.0]), 10.0)


def test_oblique_optics_look_30_degrees_off_the_shaft_downwards():
    camera = Laparoscope(tip_angle_deg=30).shaft_from_camera()
    assert is_rigid(camera)
    assert camera[:3, 2] == pytest.approx([0, 0.5, np.sqrt(0.75)])
    assert camera[:3, 3] == pytest.approx([0, 0, 0])
    assert Laparoscope().shaft_from_camera() == pytest.approx(np.eye(4))


def test_the_field_of_view_is_that_between_opposite_corners():
    camera = Laparoscope(field_of_view_deg=70.0, width_px=640, height_px=360).camera()
    first, second = camera.unproject(np.array([[0.0, 0.0], [640.0, 360.0]]))
    assert np.degrees(np.arccos(first @ second)) == pytest.approx(70.0)
    assert camera.unproject(np.array([320.0, 180.0])) == pytest.approx([0, 0, 1])


# ---- surfaces ----


def volume(mesh):
    """Positive where the normals lead outwards (divergence theorem)."""
    a, b, c = mesh.vertices_ras.astype(np.float64)[mesh.triangles].transpose(1, 0, 2)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0


def test_surfaces_are_closed_and_their_normals_lead_outwards():
    meshes = [laparoscope_mesh(0), laparoscope_mesh(30), frustum_mesh(Laparoscope().camera(), 60.0)]
    for kind in JAW_MM:
        meshes += tool_meshes(kind, 0.0).values()
    for mesh in meshes:
        assert mesh.is_watertight()
        assert volume(mesh) > 0
    # of a prism with 24 sides: 24/2 sin(2π/24) r² a length
    shaft = 12 * np.sin(np.pi / 12) * 25.0 * 310.0
    assert volume(laparoscope_mesh(30)) == pytest.approx(volume(laparoscope_mesh(0)), rel=1e-5)
    assert volume(laparoscope_mesh(0)) > shaft


def test_the_window_of_oblique_optics_is_at_right_angles_to_the_view():
    view = Laparoscope(tip_angle_deg=30).shaft_from_camera()[:3, 2]
    window = laparoscope_mesh(30).vertices_ras[24:48]
    assert window @ view == pytest.approx(0.0, abs=1e-5)  # float32


def test_the_frustum_is_what_the_picture_shows():
    camera = Laparoscope(width_px=640, height_px=360).camera()
    corners = frustum_mesh(camera, 60.0).vertices_ras[1:]
    assert camera.project(corners) == pytest.approx(np.array([[0, 0], [640, 0], [640, 360], [0, 360]]), abs=1e-3)
    assert corners[:, 2] == pytest.approx(60.0)


@pytest.mark.parametrize("kind", ["grasper", "scissors"])
def test_jaws_open_about_their_hinge(kind):
    """The closed jaws end at the tip; each end turns by half the opening about the hinge."""
    length = JAW_MM[kind]
    closed, opened = (tool_meshes(kind, degrees)["tool_tip"].vertices_ras for degrees in (0.0, 40.0))
    assert closed[:, 2].max() == pytest.approx(0.0, abs=1e-5)
    hinge = np.array([0.0, 0.0, -length])
    assert np.linalg.norm(opened - hinge, axis=1) == pytest.approx(np.linalg.norm(closed - hinge, axis=1), abs=1e-4)
    angle = np.degrees(
        np.arctan2(opened[:, 1], opened[:, 2] + length) - np.arctan2(closed[:, 1], closed[:, 2] + length)
    )
    far = closed[:, 2] > -1.0
    assert np.abs(angle[far]) == pytest.approx(20.0, abs=1e-3)
    assert (angle[far] * closed[far, 1] >= 0).all()  # apart, not into each other


# ---- the preview ----


def ball(center, radius):
    import vtk

    source = vtk.vtkSphereSource()
    source.SetCenter(*center)
    source.SetRadius(radius)
    source.SetPhiResolution(120)
    source.SetThetaResolution(120)
    source.Update()
    return source.GetOutput()


@pytest.fixture
def drawer():
    drawer = GeometryPreview()
    yield drawer
    drawer.close()


BALLS = {5: ((0.0, 0.0, 0.0), 40.0), 300: ((30.0, 60.0, 25.0), 12.0)}
"""Centre and radius by label; the small one hides part of the large one."""


def test_each_pixel_has_the_label_that_its_ray_meets_first(drawer):
    """Against the quadratic equation of ray and ball; facets of the balls and edges of pixels leave the outlines."""
    camera = Laparoscope(width_px=320, height_px=200).camera()
    trocar = np.array([50.0, 170.0, -30.0])
    frame = shaft_from_pose(trocar, aim(trocar, np.zeros(3), 110.0)) @ rotation(np.array([0.0, 0.0, 1.0]), 25.0)
    move = translation([3.0, -2.0, 5.0])
    parts = [
        Part(label, (200, 60, 50), ball(np.array(center) - [3.0, -2.0, 5.0], radius), move)
        for label, (center, radius) in BALLS.items()
    ]
    labels = drawer.draw(parts, camera, frame).labels
    rays = camera.unproject(camera.pixel_centers()) @ frame[:3, :3].T
    nearest, expected = np.full(labels.shape, np.inf), np.zeros(labels.shape, np.uint16)
    for label, (center, radius) in BALLS.items():
        offset = frame[:3, 3] - np.array(center)
        along = rays @ offset
        inside = along**2 - offset @ offset + radius**2
        depth = np.where(inside > 0, -along - np.sqrt(np.maximum(inside, 0)), np.inf)
        expected[depth < nearest] = label
        nearest = np.minimum(nearest, depth)
    assert set(np.unique(expected)) == {0, 5, 300}
    assert (labels != expected).mean() < 0.004
    assert labels.dtype == np.uint16


def test_a_known_vertex_is_seen_at_its_pixel(drawer):
    """The centre of a small ball before a large one, for the scope's own projection."""
    scope = Laparoscope(tip_angle_deg=30, width_px=321, height_px=201)
    trocar, point = np.array([20.0, 160.0, 10.0]), np.array([8.0, 45.0, -6.0])
    frame = shaft_from_pose(trocar, FulcrumPose(-6.0, 2.0, 15.0, 60.0)) @ scope.shaft_from_camera()
    parts = [
        Part(1, (90, 90, 90), ball((0.0, 0.0, 0.0), 35.0), np.eye(4)),
        Part(7, (255, 255, 255), ball(point, 2.0), np.eye(4)),
    ]
    seen = drawer.draw(parts, scope.camera(), frame)
    column, row = scope.camera().project(transform_points(np.linalg.inv(frame), point))
    rows, columns = np.nonzero(seen.labels == 7)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((column, row), abs=0.3)  # a ball of few pixels
    assert seen.labels[int(row), int(column)] == 7
    assert seen.picture[int(row), int(column)].min() > 150  # white under a light at the camera
    assert seen.picture[0, 0].tolist() == [0, 0, 0]


def test_a_preview_forgets_what_it_drew_before(drawer):
    camera, frame = Laparoscope(width_px=64, height_px=64).camera(), translation([0.0, 0.0, -100.0])
    part = Part(3, (255, 0, 0), ball((0.0, 0.0, 0.0), 20.0), np.eye(4))
    first = drawer.draw([part], camera, frame)
    assert (drawer.draw([], camera, frame).labels == 0).all()
    for _ in range(2):
        again = drawer.draw([part], camera, frame)
        np.testing.assert_array_equal(first.picture, again.picture)
        np.testing.assert_array_equal(first.labels, again.labels)


# ---- scenes as files ----


def a_scene():
    return LaparoscopicScene(
        laparoscope=Laparoscope(75.0, 30, 640, 360),
        trocars={"camera": (1.5, 150.0, -20.0), "right hand": (80.0, 130.0, 10.0)},
        camera=CameraPlace("camera", FulcrumPose(-10.0, 25.0, 5.0, 90.0)),
        tools=(Tool("scissors", "right hand", FulcrumPose(20.0, 10.0, 0.0, 110.0), 35.0),),
        pneumoperitoneum_mmhg=11.0,
    )


def test_a_scene_is_the_same_after_a_file(tmp_path):
    text = to_yaml(a_scene(), tmp_path)
    assert validate(LaparoscopicScene, parse_yaml(text.encode(), "scene"), "scene") == a_scene()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"camera": {"trocar": "navel", "pose": {}}}, "navel"),
        ({"laparoscope": {"tip_angle_deg": 45}}, "tip_angle_deg"),
        ({"tools": [{"kind": "hook", "trocar": "camera", "pose": {}, "opening_deg": 10}]}, "does not open"),
        ({"tools": [{"kind": "laser", "trocar": "camera", "pose": {}}]}, "laser"),
        ({"camera": {"trocar": "camera", "pose": {"pan_deg": 80}}}, "pan_deg"),
        ({"gas": 3}, "gas"),
    ],
)
def test_a_wrong_scene_is_refused_by_name(tmp_path, change, words):
    content = parse_yaml(to_yaml(a_scene(), tmp_path).encode(), "scene") | change
    with pytest.raises(Sim2RealError, match=words):
        validate(LaparoscopicScene, content, "scene.yaml")


# ---- findings, figures, styles ----


def test_findings_say_what_is_missing_and_doubtful():
    whole = examine({"liver": 1500.0, "gallbladder": 35.0, "colon": float("nan")})
    assert whole.usable
    assert whole.doubts == ()
    assert [text.split(":")[0] for text in whole.missing] == ["abdominal wall, fat and falciform ligament"]
    cut = examine({"liver": 300.0})
    assert "300 ml" in cut.doubts[0]
    assert any(text.startswith("gallbladder") for text in cut.missing)
    assert not examine({"spleen": 200.0}).usable


def test_a_translation_holds_if_no_figure_fails():
    good, bad = ValidityFigure("MS-SSIM", 0.9, 0.8), ValidityFigure("warp", 3.0, 2.0, higher_is_better=False)
    unknown = ValidityFigure("Dice", None, 0.7)
    image = np.zeros((2, 2, 3), np.uint8)
    assert Translation(image, (good, unknown)).accepted is True
    assert Translation(image, (good, bad)).accepted is False
    assert Translation(image, (unknown,)).accepted is None


def test_a_style_image_is_read_in_colour_or_refused(tmp_path):
    Image.new("L", (5, 4), 77).save(tmp_path / "grey.png")
    assert (read_style_image(tmp_path / "grey.png") == np.full((4, 5, 3), 77)).all()
    (tmp_path / "text.png").write_text("no picture")
    for name in ("text.png", "missing.png", "."):
        with pytest.raises(Sim2RealError, match="no image"):
            read_style_image(tmp_path / name)
