"""Frames against their inputs, also where the dataset was made on another backend."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from DRRSimLib.frame_checks import input_checks
from DRRSimLib.recipe import DrrRecipe
from DRRSimLib.simulation import DrrSimulation, open_simulation
from Sim2RealApp.export import export_dataset
from Sim2RealLib.dataset.codec import encode
from Sim2RealLib.dataset.masks import decode_mask, encode_mask
from Sim2RealLib.dataset.reader import Dataset
from Sim2RealLib.engine import open_backend

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
