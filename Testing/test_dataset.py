"""Datasets on disk: lossless files others can read, checks that find every damage, hostile datasets kept inside."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image
from pycocotools import mask as coco_mask

from Sim2RealLib.dataset.checks import as_ranges, check_dataset, header_differences
from Sim2RealLib.dataset.codec import DTYPES, decode, encode
from Sim2RealLib.dataset.masks import decode_mask, encode_mask
from Sim2RealLib.dataset.reader import Dataset, StoredFrame
from Sim2RealLib.errors import Sim2RealError
from Sim2RealLib.simulation import Channel, Frame
from toy_export import contents, export, open_writer
from toy_simulation import BALLS, ToyRecipe, ToySimulation, ToyViews


@pytest.fixture
def folder(tmp_path) -> Path:
    export(tmp_path / "dataset", ToyRecipe(views=ToyViews(count=3)))
    return tmp_path / "dataset"


def images(dtype: str) -> list[np.ndarray]:
    """Noise, a mostly empty image and a ramp: the cases the codec treats differently."""
    noise = np.random.default_rng(0).random((60, 70)) * 60_000
    sparse = np.where(noise > 59_000, noise, 0)
    ramp = np.add.outer(np.arange(60), np.arange(70)) * 1.0
    scale = 1 / 256 if dtype == "uint8" else 0.5 if dtype == "int16" else 1
    return [(image * scale).astype(dtype) for image in (noise, sparse, ramp)]


@pytest.mark.parametrize(
    ("extension", "dtype"),
    [*(("tif", dtype) for dtype in DTYPES["tif"]), *(("png", dtype) for dtype in DTYPES["png"])],
)
def test_images_are_lossless_and_itk_and_pillow_read_them(extension, dtype, tmp_path):
    channel = Channel(extension, dtype, "1", "")
    for image in images(dtype):
        data = encode(image, channel)
        assert data == encode(image.copy(), channel)
        np.testing.assert_array_equal(decode(data, channel, image.shape), image)
        path = tmp_path / f"image.{extension}"
        path.write_bytes(data)
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), image)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_pages_keep_their_order_and_number(pages, tmp_path):
    channel = Channel("tif", "float32", "mm", "")
    stack = np.random.default_rng(1).random((pages, 20, 30)).astype(np.float32)
    data = encode(stack, channel)
    np.testing.assert_array_equal(decode(data, channel, stack.shape), stack)
    (tmp_path / "stack.tif").write_bytes(data)
    read = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "stack.tif")))
    np.testing.assert_array_equal(read.reshape(stack.shape), stack)


def test_colours_come_first_in_memory_and_last_in_the_file(tmp_path):
    channel = Channel("png", "uint8", "1", "")
    image = np.random.default_rng(1).integers(0, 256, (3, 20, 30), np.uint8)
    data = encode(image, channel)
    np.testing.assert_array_equal(decode(data, channel, image.shape), image)
    (tmp_path / "colour.png").write_bytes(data)
    assert Image.open(tmp_path / "colour.png").mode == "RGB"
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "colour.png"))[..., 2], image[2])
    for wrong in (image[:2], image.astype(np.uint16)):
        with pytest.raises(ValueError, match="is not a png"):
            encode(wrong, Channel("png", str(wrong.dtype), "1", ""))


def test_special_float_values_survive():
    channel = Channel("tif", "float32", "1", "")
    image = np.array([[0.0, -0.0, np.float32(1e-45), np.finfo(np.float32).max]], np.float32)
    assert decode(encode(image, channel), channel, image.shape).tobytes() == image.tobytes()


def test_masks_agree_with_pycocotools():
    random = np.random.default_rng(2)
    for _ in range(100):
        mask = random.random(random.integers(1, 60, 2)) < random.random()
        entry = encode_mask(mask)
        np.testing.assert_array_equal(decode_mask(entry), mask)
        runs = {"size": entry["size"], "counts": entry["counts"].encode()}
        np.testing.assert_array_equal(coco_mask.decode(runs), mask)
        assert entry["area_px"] == mask.sum()
    large = np.zeros((3000, 4000), bool)
    large[7:2990, 5:3990] = True
    np.testing.assert_array_equal(decode_mask(encode_mask(large)), large)


@pytest.mark.parametrize("counts", ["", "zzzz", "oooooooooooooooo0", "1", "11111", "é", "P", "0" * 7, "PPPPPPPPPP"])
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts):
    """pycocotools returns uninitialised memory for several of these."""
    with pytest.raises(Sim2RealError, match="mask"):
        decode_mask({"size": [10, 10], "counts": counts})


def test_what_is_read_is_what_was_simulated(folder):
    simulation = ToySimulation(ToyRecipe(views=ToyViews(count=3)))
    dataset = Dataset.open(folder)
    assert dataset.indices == (0, 1, 2)
    assert dataset.header == simulation.header
    for index in dataset.indices:
        frame = simulation.frame(index)
        for name, image in frame.channels.items():
            np.testing.assert_array_equal(dataset.channel(index, name), image)
        assert dataset.record(index)["landmarks"].keys() == frame.record["landmarks"].keys()
        pose = frame.record["camera"]["camera_from_world"]
        np.testing.assert_array_equal(dataset.record(index)["camera"]["camera_from_world"], pose)
    with pytest.raises(Sim2RealError, match="it has intensity, thickness, display"):
        dataset.channel(0, "depth")
    with pytest.raises(Sim2RealError, match="cannot be read"):
        dataset.record(3)


def test_the_toy_landmarks_lie_on_their_balls(folder):
    """The chord of a ray through a ball's projected centre is its diameter, to second order in a pixel."""
    dataset = Dataset.open(folder)
    for index in dataset.indices:
        frame = dataset.frame(index)
        for page, (name, _, radius) in zip(frame.channel("thickness"), BALLS.values(), strict=True):
            column, row = np.floor(frame.parsed.landmarks[name].position_px).astype(int)
            assert page[row, column] == pytest.approx(2 * radius, rel=0.01)


def test_frames_past_a_thousand_go_into_their_folders(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=1_000_002, width_px=8, height_px=8))
    frame = ToySimulation(recipe).frame(0)
    with open_writer(tmp_path, recipe) as writer:
        for index in (999, 1000, 999_999, 1_000_001):
            writer.commit(index, frame)
    assert Dataset.open(tmp_path).indices == (999, 1000, 999_999, 1_000_001)
    assert (tmp_path / "frames/000/000999.json").exists()
    assert (tmp_path / "frames/001/001000.json").exists()
    assert (tmp_path / "frames/999/999999.display.png").exists()
    assert (tmp_path / "frames/1000/1000001.display.png").exists()
    assert Dataset.open(tmp_path).frame(1_000_001).index == 1_000_001


def test_nothing_in_a_dataset_tells_when_or_where_it_was_made(folder):
    host = os.uname().nodename.encode()
    for name, data in contents(folder).items():
        assert len(host) < 4 or host not in data, name  # shorter names turn up in noise
        assert str(folder.parent).encode() not in data, name
        assert b"2026:" not in data, name  # how TIFF writes a date


def test_the_dataset_modules_import_without_the_heavy_libraries():
    modules = ["dataset.writer", "dataset.reader", "dataset.checks", "job", "recipe", "models", "convert", "report"]
    imports = "; ".join(f"import Sim2RealLib.{name}" for name in modules)
    check = "import sys; print(sorted({'torch', 'drjit', 'mitsuba', 'distributed', 'matplotlib'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", f"{imports}; {check}"], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# Checks


def problems(folder: Path) -> list[str]:
    return [str(problem) for problem in check_dataset(folder)]


def edit_json(path: Path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_sound_dataset_has_no_problem(folder):
    assert problems(folder) == []


def test_every_changed_byte_is_found(folder):
    random = np.random.default_rng(3)
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix in (".tif", ".png", ".yaml")]
    for path in files:
        sound = path.read_bytes()
        for place in random.integers(0, len(sound), 5):
            damaged = bytearray(sound)
            damaged[place] ^= 1 << random.integers(8)
            path.write_bytes(damaged)
            assert any(path.name in problem for problem in problems(folder)), f"{path.name}, byte {place}"
        path.write_bytes(sound[: len(sound) // 2])
        assert any(path.name in problem for problem in problems(folder)), f"{path.name} truncated"
        path.write_bytes(sound)
    assert problems(folder) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda record: record["camera"]["camera_from_world"][0].__setitem__(0, 2.0), "not a rigid transform"),
        (lambda record: record["camera"].__setitem__("width_px", 99), "size"),
        (lambda record: record["landmarks"]["left_ball"].__setitem__("position_px", [-1, 3]), "outside the image"),
        (lambda record: record["landmarks"]["left_ball"].__setitem__("position_px", None), "outside the image"),
        (lambda record: record["masks"]["3"].__setitem__("area_px", 5), "area or box"),
        (lambda record: record["masks"]["3"].__setitem__("counts", "11"), "run lengths"),
        (lambda record: record["masks"].__setitem__("9", record["masks"]["3"]), "no class"),
        (lambda record: record["masks"].pop("3"), "changed since it was written"),
        (lambda record: record.pop("record_sha256"), "record_sha256: Field required"),
        (lambda record: record["files"]["display"].__setitem__("shape", [62, 48]), "shape"),
        (lambda record: record["files"].pop("display"), "not the channels"),
        (lambda record: record.__setitem__("index", 2), "says it is frame 2"),
        (lambda record: record.pop("files"), "files: Field required"),
    ],
)
def test_a_wrong_record_is_found(folder, change, complaint):
    edit_json(folder / "frames/000/000001.json", change)
    found = problems(folder)
    assert any("000001" in problem and complaint in problem for problem in found), found


def test_everything_wrong_is_found_also_beside_damaged_images(tmp_path):
    """One damaged or missing image does not end the search, and only whole frames are asked of by a simulator."""
    export(tmp_path / "d", ToyRecipe(views=ToyViews(count=4)))
    for index in (0, 2):
        (tmp_path / f"d/frames/000/{index:06d}.display.png").unlink()
    edit_json(tmp_path / "d/frames/000/000003.json", lambda record: record.pop("masks"))
    (tmp_path / "d/recipe.yaml").unlink()
    asked = []

    def check(frame: StoredFrame) -> list[str]:
        asked.append(frame.index)
        raise Sim2RealError("odd")

    found = [str(problem) for problem in check_dataset(tmp_path / "d", check)]
    assert asked == [1, 3]
    for text in ("recipe.yaml", "000000.display.png", "000002.display.png", "000001.json: odd", "000003.json: changed"):
        assert any(text in problem for problem in found), (text, found)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: content["classes"][0].__setitem__("name", "right_ball"), "changed since it was written"),
        (lambda content: content["channels"]["intensity"].__setitem__("unit", "furlong"), "changed since"),
        (lambda content: content.pop("description_sha256"), "description_sha256: Field required"),
        (lambda content: content.__setitem__("frame_count", 10**12), "frame_count: Input should be less"),
    ],
)
def test_a_wrong_description_is_found(folder, change, complaint):
    edit_json(folder / "dataset.json", change)
    found = problems(folder)
    assert any("dataset.json" in problem and complaint in problem for problem in found), found


def test_a_description_is_compared_with_what_the_recipe_gives_now(folder):
    header = ToySimulation(ToyRecipe(views=ToyViews(count=3))).header
    dataset = Dataset.open(folder)
    assert list(header_differences(dataset, header)) == []
    renamed = tuple(replace(entry, name=f"a_{entry.name}") for entry in header.classes)
    for changed, part in (
        (replace(header, classes=renamed), "classes"),
        (replace(header, extra={"distance_mm": 1.0}), "extra.distance_mm"),
        (replace(header, inputs=({"role": "volume", "name": "x", "sha256": "0" * 64},)), "inputs"),
    ):
        (difference,) = header_differences(dataset, changed)
        assert part in difference.what


def test_images_that_are_not_finite_are_refused_when_they_are_written(tmp_path):
    recipe = ToyRecipe(views=ToyViews(count=1))
    frame = ToySimulation(recipe).frame(0)
    intensity = frame.channels["intensity"].copy()
    intensity[3, 4:6] = np.nan, np.inf
    with (
        open_writer(tmp_path / "d", recipe) as writer,
        pytest.raises(Sim2RealError, match=r"2 values of .* not finite"),
    ):
        writer.commit(0, Frame({**frame.channels, "intensity": intensity}, frame.record))


def test_missing_and_stray_files_are_named(tmp_path):
    export(tmp_path / "d", limit=9)
    frames = tmp_path / "d/frames/000"
    (frames / "000004.json").unlink()
    (frames / "000005.thickness.tif").unlink()
    (frames / "000006.depth.tif").write_bytes(b"")
    (frames / "notes.txt").write_text("")
    (frames / ".000007.json.01234567.tmp").write_text("")
    (tmp_path / "d/recipe.yaml").unlink()
    (tmp_path / "d/extra").mkdir()
    found = problems(tmp_path / "d")
    for text in (
        "frames: 4 of 12 frames are missing: 4, 9–11",
        "000004.display.png: left by",
        "000005.thickness.tif cannot be read",
        "000006.depth.tif: ",
        "notes.txt: does not belong",
        "000007.json.01234567.tmp: left by",
        "recipe.yaml",
        "extra: ",
    ):
        assert any(text in problem for problem in found), (text, found)


def test_values_that_are_not_finite_are_found(folder):
    """A file of another hand, with its checksums put right."""
    intensity = Dataset.open(folder).channel(0, "intensity").copy()
    intensity[3, 4:6] = np.nan, np.inf
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, intensity)
    path = folder / "frames/000/000000.intensity.tif"
    path.write_bytes(buffer.getvalue())
    entry = {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest(), "bytes": len(buffer.getvalue())}
    edit_json(path.with_name("000000.json"), lambda record: record["files"]["intensity"].update(entry))
    assert any("2 values are not finite" in problem for problem in problems(folder))


def test_a_simulator_adds_its_own_checks_and_progress_is_told(folder):
    progress = []

    def odd(frame: StoredFrame) -> list[str]:
        return [f"{frame.index} is odd"] if frame.index % 2 else []

    found = list(check_dataset(folder, odd, lambda done, total: progress.append((done, total))))
    assert [problem.what for problem in found] == ["1 is odd"]
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_ranges_are_written_in_short():
    assert as_ranges([0, 1, 2, 3, 7, 9, 10]) == "0–3, 7, 9–10"
    assert as_ranges([5]) == "5"


# Hostile datasets


@pytest.mark.parametrize(
    "path", ["../../../x.tif", "/etc/passwd", "000002.intensity.tif", "..", "./000001.intensity.tif"]
)
def test_a_path_in_a_record_that_is_not_its_file_is_refused(folder, path):
    edit_json(folder / "frames/000/000001.json", lambda record: record["files"]["intensity"].__setitem__("path", path))
    with pytest.raises(Sim2RealError, match="Do not trust"):
        Dataset.open(folder).frame(1)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "", "a.b", "a b", "a/b"])
def test_a_channel_name_that_could_be_a_path_is_refused(folder, name):
    def add(content: dict) -> None:
        content["channels"][name] = content["channels"]["display"]

    edit_json(folder / "dataset.json", add)
    with pytest.raises(Sim2RealError, match="channels"):
        Dataset.open(folder)


def test_links_out_of_the_dataset_are_refused(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    file = folder / "frames/000/000001.intensity.tif"
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(Sim2RealError, match="outside"):
        Dataset.open(folder).channel(1, "intensity")
    (folder / "frames").rename(tmp_path / "moved")
    (folder / "frames").symlink_to(tmp_path / "moved")
    with pytest.raises(Sim2RealError, match="outside"):
        Dataset.open(folder).record(0)
    with pytest.raises(Sim2RealError, match="outside"):
        export(folder, ToyRecipe(views=ToyViews(count=3)))


def test_an_image_that_claims_to_be_huge_is_refused_before_it_is_read(folder):
    for name, side in (("display", 30_000), ("intensity", 32_000)):
        path = folder / f"frames/000/000001.{name}.{'png' if name == 'display' else 'tif'}"
        data = bytearray(path.read_bytes())
        if name == "display":
            data[16:24] = side.to_bytes(4, "big") * 2
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        else:
            data = data.replace((62).to_bytes(4, "little"), side.to_bytes(4, "little"), 1)
            data = data.replace((48).to_bytes(4, "little"), side.to_bytes(4, "little"), 1)
        path.write_bytes(data)
        edit_json(path.with_name("000001.json"), lambda record: record["files"][name].update(shape=[side, side]))  # noqa: B023
        with pytest.raises(Sim2RealError, match=r"bomb|GiB"):
            Dataset.open(folder).channel(1, name)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema_version": NaN}', "[" * 100_000, "\x00"])
def test_a_damaged_description_is_a_clear_error(folder, text):
    (folder / "dataset.json").write_text(text)
    with pytest.raises(Sim2RealError, match=r"dataset\.json: (damaged|made by)"):
        Dataset.open(folder)
    assert len(problems(folder)) == 1


def test_another_schema_version_says_what_to_do(folder):
    edit_json(folder / "dataset.json", lambda content: content.__setitem__("schema_version", 7))
    with pytest.raises(Sim2RealError, match="schema 7, this one reads 1"):
        Dataset.open(folder)


def test_a_folder_that_is_no_dataset_is_a_clear_error(tmp_path):
    with pytest.raises(Sim2RealError, match="not a dataset"):
        Dataset.open(tmp_path)
    with pytest.raises(Sim2RealError, match="not a dataset"):
        Dataset.open(tmp_path / "missing")
