"""Fixtures every test file may use."""

import os
from pathlib import Path

import pytest

from slicer_fixtures import drag, load_module, screenshot, slicer_scene  # noqa: F401, fixtures


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real CT data, which is not part of the repository; tests that need it are skipped without it."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SIM2REAL_DATA", default))
    if not (folder / "pelvis" / "ct.nii.gz").exists():
        pytest.skip(f"no real data in {folder}; set SIM2REAL_DATA to the folder that holds pelvis/ct.nii.gz")
    return folder
