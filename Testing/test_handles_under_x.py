"""The handles of C-arm and endoscope in a window of an X server, where there is one: the same tests as off screen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parent
TESTS = (
    "test_drrsim_panel.py::test_the_handles_turn_and_move_the_carm",
    "test_depthsim_panel.py::test_a_handle_is_dragged_and_the_tip_stays_out_of_tissue",
)
HINT = "no Xvfb; Resources/system_libraries.sh installs it on Debian and Ubuntu"


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason=HINT)
def test_handles_are_dragged_in_a_window():
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    try:
        os.close(writing)
        with os.fdopen(reading) as stream:
            display = f":{stream.readline().strip()}"
        environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        tests = [str(TESTING / test) for test in TESTS]
        pytest_command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests]
        run = subprocess.run(pytest_command, env=environment, capture_output=True, text=True, timeout=240)
    finally:
        server.terminate()
        server.wait()
    assert "2 passed" in run.stdout, run.stdout + run.stderr
