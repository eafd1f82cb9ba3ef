"""Frames against their inputs, also where the dataset was made on another backend, and against the frame before."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from DepthSimLib.frame_checks import frame_checks
from DepthSimLib.recipe import EndoscopyRecipe
from DRRSimLib.frame_checks import input_checks
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.simulation import DrrSimulation, open_simulation
from Sim2RealApp.export import export_dataset
from Sim2RealLib.dataset.codec import encode
from Sim2RealLib.dataset.masks import decode_mask, encode_mask
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.engine import open_backend
from Sim2RealLib.recipe import validate

RECIPE = DrrRecipe(
    simulator="drr",
    input={"anatomy": {"seed": 3, "spacing_mm": 4.0}},
    carm={
        "device": {
            "name": "small",
            "width_px": 160,
            "height_px": 120,
            "pixel_mm": 2.4,
            "source_to_detector_mm": 1200,
            "source_to_isocenter_mm": 800,
        }
    },
    views={"count": 1},
    output={"channels": ["intensity"]},
)


@pytest.fixture(scope="module")
def simulation() -> DrrSimulation:
    return open_simulation(RECIPE, open_backend("llvm"))


@pytest.fixture
def from_elsewhere(tmp_path) -> Path:
    """A dataset that says another backend made it."""
    for _ in export_dataset(RECIPE, tmp_path / "d", "llvm"):
        pass
    path = tmp_path / "d/dataset.json"
    path.write_text(path.read_text().replace('"backend": "llvm"', '"backend": "cuda"'))
    return tmp_path / "d"


def faults(folder: Path, simulation: DrrSimulation) -> list[str]:
    dataset = Dataset.open(folder)
    assert dataset.header.extra["backend"] == "cuda"
    return list(input_checks(dataset, simulation)(dataset.frame(0)))


def change_intensity(folder: Path, factor: np.ndarray) -> None:
    dataset = Dataset.open(folder)
    image = (dataset.channel(0, "intensity") * factor).astype(np.float32)
    data = encode(image, dataset.header.channels["intensity"])
    (folder / "frames/000/000000.intensity.tif").write_bytes(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    change_record(folder, lambda record: record["files"]["intensity"].update(entry))


def change_record(folder: Path, change) -> None:
    path = folder / "frames/000/000000.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_rounding_and_single_photons_are_accepted(from_elsewhere, simulation):
    factor = 1 + 1e-5 * np.random.default_rng(0).standard_normal((120, 160))
    factor[40, 50] = 1.02
    change_intensity(from_elsewhere, factor)
    assert faults(from_elsewhere, simulation) == []


def test_another_exposure_is_found(from_elsewhere, simulation):
    change_intensity(from_elsewhere, np.full((120, 160), 1.003))
    (fault,) = faults(from_elsewhere, simulation)
    assert fault == "intensity differs by 0.30% from what the input gives here"


def test_a_moved_and_a_missing_mask_are_found(from_elsewhere, simulation):
    def move(record):
        class_id, entry = max(record["masks"].items(), key=lambda item: item[1]["area_px"])
        record["masks"][class_id] = encode_mask(np.roll(decode_mask(entry), 3, axis=1))

    change_record(from_elsewhere, move)
    assert any("overlaps that of the input by" in fault for fault in faults(from_elsewhere, simulation))
    change_record(from_elsewhere, lambda record: record["masks"].popitem())
    assert "its masks are not of the labels that the input gives" in faults(from_elsewhere, simulation)


# Endoscopy: depth between the frames of a sequence


def endoscopy(folder: Path, views: dict, channels: list[str]) -> Path:
    sections = {
        "simulator": "endoscopy",
        "input": {"anatomy": {"seed": 2, "scan": {"spacing_mm": 2.0, "lungs": False, "gas_pockets": 0}}},
        "endoscope": {"device": "olympus_cf_hq190l", "scale": 0.1},
        "views": views,
        "rendering": {"mode": "synthetic", "looks": ["dry"]},
        "output": {"channels": channels},
    }
    for _ in export_dataset(validate(EndoscopyRecipe, sections, "test"), folder, "llvm"):
        pass
    return folder


@pytest.fixture(scope="module")
def sequence(tmp_path_factory) -> Path:
    views = {"mode": "fly_through", "count": 4, "start": 0.4, "speed_mm_s": 60.0}
    return endoscopy(tmp_path_factory.mktemp("sequence") / "d", views, ["display", "depth", "flow", "hidden"])


def motion_faults(folder: Path) -> dict[int, str]:
    """What is said of each frame, if anything."""
    dataset = Dataset.open(folder)
    found = {index: "; ".join(frame_checks(dataset)(dataset.frame(index))) for index in dataset.indices}
    return {index: what for index, what in found.items() if what}


def without(folder: Path, names: set[str], out: Path) -> Path:
    """The dataset as if it had been made without some channels."""
    shutil.copytree(folder, out)
    for path in [out / "dataset.json", *out.glob("frames/000/*.json")]:
        content = json.loads(path.read_text())
        part = content["channels" if path.name == "dataset.json" else "files"]
        for name in names:
            del part[name]
        path.write_text(json.dumps(content))
    return out


def change_channel(folder: Path, index: int, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    dataset = Dataset.open(folder)
    image = dataset.channel(index, name)
    changed = change(image).astype(image.dtype)
    assert not np.array_equal(changed, image)
    data = encode(changed, dataset.header.channels[name])
    (folder / dataset.frame(index).relative_path(name)).write_bytes(data)


def test_an_untouched_sequence_is_sound(sequence, tmp_path):
    assert motion_faults(sequence) == {}
    assert motion_faults(without(sequence, {"flow", "hidden"}, tmp_path / "bare")) == {}


@pytest.mark.parametrize("factor", [0.7, 0.97, 1.03, 1.3])
def test_a_frame_with_its_depth_scaled_is_found_without_flow(sequence, tmp_path, factor):
    """Both pairs that the frame is part of say so, and by how much: x or 1/x of the other depth is in front."""
    bare = without(sequence, {"flow", "hidden"}, tmp_path / "bare")
    change_channel(bare, 2, "depth", lambda depth: depth * factor)
    faults = motion_faults(bare)
    assert set(faults) == {2, 3}
    for what in faults.values():
        assert "lies in front of the depth there" in what
        share = float(what.split("differs by ")[1].split("%")[0]) / 100
        # 3 mm from frame to frame: shifted depth meets another place of the wall, most of all when much nearer.
        assert share == pytest.approx(max(factor, 1 / factor) - 1, rel=0.25)


def test_a_patch_of_wrong_depth_is_found(sequence, tmp_path):
    """A sixth of the image, which a median would not notice."""
    bare = without(sequence, {"flow", "hidden"}, tmp_path / "bare")

    def patch(depth: np.ndarray) -> np.ndarray:
        depth = depth.copy()
        depth[30:75, 40:95] *= 1.2
        return depth

    change_channel(bare, 1, "depth", patch)
    assert set(motion_faults(bare)) == {1, 2}


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("flow", lambda flow: np.full_like(flow, -1e5), "flow is not where depth and poses have one"),
        ("flow", lambda flow: flow + 0.1 * (flow > -1e4), "flow is not that of depth and poses"),
        ("hidden", np.zeros_like, "hidden is not that of depth and poses"),
        ("hidden", lambda hidden: 255 - hidden, "hidden is not that of depth and poses"),
    ],
)
def test_flow_and_hidden_that_depth_and_poses_do_not_give_are_found(sequence, tmp_path, name, change, complaint):
    copy = Path(shutil.copytree(sequence, tmp_path / "copy"))
    change_channel(copy, 2, name, change)
    faults = motion_faults(copy)
    assert set(faults) == {2} and complaint in faults[2]


def test_poses_of_a_file_without_a_common_view_and_turned_ones_are_sound(sequence, tmp_path):
    """Frames of one place seen from it, ahead and back and to the side, and of places far from each other."""
    dataset = Dataset.open(sequence)
    here, near = (np.linalg.inv(dataset.record(i)["camera"]["camera_from_world"]) for i in (0, 3))
    back, side = here.copy(), here.copy()
    back[:3, :3] = here[:3, :3] @ np.diag([-1.0, 1.0, -1.0])
    side[:3, :3] = here[:3, :3] @ np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    np.savetxt(tmp_path / "poses.csv", [pose.ravel() for pose in (here, back, near, side, here)], delimiter=",")
    views = {"mode": "file", "file": str(tmp_path / "poses.csv")}
    folder = endoscopy(tmp_path / "d", views, ["display", "depth", "flow", "hidden"])
    assert motion_faults(folder) == {}


def test_single_frames_are_not_compared(tmp_path):
    """Depth that would be found in a sequence is nothing to complain of between frames that do not follow."""
    views = {"mode": "centerline", "count": 2, "span": [0.4, 0.401], "offset": 0.0, "tilt_deg": 0.0, "roll_deg": 0.0}
    folder = endoscopy(tmp_path / "d", views, ["display", "depth"])
    change_channel(folder, 1, "depth", lambda depth: depth * 1.3)
    assert motion_faults(folder) == {}
