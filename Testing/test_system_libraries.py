"""What Resources/system_libraries.sh says where packages are missing and nobody may install them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "Resources" / "system_libraries.sh"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages are those of Linux")


def run_without_apt(folder, purpose):
    """The script where only what it calls itself is found by name: no apt-get, no sudo, no Xvfb."""
    for tool in ("dirname", "id", "uname"):
        (folder / tool).symlink_to(shutil.which(tool))
    command = [shutil.which("sh"), str(SCRIPT), sys.executable, purpose]
    return subprocess.run(command, env=os.environ | {"PATH": str(folder)}, capture_output=True, text=True, timeout=60)


def test_the_tests_go_on_without_an_x_server_and_say_what_they_lack(tmp_path):
    run = run_without_apt(tmp_path, "test")
    assert run.returncode == 0, run.stderr
    assert "Some tests are skipped without: dicom3tools xvfb" in run.stderr
    assert "sudo apt-get install dicom3tools xvfb" in run.stderr


def test_the_demo_wants_no_x_server(tmp_path):
    run = run_without_apt(tmp_path, "demo")
    assert (run.returncode, run.stderr) == (0, "")
