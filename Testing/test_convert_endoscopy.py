"""C3VD and SimCol3D layouts, read back by readers written here from the published descriptions alone.

The scene is the inside of a ball, whose depth, normals and flow are closed forms. A point that a reader finds with the
file's pose, intrinsics and depth lies on the ball only if pose, pixel convention and kind of depth are all understood.
"""

import contextlib
import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from DepthSimLib.endoscope.presets import ENDOSCOPES
from Sim2RealLib.cameras import Camera, PinholeCamera, ScaramuzzaCamera
from Sim2RealLib.cameras.records import MODELS
from Sim2RealLib.convert import convert_dataset
from Sim2RealLib.convert.endoscopy import FORMULAS, frame_numbers
from Sim2RealLib.dataset.writer import create_or_resume
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.geometry import invert_rigid, rotation, transform_points, translation
from Sim2RealLib.simulation import Channel, DatasetHeader, Frame

CENTER, RADIUS = np.array([12.0, -25.0, 140.0]), 110.0
CHANNELS = {
    "display": Channel("png", "uint8", "1", "what the screen shows"),
    "depth": Channel("tif", "float32", "mm", "ray length", invalid=0.0),
    "normals": Channel("tif", "float32", "1", "unit normal in the camera frame", invalid=0.0),
    "flow": Channel("tif", "float32", "px", "way to its place in the frame before", invalid=-1e5),
    "hidden": Channel("png", "uint8", "1", "255: hidden or out of view in the frame before", scale=1 / 255),
    "labels": Channel("png", "uint8", "1", "class of the surface", invalid=0.0),
}
PINHOLE = PinholeCamera(36.0, 38.0, 35.3, 27.9, 72, 56)
OLYMPUS = ScaramuzzaCamera(
    *(679.044839263292, 543.475887548343, 1350, 1080, 769.243600037458),
    *(-8.12770624150226e-4, 6.25674244578925e-7, -1.19662182144280e-9),
    *(0.999986882249990, 0.00288273829525059, -0.00296316513429569),
).scaled(0.06)
"""C3VD's colonoscope, whose corners see 98° off the axis, at a small size."""

CAMERAS = {"pinhole": PINHOLE, "scaramuzza": OLYMPUS}
MISSING = (slice(20, 26), slice(30, 41))
"""Pixels in which nothing is seen."""

HIDDEN_BEFORE = (slice(40, 44), slice(20, 30))


def pose(index: int) -> np.ndarray:
    """world_from_camera; the third frame comes after a jump that moves much of the image by more than 20 px."""
    steps = ((0.0, [0, 0, 0]), (3.0, [2.0, -1.5, 3.0]), (38.0, [4.0, 1.0, 9.0]))
    turn_deg, step = steps[index]
    turned = rotation(np.array([2.0, -1.0, 2.0]) / 3, 130.0 + turn_deg) @ rotation(np.array([0.6, 0.8, 0.0]), 40.0)
    return translation(CENTER + np.array([22.0, 9.0, -31.0]) + step) @ turned


def scene(camera: Camera, index: int) -> Frame:
    centres = camera.pixel_centers()
    rays, world_from_camera = camera.unproject(centres), pose(index)
    center = transform_points(invert_rigid(world_from_camera), CENTER)
    along = rays @ center
    depth = along + np.sqrt(along**2 - (center @ center - RADIUS**2))
    points = rays * depth[..., None]
    flow = np.full_like(centres, np.nan)
    if index > 0:
        earlier = invert_rigid(pose(index - 1)) @ world_from_camera
        flow = camera.project(transform_points(earlier, points)) - centres
    out_of_view = (index > 0) & ~camera.contains(centres + flow)
    out_of_view[HIDDEN_BEFORE] = index > 0
    images = {
        "display": (np.indices(depth.shape).sum(0) * np.array([1, 2, 3])[:, None, None] % 256).astype(np.uint8),
        "depth": stored(depth, 0.0),
        "normals": np.moveaxis(stored((center - points) / RADIUS, 0.0), -1, 0).copy(),
        "flow": np.moveaxis(stored(flow, -1e5), -1, 0).copy(),
        "hidden": np.where(out_of_view, 255, 0).astype(np.uint8),
        "labels": 1 + 100 * (centres[..., 0] > 30.0 + centres[..., 1]).astype(np.uint8),
    }
    entry = {"model": camera.model, "parameters": camera.parameters, "camera_from_world": invert_rigid(pose(index))}
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    return Frame(images, {"camera": entry | size})


def stored(image: np.ndarray, invalid: float) -> np.ndarray:
    image = image.copy()
    image[MISSING] = np.nan
    return np.where(np.isfinite(image), image, invalid).astype(np.float32)


def export(folder, frames: dict[int, Frame], channels: dict[str, Channel] = CHANNELS, **extra):
    inputs = ({"role": "anatomy", "name": "ball", "source": "closed form", "license": "Apache-2.0"},)
    header = DatasetHeader("ball", len(frames) + 1, (), channels, inputs, extra)
    with create_or_resume(folder, header, "simulator: ball\n") as writer:
        for index, frame in frames.items():
            writer.commit(index, Frame({name: frame.channels[name] for name in channels}, frame.record))
    return folder


def convert(folder, to: str, out):
    assert [done for done, _ in convert_dataset(folder, to, out)] == [1, 2, 3]
    return out


@pytest.fixture(scope="module", params=CAMERAS)
def camera(request) -> Camera:
    return CAMERAS[request.param]


@pytest.fixture(scope="module")
def frames(camera) -> list[Frame]:
    return [scene(camera, index) for index in range(3)]


@pytest.fixture(scope="module")
def c3vd(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("endoscopy")
    return convert(export(folder / "dataset", dict(enumerate(frames))), "c3vd", folder / "c3vd")


@pytest.fixture(scope="module")
def pinhole_frames() -> list[Frame]:
    return [scene(PINHOLE, index) for index in range(3)]


@pytest.fixture(scope="module")
def simcol(pinhole_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("endoscopy")
    return convert(export(folder / "dataset", dict(enumerate(pinhole_frames))), "simcol", folder / "simcol")


def test_coco_has_what_the_label_map_shows_of_each_class(pinhole_frames, tmp_path):
    folder = export(tmp_path / "dataset", dict(enumerate(pinhole_frames)))
    out = convert(folder, "coco", tmp_path / "coco")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(out / "annotations.json"))
    for image_id, frame in enumerate(pinhole_frames):
        labels = frame.channels["labels"]
        annotations = coco.loadAnns(coco.getAnnIds(image_id))
        assert [annotation["category_id"] for annotation in annotations] == [1, 101]
        for annotation in annotations:
            region = labels == annotation["category_id"]
            np.testing.assert_array_equal(coco.annToMask(annotation), region)
            rows, columns = np.nonzero(region)
            left, top = columns.min(), rows.min()
            assert annotation["bbox"] == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]


# What the descriptions say, in the terms of the one who reads the files.


def read(path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return image[..., ::-1] if image.ndim == 3 else image  # OpenCV gives B, G, R


def c3vd_depth(folder, index: int) -> np.ndarray:
    """mm along z; 0 and 65535 are no depths."""
    value = read(folder / f"{index:04d}_depth.tiff")
    assert value.dtype == np.uint16
    return np.where((value == 0) | (value == 65535), np.nan, value / 65535 * 100)


def c3vd_flow(folder, index: int) -> np.ndarray:
    value = read(folder / f"{index:04d}_flow.tiff")
    assert value.dtype == np.uint16
    return np.where((value[..., :2] == 0).all(axis=-1, keepdims=True), np.nan, value[..., :2] / 65535 * 40 - 20)


def c3vd_poses(folder) -> list[np.ndarray]:
    """Camera to world; the numbers of a line go down the columns, so that the position comes last."""
    poses = []
    for line in (folder / "pose.txt").read_text().splitlines():
        numbers = [float(word) for word in line.split(",")]
        assert len(numbers) == 16
        poses.append(np.array([numbers[0:4], numbers[4:8], numbers[8:12], numbers[12:16]]).T)
    return poses


def rays_at(positions: np.ndarray, record: dict) -> np.ndarray:
    """Unit rays through positions counted from the centre of the top-left pixel."""
    offset = positions - [record["cx_px"], record["cy_px"]]
    if record["model"] == "pinhole":
        return unit(*np.moveaxis(offset / [record["fx_px"], record["fy_px"]], -1, 0), 1.0)
    u, v = np.moveaxis(offset @ np.linalg.inv([[record["c"], record["d"]], [record["e"], 1.0]]).T, -1, 0)
    rho = np.hypot(u, v)
    height = record["a0"] + record["a2"] * rho**2 + record["a3"] * rho**3 + record["a4"] * rho**4
    return unit(u, v, height)


def unit(*components) -> np.ndarray:
    vectors = np.stack(np.broadcast_arrays(*components), axis=-1)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def pixels(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.stack([columns, rows], axis=-1).astype(float)


def world_points(pose: np.ndarray, rays: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Where the rays have this depth along z."""
    return (rays * (depth / rays[..., 2])[..., None]) @ pose[:3, :3].T + pose[:3, 3]


def intrinsics(folder) -> dict:
    return json.loads((folder / "camera.json").read_text())["camera"]


# C3VD


def test_c3vd_points_lie_on_the_ball(c3vd):
    for index, pose_read in enumerate(c3vd_poses(c3vd)):
        depth = c3vd_depth(c3vd, index)
        rays = rays_at(pixels(depth.shape), intrinsics(c3vd))
        seen = np.isfinite(depth)
        assert 0.3 < seen.mean() < 0.99
        points = world_points(pose_read, rays[seen], depth[seen])
        # Half a step of depth moves a point that much along its ray; 1e-4 mm is the float32 of the source.
        allowed = 100 / 65535 / 2 / rays[seen][:, 2] + 1e-4
        assert (np.abs(np.linalg.norm(points - CENTER, axis=-1) - RADIUS) < allowed).all()


def test_c3vd_poses_are_those_of_the_scene(c3vd):
    np.testing.assert_allclose(c3vd_poses(c3vd), [pose(index) for index in range(3)], atol=1e-8)
    entries = json.loads((c3vd / "camera.json").read_text())["poses"]
    assert [entry["frame"] for entry in entries] == ["0000", "0001", "0002"]
    np.testing.assert_allclose([entry["world_from_camera"] for entry in entries], c3vd_poses(c3vd), atol=1e-8)


def test_c3vd_depth_is_z_rounded_with_its_limits_marked(c3vd, camera, frames):
    cosine = camera.unproject(camera.pixel_centers())[..., 2]
    for index, frame in enumerate(frames):
        value = read(c3vd / f"{index:04d}_depth.tiff").astype(float)
        z = frame.channels["depth"] * cosine
        inside = (z > 0.01) & (z < 99.99)
        assert np.abs(value[inside] / 65535 * 100 - z[inside]).max() <= 100 / 65535 / 2 * 1.0001
        assert (value[z >= 100] == 65535).all()
        assert (z >= 100).any()
        assert (value[z <= 0] == 0).all()
        assert (value[MISSING] == 0).all()
        valid = read(c3vd / f"{index:04d}_depth_valid.png")
        np.testing.assert_array_equal(valid == 255, np.isfinite(c3vd_depth(c3vd, index)))
        assert set(np.unique(valid)) == {0, 255}
    assert (cosine[0, 0] < 0) == (camera.model == "scaramuzza")


def test_c3vd_normals_are_unit_and_meet_the_rays(c3vd, camera, frames):
    for index, frame in enumerate(frames):
        value = read(c3vd / f"{index:04d}_normals.tiff")
        assert value.dtype == np.uint16
        assert (value[MISSING] == 0).all()
        seen = value.any(axis=-1)
        assert seen.sum() == seen.size - 6 * 11
        normals = value[seen] / 65535 * 2 - 1
        expected = np.moveaxis(frame.channels["normals"], 0, -1)[seen]
        assert np.abs(normals - expected).max() <= 1 / 65535 * 1.01
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1.0, atol=3e-5)
        # The ball curves towards a camera inside: every ray goes against the normal.
        assert ((camera.unproject(camera.pixel_centers())[seen] * normals).sum(-1) < 0).all()


def test_c3vd_flow_leads_to_the_same_point_one_frame_before(c3vd):
    poses, record = c3vd_poses(c3vd), intrinsics(c3vd)
    assert not (c3vd / "0000_flow.tiff").exists()
    for index in (1, 2):
        depth, flow = c3vd_depth(c3vd, index), c3vd_flow(c3vd, index)
        both = np.isfinite(depth) & np.isfinite(flow).all(axis=-1)
        assert both.mean() > 0.1
        here = pixels(depth.shape)
        seen = rays_at(here, record)[both]
        points = world_points(poses[index], seen, depth[both])
        # What was seen there, found with the frame before alone: the ray meets the ball once, going out.
        rays = rays_at((here + flow)[both], record) @ poses[index - 1][:3, :3].T
        offset = poses[index - 1][:3, 3] - CENTER
        along = rays @ offset
        before = poses[index - 1][:3, 3] + rays * (np.sqrt(along**2 - offset @ offset + RADIUS**2) - along)[:, None]
        # Half a step of depth, and half a step of flow: 4e-4 px are 1e-5 rad, 0.01 mm on a wall met at a slant.
        assert (np.linalg.norm(points - before, axis=-1) < 100 / 65535 / 2 / seen[:, 2] + 0.01).all()


def test_c3vd_flow_is_given_where_it_can_be_and_only_there(c3vd, camera, frames):
    for index in (1, 2):
        given = np.isfinite(c3vd_flow(c3vd, index)).all(axis=-1)
        np.testing.assert_array_equal(read(c3vd / f"{index:04d}_flow_valid.png") == 255, given)
        flow = np.moveaxis(frames[index].channels["flow"].astype(float), 0, -1)
        exists = (np.abs(flow) <= 20).all(axis=-1) & (frames[index].channels["hidden"] == 0)
        np.testing.assert_array_equal(given, exists)
        assert not given[HIDDEN_BEFORE].any()
        assert np.abs(c3vd_flow(c3vd, index)[given] - flow[given]).max() <= 40 / 65535 / 2 * 1.01
    fast = (np.abs(flow) > 20).any(axis=-1) & camera.contains(camera.pixel_centers() + flow)
    assert fast.any()


def test_c3vd_copies_pictures_and_calls_hidden_by_its_own_name(c3vd, frames):
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(
            read(c3vd / f"{index:04d}_color.png"), np.moveaxis(frame.channels["display"], 0, -1)
        )
        np.testing.assert_array_equal(read(c3vd / f"{index:04d}_hidden.png"), frame.channels["hidden"])
    assert not list(c3vd.glob("*occlusion*"))


def test_c3vd_says_what_it_leaves_out(c3vd, camera, frames):
    text = (c3vd / "README.txt").read_text()
    z = np.stack([frame.channels["depth"] for frame in frames]) * camera.unproject(camera.pixel_centers())[..., 2]
    seen, behind, far = (np.count_nonzero(which) for which in (z != 0, z < 0, z > 100 * (1 - 0.5 / 65535)))
    text = " ".join(text.split())
    assert f"Of {seen} pixels that see a surface, {behind} are 90 degrees and more" in text
    assert f"and {far} are 100 mm away or more" in text
    assert "place in this layout: labels." in text
    assert "source: closed form, license: Apache-2.0" in text


def test_c3vd_without_optional_channels(pinhole_frames, tmp_path):
    channels = {name: CHANNELS[name] for name in ("display", "depth")}
    export(tmp_path / "dataset", dict(enumerate(pinhole_frames)), channels)
    out = convert(tmp_path / "dataset", "c3vd", tmp_path / "out")
    assert {path.name.partition("_")[2] for path in out.glob("0001_*")} == {
        "color.png",
        "depth.tiff",
        "depth_valid.png",
    }
    assert "occlusion, normals, flow, hidden." in (out / "README.txt").read_text()


def test_c3vd_keeps_a_normal_along_the_axis(pinhole_frames, tmp_path):
    ahead = np.zeros_like(pinhole_frames[0].channels["normals"])
    ahead[2, :, :30] = -1.0
    frames = [replace(frame, channels={**frame.channels, "normals": ahead}) for frame in pinhole_frames]
    export(tmp_path / "dataset", dict(enumerate(frames)))
    value = read(convert(tmp_path / "dataset", "c3vd", tmp_path / "out") / "0000_normals.tiff")
    np.testing.assert_allclose(value[:, :30] / 65535 * 2 - 1, np.broadcast_to([0, 0, -1], (56, 30, 3)), atol=2e-5)
    assert (value[:, 30:] == 0).all()


def test_files_of_long_sequences_stay_in_order():
    assert frame_numbers(3) == ["0000", "0001", "0002"]
    assert frame_numbers(10_001) == sorted(frame_numbers(10_001))


def test_every_camera_model_is_explained():
    assert set(FORMULAS) == set(MODELS)


# SimCol3D


def simcol_depth_cm(folder, index: int) -> np.ndarray:
    value = read(folder / f"Frames_Sim2Real1/Depth_{index:04d}.png")
    assert value.dtype == np.uint16
    return value / 256 / 255 * 20


def unity_lines(folder, name: str) -> np.ndarray:
    lines = (folder / f"{name}_Sim2Real1.txt").read_text().splitlines()
    return np.array([[float(word) for word in line.split()] for line in lines])


def turned(quaternion_xyzw: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """q v q*, by the cross products of its closed form."""
    axis, w = quaternion_xyzw[:3], quaternion_xyzw[3]
    return vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector)


def simcol_poses(folder) -> list[np.ndarray]:
    """TM P TM, in cm."""
    flip, poses = np.diag([1.0, -1.0, 1.0, 1.0]), []
    lines = (unity_lines(folder, name) for name in ("SavedPosition", "SavedRotationQuaternion"))
    for position, quaternion in zip(*lines, strict=True):
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([turned(quaternion, axis) for axis in np.eye(3)], axis=-1)
        matrix[:3, 3] = position
        poses.append(flip @ matrix @ flip)
    return poses


def simcol_rays(folder, shape: tuple[int, int]) -> np.ndarray:
    """Positions in cam.txt count from the corner: SimCol3D's own has 237.5 for the middle of 475 px."""
    matrix = np.loadtxt(folder / "cam.txt")
    assert matrix.shape == (3, 3)
    x, y = np.moveaxis(pixels(shape) + 0.5, -1, 0)
    return unit(*np.einsum("ij,jrc->irc", np.linalg.inv(matrix), [x, y, np.ones(shape)]))


def test_simcol_points_lie_on_the_ball(simcol):
    for index, pose_read in enumerate(simcol_poses(simcol)):
        depth = simcol_depth_cm(simcol, index)
        seen = read(simcol / f"Frames_Sim2Real1/Valid_{index:04d}.png") == 255
        assert seen.sum() == seen.size - 6 * 11
        rays = simcol_rays(simcol, depth.shape)[seen]
        points = 10 * world_points(pose_read, rays, depth[seen])
        allowed = 200 / 65280 / 2 / rays[:, 2] + 1e-4
        assert (np.abs(np.linalg.norm(points - CENTER, axis=-1) - RADIUS) < allowed).all()


def test_simcol3d_s_own_camera_keeps_its_numbers(tmp_path):
    """cam.txt of the challenge, https://github.com/anitarau/simcol: 227.6 0 227.6 / 0 237.5 237.5 / 0 0 1."""
    camera = ENDOSCOPES["simcol3d"].camera
    export(tmp_path / "dataset", {0: scene(camera, 0)})
    list(convert_dataset(tmp_path / "dataset", "simcol", tmp_path / "out"))
    np.testing.assert_allclose(
        np.loadtxt(tmp_path / "out/cam.txt"), [[227.6, 0, 227.6], [0, 237.5, 237.5], [0, 0, 1]], rtol=0, atol=1e-9
    )
    record = intrinsics(tmp_path / "out")
    np.testing.assert_allclose([record["cx_px"], record["cy_px"]], [227.1, 237.0], rtol=0, atol=1e-9)


def test_simcol_agrees_with_c3vd(pinhole_frames, simcol, tmp_path):
    export(tmp_path / "dataset", dict(enumerate(pinhole_frames)))
    c3vd = convert(tmp_path / "dataset", "c3vd", tmp_path / "c3vd")
    for index in range(3):
        depth, depth_cm = c3vd_depth(c3vd, index), simcol_depth_cm(simcol, index)
        seen = np.isfinite(depth)
        rays = rays_at(pixels(depth.shape), intrinsics(c3vd))[seen]
        points = world_points(c3vd_poses(c3vd)[index], rays, depth[seen])
        points_cm = world_points(simcol_poses(simcol)[index], simcol_rays(simcol, depth.shape)[seen], depth_cm[seen])
        # Half a step of each.
        allowed = (100 / 65535 + 200 / 65280) / 2 / rays[:, 2] + 1e-6
        assert (np.linalg.norm(points - 10 * points_cm, axis=-1) < allowed).all()


def test_simcol_poses_are_unitys(simcol):
    """Unity: left-handed, y up; a camera looks along its z, with its y upwards."""
    positions, quaternions = (unity_lines(simcol, name) for name in ("SavedPosition", "SavedRotationQuaternion"))
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=-1), 1.0, atol=1e-9)
    for index, (position, quaternion) in enumerate(zip(positions, quaternions, strict=True)):
        right, down, forward, place = pose(index)[:3].T
        mirror = np.array([1.0, -1.0, 1.0])
        np.testing.assert_allclose(position, mirror * place / 10, atol=1e-9)
        for axis, direction in zip(np.eye(3), (right, -down, forward), strict=True):
            np.testing.assert_allclose(turned(quaternion, axis), mirror * direction, atol=1e-9)


def test_simcol_marks_what_is_beyond_20_cm(pinhole_frames, tmp_path):
    far = pinhole_frames[0].channels["depth"] * np.float32(1.9)
    frames = [replace(frame, channels={**frame.channels, "depth": far}) for frame in pinhole_frames]
    export(tmp_path / "dataset", dict(enumerate(frames)))
    out = convert(tmp_path / "dataset", "simcol", tmp_path / "out")
    value, valid = (read(out / f"Frames_Sim2Real1/{name}_0000.png") for name in ("Depth", "Valid"))
    z = far * PINHOLE.unproject(PINHOLE.pixel_centers())[..., 2]
    assert 0.05 < (z > 200).mean() < 0.95
    assert (value[z > 200.01] == 65280).all()
    np.testing.assert_array_equal(valid == 255, (z > 0) & (value <= 65280) & (z <= 200.001))
    assert (value[MISSING] == 0).all()
    near = (z > 0) & (z < 200)
    assert np.abs(value[near] / 256 / 255 * 200 - z[near]).max() <= 200 / 65280 / 2 * 1.001
    assert f"{3 * np.count_nonzero(z > 200.001)} are farther than 20 cm" in (out / "README.txt").read_text()


def test_a_grey_picture_gets_three_equal_colours(pinhole_frames, tmp_path):
    grey = pinhole_frames[0].channels["display"][0]
    frames = [replace(frame, channels={**frame.channels, "display": grey}) for frame in pinhole_frames]
    export(tmp_path / "dataset", dict(enumerate(frames)))
    c3vd = convert(tmp_path / "dataset", "c3vd", tmp_path / "c3vd")
    simcol = convert(tmp_path / "dataset", "simcol", tmp_path / "simcol")
    for path in (c3vd / "0002_color.png", simcol / "Frames_Sim2Real1/FrameBuffer_0002.png"):
        np.testing.assert_array_equal(read(path), np.stack([grey] * 3, axis=-1))


# What the layouts cannot hold


def refused(folder, to: str, tmp_path, match: str) -> None:
    with pytest.raises(Sim2RealError, match=match):
        list(convert_dataset(folder, to, tmp_path / "refused"))
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize("to", ["c3vd", "simcol"])
def test_frames_that_do_not_follow_each_other_are_refused(pinhole_frames, tmp_path, to):
    frames = dict(enumerate(pinhole_frames))
    export(tmp_path / "single", frames, sequence=False)
    refused(tmp_path / "single", to, tmp_path, "do not follow each other.*views.mode=fly_through")
    export(tmp_path / "sequence", frames, sequence=True)
    convert(tmp_path / "sequence", to, tmp_path / "out")


@pytest.mark.parametrize("to", ["c3vd", "simcol"])
def test_the_readme_says_which_look_is_there(pinhole_frames, tmp_path, to):
    frames = {
        index: replace(frame, channels={**frame.channels, "display_pale": frame.channels["display"]})
        for index, frame in enumerate(pinhole_frames)
    }
    channels = {**CHANNELS, "display_pale": CHANNELS["display"]}
    export(tmp_path / "dataset", frames, channels, looks={"normal": {}, "pale": {}})
    text = (convert(tmp_path / "dataset", to, tmp_path / "out") / "README.txt").read_text()
    assert "Look of the pictures: normal. Looks of the dataset left out: pale." in text
    assert "display_pale" in text[text.index("Channels of the dataset without a place") :]


def test_c3vd_does_not_say_that_a_dataset_with_coverage_has_none(c3vd):
    text = " ".join((c3vd / "README.txt").read_text().split())
    assert "coverage_mesh.obj is not here: this converter does not write it" in text
    assert "coverage" not in text[text.index("since the dataset has none of it") :]


def test_simcol_refuses_a_fisheye(tmp_path):
    export(tmp_path / "dataset", {0: scene(OLYMPUS, 0)})
    refused(tmp_path / "dataset", "simcol", tmp_path, "camera is scaramuzza.*c3vd")


@pytest.mark.parametrize("to", ["c3vd", "simcol"])
def test_what_is_no_sequence_of_one_camera_is_refused(pinhole_frames, tmp_path, to):
    first, second, third = pinhole_frames
    export(tmp_path / "gap", {0: first, 2: third})
    refused(tmp_path / "gap", to, tmp_path, "frame 1 is missing before frame 2")
    export(tmp_path / "cameras", {0: first, 1: scene(replace(PINHOLE, fx_px=37.0), 1)})
    refused(tmp_path / "cameras", to, tmp_path, "frame 1: its camera is not that of frame 0")
    mirrored = {**second.record["camera"], "camera_from_world": np.diag([1.0, 1.0, -1.0, 1.0])}
    export(tmp_path / "mirrored", {0: first, 1: replace(second, record={"camera": mirrored})})
    refused(tmp_path / "mirrored", to, tmp_path, "frame 1: camera_from_world is not a rotation")
    export(tmp_path / "metres", {0: first}, CHANNELS | {"depth": replace(CHANNELS["depth"], unit="m")})
    refused(tmp_path / "metres", to, tmp_path, r"depth is \(56, 72\) in m, not \(56, 72\) in mm")
    export(tmp_path / "shallow", {0: first}, {"display": CHANNELS["display"]})
    refused(tmp_path / "shallow", to, tmp_path, "no channel 'depth'")
    nameless = {name: value for name, value in first.record["camera"].items() if name != "parameters"}
    export(tmp_path / "nameless", {0: replace(first, record={"camera": nameless})})
    refused(tmp_path / "nameless", to, tmp_path, "no camera parameters")
