"""The tests for a genuine Slicer are collected and run, here on the stand-in, and the exit code tells."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from run_in_slicer import OF_MODULES, TESTING

SCRIPT = Path(__file__).with_name("run_in_slicer.py")


OF_THE_STAND_IN = re.compile(r"test_slicer_stand_in\w*|test_handles_under_x|test_run_in_slicer")


def test_every_file_that_needs_slicer_is_among_them():
    """Those of the stand-in itself need it, and no Slicer."""
    chosen = {path.stem for pattern in OF_MODULES for path in TESTING.glob(pattern)}
    needed = {
        path.stem for path in TESTING.glob("test_*.py") if re.search("slicer_scene|load_module", path.read_text())
    }
    assert {name for name in needed - chosen if not OF_THE_STAND_IN.fullmatch(name)} == set()


@pytest.mark.slow
def test_a_chosen_test_and_the_self_tests_run():
    command = [sys.executable, str(SCRIPT), "--", "-k", "main_thread_stays_alive", "-p", "no:cacheprovider"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    for module in ("DRRSim", "DepthSim", "Translate"):
        assert f"{module}: self-test passed" in run.stdout
    command[-4:] = ["-k", "no_such_test", "-p", "no:cacheprovider"]
    assert subprocess.run(command, capture_output=True, timeout=240).returncode == 5  # pytest: nothing was collected
