"""The tests for a genuine Slicer are collected and run, here on the stand-in, and the exit code tells."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("run_in_slicer.py")


def test_a_chosen_test_and_the_self_tests_run():
    command = [sys.executable, str(SCRIPT), "--", "-k", "main_thread_stays_alive", "-p", "no:cacheprovider"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
    for module in ("DRRSim", "DepthSim", "Translate"):
        assert f"{module}: self-test passed" in run.stdout
    command[-4:] = ["-k", "no_such_test", "-p", "no:cacheprovider"]
    assert subprocess.run(command, capture_output=True, timeout=240).returncode == 5  # pytest: nothing was collected
